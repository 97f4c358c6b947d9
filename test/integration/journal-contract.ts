/**
 * What a journal promises, held against the real server and its simulated twin alike. Only what
 * both can be made to do is here; faults are provoked in `journal-faults.test.ts` (real) and
 * `test/unit/runtime/sim/journal.test.ts` (twin).
 */

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type AppendRecord,
  type ConsumeOptions,
  type Journal,
  JournalError,
  type JournalRecord,
} from "../../runtime/store/journal.ts";

export interface JournalBench {
  /** A client of a stream with the prefix `$KV.wherry.`, the same stream each time. */
  connect(): Promise<Journal>;
  /** Lets time pass until the promise is settled. */
  settle<T>(promise: Promise<T>): Promise<T>;
  /** Lets time pass until the condition holds. */
  until(what: string, condition: () => boolean): Promise<void>;
  /** Ends all and checks that nothing is left. */
  dispose(): Promise<void>;
}

const prefix = "$KV.wherry.";

export function put(key: string, text: string, expected?: number): AppendRecord {
  return { subject: prefix + key, data: new TextEncoder().encode(text), expected };
}

export function text(record: JournalRecord | undefined): string | undefined {
  return record && new TextDecoder().decode(record.data);
}

/** Consumes into an array; says when the end was reached. */
export function collect(
  journal: Journal,
  options: Partial<ConsumeOptions> = {},
): { records: JournalRecord[]; caughtUp: () => number; ends: Error[]; stop(): Promise<void> } {
  const records: JournalRecord[] = [];
  const ends: Error[] = [];
  let caughtUp = 0;
  const consumption = journal.consume({
    fromSequence: 1,
    onRecord: (record) => records.push({ ...record, data: record.data.slice() }),
    onCaughtUp: () => caughtUp++,
    onEnd: (error) => ends.push(error),
    ...options,
  });
  return { records, ends, caughtUp: () => caughtUp, stop: () => consumption.stop() };
}

