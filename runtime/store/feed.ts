/**
 * Keeps a cache fed: one ordered consumer, under a watchdog of its own, because consumers were
 * seen to fall silent without an error after a server was killed.
 *
 * Loading reads the stream from its start into contents that nobody sees, and shows them once
 * the end is reached. After that records go in one by one. What may go wrong, and what follows:
 *
 * - the consumer ends, or makes no progress while the stream does: another one from where we are;
 * - a jump in sequence: records were lost, or were compacted away before we saw them. Either way
 *   a deletion may be among them, so everything is loaded anew;
 * - a jump while loading, above what was compacted when it began: loaded anew. Compaction leaves
 *   a deletion's marker alone for one more round (`compactor.ts`), so that a load which began
 *   before it still finds the marker. If the same hole is there twice, somebody removed records
 *   by hand: it is logged and accepted, because the stream will not get better.
 */

import type { Clock, Timer } from "../clock.ts";
import { errorMessage } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Cache, Loading } from "./cache.ts";
import type { Consumption, Journal, JournalInfo, JournalRecord } from "./journal.ts";
import { compactedKey, decodeCompacted } from "./records.ts";

export interface FeedOptions {
  journal: Journal;
  cache: Cache;
  clock: Clock;
  log: Log;
  /** How often the watchdog looks. Silence is noticed after two to three looks. */
  watchdogMs: number;
  /** Told of every record that is not on the way to a reload, before the cache has it. */
  onRecord(key: string, record: JournalRecord): void;
}

const silentLooks = 3;
const longestBackoffMs = 2_000;
/** A tail longer than this was not removed by us: compaction itself leaves a record behind it. */
const furthestTail = 16;
/** Somebody compacts faster than we load: better late than never. */
const mostReloads = 3;

