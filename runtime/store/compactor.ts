/**
 * Thins out history. Every revision is kept for a horizon; of what is older only the newest
 * record of each key stays, and a deleted key goes altogether. Never by a message's time to
 * live: a marker that expires would bring the put before it back.
 *
 * A round, from what the last one left:
 *
 * 1. Read on, headers only, up to the newest record that is older than the horizon: R.
 * 2. Write `_compacted` = R. From now on nobody is served history below R (`feed.ts`, `history.ts`).
 * 3. Of each key that was written up to R, purge what lies below its newest record there.
 * 4. Purge the markers that were alone already when this round began.
 *
 * Why a marker waits for one more round: a process that is just loading may have read the put
 * before the marker. It must find the marker too, or the dead object would stay in its cache.
 *
 * One compactor is enough, so its owner runs it; two do no harm, because each step may be taken
 * twice. What one did not finish, the next one to start finds again, because it begins at the
 * start of the stream.
 */

import type { Clock, Timer } from "../clock.ts";
import { errorMessage } from "../errors.ts";
import type { Log } from "../log.ts";
import { type Journal, JournalError, type JournalRecord } from "./journal.ts";
import { compactedKey, decodeCompacted, encodeCompacted, isDeletion } from "./records.ts";

export interface CompactorOptions {
  journal: Journal;
  clock: Clock;
  log: Log;
  /** How long every revision is kept. Default one hour. */
  horizonMs?: number;
  /** Between rounds. Default a twelfth of the horizon; loading must not take as long. */
  intervalMs?: number;
}

export interface CompactionResult {
  /** History is complete above it. */
  revision: number;
  /** Purges that were sent. */
  purges: number;
}

export interface Compactor {
  /** One round, now. Rounds never overlap. */
  compact(): Promise<CompactionResult>;
  stop(): void;
}

const purgesInFlight = 8;
/** Without a record for so long, a reader of history has stalled. */
const silenceMs = 10_000;

/** Runs rounds until it is stopped. */
export function startCompactor(options: CompactorOptions): Compactor {
  const { clock, log, horizonMs = 3_600_000 } = options;
  const intervalMs = options.intervalMs ?? horizonMs / 12;
  const rounds = new Rounds(options.journal, clock, horizonMs);
  let timer: Timer | undefined;
  let stopped = false;
  let last: Promise<unknown> = Promise.resolve();

  function compact(): Promise<CompactionResult> {
    const round = last.then(() => rounds.run(() => stopped));
    last = round.catch(() => undefined);
    return round;
  }

  function schedule(): void {
    timer = clock.setTimer(intervalMs, async () => {
      const stream = options.journal.stream.name;
      try {
        const startedAt = clock.monotonic();
        const result = await compact();
        const durationMs = clock.monotonic() - startedAt;
        log.debug("Compacted the history", { stream, ...result, durationMs });
      } catch (error) {
        log.warn("Compaction failed, trying again", { stream, error: errorMessage(error) });
      }
      if (!stopped) schedule();
    });
  }

  schedule();
  return {
    compact,
    stop() {
      stopped = true;
      timer?.dispose();
    },
  };
}

interface Settled {
  sequence: number;
  marker: boolean;
}

class Rounds {
  readonly #journal: Journal;
  readonly #clock: Clock;
  readonly #horizonMs: number;
  /** Everything up to here has been read. */
  #position = 0;
  /** Something was written up to `#position` that no announcement covers. */
  #fresh = false;
  /** By subject, its newest record up to `#position`. */
  readonly #settled = new Map<string, Settled>();
  /** Subjects with records below the settled one, or of which we cannot tell. */
  readonly #crowded = new Set<string>();
  /** Markers below which nothing is left, by subject. */
  #lonely = new Map<string, number>();

  constructor(journal: Journal, clock: Clock, horizonMs: number) {
    this.#journal = journal;
    this.#clock = clock;
    this.#horizonMs = horizonMs;
  }

  async run(stopped: () => boolean): Promise<CompactionResult> {
    await this.#readOn();
    const lonely = [...this.#lonely];
    const revision = await this.#announce();
    // What lies above the announced revision must not have holes.
    const crowded = revision >= this.#position ? [...this.#crowded] : [];
    let purges = 0;
    await this.#inParallel(crowded, stopped, async (subject) => {
      const settled = this.#settled.get(subject);
      if (!settled) return;
      await this.#journal.purge(subject, settled.sequence);
      purges++;
      this.#crowded.delete(subject);
      if (settled.marker) this.#lonely.set(subject, settled.sequence);
    });
    await this.#inParallel(lonely, stopped, async ([subject, sequence]) => {
      // One below the next: a new object of the key, written since, stays.
      await this.#journal.purge(subject, sequence + 1);
      purges++;
      if (this.#lonely.get(subject) === sequence) this.#lonely.delete(subject);
      if (this.#settled.get(subject)?.sequence === sequence) this.#settled.delete(subject);
    });
    return { revision, purges };
  }

  /** Takes in what has become older than the horizon since the last round. */
  async #readOn(): Promise<void> {
    const cutoff = this.#clock.now() - this.#horizonMs;
    let heard = 0;
    await new Promise<void>((resolve, reject) => {
      const end = (settle: () => void): void => {
        timer.dispose();
        consumption.stop().catch(() => undefined);
        settle();
      };
      const watch = (): Timer => {
        const before = heard;
        return this.#clock.setTimer(silenceMs, () => {
          if (heard === before) end(() => reject(new JournalError("unknown", "History stalled")));
          else timer = watch();
        });
      };
      let timer = watch();
      let done = false;
      const consumption = this.#journal.consume({
        fromSequence: this.#position + 1,
        headersOnly: true,
        onRecord: (record) => {
          heard++;
          if (done) return;
          if (record.timestamp <= cutoff) this.#settle(record);
          else {
            done = true;
            end(resolve);
          }
        },
        onCaughtUp: () => {
          if (!done) end(resolve);
          done = true;
        },
        onEnd: (error) => {
          if (!done) end(() => reject(error));
          done = true;
        },
      });
    });
  }

  #settle(record: JournalRecord): void {
    const { sequence, subject } = record;
    if (sequence <= this.#position) return;
    this.#position = sequence;
    if (!subject.endsWith(compactedKey)) this.#fresh = true;
    const marker = isDeletion(record);
    // A marker whose puts an earlier compactor purged is taken for crowded once, which costs a
    // purge of nothing and makes it wait for its round.
    if (this.#settled.has(subject) || marker) this.#crowded.add(subject);
    this.#settled.set(subject, { sequence, marker });
    this.#lonely.delete(subject);
  }

  /** Writes down the revision that history now begins at, unless somebody is ahead of us. */
  async #announce(): Promise<number> {
    const subject = this.#journal.stream.prefix + compactedKey;
    const last = await this.#journal.last(subject);
    const announced = decodeCompacted(last);
    // Were our own records reason enough, an idle cluster would write one each round for ever.
    if (announced >= this.#position || !this.#fresh) return announced;
    const data = encodeCompacted(this.#position);
    await this.#journal.append([{ subject, data, expected: last?.sequence ?? 0 }]);
    this.#fresh = false;
    return this.#position;
  }

  async #inParallel<T>(
    items: readonly T[],
    stopped: () => boolean,
    act: (item: T) => Promise<void>,
  ): Promise<void> {
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < items.length && !stopped()) {
        const item = items[next++];
        if (item !== undefined) await act(item);
      }
    };
    await Promise.all(Array.from({ length: purgesInFlight }, work));
  }
}