export function describeJournal(name: string, createBench: () => Promise<JournalBench>): void {
  describe(`journal (${name})`, () => {
    let bench: JournalBench;
    let journal: Journal;
    beforeEach(async () => {
      bench = await createBench();
      journal = await bench.connect();
    });
    afterEach(() => bench.dispose());

    const append = (...records: AppendRecord[]): Promise<{ firstSequence: number }> =>
      bench.settle(journal.append(records));
    const failure = async (...records: AppendRecord[]): Promise<JournalError> => {
      const error = await append(...records).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(JournalError);
      return error as JournalError;
    };

    test("numbers records from 1 on and gives the newest of a subject", async () => {
      expect(await append(put("a", "one"))).toEqual({ firstSequence: 1 });
      expect(await append(put("b", "two"))).toEqual({ firstSequence: 2 });
      expect(await append(put("a", "three"))).toEqual({ firstSequence: 3 });
      const last = await bench.settle(journal.last(`${prefix}a`));
      expect(last).toMatchObject({ sequence: 3, subject: `${prefix}a` });
      expect(text(last)).toBe("three");
      expect(text(await bench.settle(journal.at(1)))).toBe("one");
      expect(await bench.settle(journal.at(4))).toBeUndefined();
      expect(await bench.settle(journal.last(`${prefix}c`))).toBeUndefined();
      const info = await bench.settle(journal.info());
      expect(info).toMatchObject({ firstSequence: 1, lastSequence: 3, messages: 3 });
    });

    test("keeps headers and tells when a record was stored", async () => {
      await append({ ...put("a", ""), headers: { "Wherry-Write": "x.1", "KV-Operation": "DEL" } });
      const record = await bench.settle(journal.last(`${prefix}a`));
      expect(record?.headers).toMatchObject({ "Wherry-Write": "x.1", "KV-Operation": "DEL" });
      expect(record?.data.length).toBe(0);
      const seen = collect(journal);
      await bench.until("the record", () => seen.records.length === 1);
      expect(seen.records[0]?.timestamp).toBe(record?.timestamp);
      expect(seen.records[0]?.headers).toMatchObject({ "Wherry-Write": "x.1" });
      await seen.stop();
    });

    test("refuses a write whose subject has moved on, and uses up no sequence", async () => {
      await append(put("a", "one", 0));
      expect((await failure(put("a", "again", 0))).code).toBe("conflict");
      expect((await failure(put("a", "two", 7))).code).toBe("conflict");
      expect(await append(put("a", "two", 1))).toEqual({ firstSequence: 2 });
    });

    test("writes a batch whole or not at all", async () => {
      await append(put("a", "one", 0));
      expect(await append(put("b", "two", 0), put("c", "three", 0))).toEqual({ firstSequence: 2 });
      expect((await failure(put("d", "four", 0), put("a", "five", 0))).code).toBe("conflict");
      expect((await failure(put("a", "five", 0), put("d", "four", 0))).code).toBe("conflict");
      expect(await bench.settle(journal.last(`${prefix}d`))).toBeUndefined();
      expect((await bench.settle(journal.info())).lastSequence).toBe(3);
    });

    test("takes a batch of a thousand records and no more", async () => {
      const records = Array.from({ length: 1_001 }, (_, at) => put(`k${at}`, "x", 0));
      expect((await failure(...records)).code).toBe("refused");
      expect(await append(...records.slice(0, 1_000))).toEqual({ firstSequence: 1 });
      expect((await bench.settle(journal.info())).messages).toBe(1_000);
    });

    test("judges a guard on another subject, alone and within batches", async () => {
      await append(put("epoch", "1", 0));
      const fence = (sequence: number): AppendRecord => ({
        ...put("_fence", ""),
        expected: sequence,
        expectedSubject: `${prefix}epoch`,
      });
      expect(await append(fence(1))).toEqual({ firstSequence: 2 });
      expect((await failure(fence(2))).code).toBe("conflict");
      expect(await append(fence(1), put("a", "x", 0))).toEqual({ firstSequence: 3 });
      expect(await append(fence(1), put("b", "x", 0), fence(1), put("c", "x", 0))).toEqual({
        firstSequence: 5,
      });
      await append(put("epoch", "2", 1));
      expect((await failure(fence(1), put("d", "x", 0))).code).toBe("conflict");
      expect(await bench.settle(journal.last(`${prefix}d`))).toBeUndefined();
    });

    test("refuses a batch that expects something of what it writes itself", async () => {
      await append(put("a", "one", 0));
      expect((await failure(put("a", "two", 1), put("a", "three", 1))).code).toBe("conflict");
      const guard = { ...put("_fence", ""), expected: 1, expectedSubject: `${prefix}a` };
      expect((await failure(put("a", "two", 1), guard)).code).toBe("conflict");
    });

    test("lets one of two racing writers win", async () => {
      const other = await bench.connect();
      await append(put("a", "zero", 0));
      const race = [journal, other].map((one, at) => one.append([put("a", `${at}`, 1)]));
      const results = await bench.settle(Promise.allSettled(race));
      expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      expect((await bench.settle(journal.info())).lastSequence).toBe(2);
    });

    test("purges a subject whole or below a sequence, and keeps counting", async () => {
      await append(put("a", "1"), put("a", "2"), put("b", "3"), put("a", "4"));
      await bench.settle(journal.purge(`${prefix}a`, 4));
      expect(await bench.settle(journal.at(2))).toBeUndefined();
      expect(text(await bench.settle(journal.last(`${prefix}a`)))).toBe("4");
      await bench.settle(journal.purge(`${prefix}a`));
      expect(await bench.settle(journal.last(`${prefix}a`))).toBeUndefined();
      const info = await bench.settle(journal.info());
      expect(info).toMatchObject({ firstSequence: 3, lastSequence: 4, messages: 1 });
      // A key without records is as good as new.
      expect(await append(put("a", "5", 0))).toEqual({ firstSequence: 5 });
      await bench.settle(journal.purge(`${prefix}a`));
      await bench.settle(journal.purge(`${prefix}b`));
      expect(await bench.settle(journal.info())).toMatchObject({ lastSequence: 5, messages: 0 });
      expect(await append(put("a", "6", 0))).toEqual({ firstSequence: 6 });
    });

    test("delivers what is there and what comes, in order, and says when it is at the end", async () => {
      await append(put("a", "1"), put("b", "2"));
      const seen = collect(journal);
      await bench.until("the end", () => seen.caughtUp() > 0);
      expect(seen.records.map(({ sequence }) => sequence)).toEqual([1, 2]);
      for (let at = 3; at <= 50; at++) await append(put(`k${at}`, `${at}`));
      await bench.until("fifty records", () => seen.records.length === 50);
      expect(seen.records.map(({ sequence }) => sequence)).toEqual(
        Array.from({ length: 50 }, (_, at) => at + 1),
      );
      expect(text(seen.records[49])).toBe("50");
      expect(seen.ends).toEqual([]);
      await seen.stop();
    });

    test("says at once that an empty stream has ended", async () => {
      const seen = collect(journal);
      await bench.until("the end", () => seen.caughtUp() > 0);
      expect(seen.records).toEqual([]);
      await seen.stop();
    });

    test("starts a consumer where it is told, at the first record when that is later", async () => {
      await append(put("a", "1"), put("b", "2"), put("c", "3"));
      const seen = collect(journal, { fromSequence: 3 });
      await bench.until("the end", () => seen.caughtUp() > 0);
      expect(seen.records.map(({ sequence }) => sequence)).toEqual([3]);
      await seen.stop();
      await bench.settle(journal.purge(`${prefix}a`));
      const all = collect(journal);
      await bench.until("the end", () => all.caughtUp() > 0);
      expect(all.records.map(({ sequence }) => sequence)).toEqual([2, 3]);
      await all.stop();
    });

    test("filters by subject, and leaves data out when asked to", async () => {
      await append(
        put("core.pods.a.x", "1"),
        put("core.nodes._.y", "2"),
        put("core.pods.b.z", "3"),
      );
      const seen = collect(journal, { filter: `${prefix}core.pods.>`, headersOnly: true });
      await bench.until("the end", () => seen.caughtUp() > 0);
      expect(seen.records.map(({ sequence }) => sequence)).toEqual([1, 3]);
      expect(seen.records.every(({ data }) => data.length === 0)).toBe(true);
      await seen.stop();
    });

    test("delivers nothing after it was stopped", async () => {
      const stopped = collect(journal);
      const going = collect(journal);
      await bench.until("the end", () => stopped.caughtUp() > 0 && going.caughtUp() > 0);
      await bench.settle(stopped.stop());
      await append(put("a", "1"));
      await bench.until("the other", () => going.records.length === 1);
      expect(stopped.records).toEqual([]);
      expect(stopped.ends).toEqual([]);
      await going.stop();
    });
  });
}
