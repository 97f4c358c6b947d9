import fc from "fast-check";
import { expect, test } from "vitest";
import { startCompactor } from "../../../../runtime/store/compactor.ts";
import type { AppendRecord } from "../../../../runtime/store/journal.ts";
import { createStore } from "../../../../runtime/store/objects.ts";
import type { Store } from "../../../../runtime/store/store.ts";
import { podKey, remove, told, write } from "../../../integration/store-contract.ts";
import { createScene, leftovers, type Scene, settle } from "./scene.ts";

const hourMs = 3_600_000;

async function openStore({ world, stream }: Scene): Promise<Store> {
  const store = createStore({ ...world, journal: stream.connect() });
  expect(await world.run({ until: () => store.ready, maxVirtualMs: 60_000 })).toBe(true);
  return store;
}

function compactorOf({ world, stream }: Scene): ReturnType<typeof startCompactor> {
  // Its own rounds stay out of the way of those that the test asks for.
  return startCompactor({ ...world, journal: stream.connect(), intervalMs: 1_000 * hourMs });
}

/** Subjects and sequences of what is left, without the compactor's own. */
function left({ stream }: Scene): string[] {
  return stream
    .records()
    .filter(({ subject }) => !subject.includes("._"))
    .map(({ subject, sequence }) => `${sequence} ${subject.split(".").at(-1)}`);
}

test("compactor: keeps the horizon whole, and below it the newest of each key", async () => {
  const scene = createScene();
  const { world } = scene;
  const store = await openStore(scene);
  const compactor = compactorOf(scene);
  const commit = (...operations: Parameters<Store["commit"]>[0]): Promise<unknown> =>
    settle(world, store.commit(operations));
  await commit(write("a", "1", 0));
  await commit(write("a", "2", 1));
  await commit(write("b", "3", 0));
  await commit(remove("b", "3", 3));
  await commit(write("c", "5", 0));
  await world.run({ maxVirtualMs: hourMs });
  await commit(write("a", "6", 2));
  await commit(write("a", "7", 6));
  expect(await settle(world, compactor.compact())).toEqual({ revision: 5, purges: 2 });
  // The marker of b stays for this round, alone.
  expect(left(scene)).toEqual(["2 a", "4 b", "5 c", "6 a", "7 a"]);
  await settle(world, compactor.compact());
  expect(left(scene)).toEqual(["2 a", "5 c", "6 a", "7 a"]);
  expect(await settle(world, store.at(podKey("a"), 5))).toMatchObject({ sequence: 2 });
  expect(await settle(world, store.at(podKey("a"), 6))).toMatchObject({ sequence: 6 });
  expect(await settle(world, store.at(podKey("b"), 6))).toBeUndefined();
  await expect(settle(world, store.at(podKey("a"), 4))).rejects.toMatchObject({ code: "expired" });
  compactor.stop();
  await settle(world, store.close());
  expect(await leftovers(world)).toBe(0);
});

test("compactor: an idle cluster is left alone", async () => {
  const scene = createScene();
  const store = await openStore(scene);
  const compactor = startCompactor({ ...scene.world, journal: scene.stream.connect() });
  await settle(scene.world, store.commit([write("a", "1", 0)]));
  await scene.world.run({ maxVirtualMs: 2 * hourMs });
  const { length } = scene.stream.records();
  const end = store.view.revision;
  await scene.world.run({ maxVirtualMs: 10 * hourMs });
  expect(scene.stream.records()).toHaveLength(length);
  expect(store.view.revision).toBe(end);
  compactor.stop();
  await settle(scene.world, store.close());
});

test("compactor: a key may be made anew over a marker that was just removed", async () => {
  const scene = createScene();
  const { world } = scene;
  const store = await openStore(scene);
  const compactor = compactorOf(scene);
  await settle(world, store.commit([write("a", "1", 0)]));
  await settle(world, store.commit([remove("a", "1", 1)]));
  await world.run({ maxVirtualMs: hourMs });
  await settle(world, compactor.compact());
  await settle(world, store.commit([write("b", "x", 0)]));
  await settle(world, compactor.compact());
  expect(left(scene)).toEqual(["4 b"]);
  const [created] = await settle(world, store.commit([write("a", "again", 0)]));
  expect(created?.sequence).toBe(5);
  compactor.stop();
  await settle(world, store.close());
});

