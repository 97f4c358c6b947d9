/** Selectors over columns, on a real store in virtual time: who is told, what is parsed, who waits. */

import fc from "fast-check";
import { expect, test } from "vitest";
import { Pages } from "../../../../actors/apiserver/continue.ts";
import { FieldIndexes } from "../../../../actors/apiserver/field-index.ts";
import { Objects } from "../../../../actors/apiserver/objects.ts";
import { list } from "../../../../actors/apiserver/read.ts";
import type { Resource } from "../../../../actors/apiserver/registry/registry.ts";
import { type ApiRequest, replyBytes } from "../../../../actors/apiserver/request.ts";
import { openWatch } from "../../../../actors/apiserver/watch.ts";
import { encodeStored, type KubeObject, Pod } from "../../../../manifests/index.ts";
import { objectKey } from "../../../../runtime/store/key.ts";
import { createStore } from "../../../../runtime/store/objects.ts";
import { recordOf } from "../../../../runtime/store/records.ts";
import type { Operation } from "../../../../runtime/store/store.ts";
import { createScene, settle } from "../../runtime/store/scene.ts";

const encoder = new TextEncoder();

interface Wish {
  name: string;
  node?: string;
  labels?: Record<string, string>;
}

async function openScene() {
  const { world, stream } = createScene();
  const store = createStore({ ...world, journal: stream.connect() });
  await world.run({ until: () => store.ready, maxVirtualMs: 10_000 });
  const resource: Resource = { kind: Pod, stored: Pod, store, hooks: {} };
  const objects = new Objects(world.clock);
  let turns = 0;
  const turn = () => {
    turns++;
    return world.clock.sleep(0);
  };
  const indexes = new FieldIndexes({ objects, turn });
  const pages = new Pages(world.clock, world.random);
  const context = { objects, indexes, pages, turn, clock: world.clock };
  const keyOf = (name: string) => objectKey({ group: "", resource: "pods", namespace: "d", name });

  function operations(wishes: readonly Wish[], gone: readonly string[] = []): Operation[] {
    const puts = wishes.map(({ name, node = "", labels }) => {
      const metadata = { namespace: "d", name, labels };
      const spec = { nodeName: node, containers: [] };
      const value = encoder.encode(encodeStored({ metadata, spec } as Pod));
      const key = keyOf(name);
      return { key, value, expected: store.view.get(key)?.sequence ?? 0 };
    });
    const deletes = gone.flatMap((name) => {
      const entry = store.view.get(keyOf(name));
      if (!entry) return [];
      const { key, value, sequence: expected } = entry;
      return [{ key, value, expected, delete: true }];
    });
    return [...deletes, ...puts];
  }

  async function write(wishes: readonly Wish[], gone?: readonly string[]): Promise<void> {
    const committed = await settle(world, store.commit(operations(wishes, gone)));
    await settle(world, store.reached(committed.at(-1)?.sequence ?? 0, 1_000));
  }

  /** Writes past the store while it hears nothing, and thins out what was deleted. */
  async function writeUnheard(wishes: readonly Wish[], gone: readonly string[]): Promise<void> {
    stream.stallConsumers();
    const journal = stream.connect();
    const { prefix } = journal.stream;
    const records = operations(wishes, gone).map((one) =>
      recordOf(prefix, one, one.expected, "elsewhere"),
    );
    const { firstSequence } = await settle(world, journal.append(records));
    for (const name of gone) await settle(world, journal.purge(prefix + keyOf(name)));
    await settle(world, store.reached(firstSequence + records.length - 1, 60_000));
  }

  function request(query: Record<string, string>, form = "object"): ApiRequest {
    const of = { group: "", version: "v1", resource: "pods", namespace: "", name: "" };
    const search = new URLSearchParams({ resourceVersion: "0", ...query });
    return { ...of, verb: "list", query: search, form } as unknown as ApiRequest;
  }

  async function names(query: Record<string, string>): Promise<string[]> {
    const reply = await settle(world, list(context, resource, request(query)));
    const { items } = JSON.parse(new TextDecoder().decode(replyBytes(reply)));
    return items.map(({ metadata }: KubeObject) => metadata.name);
  }

  async function watch(query: Record<string, string>, form?: string) {
    const frames: Uint8Array[] = [];
    const sink = { frames: (bytes: Uint8Array) => frames.push(bytes), end() {} };
    const asked = request({ resourceVersion: String(store.view.revision), ...query }, form);
    const watching = await settle(world, openWatch(context, resource, asked, sink));
    const events = () =>
      frames.map((bytes) => {
        const { type, object } = JSON.parse(new TextDecoder().decode(bytes));
        return `${type} ${object.metadata.name}`;
      });
    return { frames, events, close: () => watching.close() };
  }

  const close = () => settle(world, store.close());
  const counts = { turns: () => turns, parses: () => objects.parses };
  return {
    world,
    store,
    resource,
    context,
    counts,
    write,
    writeUnheard,
    request,
    names,
    watch,
    close,
  };
}

