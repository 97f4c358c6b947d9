import { expect, test } from "vitest";
import { createStore, type StoreOptions } from "../../../../runtime/store/objects.ts";
import { recordOf } from "../../../../runtime/store/records.ts";
import type { Change, Operation, Store } from "../../../../runtime/store/store.ts";
import { podKey, remove, told, write } from "../../../integration/store-contract.ts";
import { createScene, type Scene, settle } from "./scene.ts";

interface Watched {
  store: Store;
  told: string[];
}

/** A store that is ready, and what a watcher of its pods is told. */
async function openStore(
  { world, stream }: Scene,
  options: Partial<StoreOptions> = {},
  journal = stream.connect(),
): Promise<Watched> {
  const store = createStore({ ...world, journal, ...options });
  expect(await world.run({ until: () => store.ready, maxVirtualMs: 30_000 })).toBe(true);
  const lines: string[] = [];
  store.view.subscribe("core.pods.", store.view.floor, (change) => lines.push(told(change)));
  return { store, told: lines };
}

/** Appends past every store. */
async function append({ world, stream }: Scene, ...operations: Operation[]): Promise<void> {
  const { prefix } = stream.connect().stream;
  const records = operations.map((one) => recordOf(prefix, one, one.expected, "elsewhere"));
  await settle(world, stream.connect().append(records));
}

test("feed: notices a consumer that fell silent and goes on where it was", async () => {
  const scene = createScene();
  const { store, told } = await openStore(scene);
  await append(scene, write("a", "1", 0));
  await scene.world.run({ until: () => told.length === 1, maxVirtualMs: 1_000 });
  scene.stream.stallConsumers();
  await append(scene, write("a", "2", 1), write("b", "3", 0));
  expect(await scene.world.run({ until: () => told.length === 3, maxVirtualMs: 10_000 })).toBe(
    true,
  );
  expect(told).toEqual(["1 added a 1", "2 modified a 2 was 1", "3 added b 3"]);
  await settle(scene.world, store.close());
});

test("feed: loads although its first consumers fall silent or end", async () => {
  const scene = createScene({ seed: 3 });
  for (let at = 0; at < 600; at++) await append(scene, write(`p${at}`, "x", 0));
  scene.stream.faults.consumerStalls = 0.3;
  scene.stream.faults.consumerCut = 0.3;
  const { store } = await openStore(scene);
  expect(store.view.snapshot("core.pods.").size).toBe(600);
  await settle(scene.world, store.close());
});

test("feed: comes back after a restart and after an outage without a leader", async () => {
  const scene = createScene({ seed: 5 });
  const { store, told } = await openStore(scene);
  scene.stream.restart(3_000);
  await scene.world.run({ maxVirtualMs: 12_000 });
  await append(scene, write("a", "1", 0));
  expect(await scene.world.run({ until: () => told.length === 1, maxVirtualMs: 20_000 })).toBe(
    true,
  );
  scene.stream.leaderless(9_000);
  expect(await scene.world.run({ until: () => !store.ready, maxVirtualMs: 5_000 })).toBe(true);
  expect(await scene.world.run({ until: () => store.ready, maxVirtualMs: 15_000 })).toBe(true);
  await append(scene, write("b", "2", 0));
  expect(await scene.world.run({ until: () => told.length === 2, maxVirtualMs: 20_000 })).toBe(
    true,
  );
  await settle(scene.world, store.close());
});

test("feed: what was lost is told as one step from what was seen to what is", async () => {
  const scene = createScene();
  await append(scene, write("stays", "1", 0, "s"), write("goes", "2", 0, "g"));
  await append(scene, write("again", "3", 0, "old"), write("grows", "4", 0, "w"));
  const { store, told } = await openStore(scene);
  told.length = 0;
  scene.stream.stallConsumers();
  await append(scene, remove("goes", "2", 2), remove("again", "3", 3));
  await append(scene, write("again", "7", 6, "new"), write("grows", "8", 4, "w"));
  await append(scene, write("fresh", "9", 0, "f"));
  // Somebody thins the stream out while we hear nothing.
  const journal = scene.stream.connect();
  await settle(scene.world, journal.purge("$KV.wherry.core.pods.default.goes"));
  await settle(scene.world, journal.purge("$KV.wherry.core.pods.default.again", 7));
  await scene.world.run({ until: () => told.length >= 5, maxVirtualMs: 20_000 });
  expect(told).toEqual([
    "5 deleted goes 2 was 2",
    "7 deleted again 3 was 3",
    "7 added again 7",
    "8 modified grows 8 was 4",
    "9 added fresh 9",
  ]);
  expect(store.view.revision).toBe(9);
  // Nobody can start from before the loss: the changes as they were are gone.
  expect(store.view.floor).toBe(9);
  expect(() => store.view.subscribe("core.", 8, () => {})).toThrow(/gone/);
  await settle(scene.world, store.close());
});

