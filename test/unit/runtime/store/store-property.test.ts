/**
 * Two processes commit at random while the server shows every fault it has. Whatever happens:
 *
 * - a commit that was acknowledged is in the log once, whole and together; one that was refused
 *   is not there; one whose outcome is unknown is there once or not at all;
 * - no update is lost: every record replaces the one that its writer expected;
 * - nothing is written under a guard that had moved;
 * - the watchers of both are told the log, in order, each change once;
 * - a consistent read sees what was acknowledged anywhere before it began.
 */

import fc from "fast-check";
import { expect, test } from "vitest";
import type { SimJournal } from "../../../../runtime/sim/journal.ts";
import type { JournalRecord } from "../../../../runtime/store/journal.ts";
import { createStore } from "../../../../runtime/store/objects.ts";
import { isDeletion } from "../../../../runtime/store/records.ts";
import type { Change, Guard, Operation, Store } from "../../../../runtime/store/store.ts";
import { StoreError } from "../../../../runtime/store/store.ts";
import { podKey } from "../../../integration/store-contract.ts";
import { createScene, type Scene } from "./scene.ts";

interface Attempt {
  id: number;
  operations: Operation[];
  guard: Guard | undefined;
  outcome: "acknowledged" | "refused" | "unknown" | "pending";
  sequences: number[];
}

interface Payload {
  attempt: number;
  expected: number;
  guard?: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const guardKey = podKey("epoch");
const keys = ["a", "b", "c", "d", "e", "f"].map(podKey);
const clients = 6;
const attemptsPerClient = 15;

class Trial {
  readonly scene: Scene;
  readonly attempts: Attempt[] = [];
  readonly heard: Change[][] = [];
  readonly journals: SimJournal[] = [];
  readonly stores: Store[] = [];
  finished = 0;
  /** The newest sequence that anybody was told of. */
  acknowledged = 0;

  constructor(seed: number, replicated: boolean) {
    this.scene = createScene({ seed, timeoutMs: 1_000, facts: { replicated } });
  }

  async run(): Promise<void> {
    const { world, stream } = this.scene;
    for (let at = 0; at < 2; at++) {
      const journal = stream.connect();
      const store = createStore({ ...world, journal, commitTimeoutMs: 8_000, watchdogMs: 300 });
      expect(await world.run({ until: () => store.ready, maxVirtualMs: 60_000 })).toBe(true);
      const changes: Change[] = [];
      store.view.subscribe("core.pods.", 0, (change) => changes.push(change));
      this.journals.push(journal);
      this.stores.push(store);
      this.heard.push(changes);
    }
    this.trouble();
    const work = Array.from({ length: clients }, (_, at) => this.client(at % 2));
    const outcome = Promise.all(work);
    outcome.catch(() => {
      this.finished = clients;
    });
    const done = (): boolean => this.finished === clients;
    expect(await world.run({ until: done, maxVirtualMs: 600_000 }), "in time").toBe(true);
    await outcome;
    Object.assign(stream.faults, {
      acknowledgementLost: 0,
      lateCommit: 0,
      batchRefused: 0,
      consumerStalls: 0,
      consumerCut: 0,
    });
    await world.run({ maxVirtualMs: 60_000 });
    const end = stream.records().at(-1)?.sequence ?? 0;
    for (const { view } of this.stores) expect(view.revision).toBe(end);
    await Promise.all(this.stores.map((store) => store.close()));
  }

  /** Faults come and go for as long as the clients are at work. */
  trouble(): void {
    const { world, stream } = this.scene;
    const { random, clock } = world;
    const often = (chance: number): number => (random.next() < 0.5 ? chance : 0);
    Object.assign(stream.faults, {
      acknowledgementLost: often(0.1),
      lateCommit: often(0.1),
      batchRefused: often(0.2),
      consumerStalls: often(0.05),
      consumerCut: often(0.05),
    });
    const event = random.int(6);
    if (event === 0) stream.leaderless(500 + random.int(9_000));
    else if (event === 1) stream.restart(random.int(2_000));
    else if (event === 2) stream.stallConsumers();
    else if (event === 3 && this.journals[0]?.stream.replicated) {
      this.journals[random.int(2)]?.depose(random.int(4_000));
    }
    clock.setTimer(random.int(3_000), () => {
      if (this.finished < clients) this.trouble();
    });
  }

  async client(at: number): Promise<void> {
    const store = this.stores[at];
    const { random, clock } = this.scene.world;
    for (let left = attemptsPerClient; store && left > 0; left--) {
      if (random.next() < 0.5) await clock.sleep(random.int(300));
      if (random.next() < 0.3) await this.readConsistently(store);
      await this.attempt(store);
    }
    this.finished++;
  }