test("compactor: what one left undone the next one finds", async () => {
  const scene = createScene();
  const { world } = scene;
  const store = await openStore(scene);
  for (let at = 0; at < 40; at++) {
    await settle(world, store.commit([write(`p${at}`, "1", 0)]));
    await settle(world, store.commit([remove(`p${at}`, "1", 2 * at + 1)]));
  }
  await world.run({ maxVirtualMs: hourMs });
  const first = compactorOf(scene);
  const cut = first.compact();
  await world.run({ until: () => left(scene).length < 70, maxVirtualMs: 10_000 });
  first.stop();
  await settle(world, cut);
  expect(left(scene).length).toBeGreaterThan(40);
  const second = compactorOf(scene);
  await settle(world, second.compact());
  expect(left(scene)).toHaveLength(40);
  await settle(world, second.compact());
  expect(left(scene)).toEqual([]);
  second.stop();
  await settle(world, store.close());
});

test("compactor: a load that a round overtakes begins once more", async () => {
  // A second a batch: the load has read the put and is far from the marker when both vanish.
  const scene = createScene({ latencyMs: [1_000, 1_000] });
  const { world, stream } = scene;
  const journal = stream.connect();
  const { prefix } = journal.stream;
  const records = Array.from(
    { length: 2_000 },
    (_, at): AppendRecord => ({
      subject: prefix + podKey(at === 1_999 ? "p0" : `p${at}`),
      data: new Uint8Array(0),
      headers: at === 1_999 ? { "KV-Operation": "DEL" } : undefined,
    }),
  );
  await settle(world, journal.append(records.slice(0, 1_000)));
  await settle(world, journal.append(records.slice(1_000)));
  const announce = (revision: number): Promise<unknown> => {
    const data = new TextEncoder().encode(JSON.stringify({ revision }));
    return settle(world, journal.append([{ subject: `${prefix}_compacted`, data }]));
  };
  await announce(2_000);
  const store = createStore({ ...world, journal: stream.connect() });
  await world.run({ maxVirtualMs: 6_000 });
  await announce(2_001);
  await settle(world, journal.purge(prefix + podKey("p0")));
  expect(await world.run({ until: () => store.ready, maxVirtualMs: 60_000 })).toBe(true);
  expect(store.view.get(podKey("p0"))).toBeUndefined();
  expect(store.view.snapshot("core.pods.").size).toBe(1_998);
  await settle(world, store.close());
});

test("compactor: late starters agree with those who saw everything", {
  timeout: 30_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), async (seed) => {
      const scene = createScene({ seed });
      const { world, stream } = scene;
      const store = await openStore(scene);
      const { random } = world;
      // Rounds a minute apart, a horizon of five: loads overlap with them.
      const journal = stream.connect();
      const times = { horizonMs: 300_000, intervalMs: 60_000 };
      const compactor = startCompactor({ ...world, journal, ...times });
      for (let at = 0; at < 60; at++) {
        const name = `p${random.int(8)}`;
        const expected = store.view.get(podKey(name))?.sequence ?? 0;
        const gone = expected > 0 && random.next() < 0.4;
        const operation = gone ? remove(name, `${at}`, expected) : write(name, `${at}`, expected);
        await settle(world, store.commit([operation]));
        await settle(world, store.consistent());
        await world.run({ maxVirtualMs: random.int(40_000) });
        if (random.next() > 0.2) continue;
        const late = await openStore(scene);
        const picture = (one: Store): string[] =>
          [...one.view.snapshot("").range()].map(({ key, sequence }) => `${sequence} ${key}`);
        expect(picture(late)).toEqual(picture(store));
        const history = (one: Store): string[] => {
          const lines: string[] = [];
          const from = Math.max(late.view.floor, store.view.floor);
          one.view.subscribe("", from, (change) => lines.push(told(change))).close();
          return lines;
        };
        expect(history(late)).toEqual(history(store));
        await settle(world, late.close());
      }
      compactor.stop();
      await settle(world, store.close());
    }),
    { numRuns: 25, endOnFailure: true },
  );
});