test("feed: reaches the end of a stream whose last records were removed", async () => {
  const scene = createScene();
  await append(scene, write("a", "1", 0), write("b", "2", 0), write("c", "3", 0));
  const journal = scene.stream.connect();
  await settle(scene.world, journal.purge("$KV.wherry.core.pods.default.c"));
  const { store } = await openStore(scene);
  expect(store.view.revision).toBe(3);
  await settle(scene.world, store.consistent());
  await settle(scene.world, journal.purge("$KV.wherry.core.pods.default.a"));
  await settle(scene.world, journal.purge("$KV.wherry.core.pods.default.b"));
  const empty = await openStore(scene);
  expect(empty.store.view.revision).toBe(3);
  await settle(scene.world, Promise.all([store.close(), empty.store.close()]));
});

test("feed: a hole made by hand is accepted the second time, and logged", async () => {
  const scene = createScene();
  for (let at = 0; at < 5; at++) await append(scene, write(`p${at}`, "x", 0));
  await settle(scene.world, scene.stream.connect().purge("$KV.wherry.core.pods.default.p2"));
  const { store } = await openStore(scene);
  expect(store.view.snapshot("core.pods.").size).toBe(4);
  const errors = scene.world.log.entries.filter(({ level }) => level === "error");
  expect(errors).toMatchObject([{ message: "Records were removed from the stream by hand" }]);
  await settle(scene.world, store.close());
});

test("cache: an entry expires by its own age and is told as deleted", async () => {
  const scene = createScene({ facts: { maxAgeMs: 60_000 } });
  const { store, told } = await openStore(scene);
  await settle(scene.world, store.commit([write("a", "1", 0)]));
  await scene.world.run({ maxVirtualMs: 30_000 });
  await settle(scene.world, store.commit([write("b", "2", 0)]));
  await scene.world.run({ until: () => told.length === 3, maxVirtualMs: 40_000 });
  expect(told).toEqual(["1 added a 1", "2 added b 2", "2 deleted a 1 was 1"]);
  expect(store.view.get(podKey("a"))).toBeUndefined();
  // Its key is free, although the server may still have the record.
  await settle(scene.world, store.commit([write("a", "3", 0)]));
  const late: string[] = [];
  store.view.subscribe("core.pods.", 2, ({ type, key }) => late.push(`${type} ${key}`)).close();
  expect(late[0]).toBe(`deleted ${podKey("a")}`);
  await settle(scene.world, store.close());
});

test("cache: a watcher that throws costs the others nothing", async () => {
  const scene = createScene();
  const { store, told } = await openStore(scene);
  store.view.subscribe("core.pods.", 0, () => {
    throw new Error("watcher's own mistake");
  });
  const later: number[] = [];
  store.view.subscribe("", 0, ({ sequence }) => later.push(sequence));
  await append(scene, write("a", "1", 0));
  await append(scene, write("b", "2", 0));
  await settle(scene.world, store.reached(2, 1_000));
  expect([told.length, later]).toEqual([2, [1, 2]]);
  await settle(scene.world, store.close());
});

test("cache: a change holds its entry's own bytes, and those of the entry before", async () => {
  const scene = createScene();
  const { store } = await openStore(scene);
  const changes: Change[] = [];
  store.view.subscribe("core.pods.", 0, (change) => changes.push(change));
  const key = podKey("a");
  await append(scene, write("a", "1", 0));
  await settle(scene.world, store.reached(1, 1_000));
  const one = store.view.get(key)?.value;
  await append(scene, write("a", "2", 1));
  await settle(scene.world, store.reached(2, 1_000));
  const two = store.view.get(key)?.value;
  await append(scene, remove("a", "2", 2));
  await settle(scene.world, store.reached(3, 1_000));
  expect(changes.map(({ type }) => type)).toEqual(["added", "modified", "deleted"]);
  expect(one && changes[0]?.value === one).toBe(true);
  expect(two && changes[1]?.value === two).toBe(true);
  expect(changes[1]?.previous === one).toBe(true);
  expect(changes[2]?.previous === two).toBe(true);
  await settle(scene.world, store.close());
});

test("cache: keeps its own copy of what arrives in a socket's buffer", async () => {
  const scene = createScene();
  const { store } = await openStore(scene);
  await settle(scene.world, store.commit([write("a", "12345", 0)]));
  await settle(scene.world, store.reached(1, 1_000));
  const value = store.view.get(podKey("a"))?.value;
  expect(value?.buffer.byteLength).toBe(5);
  await settle(scene.world, store.close());
});
