/** The latest changes, so that a watcher who comes back can go on from where it was. */

import type { Change } from "./store.ts";

export interface WindowLimits {
  changes: number;
  bytes: number;
  ageMs: number;
}

interface Slot {
  change: Change;
  /** On the monotonic clock. */
  at: number;
  /** An expiry has no sequence of its own: it carries that of the newest record. */
  expiry: boolean;
}

export class ChangeWindow {
  readonly #limits: WindowLimits;
  #slots: Slot[] = [];
  /** Where the oldest slot is; those before it are dropped in blocks. */
  #head = 0;
  #bytes = 0;
  #floor = 0;

  constructor(limits: WindowLimits) {
    this.#limits = limits;
  }

  /** Everything after this sequence is here. */
  get floor(): number {
    return this.#floor;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(change: Change, at: number, expiry = false): void {
    this.#slots.push({ change, at, expiry });
    this.#bytes += change.value.length;
    this.trim(at);
  }

  /** Forgets everything: only what comes after `floor` will be known. */
  reset(floor: number): void {
    this.#slots = [];
    this.#head = 0;
    this.#bytes = 0;
    this.#floor = Math.max(this.#floor, floor);
  }

  trim(now: number): void {
    const { changes, bytes, ageMs } = this.#limits;
    for (let slot = this.#slots[this.#head]; slot; slot = this.#slots[this.#head]) {
      const held = this.#slots.length - this.#head;
      if (held <= changes && this.#bytes <= bytes && now - slot.at <= ageMs) break;
      this.#head++;
      this.#bytes -= slot.change.value.length;
      this.#floor = Math.max(this.#floor, slot.change.sequence);
    }
    if (this.#head > 1_024 && this.#head * 2 > this.#slots.length) {
      this.#slots = this.#slots.slice(this.#head);
      this.#head = 0;
    }
  }

  /**
   * The changes after a sequence. An expiry at that very sequence is told again: a watcher may
   * have left before it, and a deletion told twice does no harm.
   */
  *after(sequence: number): Iterable<Change> {
    let low = this.#head;
    let high = this.#slots.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#slots[middle]?.change.sequence ?? 0) < sequence) low = middle + 1;
      else high = middle;
    }
    const slots = this.#slots;
    for (let at = low; at < slots.length; at++) {
      const slot = slots[at];
      if (slot && (slot.change.sequence > sequence || slot.expiry)) yield slot.change;
    }
  }
}
