/**
 * Consistent reads: a reader must see everything that was committed anywhere before it asked.
 *
 * One server is asked how far its stream goes. In a cluster that is not enough, because a leader
 * that was deposed without knowing still answers: there the end is where a record lands that was
 * sent after the reader came, a commit that is waiting anyway or else a barrier of our own. One
 * question is in flight at a time; readers who come meanwhile share the next one.
 */

import type { Clock } from "../clock.ts";
import type { Cache } from "./cache.ts";
import type { Committer } from "./committer.ts";
import type { Journal } from "./journal.ts";
import { barrierRecord } from "./records.ts";
import { StoreError } from "./store.ts";

export interface ReadsOptions {
  journal: Journal;
  cache: Cache;
  committer: Committer;
  clock: Clock;
  timeoutMs: number;
}

interface Reader {
  /** On the monotonic clock. */
  deadline: number;
  resolve(): void;
  reject(error: StoreError): void;
}

const retryMs = 50;

export class Reads {
  readonly #options: ReadsOptions;
  #waiting: Reader[] = [];
  #asking = false;
  readonly #pending = new Set<(error: StoreError) => void>();
  #closed = false;

  constructor(options: ReadsOptions) {
    this.#options = options;
  }

  consistent(): Promise<void> {
    const { clock, timeoutMs } = this.#options;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ deadline: clock.monotonic() + timeoutMs, resolve, reject });
      if (!this.#asking) this.#askOn();
    });
  }

  async reached(revision: number, timeoutMs: number): Promise<void> {
    const { cache, clock } = this.#options;
    if (cache.loaded && cache.revision >= revision) return;
    if (this.#closed) throw closed();
    const { promise, cancel } = cache.reached(revision);
    await new Promise<void>((resolve, reject) => {
      const end = (): void => {
        cancel();
        timer.dispose();
        this.#pending.delete(fail);
      };
      const fail = (error: StoreError): void => {
        end();
        reject(error);
      };
      const timer = clock.setTimer(timeoutMs, () => {
        const message = `Revision ${revision} was not seen within ${timeoutMs} ms`;
        fail(new StoreError("timeout", `${message}: the newest is ${cache.revision}`));
      });
      this.#pending.add(fail);
      promise.then(() => {
        end();
        resolve();
      });
    });
  }

  close(): void {
    this.#closed = true;
    for (const fail of [...this.#pending]) fail(closed());
    for (const { reject } of this.#waiting.splice(0)) reject(closed());
  }

  async #askOn(): Promise<void> {
    this.#asking = true;
    // Readers of the same turn share the question.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const readers = this.#waiting;
      this.#waiting = [];
      try {
        const end = await this.#findEnd();
        for (const reader of readers) this.#admit(reader, end);
      } catch (error) {
        await this.#options.clock.sleep(retryMs);
        this.#putBack(readers, error);
      }
    }
    this.#asking = false;
  }

  async #findEnd(): Promise<number> {
    const { journal, committer } = this.#options;
    if (!journal.stream.replicated) return (await journal.info()).lastSequence;
    const acknowledged = await committer.nextAck();
    if (acknowledged !== undefined) return acknowledged;
    return (await journal.append([barrierRecord(journal.stream.prefix)])).firstSequence;
  }

  #admit(reader: Reader, end: number): void {
    const left = Math.max(0, reader.deadline - this.#options.clock.monotonic());
    this.reached(end, left).then(reader.resolve, reader.reject);
  }

  #putBack(readers: readonly Reader[], cause: unknown): void {
    const now = this.#options.clock.monotonic();
    for (const reader of readers) {
      if (this.#closed) reader.reject(closed());
      else if (reader.deadline > now) this.#waiting.push(reader);
      else reader.reject(new StoreError("unavailable", "The stream did not answer", { cause }));
    }
  }
}

function closed(): StoreError {
  return new StoreError("unavailable", "The store was closed");
}
