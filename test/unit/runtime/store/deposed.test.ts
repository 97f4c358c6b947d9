/** A store whose server is a leader that was deposed: what it is refused is not what is so. */

import { afterEach, beforeEach, expect, test } from "vitest";
import type { SimJournal } from "../../../../runtime/sim/journal.ts";
import { createStore } from "../../../../runtime/store/objects.ts";
import type { Operation, Store } from "../../../../runtime/store/store.ts";
import { podKey, remove, write } from "../../../integration/store-contract.ts";
import { createScene, leftovers, type Scene, settle } from "./scene.ts";

const deposedMs = 8_000;

let scene: Scene;
let journal: SimJournal;
let deposed: Store;
let other: Store;

beforeEach(async () => {
  scene = createScene({ facts: { replicated: true } });
  journal = scene.stream.connect();
  deposed = createStore({ ...scene.world, journal });
  other = createStore({ ...scene.world, journal: scene.stream.connect() });
  const ready = () => deposed.ready && other.ready;
  expect(await scene.world.run({ until: ready, maxVirtualMs: 10_000 })).toBe(true);
});

afterEach(async () => {
  for (const store of [deposed, other]) await settle(scene.world, store.close());
  expect(await leftovers(scene.world)).toBe(0);
});

async function commit(store: Store, operation: Operation): Promise<number> {
  const [committed] = await settle(scene.world, store.commit([operation]));
  return committed?.sequence ?? 0;
}

test("store: a refusal by a deposed leader is not believed", async () => {
  const first = await commit(other, write("a", "one", 0));
  await settle(scene.world, deposed.reached(first, 1_000));
  journal.depose(deposedMs);
  const second = await commit(other, write("a", "two", first));
  const third = await commit(deposed, write("a", "three", second));
  await settle(scene.world, deposed.consistent());
  expect(deposed.view.get(podKey("a"))?.sequence).toBe(third);
  expect(scene.world.clock.monotonic()).toBeGreaterThan(deposedMs);
});

test("store: a deletion that a deposed leader never heard of is not denied", async () => {
  journal.depose(deposedMs);
  const first = await commit(other, write("a", "one", 0));
  await commit(deposed, remove("a", "gone", first));
  await settle(scene.world, other.consistent());
  expect(other.view.get(podKey("a"))).toBeUndefined();
});

test("store: what really is not there is refused, once the leader is a true one", async () => {
  journal.depose(deposedMs);
  await commit(other, write("a", "one", 0));
  const refused = await settle(
    scene.world,
    deposed.commit([write("a", "two", 99)]).catch((error: unknown) => error),
  );
  expect(refused).toMatchObject({ code: "conflict", actual: 1 });
});
