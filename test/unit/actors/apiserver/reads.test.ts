/** Pages and watches against a small window, in virtual time: what falls out of it is said to be gone. */

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Pages } from "../../../../actors/apiserver/continue.ts";
import { FieldIndexes } from "../../../../actors/apiserver/field-index.ts";
import { Objects } from "../../../../actors/apiserver/objects.ts";
import { snapshotAt } from "../../../../actors/apiserver/past.ts";
import type { Resource } from "../../../../actors/apiserver/registry/registry.ts";
import type { ApiRequest } from "../../../../actors/apiserver/request.ts";
import { openWatch } from "../../../../actors/apiserver/watch.ts";
import { ConfigMap, encodeStored } from "../../../../manifests/index.ts";
import { createSimStream } from "../../../../runtime/sim/journal.ts";
import { createWorld, type SimWorld } from "../../../../runtime/sim/world.ts";
import { objectKey } from "../../../../runtime/store/key.ts";
import { createStore } from "../../../../runtime/store/objects.ts";
import type { Store } from "../../../../runtime/store/store.ts";

const prefix = "core.configmaps.";
const windowChanges = 4;

let world: SimWorld;
let store: Store;
let resource: Resource;

beforeEach(async () => {
  world = createWorld({ seed: 7 });
  const { clock, random, log } = world;
  const stream = createSimStream({ clock, random });
  const window = { changes: windowChanges };
  store = createStore({ clock, random, log, journal: stream.connect(), window });
  resource = { kind: ConfigMap, stored: ConfigMap, store, hooks: {} };
  await until(() => store.ready);
});

afterEach(async () => {
  await settle(store.close());
});

async function until(holds: () => boolean): Promise<void> {
  expect(await world.run({ until: holds, maxVirtualMs: 60_000 })).toBe(true);
}

async function settle<T>(work: Promise<T>): Promise<T> {
  let done = false;
  const noted = work.finally(() => {
    done = true;
  });
  noted.catch(() => {});
  await until(() => done);
  return await noted;
}

async function put(name: string, value: string): Promise<number> {
  const key = objectKey({ group: "", resource: "configmaps", namespace: "d", name });
  const object = { metadata: { namespace: "d", name }, data: { value } };
  const encoded = new TextEncoder().encode(encodeStored(object));
  const expected = store.view.get(key)?.sequence ?? 0;
  const [committed] = await settle(store.commit([{ key, value: encoded, expected }]));
  await settle(store.reached(committed?.sequence ?? 0, 1_000));
  return committed?.sequence ?? 0;
}

function names(entries: Iterable<{ key: string }>): string[] {
  return [...entries].map(({ key }) => key.slice(`${prefix}d.`.length));
}

function watchFrom(revision: number) {
  const frames: string[] = [];
  const sink = {
    frames: (bytes: Uint8Array) => frames.push(new TextDecoder().decode(bytes)),
    end: () => frames.push("end"),
  };
  const query = new URLSearchParams({ resourceVersion: String(revision), timeoutSeconds: "5" });
  const request = { namespace: "", name: "", query, form: "object" } as unknown as ApiRequest;
  const objects = new Objects(world.clock);
  const turn = () => world.clock.sleep(0);
  const indexes = new FieldIndexes({ objects, turn });
  const context = { objects, indexes, turn, clock: world.clock };
  return { frames, opened: settle(openWatch(context, resource, request, sink)) };
}

describe("watch", () => {
  test("watch: a revision that fell out of the window is too old, by its number", async () => {
    const first = await put("a", "0");
    for (let times = 1; times <= windowChanges + 2; times++) await put("a", String(times));
    const { floor } = store.view;
    expect(floor).toBeGreaterThan(first);
    await expect(watchFrom(first).opened).rejects.toThrow(
      `too old resource version: ${first} (${floor})`,
    );
    await expect(watchFrom(floor).opened).resolves.toBeDefined();
  });

  test("watch: ends when its time is up, and a future revision is waited for", async () => {
    const now = await put("a", "0");
    const early = watchFrom(now + 1);
    await put("b", "1");
    await early.opened;
    await put("c", "2");
    await until(() => early.frames.at(-1) === "end");
    expect(early.frames).toHaveLength(2);
    expect(early.frames[0]).toContain(`"resourceVersion":"${now + 2}"`);
  });
});

describe("pages", () => {
  test("pages: a pin lasts for five minutes after its last use", async () => {
    const pages = new Pages(world.clock, world.random);
    for (const name of ["a", "b", "c"]) await put(name, "0");
    const snapshot = store.view.snapshot(prefix);
    const after = `${prefix}d.a`;
    const token = pages.next(prefix, { snapshot, after, passed: 1, pin: "" });
    for (let times = 0; times < windowChanges + 2; times++) await put("a", String(times));
    const page = await settle(pages.open(token, prefix, store));
    expect(page.snapshot).toBe(snapshot);
    expect(names(page.snapshot.range(page.after))).toEqual(["b", "c"]);

    await world.run({ maxVirtualMs: 5 * 60_000 + 1 });
    const error = await settle(pages.open(token, prefix, store).catch((late: unknown) => late));
    expect(error).toMatchObject({ status: { code: 410, reason: "Expired" } });
    // The refusal brings a token for the rest as it is now.
    const { metadata } = (error as { status: { metadata: { continue: string } } }).status;
    const rest = await settle(pages.open(metadata.continue, prefix, store));
    expect(names(rest.snapshot.range(rest.after))).toEqual(["b", "c"]);
    pages.close();
  });

  test("pages: a token opens the resource that it was given for, and no other", async () => {
    const pages = new Pages(world.clock, world.random);
    await put("a", "0");
    const snapshot = store.view.snapshot(prefix);
    const token = pages.next(prefix, { snapshot, after: "", passed: 0, pin: "" });
    const other = await settle(pages.open(token, "core.secrets.", store));
    expect(names(other.snapshot.range())).toEqual([]);
    pages.close();
  });
});

test("past: the list as it was, from what changed since", async () => {
  for (const name of ["a", "c", "e"]) await put(name, "old");
  const revision = store.view.revision;
  const before = names(store.view.snapshot(prefix).range());
  await put("b", "new");
  await put("c", "new");
  const key = `${prefix}d.e`;
  const entry = store.view.get(key);
  if (!entry) throw new Error("not there");
  const gone = { key, value: entry.value, expected: entry.sequence, delete: true };
  const [deleted] = await settle(store.commit([gone]));
  await settle(store.reached(deleted?.sequence ?? 0, 1_000));

  const past = await settle(snapshotAt(store, prefix, revision));
  expect(names(past?.range() ?? [])).toEqual(before);
  expect(past?.size).toBe(before.length);
  expect(names(past?.range(`${prefix}d.a`, 1) ?? [])).toEqual(["c"]);
  const text = (bytes?: Uint8Array) => new TextDecoder().decode(bytes);
  expect([...(past?.range() ?? [])].every(({ value }) => text(value).includes("old"))).toBe(true);
});
