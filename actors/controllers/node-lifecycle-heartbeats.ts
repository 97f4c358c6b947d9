/**
 * How long each node has been silent, counted only while it could have been heard.
 *
 * Differs from Kubernetes: there a node's grace period runs by the clock. Here it runs only while
 * writes reach the store, which shows in the stream of Leases: our own owners renew theirs every
 * 5 s, so a stream that stands still is an outage of the API and no silence of the nodes.
 */

import type { Key } from "../kit/object.ts";

/** Two renewals of an owner's Lease. */
const stillMs = 10_000;

export class Heartbeats {
  readonly #heard = new Map<Key, { beat: string; at: number }>();
  #writableMs = 0;
  #checkedAt: number | undefined;
  #revision = "";
  #changedAt = 0;

  /** `revision` of the cache of Leases; `now` on a monotonic clock. */
  advance(now: number, revision: string): void {
    if (revision !== this.#revision) this.#changedAt = now;
    this.#revision = revision;
    if (this.#checkedAt !== undefined && now - this.#changedAt <= stillMs) {
      this.#writableMs += now - this.#checkedAt;
    }
    this.#checkedAt = now;
  }

  /** `beat` differs from the last one when the node has been heard of since. */
  silentMs(node: Key, beat: string): number {
    const heard = this.#heard.get(node);
    if (heard?.beat === beat) return this.#writableMs - heard.at;
    this.#heard.set(node, { beat, at: this.#writableMs });
    return 0;
  }

  forget(node: Key): void {
    this.#heard.delete(node);
  }
}
