/** What can be said about a commit: before it is sent, from the cache; after a conflict, from the leader. */

import type { Standing } from "./contents.ts";
import { type Group, hasLanded } from "./group.ts";
import type { Journal, JournalRecord } from "./journal.ts";
import { barrierRecord, isDeletion, writeHeader } from "./records.ts";
import { StoreError } from "./store.ts";

/** What this process knows without asking. It may lag, and is never wrong about what it has seen. */
export interface Knowledge {
  readonly revision: number;
  standing(key: string): Standing | undefined;
  /** Keeps where a commit put its keys until the cache has it too. */
  remember(group: Group): void;
  reached(revision: number, timeoutMs: number): Promise<void>;
  /** Records stored before this no longer count, on the wall clock. */
  expiredBefore(): number;
}

/** Longer than a healthy feed ever lags. */
const feedTimeoutMs = 10_000;

/**
 * An error when the commit cannot succeed; else sets what the server is to be told to expect.
 * `whole`: we know everything there is, so that what is not known does not exist.
 */
export function judgeFromCache(
  group: Group,
  knowledge: Knowledge,
  whole = false,
): StoreError | undefined {
  const { guard } = group;
  if (guard) {
    const sequence = knowledge.standing(guard.key)?.sequence ?? 0;
    const passed = whole || knowledge.revision >= guard.sequence;
    if (sequence > guard.sequence || (sequence < guard.sequence && passed)) return fenced(group);
  }
  for (const [at, { key, expected }] of group.operations.entries()) {
    const standing = knowledge.standing(key);
    if (expected === 0) {
      if (standing?.live) return conflict(key, expected, standing.sequence);
      group.expected[at] = standing?.sequence ?? 0;
      continue;
    }
    const sequence = standing?.sequence ?? 0;
    const passed = whole || knowledge.revision >= expected;
    if (sequence > expected || (sequence < expected && passed)) {
      return conflict(key, expected, sequence);
    }
  }
  return undefined;
}

/**
 * After the server said `wrong last sequence` to this group alone. `again`: every expectation
 * holds, or holds now that we know the marker which a new object replaces.
 */
export async function judgeFromLeader(
  group: Group,
  journal: Journal,
  knowledge: Knowledge,
): Promise<"landed" | "again" | StoreError> {
  const { prefix } = journal.stream;
  const lastOf = (key: string): Promise<JournalRecord | undefined> => journal.last(prefix + key);
  const [records, guarding] = await Promise.all([
    Promise.all(group.operations.map(({ key }) => lastOf(key))),
    group.guard ? lastOf(group.guard.key) : undefined,
  ]);
  if (records.every((record) => record?.headers[writeHeader] === group.id)) {
    for (const [at, { key }] of group.operations.entries()) {
      group.landed.set(key, records[at]?.sequence ?? 0);
    }
    return "landed";
  }
  // Written by an earlier attempt and since overwritten? Only the log can tell, and the feed
  // reads all of it. In a cluster one attempt may reach two that take themselves for the leader.
  if (group.uncertain || journal.stream.replicated) {
    const newest = Math.max(guarding?.sequence ?? 0, ...records.map((one) => one?.sequence ?? 0));
    await knowledge.reached(newest, feedTimeoutMs);
    if (hasLanded(group)) return "landed";
  }
  const { guard } = group;
  if (guard && guarding && guarding.sequence > guard.sequence) return fenced(group);
  let wrong = guard && !guarding ? fenced(group) : undefined;
  for (const [at, { key, expected }] of group.operations.entries()) {
    const record = records[at];
    const actual = record?.sequence ?? 0;
    const gone =
      record === undefined || isDeletion(record) || record.timestamp <= knowledge.expiredBefore();
    if (expected === 0 && gone) group.expected[at] = actual;
    else if (actual > expected) return conflict(key, expected, actual);
    else if (actual < expected) wrong ??= conflict(key, expected, actual);
  }
  if (wrong && journal.stream.replicated)
    return await judgeBehindBarrier(group, journal, knowledge);
  return wrong ?? "again";
}

/**
 * A leader that was deposed without knowing refuses from the past what the present expects (it
 * was seen to, for twenty seconds). That a record is older than expected is true only once a
 * barrier was acknowledged, which no deposed leader can do.
 */
async function judgeBehindBarrier(
  group: Group,
  journal: Journal,
  knowledge: Knowledge,
): Promise<"landed" | "again" | StoreError> {
  const { firstSequence } = await journal.append([barrierRecord(journal.stream.prefix)]);
  await knowledge.reached(firstSequence, feedTimeoutMs);
  if (hasLanded(group)) return "landed";
  return judgeFromCache(group, knowledge, true) ?? "again";
}

function conflict(key: string, expected: number, actual: number): StoreError {
  const message = `${key} is at ${actual}, not at ${expected}`;
  return new StoreError("conflict", message, { key, actual });
}

function fenced({ guard }: Group): StoreError {
  const key = guard?.key ?? "";
  return new StoreError("fenced", `${key} is no longer at ${guard?.sequence}`, { key });
}
