/**
 * The simulated world: time that moves only from event to event, and one seed for all chance.
 *
 * An event is a timer or a message on its way. `run` takes the earliest (of equals, the one that
 * was scheduled first), fires it, and lets every promise that follows from it settle before the
 * next: one turn of the real event loop empties the queue of microtasks. So nothing in a
 * simulation may wait for real I/O, a thread pool or a real timer; what does is not waited for.
 *
 * A run is a function of the seed and the code. `trace` says whether two runs were the same.
 */

import { setImmediate as nextTurn } from "node:timers/promises";
import TinyQueue from "tinyqueue";
import type { Clock, Timer } from "../clock.ts";
import { sleepOn } from "../clock.ts";
import type { Random } from "../random.ts";
import type { SimLog } from "./log.ts";
import { createSimLog } from "./log.ts";
import { createSeededRandom } from "./random.ts";
import type { Trace } from "./trace.ts";
import { createTrace } from "./trace.ts";

export interface SimWorld {
  readonly seed: number;
  /** The true time. Processes have clocks of their own (`sim/process.ts`). */
  readonly clock: Clock;
  readonly random: Random;
  readonly log: SimLog;
  readonly trace: Trace;
  /** Timers and messages still to come. */
  readonly pending: number;
  /**
   * `internal` events belong to the world itself and start no promise of anybody's, so the
   * world does not wait for promises after them.
   */
  schedule(delayMs: number, fire: () => void, options?: { internal?: boolean }): Timer;
  /**
   * Runs until `until` holds (checked after every event), else for `maxVirtualMs`. Says whether
   * `until` held; true when there was none to ask.
   */
  run(options: { until?: () => boolean; maxVirtualMs: number }): Promise<boolean>;
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly internal: boolean;
  /** Undefined once disposed. */
  fire: (() => void) | undefined;
}

/** 2026-01-01T00:00:00Z: simulations begin when Wherry did. */
const beginning = 1_767_225_600_000;

/**
 * No timer is shorter. Sums of floating-point times may leave an actor a 1e-11 ms to wait; added to
 * the time it would change nothing, and the actor would look again at the same instant for ever.
 */
const tickMs = 0.001;
/** More events than this at one instant are a loop that time cannot end. */
const mostAtOnce = 100_000;

export function createWorld(options: { seed: number; startMs?: number }): SimWorld {
  const { seed, startMs = beginning } = options;
  const events = new TinyQueue<Event>([], (a, b) => a.at - b.at || a.order - b.order);
  let elapsed = 0;
  let order = 0;
  let disposed = 0;

  function schedule(
    delayMs: number,
    fire: () => void,
    { internal = false }: { internal?: boolean } = {},
  ): Timer {
    const at = elapsed + Math.max(0, Number.isFinite(delayMs) ? delayMs : 0);
    const event: Event = { at, order: order++, internal, fire };
    events.push(event);
    return {
      dispose() {
        if (event.fire) disposed++;
        event.fire = undefined;
      },
    };
  }

  /** The earliest event that still wants to fire and is due by `limit`. */
  function take(limit: number): (() => void) | undefined {
    for (let event = events.peek(); event && event.at <= limit; event = events.peek()) {
      events.pop();
      const { fire } = event;
      if (!fire) {
        disposed--;
        continue;
      }
      event.fire = undefined;
      elapsed = event.at;
      settled = event.internal;
      return fire;
    }
    return undefined;
  }

  /** True when the event that fired last cannot have started a promise. */
  let settled = false;

  const clock: Clock = {
    now: () => Math.floor(startMs + elapsed),
    monotonic: () => elapsed,
    setTimer: (delayMs, fire) => schedule(delayMs > 0 ? Math.max(delayMs, tickMs) : 0, fire),
    sleep: (delayMs, signal) => sleepOn(clock, delayMs, signal),
  };

  return {
    seed,
    clock,
    random: createSeededRandom(`wherry-${seed}`),
    log: createSimLog(() => elapsed),
    trace: createTrace(() => elapsed),
    get pending() {
      return events.length - disposed;
    },
    schedule,
    async run({ until, maxVirtualMs }) {
      const limit = elapsed + maxVirtualMs;
      await nextTurn();
      let [instant, atOnce] = [elapsed, 0];
      while (!until?.()) {
        const fire = take(limit);
        if (!fire) {
          elapsed = limit;
          return until === undefined;
        }
        [instant, atOnce] = instant === elapsed ? [instant, atOnce + 1] : [elapsed, 0];
        if (atOnce > mostAtOnce) {
          throw new Error(`Seed ${seed}: time stands still at ${elapsed.toFixed(3)} ms`);
        }
        try {
          fire();
        } catch (cause) {
          throw new Error(`Seed ${seed} failed at ${elapsed.toFixed(3)} ms`, { cause });
        }
        if (!settled) await nextTurn();
      }
      return true;
    },
  };
}
