import type { Random } from "../random.ts";
import type { SimWorld } from "./world.ts";

/** How long a frame is under way, in milliseconds. */
export interface Latency {
  minMs: number;
  maxMs: number;
}

/** One direction of a TCP connection: frames arrive late, whole and in order, or not at all. */
export interface Pipe<F> {
  send(frame: F, bytes: number): void;
  /** Holds everything back that has not arrived. */
  stall(): void;
  /** Lets what was held back arrive at once. */
  resume(): void;
  /** Loses what has not arrived, as a connection does that breaks. */
  clear(): void;
  readonly pendingBytes: number;
}

export interface PipeOptions<F> {
  world: SimWorld;
  random: Random;
  latency: Latency;
  deliver: (frame: F) => void;
  /** Arrivals concern only the world itself; see `SimWorld.schedule`. */
  internal: boolean;
}

export function createPipe<F>({
  world,
  random,
  latency,
  deliver,
  internal,
}: PipeOptions<F>): Pipe<F> {
  const underWay: { frame: F; bytes: number; at: number }[] = [];
  let pendingBytes = 0;
  let lastArrival = 0;
  /** How many have asked to hold it back: faults overlap. */
  let holds = 0;
  /** Counts the breaks, so that arrivals from before one are void. */
  let breaks = 0;

  function expect(delayMs: number): void {
    const since = breaks;
    world.schedule(delayMs, () => since === breaks && arrive(), { internal });
  }

  function arrive(): void {
    if (holds > 0) return;
    const next = underWay.shift();
    if (!next) return;
    pendingBytes -= next.bytes;
    deliver(next.frame);
  }

  return {
    get pendingBytes() {
      return pendingBytes;
    },
    send(frame, bytes) {
      const now = world.clock.monotonic();
      const travel = latency.minMs + random.next() * (latency.maxMs - latency.minMs);
      lastArrival = Math.max(lastArrival, now + travel);
      underWay.push({ frame, bytes, at: lastArrival });
      pendingBytes += bytes;
      expect(lastArrival - now);
    },
    stall() {
      holds++;
    },
    resume() {
      if (holds === 0 || --holds > 0) return;
      const now = world.clock.monotonic();
      // Those that are due later still have their own arrival coming.
      for (const { at } of underWay) if (at <= now) expect(0);
    },
    clear() {
      breaks++;
      underWay.length = 0;
      pendingBytes = 0;
      holds = 0;
    },
  };
}
