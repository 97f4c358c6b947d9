/**
 * Which commits may go, and which must wait for another to finish. A key has one writer at a
 * time; a guard's key may have many that rely on it or one that writes it. Whoever comes to a key
 * where somebody waits waits behind them, so that a takeover is not starved by the owner's writes.
 */

import { type Group, keysOf } from "./group.ts";

export class CommitQueue {
  /** Repeated attempts go before the rest. */
  readonly #first = new Set<Group>();
  readonly #ready = new Set<Group>();
  /** Those whose keys are taken, from `add` to `release`. */
  readonly #holders = new Set<Group>();
  readonly #written = new Set<string>();
  /** How many rely on a guard's key. */
  readonly #relied = new Map<string, number>();
  readonly #parked = new Map<string, Group[]>();

  get readyCount(): number {
    return this.#first.size + this.#ready.size;
  }

  add(group: Group): void {
    if (group.settled) return;
    const obstacle = this.#obstacle(group);
    if (obstacle !== undefined) {
      const queue = this.#parked.get(obstacle);
      if (queue) queue.push(group);
      else this.#parked.set(obstacle, [group]);
      return;
    }
    this.#holders.add(group);
    for (const key of keysOf(group)) this.#written.add(key);
    const { guard } = group;
    if (guard) this.#relied.set(guard.key, (this.#relied.get(guard.key) ?? 0) + 1);
    this.#ready.add(group);
  }

  /** Once more, with its keys still taken. */
  addFirst(group: Group): void {
    this.#first.add(group);
  }

  /** The first that is ready and fits. */
  take(fits: (group: Group) => boolean): Group | undefined {
    for (const queue of [this.#first, this.#ready]) {
      for (const group of queue) {
        if (!fits(group)) continue;
        queue.delete(group);
        return group;
      }
    }
    return undefined;
  }

  /** Gives a finished commit's keys to those who wait for them. */
  release(group: Group): void {
    this.#first.delete(group);
    this.#ready.delete(group);
    if (!this.#holders.delete(group)) return;
    const keys = keysOf(group);
    for (const key of keys) this.#written.delete(key);
    const { guard } = group;
    if (guard) {
      const left = (this.#relied.get(guard.key) ?? 0) - 1;
      if (left > 0) this.#relied.set(guard.key, left);
      else this.#relied.delete(guard.key);
      keys.push(guard.key);
    }
    for (const key of keys) {
      const waiting = this.#parked.get(key) ?? [];
      this.#parked.delete(key);
      for (const next of waiting) this.add(next);
    }
  }

  #obstacle(group: Group): string | undefined {
    const { guard } = group;
    if (guard && (this.#written.has(guard.key) || this.#parked.has(guard.key))) return guard.key;
    return keysOf(group).find(
      (key) => this.#written.has(key) || this.#relied.has(key) || this.#parked.has(key),
    );
  }
}
