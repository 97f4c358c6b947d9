/** What a store promises, on the real server and on the twin alike. */

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Journal } from "../../runtime/store/journal.ts";
import type { Change, Committed, Operation, Store } from "../../runtime/store/store.ts";
import { StoreError } from "../../runtime/store/store.ts";
import type { JournalBench } from "./journal-contract.ts";

export interface StoreBench extends JournalBench {
  /** A store of its own over the bench's stream, as another process has it; closed by `dispose`. */
  open(journal: Journal): Store;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function podKey(name: string): string {
  return `core.pods.default.${name}`;
}

export function write(name: string, value: string, expected: number, uid?: string): Operation {
  return { key: podKey(name), value: encoder.encode(value), expected, uid };
}

export function remove(name: string, value: string, expected: number): Operation {
  return { ...write(name, value, expected), delete: true };
}

/** A change in one line. */
export function told({ type, key, value, sequence, previous }: Change): string {
  const name = key.split(".").at(-1);
  const before = previous ? ` was ${decoder.decode(previous)}` : "";
  return `${sequence} ${type} ${name} ${decoder.decode(value)}${before}`;
}

export function describeStore(name: string, createBench: () => Promise<StoreBench>): void {
  describe(`store (${name})`, () => {
    let bench: StoreBench;
    let store: Store;
    beforeEach(async () => {
      bench = await createBench();
      store = bench.open(await bench.connect());
      await bench.until("the store to be ready", () => store.ready);
    });
    afterEach(() => bench.dispose());

    const commit = (...operations: Operation[]): Promise<Committed[]> =>
      bench.settle(store.commit(operations));
    const refusal = async (promise: Promise<unknown>): Promise<StoreError> => {
      const error = await bench.settle(promise).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(StoreError);
      return error as StoreError;
    };
    const seen = (name: string): string | undefined => {
      const entry = store.view.get(podKey(name));
      return entry && decoder.decode(entry.value);
    };
    const consistent = (): Promise<void> => bench.settle(store.consistent());

    test("creates, updates and deletes, each in its sequence", async () => {
      expect(await commit(write("a", "one", 0, "u1"))).toEqual([{ key: podKey("a"), sequence: 1 }]);
      await commit(write("a", "two", 1, "u1"));
      await consistent();
      expect(store.view.get(podKey("a"))).toMatchObject({ sequence: 2, uid: "u1" });
      expect(seen("a")).toBe("two");
      await commit(remove("a", "two, gone", 2));
      await consistent();
      expect(seen("a")).toBeUndefined();
      expect(store.view.revision).toBeGreaterThanOrEqual(3);
      // A key that was deleted is free again.
      await commit(write("a", "three", 0, "u2"));
      await consistent();
      expect(seen("a")).toBe("three");
    });

    test("refuses what is not where it is expected, and says where it is", async () => {
      await commit(write("a", "one", 0));
      expect(await refusal(commit(write("a", "two", 0)))).toMatchObject({
        code: "conflict",
        key: podKey("a"),
        actual: 1,
      });
      await commit(write("a", "two", 1));
      expect(await refusal(commit(write("a", "x", 1)))).toMatchObject({ actual: 2 });
      expect(await refusal(commit(remove("b", "x", 1)))).toMatchObject({ code: "conflict" });
      expect(await refusal(commit(write("b", "x", 99)))).toMatchObject({ actual: 0 });
    });

    test("writes a group whole or not at all", async () => {
      await commit(write("a", "one", 0));
      await commit(write("b", "one", 0), write("c", "one", 0), write("a", "two", 1));
      const refused = await refusal(commit(write("d", "one", 0), write("a", "three", 1)));
      expect(refused).toMatchObject({ code: "conflict", key: podKey("a"), actual: 4 });
      await consistent();
      expect(["a", "b", "c", "d"].map(seen)).toEqual(["two", "one", "one", undefined]);
    });

    test("refuses what another process made stale before we could see it", async () => {
      const other = bench.open(await bench.connect());
      await bench.until("the other store", () => other.ready);
      await commit(write("a", "one", 0), write("b", "one", 0));
      await bench.settle(other.reached(2, 5_000));
      const race = Array.from({ length: 30 }, (_, at) =>
        (at % 2 ? store : other).commit([
          write("a", `${at}`, 1),
          write("b", `${at}`, 2),
          write(`own${at}`, "x", 0),
        ]),
      );
      const results = await bench.settle(Promise.allSettled(race));
      const winners = results.flatMap(({ status }, at) => (status === "fulfilled" ? [at] : []));
      expect(winners).toHaveLength(1);
      await consistent();
      expect([seen("a"), seen("b")]).toEqual([`${winners[0]}`, `${winners[0]}`]);
      expect(store.view.snapshot("core.pods.").size).toBe(3);
    });

    test("commits hundreds at a time, of which each that is refused harms no other", async () => {
      await commit(write("taken", "x", 0));
      const burst = Array.from({ length: 500 }, (_, at) =>
        store.commit([write(at % 100 === 50 ? "taken" : `p${at}`, `${at}`, 0)]),
      );
      const results = await bench.settle(Promise.allSettled(burst));
      const refused = results.flatMap(({ status }, at) => (status === "rejected" ? [at] : []));
      expect(refused).toEqual([50, 150, 250, 350, 450]);
      await consistent();
      expect(store.view.snapshot("core.pods.").size).toBe(496);
      for (const at of [0, 123, 499]) expect(seen(`p${at}`)).toBe(`${at}`);
    });

    test("bisects a batch that the server refuses, and keeps its groups whole", async () => {
      // The other process writes what our cache has not seen when the burst goes out.
      const other = bench.open(await bench.connect());
      await bench.until("the other store", () => other.ready);
      const theirs = other.commit([write("p7", "theirs", 0)]);
      const burst = Array.from({ length: 60 }, (_, at) =>
        store.commit([write(`p${at}`, "ours", 0), write(`q${at}`, "ours", 0)]),
      );
      const results = await bench.settle(Promise.allSettled([theirs, ...burst]));
      const failed = results.filter(({ status }) => status === "rejected");
      expect(failed).toHaveLength(1);
      await consistent();
      const whole = Array.from({ length: 60 }, (_, at) => [seen(`p${at}`), seen(`q${at}`)]);
      const ours = whole.filter(([p, q]) => p === "ours" && q === "ours");
      expect(ours.length).toBeGreaterThanOrEqual(59);
      for (const [p, q] of whole) expect(p === "ours").toBe(q === "ours");
    });

    test("fences a deposed owner, whatever it knew", async () => {
      const other = bench.open(await bench.connect());
      await bench.until("the other store", () => other.ready);
      const [{ sequence = 0 } = {}] = await commit(write("epoch", "owner 1", 0));
      const guard = { key: podKey("epoch"), sequence };
      await bench.settle(store.commit([write("a", "by 1", 0)], { guard }));
      // Many at once share a batch, and a fence.
      const burst = Array.from({ length: 40 }, (_, at) =>
        store.commit([write(`b${at}`, "by 1", 0)], { guard }),
      );
      await bench.settle(Promise.all(burst));
      await bench.settle(other.reached(sequence, 5_000));
      await bench.settle(other.commit([write("epoch", "owner 2", sequence)]));
      const late = bench.settle(store.commit([write("c", "by 1", 0)], { guard }));
      expect(await refusal(late)).toMatchObject({ code: "fenced", key: podKey("epoch") });
      await consistent();
      expect(seen("c")).toBeUndefined();
      expect(seen("b39")).toBe("by 1");
    });

    test("refuses an object that is too large by its own limit", async () => {
      const value = new Uint8Array(1.5 * 1024 * 1024 + 1);
      const large = store.commit([{ key: podKey("a"), value, expected: 0 }]);
      expect(await refusal(large)).toMatchObject({ code: "too-large", key: podKey("a") });
      const fits = { key: podKey("a"), value: value.subarray(1), expected: 0 };
      expect(await bench.settle(store.commit([fits]))).toHaveLength(1);
    });

    test("sees what another process committed, once it asks", async () => {
      const other = bench.open(await bench.connect());
      await bench.until("the other store", () => other.ready);
      for (let at = 0; at < 20; at++) {
        await commit(write(`a${at}`, "x", 0));
        await bench.settle(Promise.all([other.consistent(), other.consistent()]));
        expect(other.view.get(podKey(`a${at}`))).toBeDefined();
      }
    });

    test("tells watchers every change in order, from wherever they start", async () => {
      const live: string[] = [];
      const stream = store.view.subscribe("core.pods.", 0, (change) => live.push(told(change)));
      await commit(write("a", "one", 0, "u1"));
      await commit(write("a", "two", 1, "u1"), { ...write("n", "x", 0), key: "core.nodes._.n" });
      await commit(remove("a", "bye", 2));
      await commit(write("a", "new", 0, "u2"));
      await consistent();
      const all = [
        "1 added a one",
        "2 modified a two was one",
        "4 deleted a bye was two",
        "5 added a new",
      ];
      expect(live).toEqual(all);
      for (const from of [0, 1, 2, 3, 4, 5]) {
        const replayed: string[] = [];
        store.view.subscribe("core.pods.", from, (change) => replayed.push(told(change))).close();
        expect(replayed).toEqual(all.filter((line) => Number.parseInt(line, 10) > from));
      }
      const everything: string[] = [];
      store.view.subscribe("", 2, (change) => everything.push(change.key)).close();
      expect(everything).toEqual(["core.nodes._.n", podKey("a"), podKey("a")]);
      stream.close();
      await commit(write("b", "x", 0));
      await consistent();
      expect(live).toEqual(all);
    });

    test("gives a late starter the whole history", async () => {
      await commit(write("a", "one", 0));
      await commit(write("a", "two", 1));
      await commit(remove("a", "two", 2));
      await commit(write("b", "x", 0));
      const late = bench.open(await bench.connect());
      await bench.until("the late store", () => late.ready);
      expect(late.view.revision).toBe(4);
      const replayed: string[] = [];
      late.view.subscribe("core.", 0, (change) => replayed.push(told(change))).close();
      expect(replayed).toEqual([
        "1 added a one",
        "2 modified a two was one",
        "3 deleted a two was two",
        "4 added b x",
      ]);
      expect([...late.view.snapshot("").range()].map(({ key }) => key)).toEqual([podKey("b")]);
    });

    test("keeps a snapshot as it was, in pages and in order", async () => {
      const names = Array.from({ length: 300 }, (_, at) => `p${String(at).padStart(3, "0")}`);
      await bench.settle(Promise.all(names.map((name) => store.commit([write(name, name, 0)]))));
      await consistent();
      const snapshot = store.view.snapshot("core.pods.default.");
      await commit(remove("p000", "", store.view.get(podKey("p000"))?.sequence ?? 0));
      await commit(write("p0005", "between", 0));
      await consistent();
      expect(store.view.snapshot("core.pods.").size).toBe(300);
      const paged: string[] = [];
      for (let after: string | undefined, more = true; more; ) {
        const page = [...snapshot.range(after, 70)];
        paged.push(...page.map(({ value }) => decoder.decode(value)));
        after = page.at(-1)?.key;
        more = page.length > 0;
      }
      expect(paged).toEqual(names);
      expect(snapshot.size).toBe(300);
    });

    test("reads a key as it was at a revision", async () => {
      await commit(write("a", "one", 0, "u1"));
      await commit(write("b", "other", 0));
      await commit(write("a", "two", 1, "u1"));
      await commit(remove("a", "two", 3));
      const values: (string | undefined)[] = [];
      for (const revision of [1, 2, 3, 4]) {
        const entry = await bench.settle(store.at(podKey("a"), revision));
        values.push(entry && `${entry.sequence} ${decoder.decode(entry.value)} ${entry.uid}`);
      }
      expect(values).toEqual(["1 one u1", "1 one u1", "3 two u1", undefined]);
      expect(await bench.settle(store.at(podKey("none"), 2))).toBeUndefined();
    });

    test("waits for a revision, and not for ever", async () => {
      const waiting = store.reached(1, 5_000);
      await commit(write("a", "one", 0));
      await bench.settle(waiting);
      expect(await refusal(store.reached(2, 50))).toMatchObject({ code: "timeout" });
    });

    test("ends all that waits when it is closed", async () => {
      const outcomes = [store.reached(9, 5_000), store.consistent()].map((one) =>
        one.then(
          () => "done",
          (error: StoreError) => error.code,
        ),
      );
      await store.close();
      expect(await bench.settle(Promise.all(outcomes))).toEqual(["unavailable", "unavailable"]);
      expect(await refusal(store.commit([write("a", "x", 0)]))).toMatchObject({
        code: "unavailable",
      });
      expect(store.ready).toBe(false);
    });
  });
}