test("selectors: a change is told to those whose node it enters, keeps or leaves", async () => {
  const { write, watch, close } = await openScene();
  const [one, two, three] = [
    await watch({ fieldSelector: "spec.nodeName=n1" }),
    await watch({ fieldSelector: "spec.nodeName=n2" }),
    await watch({ fieldSelector: "spec.nodeName=n3,metadata.name!=a" }),
  ];
  const named = await watch({ fieldSelector: "metadata.name=a" });
  await write([{ name: "a" }]);
  await write([
    { name: "a", node: "n1" },
    { name: "b", node: "n2" },
  ]);
  await write([{ name: "a", node: "n2" }]);
  await write([
    { name: "a", node: "n3" },
    { name: "c", node: "n3" },
  ]);
  one.close();
  await write([{ name: "b", node: "n1" }], ["a", "c"]);
  expect(one.events()).toEqual(["ADDED a", "DELETED a"]);
  expect(two.events()).toEqual(["ADDED b", "ADDED a", "DELETED a", "DELETED b"]);
  expect(three.events()).toEqual(["ADDED c", "DELETED c"]);
  expect(named.events()).toEqual([
    "ADDED a",
    "MODIFIED a",
    "MODIFIED a",
    "MODIFIED a",
    "DELETED a",
  ]);
  await close();
});

test("selectors: a watch that resumes is told what it missed, then what comes", async () => {
  const { store, write, watch, close } = await openScene();
  await write([{ name: "a", node: "n1" }]);
  const resourceVersion = String(store.view.revision);
  await write([
    { name: "a", node: "n2" },
    { name: "b", node: "n1" },
  ]);
  const resumed = await watch({ fieldSelector: "spec.nodeName=n1", resourceVersion });
  await write([{ name: "c", node: "n1" }]);
  expect(resumed.events()).toEqual(["DELETED a", "ADDED b", "ADDED c"]);
  await close();
});

test("selectors: an object is parsed once, however many watch and list", async () => {
  const { counts, write, names, watch, close } = await openScene();
  const watches = [];
  for (let number = 0; number < 100; number++) {
    watches.push(await watch({ fieldSelector: `spec.nodeName=n${number}` }));
    watches.push(await watch({ fieldSelector: "status.phase!=Failed" }));
    watches.push(await watch({ labelSelector: `app=${number}` }));
  }
  await write([{ name: "a", node: "n1", labels: { app: "1" } }]);
  await write([{ name: "a", node: "n2", labels: { app: "2" } }]);
  expect(await names({ labelSelector: "app=2" })).toEqual(["a"]);
  expect(await names({ fieldSelector: "spec.nodeName=n2" })).toEqual(["a"]);
  expect(await names({ fieldSelector: "metadata.name=a,metadata.namespace=d" })).toEqual(["a"]);
  expect(counts.parses()).toBe(2);
  // Two of each kind of selector saw something, and of the phase all of them.
  expect(watches.filter(({ frames }) => frames.length > 0)).toHaveLength(100 + 2 + 2);
  await close();
});

test.each(["object", "partial", "table"])(
  "watch: a change is encoded once for all who want it as %s",
  async (form) => {
    const { counts, write, watch, close } = await openScene();
    const watches = [];
    for (let number = 0; number < 1_000; number++) watches.push(await watch({}, form));
    await write([{ name: "a", node: "n1" }]);
    const [frame] = watches[0]?.frames ?? [];
    expect(frame).toBeDefined();
    expect(watches.every(({ frames }) => frames.length === 1 && frames[0] === frame)).toBe(true);
    expect(counts.parses()).toBe(form === "object" ? 0 : 1);
    await close();
  },
);

test("list: 20,000 objects leave turns to others, by selector or not", async () => {
  const { counts, write, names, close } = await openScene();
  for (let first = 0; first < 20_000; first += 800) {
    const wishes = Array.from({ length: 800 }, (_, at) => first + at);
    await write(wishes.map((number) => ({ name: `p${number}`, node: `n${number % 400}` })));
  }
  const turnsOf = async (query: Record<string, string>, found: number): Promise<number> => {
    const before = counts.turns();
    expect(await names(query)).toHaveLength(found);
    return counts.turns() - before;
  };
  expect(await turnsOf({}, 20_000)).toBe(10);
  // The first reads the columns of all, fifty to a turn; the next ones find them there.
  expect(await turnsOf({ fieldSelector: "spec.nodeName=n7" }, 50)).toBe(399);
  expect(await turnsOf({ fieldSelector: "spec.nodeName=n8" }, 50)).toBe(0);
  expect(await turnsOf({ fieldSelector: "status.phase=Failed" }, 0)).toBe(10);
  await close();
});

