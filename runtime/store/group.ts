/** One call of `commit` on its way: what it writes, what it waits for, and how it ends. */

import type { AppendRecord } from "./journal.ts";
import { fenceRecord, recordOf } from "./records.ts";
import type { Committed, Guard, Operation, StoreError } from "./store.ts";

export interface Group {
  readonly id: string;
  readonly operations: readonly Operation[];
  readonly guard: Guard | undefined;
  readonly bytes: number;
  /** On the monotonic clock. */
  readonly deadline: number;
  /** What the server is told to expect: a marker's sequence where the caller said 0. */
  readonly expected: number[];
  /** Where its records were seen in the stream, by key. */
  readonly landed: Map<string, number>;
  attempts: number;
  /** An attempt had no answer: it may have been written, or may be yet. */
  uncertain: boolean;
  settled: boolean;
  resolve(committed: Committed[]): void;
  reject(error: StoreError): void;
}

/** Plain means: one record, which no guard has to travel with. */
export function isPlain(group: Group): boolean {
  return group.operations.length === 1 && group.guard === undefined;
}

/** Keys that nothing else may write or rely on meanwhile. */
export function keysOf(group: Group): string[] {
  return group.operations.map((operation) => operation.key);
}

/** The groups' records in order, behind one fence for each guard among them. */
export function recordsOf(
  prefix: string,
  groups: readonly Group[],
): { fences: AppendRecord[]; records: AppendRecord[] } {
  const guards = new Map<string, Guard>();
  for (const { guard } of groups) {
    if (guard) guards.set(`${guard.key} ${guard.sequence}`, guard);
  }
  return {
    fences: [...guards.values()].map(({ key, sequence }) => fenceRecord(prefix, key, sequence)),
    records: groups.flatMap((group) =>
      group.operations.map((operation, at) =>
        recordOf(prefix, operation, group.expected[at] ?? operation.expected, group.id),
      ),
    ),
  };
}

/** All of a group's records were seen: the write happened, whatever else we were told. */
export function hasLanded(group: Group): boolean {
  return group.landed.size === group.operations.length;
}

export function committedOf(group: Group): Committed[] {
  return group.operations.map(({ key }) => ({ key, sequence: group.landed.get(key) ?? 0 }));
}
