/** The real clock and real entropy: the only file of the actor runtime that touches either. */

import { randomFillSync } from "node:crypto";
import type { Clock } from "./clock.ts";
import { sleepOn } from "./clock.ts";
import type { Random } from "./random.ts";
import { randomFrom } from "./random.ts";

/** `setTimeout` fires at once when asked for more than this, so longer waits go in pieces. */
const longestTimeoutMs = 2 ** 31 - 1;

export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(delayMs, fire) {
    // No delay is a turn of the event loop, of which `setTimeout` would make a millisecond.
    if (delayMs <= 0) {
      const turn = setImmediate(fire);
      return { dispose: () => clearImmediate(turn) };
    }
    // `setTimeout` counts whole milliseconds of a clock of its own and may fire a little before
    // the time. Whoever set the timer would then find that nothing is due, and wait for ever.
    const due = performance.now() + delayMs;
    let handle: NodeJS.Timeout;
    const arm = (): void => {
      const leftMs = Math.min(Math.max(0, due - performance.now()), longestTimeoutMs);
      handle = setTimeout(() => (performance.now() < due ? arm() : fire()), Math.ceil(leftMs));
    };
    arm();
    return { dispose: () => clearTimeout(handle) };
  },
  sleep(delayMs, signal) {
    return sleepOn(realClock, delayMs, signal);
  },
};

/** Entropy is taken from the kernel in pages, because a call for each draw costs a microsecond. */
const pool = new Uint32Array(256);
let drawn = pool.length;

function bits32(): number {
  if (drawn === pool.length) {
    randomFillSync(pool);
    drawn = 0;
  }
  return pool[drawn++] ?? 0;
}

export const realRandom: Random = randomFrom(bits32, () => realRandom);