test("list: an index means what a walk over all objects does, whatever is written meanwhile", async () => {
  const wish = fc.record({
    name: fc.constantFrom("a", "b", "c", "d", "e"),
    node: fc.constantFrom("", "n1", "n2"),
  });
  const step = fc.oneof(
    fc.record({ wishes: fc.uniqueArray(wish, { selector: ({ name }) => name, minLength: 1 }) }),
    fc.record({ gone: fc.constantFrom("a", "b", "c", "d", "e") }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), fc.nat(12), async (steps, asksAt) => {
      const { write, names, close } = await openScene();
      for (const [at, todo] of steps.entries()) {
        if ("wishes" in todo) await write(todo.wishes);
        else if ((await names({})).includes(todo.gone)) await write([], [todo.gone]);
        if (at < asksAt) continue;
        for (const node of ["", "n1", "n2"]) {
          const walked = await names({ fieldSelector: `status.phase=,spec.nodeName!=x${node}` });
          const indexed = await names({ fieldSelector: `spec.nodeName=${node}` });
          const others = await names({ fieldSelector: `spec.nodeName!=${node}` });
          expect([...indexed, ...others].sort()).toEqual(walked);
        }
      }
      await close();
    }),
    { numRuns: 30 },
  );
});

test("list: a change while the index is being filled is in it, and what it replaced is not", async () => {
  const { world, store, resource, context, write, request, names, close } = await openScene();
  const wishes = Array.from({ length: 500 }, (_, at) => ({ name: `p${at + 100}`, node: "n1" }));
  await write(wishes);
  const early = list(context, resource, request({ fieldSelector: "spec.nodeName=n1" }));
  // The filling has begun and waits for its turn.
  expect(store.view.snapshot("core.pods.").size).toBe(500);
  await write([
    { name: "p599", node: "n2" },
    { name: "p100", node: "n2" },
    { name: "new", node: "n1" },
  ]);
  await settle(world, early);
  expect(await names({ fieldSelector: "spec.nodeName=n2" })).toEqual(["p100", "p599"]);
  const onOne = await names({ fieldSelector: "spec.nodeName=n1" });
  expect(onOne).toHaveLength(499);
  expect(onOne[0]).toBe("new");
  await close();
});

test("list: an index and its watchers go along when the cache is rebuilt after a loss", async () => {
  const { store, write, writeUnheard, names, watch, close } = await openScene();
  await write([
    { name: "a", node: "n1" },
    { name: "b", node: "n1" },
  ]);
  expect(await names({ fieldSelector: "spec.nodeName=n1" })).toEqual(["a", "b"]);
  const one = await watch({ fieldSelector: "spec.nodeName=n1" });
  // The deletion comes first, so that its record is a hole before what is still there.
  await writeUnheard(
    [
      { name: "a", node: "n2" },
      { name: "c", node: "n1" },
    ],
    ["b"],
  );
  // It was a rebuild: the changes as they were are gone.
  expect(store.view.floor).toBe(store.view.revision);
  expect(await names({ fieldSelector: "spec.nodeName=n1" })).toEqual(["c"]);
  expect(await names({ fieldSelector: "spec.nodeName=n2" })).toEqual(["a"]);
  expect(one.events().sort()).toEqual(["ADDED c", "DELETED a", "DELETED b"]);
  await close();
});

test("list: pages of what an index found go on from where they were", async () => {
  const { world, resource, context, write, request, close } = await openScene();
  await write(["a", "b", "c"].map((name) => ({ name, node: "n1" })));
  const page = async (query: Record<string, string>) => {
    const asked = request({ fieldSelector: "spec.nodeName=n1", limit: "2", ...query });
    const reply = await settle(world, list(context, resource, asked));
    const { items, metadata } = JSON.parse(new TextDecoder().decode(replyBytes(reply)));
    return { names: items.map((pod: KubeObject) => pod.metadata.name), token: metadata.continue };
  };
  const first = await page({});
  await write([
    { name: "c", node: "n2" },
    { name: "d", node: "n1" },
  ]);
  const second = await page({ continue: first.token });
  expect([first.names, second.names, second.token]).toEqual([["a", "b"], ["c"], undefined]);
  context.pages.close();
  await close();
});

test("watch: an object that cannot be read ends the watches that would have to judge it", async () => {
  const { world, store, write, watch, close } = await openScene();
  const of = await watch({ fieldSelector: "spec.nodeName=n1" });
  const key = objectKey({ group: "", resource: "pods", namespace: "d", name: "broken" });
  await settle(world, store.commit([{ key, value: encoder.encode("{"), expected: 0 }]));
  await write([{ name: "a", node: "n1" }]);
  expect(of.frames).toHaveLength(1);
  expect(new TextDecoder().decode(of.frames[0])).toContain('"type":"ERROR"');
  await close();
});

test("watch: what is there is sent no faster than it is taken, and not to who is gone", async () => {
  const { world, resource, context, write, request, close } = await openScene();
  await write(["a", "b", "c", "d"].map((name) => ({ name })));
  let sent = 0;
  let ended = false;
  const sink = {
    frames: () => {
      sent++;
    },
    end: () => {
      ended = true;
    },
    room: () => Promise.resolve(sent < 2),
  };
  await settle(world, openWatch(context, resource, request({}), sink));
  expect([sent, ended]).toEqual([2, true]);
  await close();
});
