/** One life of an actor: what it holds, and the ways in which it ends. */

import { setMaxListeners } from "node:events";
import type { World } from "./actor.ts";
import type { Bus, BusMessage, SubscribeOptions, Subscription } from "./bus.ts";
import { BusError } from "./bus.ts";
import type { Clock, Timer } from "./clock.ts";
import { sleepOn } from "./clock.ts";
import { errorMessage } from "./errors.ts";

/** How long a handler or a hook may go on after it was asked to end. */
export const endGraceMs = 10_000;

export interface Incarnation {
  /** The world as this life sees it. */
  readonly clock: Clock;
  readonly bus: Bus;
  readonly signal: AbortSignal;
  /** What it crashed of. */
  readonly failure: Error | undefined;
  /** Told to stop, or crashed: takes no more messages. */
  readonly over: boolean;
  requestStop(): void;
  fail(error: unknown): void;
  kill(): void;
  onEnd(release: () => void | Promise<void>): void;
  /** Settles as `work` does; once the life is over, after a period of grace at the latest. */
  settle<T>(work: Promise<T>): Promise<T>;
  /** Releases everything, newest first. */
  release(): Promise<void>;
}

export function createIncarnation(world: World, onOver: () => void): Incarnation {
  const abort = new AbortController();
  // Every watch and pause of a life listens for its end, and each stops listening when it is over
  // first: there may be any number, and Node's warning of a leak at eleven would be wrong.
  setMaxListeners(0, abort.signal);
  /** Newest last. Timers and subscriptions leave when they are over before the life is. */
  const held = new Set<{ release: () => void | Promise<void> }>();
  let failure: Error | undefined;
  let released = false;
  let killed = false;

  function end(reason: Error): void {
    if (abort.signal.aborted || killed) return;
    abort.abort(reason);
    onOver();
  }

  function fail(error: unknown): void {
    if (killed) return;
    if (abort.signal.aborted) {
      if (error !== abort.signal.reason) world.log.debug("Failed while it ended", { error });
      return;
    }
    failure = error instanceof Error ? error : new Error(errorMessage(error), { cause: error });
    end(failure);
  }

  /** Runs what the outside world calls back, for as long as this life lasts. */
  function guarded(run: () => void): void {
    if (released || killed) return;
    try {
      run();
    } catch (error) {
      fail(error);
    }
  }

  function hold(release: () => void | Promise<void>): () => void {
    const holding = { release };
    held.add(holding);
    return () => held.delete(holding);
  }

  async function settle<T>(work: Promise<T>): Promise<T> {
    let timer: Timer | undefined;
    let startGrace: (() => void) | undefined;
    const overdue = new Promise<never>((_, reject) => {
      startGrace = () => {
        timer = world.clock.setTimer(endGraceMs, () => {
          reject(new Error(`Still busy ${endGraceMs} ms after the end`));
        });
      };
    });
    const { signal } = abort;
    if (signal.aborted) startGrace?.();
    else if (startGrace) signal.addEventListener("abort", startGrace);
    try {
      return await Promise.race([work, overdue]);
    } finally {
      timer?.dispose();
      if (startGrace) signal.removeEventListener("abort", startGrace);
    }
  }

  async function release(): Promise<void> {
    while (held.size > 0) {
      for (const holding of [...held].reverse()) {
        if (!held.delete(holding)) continue;
        try {
          const done = holding.release();
          if (done) await settle(done);
        } catch (error) {
          world.log.error("Failed to release what the actor held", { error });
        }
      }
    }
    released = true;
  }

  const isOver = (): boolean => released || killed;
  return {
    clock: heldClock(world.clock, { hold, guarded, isOver }),
    bus: heldBus(world.bus, { hold, guarded, isOver }),
    signal: abort.signal,
    get failure() {
      return failure;
    },
    get over() {
      return abort.signal.aborted;
    },
    requestStop: () => end(new Error("The actor stops")),
    fail,
    kill() {
      killed = true;
      held.clear();
      onOver();
    },
    onEnd: (run) => void hold(run),
    settle,
    release,
  };
}

interface Holder {
  /** Gives back what lets go of it again. */
  hold(release: () => void): () => void;
  guarded(run: () => void): void;
  isOver(): boolean;
}

function heldClock(clock: Clock, { hold, guarded, isOver }: Holder): Clock {
  function setTimer(delayMs: number, fire: () => void): Timer {
    if (isOver()) return { dispose: () => {} };
    const timer = clock.setTimer(delayMs, () => {
      letGo();
      guarded(fire);
    });
    const letGo = hold(() => timer.dispose());
    return {
      dispose() {
        letGo();
        timer.dispose();
      },
    };
  }

  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    setTimer,
    sleep: (delayMs, signal) => sleepOn({ ...clock, setTimer }, delayMs, signal),
  };
}

function heldBus(bus: Bus, { hold, guarded, isOver }: Holder): Bus {
  function held(subscription: Subscription): Subscription {
    const letGo = hold(() => subscription.unsubscribe());
    return {
      unsubscribe() {
        letGo();
        subscription.unsubscribe();
      },
    };
  }

  return {
    publish(subject, data, options) {
      if (!isOver()) bus.publish(subject, data, options);
    },
    subscribe(
      subject: string,
      handler: (message: BusMessage) => void,
      { queue, onError }: SubscribeOptions = {},
    ) {
      if (isOver()) return { unsubscribe: () => {} };
      return held(
        bus.subscribe(subject, (message) => guarded(() => handler(message)), {
          queue,
          onError: onError && ((error) => guarded(() => onError(error))),
        }),
      );
    },
    async request(subject, data, options) {
      if (isOver()) throw new BusError("closed", "The actor has ended");
      return await bus.request(subject, data, options);
    },
    inbox: () => bus.inbox(),
    flush: () => bus.flush(),
    get connected() {
      return bus.connected;
    },
    onStatus: (handler) => held(bus.onStatus((connected) => guarded(() => handler(connected)))),
    // The connection belongs to the process; an actor that wants one of its own gets it by spawn.
    close: () => Promise.resolve(),
  };
}
