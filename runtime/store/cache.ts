/**
 * The watch cache: the newest state that this process has seen, and the changes that led to it.
 *
 * The feed (`feed.ts`) is its only writer. Every record goes in once, in order; `revision` never
 * goes back, not even over a rebuild, and a watcher sees each change after the one before it.
 */

import type { Clock, Timer } from "../clock.ts";
import { errorMessage } from "../errors.ts";
import type { Log } from "../log.ts";
import { Contents, changesBetween, type Standing } from "./contents.ts";
import type { JournalRecord } from "./journal.ts";
import { resourceOf } from "./key.ts";
import type { Change, ChangeStream, Entry, Snapshot, View } from "./store.ts";
import { StoreError } from "./store.ts";
import { ChangeWindow, type WindowLimits } from "./window.ts";

export interface CacheOptions {
  clock: Clock;
  log: Log;
  window: WindowLimits;
  /** Entries older than this are gone, although the stream says nothing of it; 0: never. */
  maxAgeMs: number;
}

/** Contents that are being read from the start of the stream, not to be seen yet. */
export interface Loading {
  contents: Contents;
  window: ChangeWindow;
  /** History above this sequence is complete. */
  compacted: number;
}

interface Subscriber {
  prefix: string;
  after: number;
  onChange(change: Change): void;
}

interface Waiter {
  revision: number;
  resolve(): void;
}

export class Cache implements View {
  readonly #options: CacheOptions;
  #contents = new Contents();
  #window: ChangeWindow;
  #revision = 0;
  #loaded = false;
  /** By resource; under "" those whose prefix covers more than one. */
  readonly #subscribers = new Map<string, Set<Subscriber>>();
  readonly #waiters = new Set<Waiter>();
  #expiryTimer: Timer | undefined;

  constructor(options: CacheOptions) {
    this.#options = options;
    this.#window = new ChangeWindow(options.window);
  }

  get revision(): number {
    return this.#revision;
  }

  get floor(): number {
    return this.#window.floor;
  }

  get loaded(): boolean {
    return this.#loaded;
  }

  get(key: string): Entry | undefined {
    return this.#contents.get(key);
  }

  standing(key: string): Standing | undefined {
    return this.#contents.standing(key);
  }

  snapshot(prefix: string): Snapshot {
    return this.#contents.snapshot(prefix, this.#revision);
  }

  subscribe(
    prefix: string,
    fromSequence: number,
    onChange: (change: Change) => void,
  ): ChangeStream {
    this.#window.trim(this.#options.clock.monotonic());
    if (!this.#loaded || fromSequence < this.#window.floor) {
      const message = `Changes after ${fromSequence} are gone: the oldest kept follow ${this.floor}`;
      throw new StoreError("expired", message);
    }
    const subscriber = { prefix, after: fromSequence, onChange };
    for (const change of this.#window.after(fromSequence)) {
      if (change.key.startsWith(prefix)) onChange(change);
    }
    const resource = resourceOf(prefix) ?? "";
    const peers = this.#subscribers.get(resource) ?? new Set();
    this.#subscribers.set(resource, peers.add(subscriber));
    return {
      close: () => {
        peers.delete(subscriber);
        if (peers.size === 0 && this.#subscribers.get(resource) === peers) {
          this.#subscribers.delete(resource);
        }
      },
    };
  }

  /** Resolves once `revision` is reached; the caller owns the time-out. */
  reached(revision: number): { promise: Promise<void>; cancel(): void } {
    if (this.#loaded && this.#revision >= revision) {
      return { promise: Promise.resolve(), cancel() {} };
    }
    let waiter: Waiter | undefined;
    const promise = new Promise<void>((resolve) => {
      waiter = { revision, resolve };
      this.#waiters.add(waiter);
    });
    return {
      promise,
      cancel: () => {
        if (waiter) this.#waiters.delete(waiter);
      },
    };
  }

