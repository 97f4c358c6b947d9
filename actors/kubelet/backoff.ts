/**
 * How long to wait before the next try, per key: doubling from `initialMs` to `longestMs`, and
 * forgotten when a key caused no trouble for twice the longest. Pure but for its own memory; after
 * k8s:client-go/util/flowcontrol/backoff.go.
 */
export class Backoff {
  readonly #initialMs: number;
  readonly #longestMs: number;
  readonly #entries = new Map<string, { delayMs: number; updatedAt: number }>();

  constructor(initialMs = 10_000, longestMs = 300_000) {
    this.#initialMs = initialMs;
    this.#longestMs = longestMs;
  }

  /** The delay that applies to `key`, and how much of it is left since trouble at `since`. */
  remaining(key: string, since: number, now: number): { delayMs: number; leftMs: number } {
    const entry = this.#entries.get(key);
    if (!entry || this.#isForgotten(entry, now)) return { delayMs: 0, leftMs: 0 };
    return { delayMs: entry.delayMs, leftMs: Math.max(0, since + entry.delayMs - now) };
  }

  /** Counts one more trouble. */
  next(key: string, now: number): void {
    const entry = this.#entries.get(key);
    const isNew = !entry || this.#isForgotten(entry, now);
    const delayMs = isNew ? this.#initialMs : Math.min(this.#longestMs, entry.delayMs * 2);
    this.#entries.set(key, { delayMs, updatedAt: now });
  }

  forget(key: string): void {
    this.#entries.delete(key);
  }

  #isForgotten(entry: { updatedAt: number }, now: number): boolean {
    return now - entry.updatedAt > 2 * this.#longestMs;
  }
}

/** As Go prints a duration: `10s`, `1m20s`, `5m0s`. */
export function formatDelay(delayMs: number): string {
  const seconds = Math.round(delayMs / 1000);
  const minutes = Math.floor(seconds / 60);
  return minutes > 0 ? `${minutes}m${seconds % 60}s` : `${seconds}s`;
}
