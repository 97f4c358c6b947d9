/** Time travel: a key as it was at a revision, read from what the stream still holds of it. */

import type { Clock } from "../clock.ts";
import type { Journal, JournalRecord } from "./journal.ts";
import { compactedKey, decodeCompacted, isDeletion, uidOf } from "./records.ts";
import type { Entry } from "./store.ts";
import { StoreError } from "./store.ts";

/**
 * The newest record of `key` at or below `revision`. The compacted revision is read last: had it
 * passed `revision` meanwhile, what we read may have holes.
 */
export async function readAt(
  { journal, clock, timeoutMs }: { journal: Journal; clock: Clock; timeoutMs: number },
  key: string,
  revision: number,
): Promise<Entry | undefined> {
  const { prefix } = journal.stream;
  const record = await newestUpTo(journal, clock, prefix + key, revision, timeoutMs);
  const compacted = decodeCompacted(await journal.last(prefix + compactedKey));
  if (revision < compacted) {
    const message = `Revision ${revision} was compacted: history begins at ${compacted}`;
    throw new StoreError("expired", message);
  }
  if (!record || isDeletion(record)) return undefined;
  const { data: value, sequence, timestamp } = record;
  return { key, value, sequence, timestamp, uid: uidOf(record) };
}

async function newestUpTo(
  journal: Journal,
  clock: Clock,
  subject: string,
  revision: number,
  timeoutMs: number,
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
    onCaughtUp: resolve,
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
