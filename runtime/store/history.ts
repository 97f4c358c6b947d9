/** Time travel: a key as it was at a revision, read from what the stream still holds of it. */

import type { Clock } from "../clock.ts";
import type { Contents } from "./contents.ts";
import type { Journal, JournalRecord } from "./journal.ts";
import { compactedKey, decodeCompacted, isDeletion, uidOf } from "./records.ts";
import type { Entry } from "./store.ts";
import { StoreError } from "./store.ts";

export interface HistoryOptions {
  journal: Journal;
  /** What is known now; it has reached the revision that is asked for. */
  contents: Pick<Contents, "get" | "standing">;
  clock: Clock;
  timeoutMs: number;
}

/**
 * The newest record of `key` at or below `revision`. The compacted revision is read last: had it
 * passed `revision` meanwhile, what we read may have holes.
 */
export async function readAt(
  options: HistoryOptions,
  key: string,
  revision: number,
): Promise<Entry | undefined> {
  const { journal, contents } = options;
  const { prefix } = journal.stream;
  const now = contents.standing(key)?.sequence ?? 0;
  const entry =
    now <= revision
      ? contents.get(key)
      : entryOf(key, await newestUpTo(options, prefix + key, revision));
  const compacted = decodeCompacted(await journal.last(prefix + compactedKey));
  if (revision < compacted) {
    const message = `Revision ${revision} was compacted: history begins at ${compacted}`;
    throw new StoreError("expired", message);
  }
  return entry;
}

function entryOf(key: string, record: JournalRecord | undefined): Entry | undefined {
  if (!record || isDeletion(record)) return undefined;
  const { data: value, sequence, timestamp } = record;
  return { key, value, sequence, timestamp, uid: uidOf(record) };
}

/**
 * Of a subject that was written after `revision` too: only with that later record in hand do we
 * know to have seen all before it. In a cluster a consumer may live on a server that lags behind,
 * and has delivered everything long before there is everything.
 */
async function newestUpTo(
  { journal, clock, timeoutMs }: HistoryOptions,
  subject: string,
  revision: number,
): Promise<JournalRecord | undefined> {
  let newest: JournalRecord | undefined;
  const { promise, resolve, reject } = deferred();
  const timer = clock.setTimer(timeoutMs, () =>
    reject(new StoreError("timeout", `History of ${subject} was not read within ${timeoutMs} ms`)),
  );
  const consumption = journal.consume({
    fromSequence: 1,
    filter: subject,
    onRecord: (record) => {
      if (record.sequence <= revision) newest = { ...record, data: record.data.slice() };
      else resolve();
    },
    onEnd: (cause) => reject(new StoreError("unavailable", "History was cut off", { cause })),
  });
  try {
    await promise;
    return newest;
  } finally {
    timer.dispose();
    await consumption.stop();
  }
}

function deferred(): {
  promise: Promise<void>;
  resolve: () => void;
  reject: (error: Error) => void;
} {
  let resolve = (): void => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
