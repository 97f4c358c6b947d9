/**
 * One store over one stream: commits go out through the committer, records come in through the
 * feed, and the cache in between is what everybody reads.
 *
 *     commit ──► Committer ──► Journal ──► (server) ──► Feed ──► Cache ──► view, watchers
 */

import type { Clock } from "../clock.ts";
import { assert } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Random } from "../random.ts";
import { Cache } from "./cache.ts";
import { Committer } from "./committer.ts";
import type { Standing } from "./contents.ts";
import { Feed } from "./feed.ts";
import type { Group } from "./group.ts";
import { readAt } from "./history.ts";
import type { Journal } from "./journal.ts";
import { Reads } from "./reads.ts";
import type { Committed, Entry, Guard, Operation, Store, View } from "./store.ts";
import { StoreError } from "./store.ts";
import type { Knowledge } from "./verdict.ts";
import type { WindowLimits } from "./window.ts";

export interface StoreOptions {
  journal: Journal;
  clock: Clock;
  random: Random;
  log: Log;
  /** What watchers can come back to. Default: 100,000 changes, 64 MiB, 10 minutes. */
  window?: Partial<WindowLimits>;
  /** The largest object; default 1.5 MiB, as etcd's default for a request. */
  maxObjectBytes?: number;
  /** How long a commit is tried. Default 15 s: longer than a cluster is without a leader. */
  commitTimeoutMs?: number;
  /** How long a consistent read waits. Default 10 s. */
  readTimeoutMs?: number;
  /** How often the feed's watchdog looks. Default 1 s. */
  watchdogMs?: number;
}

/** An atomic batch holds a thousand records, one of which may be the fence. */
const mostOperations = 999;

export function createStore(options: StoreOptions): Store {
  const { journal, clock, random } = options;
  const log = options.log.child({ stream: journal.stream.name });
  const { maxAgeMs } = journal.stream;
  const readTimeoutMs = options.readTimeoutMs ?? 10_000;
  const window = { changes: 100_000, bytes: 64 * 1024 * 1024, ageMs: 600_000, ...options.window };
  const cache = new Cache({ clock, log, window, maxAgeMs });
  const knowledge = new CacheKnowledge(cache, clock, maxAgeMs, (revision, timeoutMs) =>
    reads.reached(revision, timeoutMs),
  );
  const committer = new Committer({ journal, knowledge, clock, log });
  const reads = new Reads({ journal, cache, committer, clock, timeoutMs: readTimeoutMs });
  const feed = new Feed({
    journal,
    cache,
    clock,
    log,
    watchdogMs: options.watchdogMs ?? 1_000,
    onRecord: (key, record) => committer.onRecord(key, record),
  });
  const instance = random.uuid();
  let commits = 0;
  let closed = false;

  return {
    view: cache as View,
    get ready() {
      return !closed && cache.loaded && feed.healthy;
    },
    commit(operations, { guard } = {}) {
      const id = `${instance}.${++commits}`;
      const deadline = clock.monotonic() + (options.commitTimeoutMs ?? 15_000);
      return new Promise((resolve, reject) => {
        const tooLarge = checkOperations(operations, options.maxObjectBytes ?? 1.5 * 1024 * 1024);
        if (tooLarge) reject(tooLarge);
        else committer.submit(newGroup(id, operations, guard, deadline, resolve, reject));
      });
    },
    consistent: () => reads.consistent(),
    reached: (revision, timeoutMs) => reads.reached(revision, timeoutMs),
    async at(key, revision): Promise<Entry | undefined> {
      await reads.reached(revision, readTimeoutMs);
      const history = { journal, contents: cache, clock, timeoutMs: readTimeoutMs };
      return readAt(history, key, revision);
    },
    async close() {
      closed = true;
      committer.close();
      reads.close();
      cache.close();
      await feed.close();
    },
  };
}

function checkOperations(
  operations: readonly Operation[],
  maxObjectBytes: number,
): StoreError | undefined {
  assert(operations.length > 0, "A commit without operations");
  const keys = new Set(operations.map(({ key }) => key));
  assert(keys.size === operations.length, "A commit that names a key twice");
  if (operations.length > mostOperations) {
    const message = `A commit of ${operations.length} operations: at most ${mostOperations} fit`;
    return new StoreError("too-large", message);
  }
  const large = operations.find(({ value }) => value.length > maxObjectBytes);
  if (!large) return undefined;
  const message = `${large.key} has ${large.value.length} bytes: at most ${maxObjectBytes} fit`;
  return new StoreError("too-large", message, { key: large.key });
}

function newGroup(
  id: string,
  operations: readonly Operation[],
  guard: Guard | undefined,
  deadline: number,
  resolve: (committed: Committed[]) => void,
  reject: (error: StoreError) => void,
): Group {
  return {
    id,
    operations,
    guard,
    deadline,
    resolve,
    reject,
    bytes: operations.reduce((sum, { key, value }) => sum + key.length + value.length, 0),
    expected: operations.map(({ expected }) => expected),
    landed: new Map(),
    attempts: 0,
    uncertain: false,
    settled: false,
  };
}

/** The cache, and what our own commits wrote that has not come back through the feed yet. */
class CacheKnowledge implements Knowledge {
  readonly #cache: Cache;
  readonly #clock: Clock;
  readonly #maxAgeMs: number;
  readonly #ahead = new Map<string, Standing>();
  /** The newest sequence in `#ahead`. */
  #newest = 0;
  readonly reached: (revision: number, timeoutMs: number) => Promise<void>;

  constructor(cache: Cache, clock: Clock, maxAgeMs: number, reached: Knowledge["reached"]) {
    this.#cache = cache;
    this.#clock = clock;
    this.#maxAgeMs = maxAgeMs;
    this.reached = reached;
  }

  get revision(): number {
    return this.#cache.loaded ? this.#cache.revision : 0;
  }

  standing(key: string): Standing | undefined {
    if (this.#newest <= this.revision) this.#ahead.clear();
    const ahead = this.#ahead.get(key);
    return ahead && ahead.sequence > this.revision ? ahead : this.#cache.standing(key);
  }

  remember(group: Group): void {
    for (const { key, delete: deleted } of group.operations) {
      const sequence = group.landed.get(key) ?? 0;
      const known = this.#ahead.get(key)?.sequence ?? 0;
      if (sequence <= Math.max(this.revision, known)) continue;
      this.#ahead.set(key, { sequence, live: !deleted });
      this.#newest = Math.max(this.#newest, sequence);
    }
  }

  expiredBefore(): number {
    return this.#maxAgeMs === 0 ? 0 : this.#clock.now() - this.#maxAgeMs;
  }
}