  startLoading(compacted: number): Loading {
    const window = new ChangeWindow(this.#options.window);
    window.reset(compacted);
    return { contents: new Contents(), window, compacted };
  }

  /** A record on the way to contents that nobody sees yet. */
  load(loading: Loading, key: string, record: JournalRecord): void {
    const now = this.#options.clock.monotonic();
    for (const change of loading.contents.apply(key, record)) {
      if (change.sequence > loading.compacted) loading.window.push(change, now);
    }
  }

  /** A record after `revision`. */
  apply(key: string, record: JournalRecord): void {
    const changes = this.#contents.apply(key, record);
    this.#revision = record.sequence;
    for (const change of changes) this.#tell(change);
    this.#wake();
  }

  /** The stream holds nothing between `revision` and `sequence`. */
  advance(sequence: number): void {
    if (sequence <= this.#revision) return;
    this.#revision = sequence;
    this.#wake();
  }

  /**
   * Shows what was loaded. The first time its window comes with it. After a loss watchers are
   * told the difference between what they saw and what is, and nobody can start from before it.
   */
  install({ contents, window }: Loading, revision: number): void {
    const before = this.#contents;
    const lost = this.#loaded;
    this.#contents = contents;
    const from = this.#revision;
    this.#revision = Math.max(from, revision);
    if (lost) {
      for (const change of difference(before, contents, from + 1)) this.#tell(change);
      this.#window.reset(this.#revision);
    } else this.#window = window;
    this.#loaded = true;
    this.#scheduleExpiry();
    this.#wake();
  }

  dropMarkers(upTo: number): void {
    this.#contents.dropMarkers(upTo);
  }

  close(): void {
    this.#expiryTimer?.dispose();
    this.#subscribers.clear();
  }

  #tell(change: Change, expiry = false): void {
    this.#window.push(change, this.#options.clock.monotonic(), expiry);
    for (const peers of [
      this.#subscribers.get(resourceOf(change.key) ?? ""),
      this.#subscribers.get(""),
    ]) {
      for (const subscriber of peers ?? []) {
        if (!change.key.startsWith(subscriber.prefix)) continue;
        if (change.sequence <= subscriber.after && !expiry) continue;
        try {
          subscriber.onChange(change);
        } catch (error) {
          // One watcher's mistake must not cost the others their order.
          this.#options.log.error("Watcher failed", {
            key: change.key,
            error: errorMessage(error),
          });
        }
      }
    }
  }

  #wake(): void {
    if (!this.#loaded) return;
    for (const waiter of this.#waiters) {
      if (waiter.revision > this.#revision) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }

  /** Looks for what has expired a hundred times within the age: cheaper than a timer each. */
  #scheduleExpiry(): void {
    const { clock, maxAgeMs } = this.#options;
    if (maxAgeMs === 0 || this.#expiryTimer) return;
    this.#expiryTimer = clock.setTimer(maxAgeMs / 100, () => {
      this.#expiryTimer = undefined;
      this.#expire(clock.now() - maxAgeMs);
      this.#scheduleExpiry();
    });
  }

  #expire(before: number): void {
    const expired = [...this.#contents.entries()].filter((entry) => entry.timestamp <= before);
    for (const { key, value } of expired.sort((a, b) => a.sequence - b.sequence)) {
      this.#contents.remove(key);
      const sequence = this.#revision;
      this.#tell({ type: "deleted", key, value, sequence, previous: value }, true);
    }
  }
}

/**
 * What a watcher of `before` must be told to be at `after`. The deletions that were missed have
 * no known sequence any more; `lostAt`, the first sequence that was lost, keeps the order.
 */
function difference(before: Contents, after: Contents, lostAt: number): Change[] {
  const changes: Change[] = [];
  for (const { key, value } of before.entries()) {
    if (after.get(key)) continue;
    changes.push({ type: "deleted", key, value, sequence: lostAt, previous: value });
  }
  const newer: Change[] = [];
  for (const entry of after.entries()) {
    const previous = before.get(entry.key);
    if (previous?.sequence !== entry.sequence) newer.push(...changesBetween(previous, entry));
  }
  return changes.concat(newer.sort((a, b) => a.sequence - b.sequence));
}
