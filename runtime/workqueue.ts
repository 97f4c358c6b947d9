import type { Clock, Timer } from "./clock.ts";
import { assert } from "./errors.ts";

/**
 * A queue of keys to be worked on: fair, stingy, and safe with many workers.
 *
 * - Fair: keys come out in the order in which they were first added.
 * - Stingy: a key that is added many times before it is taken comes out once.
 * - One at a time: a key in work is never given out; added meanwhile, it comes out again after.
 * - Patient: `addRateLimited` waits longer with each failure of a key, `forget` ends that.
 *
 * The promises, and the limits below, are those of k8s.io/client-go/util/workqueue (`Type`,
 * `delayingType`, `ItemExponentialFailureRateLimiter`), whose bucket for all keys together we
 * leave out: the API actors have back-pressure of their own.
 */
export interface Workqueue<K> {
  add(key: K): void;
  /** Adds the key after `delayMs`, or when an earlier wait for the same key is over. */
  addAfter(key: K, delayMs: number): void;
  /** Adds the key after a wait that doubles with each call since it was last forgotten. */
  addRateLimited(key: K): void;
  forget(key: K): void;
  /** How often the key was rate-limited since it was last forgotten. */
  requeues(key: K): number;
  /** The next key, which is then in work until `done`; undefined once shut down and empty. */
  get(): Promise<K | undefined>;
  done(key: K): void;
  /** Takes no more keys, forgets those that wait; those in the queue can still be got. */
  shutDown(): void;
  /** Keys ready to be got, in work, and waiting for their time. */
  readonly depth: number;
  readonly processing: number;
  readonly delayed: number;
}

export interface RateLimit {
  readonly baseMs: number;
  readonly maxMs: number;
}

/** 5 ms, 10 ms, … 1,000 s: after eighteen failures a key is tried every 16 minutes. */
export const defaultRateLimit: RateLimit = { baseMs: 5, maxMs: 1_000_000 };

export function createWorkqueue<K extends string | number>(
  clock: Clock,
  { baseMs, maxMs }: RateLimit = defaultRateLimit,
): Workqueue<K> {
  /** Ready, in order. A Set, so that what is ready is also what is known to be ready. */
  const ready = new Set<K>();
  const inWork = new Set<K>();
  /** In work and added meanwhile. */
  const again = new Set<K>();
  const delayed = new Map<K, { at: number; timer: Timer }>();
  const failures = new Map<K, number>();
  const workers: ((key: K | undefined) => void)[] = [];
  let shut = false;

  function add(key: K): void {
    if (shut) return;
    if (inWork.has(key)) again.add(key);
    else ready.add(key);
    handOut();
  }

  function handOut(): void {
    for (const key of ready) {
      const worker = workers.shift();
      if (!worker) return;
      ready.delete(key);
      inWork.add(key);
      worker(key);
    }
    if (shut) for (const worker of workers.splice(0)) worker(undefined);
  }

  function addAfter(key: K, delayMs: number): void {
    if (shut) return;
    if (delayMs <= 0) {
      add(key);
      return;
    }
    const at = clock.monotonic() + delayMs;
    const waiting = delayed.get(key);
    if (waiting && waiting.at <= at) return;
    waiting?.timer.dispose();
    const timer = clock.setTimer(delayMs, () => {
      delayed.delete(key);
      add(key);
    });
    delayed.set(key, { at, timer });
  }

  return {
    add,
    addAfter,
    addRateLimited(key) {
      const failed = failures.get(key) ?? 0;
      failures.set(key, failed + 1);
      addAfter(key, Math.min(baseMs * 2 ** failed, maxMs));
    },
    forget: (key) => void failures.delete(key),
    requeues: (key) => failures.get(key) ?? 0,
    get() {
      return new Promise((resolve) => {
        workers.push(resolve);
        handOut();
      });
    },
    done(key) {
      assert(inWork.delete(key), `Key ${key} is not in work`);
      // What was asked for before the shutdown is still owed.
      if (again.delete(key)) ready.add(key);
      handOut();
    },
    shutDown() {
      shut = true;
      for (const { timer } of delayed.values()) timer.dispose();
      delayed.clear();
      handOut();
    },
    get depth() {
      return ready.size;
    },
    get processing() {
      return inWork.size;
    },
    get delayed() {
      return delayed.size;
    },
  };
}