export class Feed {
  readonly #options: FeedOptions;
  readonly #prefix: string;
  /** Counts consumers; what an earlier one still says is not heard. */
  #generation = 0;
  #consumption: Consumption | undefined;
  #loading: Loading | undefined;
  /** The last sequence that we have been given. */
  #position = 0;
  /** The stream as it was before the consumer was made. */
  #before: JournalInfo | undefined;
  /** The end of the stream when loading began. */
  #endAtLoad = 0;
  #reloads = 0;
  #caughtUp = false;
  #progress = 0;
  #progressAtLook = 0;
  #silent = 0;
  #failures = 0;
  #acceptedHole = 0;
  #suspectedHole = 0;
  #timers = new Set<Timer>();
  #closed = false;
  #healthy = false;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#prefix = options.journal.stream.prefix;
    this.#open("load");
    this.#look();
  }

  /** False while the stream does not answer. */
  get healthy(): boolean {
    return this.#healthy;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#generation++;
    for (const timer of this.#timers) timer.dispose();
    await this.#consumption?.stop();
  }

  async #open(mode: "load" | "resume"): Promise<void> {
    const generation = ++this.#generation;
    const { journal, cache } = this.#options;
    const previous = this.#consumption;
    this.#consumption = undefined;
    this.#caughtUp = false;
    this.#silent = 0;
    try {
      previous?.stop().catch(() => undefined);
      const before = await journal.info();
      const compacted = decodeCompacted(await journal.last(this.#prefix + compactedKey));
      if (generation !== this.#generation) return;
      this.#healthy = true;
      this.#before = before;
      if (mode === "load" || this.#loading) {
        this.#loading = cache.startLoading(compacted);
        this.#endAtLoad = before.lastSequence;
        this.#position = 0;
      }
      this.#consumption = journal.consume({
        fromSequence: this.#position + 1,
        onRecord: (record) => {
          if (generation === this.#generation) this.#receive(record);
        },
        onCaughtUp: () => {
          if (generation === this.#generation) this.#reachEnd();
        },
        onEnd: (error) => {
          if (generation === this.#generation) this.#reopen("resume", error);
        },
      });
    } catch (error) {
      if (generation !== this.#generation) return;
      this.#healthy = false;
      this.#reopen(mode, error);
    }
  }

  #reopen(mode: "load" | "resume", why: unknown): void {
    if (this.#closed) return;
    // What the consumer before says from now on is not heard.
    this.#generation++;
    const delayMs = Math.min(50 * 2 ** this.#failures++, longestBackoffMs);
    const fields = { stream: this.#options.journal.stream.name, mode, delayMs };
    this.#options.log.debug("Reopening the feed", { ...fields, error: errorMessage(why) });
    this.#after(delayMs, () => this.#open(mode));
  }

  #receive(record: JournalRecord): void {
    const { sequence } = record;
    if (sequence <= this.#position) return;
    this.#progress++;
    this.#failures = 0;
    const jumped = sequence > this.#position + 1;
    if (jumped && this.#isLoss(sequence)) return;
    this.#position = sequence;
    const key = record.subject.slice(this.#prefix.length);
    const { cache } = this.#options;
    this.#options.onRecord(key, record);
    if (this.#loading) cache.load(this.#loading, key, record);
    else if (sequence > cache.revision) cache.apply(key, record);
    if (key === compactedKey) this.#heedCompaction(record);
  }

  /**
   * A round of compaction that began while we were loading may remove a marker that we have not
   * come to yet, of a put that we have: once more, and then there is time until the next round.
   */
  #heedCompaction(record: JournalRecord): void {
    this.#options.cache.dropMarkers(decodeCompacted(record));
    if (!this.#loading || record.sequence <= this.#endAtLoad) return;
    if (++this.#reloads > mostReloads) return;
    this.#reopen("load", new Error("Compacted while loading"));
  }

  /** True when a jump to `sequence` cannot be trusted; then everything is loaded anew. */
  #isLoss(sequence: number): boolean {
    if (this.#loading) {
      // The first record of all may be anywhere: what came before it has expired or was compacted.
      if (this.#position === 0 || sequence - 1 <= this.#loading.compacted) return false;
      if (sequence <= this.#acceptedHole) return false;
      if (this.#suspectedHole === sequence) {
        const fields = { after: this.#position, before: sequence };
        this.#options.log.error("Records were removed from the stream by hand", fields);
        this.#acceptedHole = sequence;
        return false;
      }
      this.#suspectedHole = sequence;
    }
    const fields = { after: this.#position, before: sequence };
    this.#options.log.warn("Lost records, loading everything anew", fields);
    this.#reopen("load", new Error("Lost records"));
    return true;
  }

  /**
   * Everything that the consumer knew of was delivered. When that is less than the leader had,
   * either the consumer sits on a lagging server, and the rest will come, or the last records
   * of the stream were removed, and never will.
   */
  #reachEnd(): void {
    this.#progress++;
    this.#failures = 0;
    const before = this.#before;
    this.#before = undefined;
    if (!before || before.lastSequence <= this.#position) {
      this.#finish(this.#position);
      return;
    }
    if (before.messages === 0) {
      this.#finish(before.lastSequence);
      return;
    }
    const generation = this.#generation;
    this.#isTailGone(before.lastSequence).then(
      (gone) => {
        if (generation !== this.#generation) return;
        if (gone) this.#finish(Math.max(this.#position, before.lastSequence));
        else if (this.#position >= before.lastSequence) this.#finish(this.#position);
        else this.#before = before;
      },
      (error) => {
        if (generation === this.#generation) this.#reopen("resume", error);
      },
    );
  }

  async #isTailGone(end: number): Promise<boolean> {
    const furthest = Math.max(this.#position, end - furthestTail);
    for (let sequence = end; sequence > furthest; sequence--) {
      if (await this.#options.journal.at(sequence)) return false;
    }
    return true;
  }

  #finish(end: number): void {
    const { cache } = this.#options;
    this.#caughtUp = true;
    if (this.#loading) {
      const loading = this.#loading;
      this.#loading = undefined;
      this.#reloads = 0;
      this.#position = Math.max(end, cache.revision);
      cache.install(loading, end);
    } else {
      this.#position = end;
      cache.advance(end);
    }
  }

  /** The watchdog. */
  #look(): void {
    this.#after(this.#options.watchdogMs, () => this.#look());
    if (this.#progress !== this.#progressAtLook) {
      this.#progressAtLook = this.#progress;
      this.#silent = 0;
      this.#healthy = true;
      return;
    }
    this.#askForProgress().catch(() => {
      this.#healthy = false;
    });
  }

  async #askForProgress(): Promise<void> {
    const generation = this.#generation;
    const { lastSequence } = await this.#options.journal.info();
    this.#healthy = true;
    const quiet = this.#caughtUp && lastSequence <= this.#position;
    if (generation !== this.#generation || this.#progress !== this.#progressAtLook) return;
    if (quiet || !this.#consumption) {
      this.#silent = 0;
      return;
    }
    if (++this.#silent < silentLooks) return;
    this.#options.log.warn("Consumer fell silent", { at: this.#position, end: lastSequence });
    this.#reopen("resume", new Error("Consumer fell silent"));
  }

  #after(delayMs: number, fire: () => void): void {
    const timer = this.#options.clock.setTimer(delayMs, () => {
      this.#timers.delete(timer);
      if (!this.#closed) fire();
    });
    this.#timers.add(timer);
  }
}
