/** A process's client of a simulated stream: dies with the process, whatever is under way. */

import type { SimJournal, SimStream } from "../../runtime/sim/journal.ts";
import type { SimHost } from "../../runtime/sim/process.ts";
import type { Journal } from "../../runtime/store/journal.ts";

/** `living` holds the clients of those who live, for faults that strike a single one. */
export function hostJournal(
  host: SimHost,
  stream: SimStream,
  living: Set<SimJournal> = new Set(),
): Journal {
  const journal = stream.connect();
  living.add(journal);
  host.onKill(() => void living.delete(journal));

  /** What the server answers to the dead is never heard, and what the dead ask never sent. */
  function whileAlive<T>(ask: () => Promise<T>): Promise<T> {
    if (!host.alive) return new Promise(() => {});
    return new Promise((resolve, reject) => {
      ask().then(
        (answer) => host.alive && resolve(answer),
        (error: unknown) => host.alive && reject(error),
      );
    });
  }

  return {
    stream: journal.stream,
    append: (records) => whileAlive(() => journal.append(records)),
    info: () => whileAlive(() => journal.info()),
    last: (subject) => whileAlive(() => journal.last(subject)),
    at: (sequence) => whileAlive(() => journal.at(sequence)),
    purge: (subject, belowSequence) => whileAlive(() => journal.purge(subject, belowSequence)),
    consume(options) {
      const consumption = journal.consume({
        ...options,
        onCaughtUp: () => host.alive && options.onCaughtUp?.(),
        onRecord: (record) => host.alive && options.onRecord(record),
        onEnd: (error) => host.alive && options.onEnd(error),
      });
      host.onKill(() => void consumption.stop());
      return consumption;
    },
  };
}
