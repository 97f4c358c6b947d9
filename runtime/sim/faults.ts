/**
 * Misfortune by the seed: from a list of faults one strikes now and then.
 *
 * The pauses between them are exponentially distributed, so that faults come alone, in quick
 * succession and during the recovery from one another.
 */

import type { Timer } from "../clock.ts";
import type { Random } from "../random.ts";
import type { SimNetwork } from "./network.ts";
import type { SimProcess } from "./process.ts";
import type { SimWorld } from "./world.ts";

export interface Fault {
  readonly name: string;
  /** Relative to the other faults; default 1. */
  readonly weight?: number;
  /** Strikes, and says what it struck. Whatever it breaks it also sees mended. */
  strike(random: Random): string;
}

export interface Misfortune {
  /** No new fault strikes after this; what was struck is mended in its time. */
  stop(): void;
  /** How often each fault struck. */
  readonly counts: Readonly<Record<string, number>>;
}

export function unleash(
  world: SimWorld,
  { faults, meanGapMs }: { faults: readonly Fault[]; meanGapMs: number },
): Misfortune {
  const random = world.random.fork("misfortune");
  const counts: Record<string, number> = {};
  const total = faults.reduce((sum, { weight = 1 }) => sum + weight, 0);
  let timer: Timer;

  function pick(): Fault | undefined {
    let left = random.next() * total;
    return faults.find(({ weight = 1 }) => {
      left -= weight;
      return left < 0;
    });
  }

  function next(): void {
    timer = world.schedule(-Math.log(1 - random.next()) * meanGapMs, () => {
      const fault = pick();
      if (fault) {
        counts[fault.name] = (counts[fault.name] ?? 0) + 1;
        const struck = fault.strike(random);
        world.trace.record(`fault ${fault.name} ${struck}`);
        world.log.info("A fault struck", { fault: fault.name, struck });
      }
      next();
    });
  }

  next();
  return { stop: () => timer.dispose(), counts };
}

/** Cuts, stalls and partitions of single connections, and a server that goes away. */
export function networkFaults(network: SimNetwork): Fault[] {
  const { world } = network;

  function anyWire(random: Random): string | undefined {
    return pickFrom(
      random,
      network.wires.map((wire) => wire.name),
    );
  }

  function onWire(strike: (name: string, ms: number) => void, longestMs: number): Fault["strike"] {
    return (random) => {
      const name = anyWire(random);
      const ms = Math.round(random.next() * longestMs);
      if (name !== undefined) strike(name, ms);
      return `${name} ${ms} ms`;
    };
  }

  return [
    {
      name: "cut",
      weight: 3,
      strike: onWire((name, forMs) => network.cut(name, { forMs }), 3_000),
    },
    {
      name: "stall",
      weight: 3,
      strike: onWire((name, ms) => {
        network.stall(name);
        world.schedule(ms, () => network.resume(name));
      }, 8_000),
    },
    {
      name: "partition",
      weight: 2,
      strike: onWire((name, forMs) => network.partition(name, { forMs }), 40_000),
    },
    {
      name: "server-outage",
      strike(random) {
        const ms = Math.round(500 + random.next() * 8_000);
        network.stopServer();
        world.schedule(ms, () => network.startServer());
        return `${ms} ms`;
      },
    },
    {
      name: "duplicated-requests",
      strike(random) {
        const ms = Math.round(random.next() * 5_000);
        network.faults.duplicateRequest = 0.2;
        world.schedule(ms, () => {
          network.faults.duplicateRequest = 0;
        });
        return `${ms} ms`;
      },
    },
  ];
}

/** Kills a process and starts it again, at once or after a while. */
export function killFault(world: SimWorld, processes: readonly SimProcess[]): Fault {
  return {
    name: "kill",
    weight: 2,
    strike(random) {
      const victim = pickFrom(
        random,
        processes.filter((process) => process.running),
      );
      if (!victim) return "nobody";
      const ms = random.next() < 0.5 ? 10 : Math.round(random.next() * 20_000);
      victim.kill();
      world.schedule(ms, () => {
        if (!victim.running) victim.start();
      });
      return `${victim.name} ${ms} ms`;
    },
  };
}

function pickFrom<T>(random: Random, candidates: readonly T[]): T | undefined {
  return candidates[random.int(candidates.length)];
}