  async readConsistently(store: Store): Promise<void> {
    const { acknowledged } = this;
    try {
      await store.consistent();
    } catch (error) {
      expect(error).toBeInstanceOf(StoreError);
      return;
    }
    expect(store.view.revision).toBeGreaterThanOrEqual(acknowledged);
  }

  async attempt(store: Store): Promise<void> {
    const attempt = this.plan(store);
    this.attempts.push(attempt);
    try {
      const committed = await store.commit(attempt.operations, { guard: attempt.guard });
      attempt.outcome = "acknowledged";
      attempt.sequences = committed.map(({ sequence }) => sequence);
      this.acknowledged = Math.max(this.acknowledged, ...attempt.sequences);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      const refused = error.code === "conflict" || error.code === "fenced";
      attempt.outcome = refused ? "refused" : "unknown";
    }
  }

  plan(store: Store): Attempt {
    const { random } = this.scene.world;
    const id = this.attempts.length;
    const epoch = store.view.get(guardKey)?.sequence ?? 0;
    if (random.next() < 0.1) {
      const value = encoder.encode(JSON.stringify({ attempt: id, expected: epoch }));
      const takeover = [{ key: guardKey, value, expected: epoch }];
      return { id, operations: takeover, guard: undefined, outcome: "pending", sequences: [] };
    }
    const guarded = epoch > 0 && random.next() < 0.4;
    const count = random.next() < 0.6 ? 1 : 1 + random.int(3);
    const chosen = new Set(
      Array.from({ length: count }, () => keys[random.int(keys.length)] ?? ""),
    );
    const operations = [...chosen].map((key): Operation => {
      const expected = store.view.get(key)?.sequence ?? 0;
      const payload: Payload = { attempt: id, expected, guard: guarded ? epoch : undefined };
      const value = encoder.encode(JSON.stringify(payload));
      return { key, value, expected, delete: expected > 0 && random.next() < 0.25 };
    });
    const guard = guarded ? { key: guardKey, sequence: epoch } : undefined;
    return { id, operations, guard, outcome: "pending", sequences: [] };
  }

  judge(): void {
    const records = this.scene.stream.records().filter(({ subject }) => subject.includes(".pods."));
    const written = new Map<number, number[]>();
    const newest = new Map<string, JournalRecord>();
    const history: string[] = [];
    for (const record of records) {
      const payload = JSON.parse(decoder.decode(record.data)) as Payload;
      written.set(payload.attempt, [...(written.get(payload.attempt) ?? []), record.sequence]);
      const key = record.subject.slice("$KV.wherry.".length);
      const before = newest.get(key);
      const live = before !== undefined && !isDeletion(before);
      expect(live ? before.sequence : 0, `what ${record.sequence} replaces`).toBe(payload.expected);
      if (payload.guard !== undefined) {
        expect(newest.get(guardKey)?.sequence, `guard of ${record.sequence}`).toBe(payload.guard);
      }
      newest.set(key, record);
      const type = isDeletion(record) ? "deleted" : live ? "modified" : "added";
      history.push(`${record.sequence} ${type} ${key}`);
    }
    for (const { id, operations, outcome, sequences } of this.attempts) {
      const found = written.get(id) ?? [];
      if (outcome === "acknowledged") expect(found, `attempt ${id}`).toEqual(sequences);
      else if (outcome === "refused") expect(found, `attempt ${id}`).toEqual([]);
      else expect([0, operations.length], `attempt ${id}`).toContain(found.length);
      for (const [at, sequence] of found.entries()) expect(sequence).toBe((found[0] ?? 0) + at);
    }
    for (const changes of this.heard) {
      expect(changes.map(({ type, key, sequence }) => `${sequence} ${type} ${key}`)).toEqual(
        history,
      );
    }
  }
}

test("store: keeps its promises to two processes under every fault", {
  timeout: 60_000,
}, async () => {
  const outcomes = { acknowledged: 0, refused: 0, unknown: 0, pending: 0 };
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.boolean(), async (seed, replicated) => {
      const trial = new Trial(seed, replicated);
      await trial.run();
      trial.judge();
      for (const { outcome } of trial.attempts) outcomes[outcome]++;
    }),
    { numRuns: Number(process.env.STORE_RUNS ?? 60), endOnFailure: true },
  );
  // The trials were worth something: each way to end was seen.
  expect(outcomes.acknowledged).toBeGreaterThan(outcomes.unknown);
  expect(outcomes.refused).toBeGreaterThan(0);
  expect(outcomes.unknown).toBeGreaterThan(0);
  expect(outcomes.pending).toBe(0);
});
