/** The faults of the streams, beside those of the network and of processes (`runtime/sim/faults.ts`). */

import type { Random } from "../../runtime/random.ts";
import type { Fault } from "../../runtime/sim/faults.ts";
import type { SimJournal, SimStream } from "../../runtime/sim/journal.ts";
import type { SimJournalFaults } from "../../runtime/sim/journal-server.ts";
import type { SimWorld } from "../../runtime/sim/world.ts";

export interface StreamFaultOptions {
  streams: readonly SimStream[];
  /** The clients that live now. */
  clients: () => readonly SimJournal[];
  /** A stream on several servers: only there a deposed leader can answer. */
  replicated: boolean;
}

export function streamFaults(world: SimWorld, options: StreamFaultOptions): Fault[] {
  const { streams, clients, replicated } = options;

  /** Raises one chance on all streams for a while. */
  function chance(name: keyof SimJournalFaults, probability: number, longestMs: number): Fault {
    return {
      name,
      strike(random) {
        const ms = between(random, 500, longestMs);
        for (const { faults } of streams) faults[name] = probability;
        world.schedule(ms, () => {
          for (const { faults } of streams) faults[name] = 0;
        });
        return `${ms} ms`;
      },
    };
  }

  const faults: Fault[] = [
    chance("acknowledgementLost", 0.3, 6_000),
    chance("lateCommit", 0.2, 6_000),
    chance("batchRefused", 0.5, 10_000),
    chance("consumerStalls", 0.05, 4_000),
    chance("consumerCut", 0.05, 4_000),
    {
      name: "leaderless",
      strike(random) {
        const ms = between(random, 4_000, 9_000);
        for (const stream of streams) stream.leaderless(ms);
        return `${ms} ms`;
      },
    },
    {
      name: "stream-restart",
      strike(random) {
        const ms = between(random, 50, 3_000);
        for (const stream of streams) stream.restart(ms);
        return `${ms} ms`;
      },
    },
    {
      name: "consumers-stalled",
      strike() {
        for (const stream of streams) stream.stallConsumers();
        return "all";
      },
    },
  ];
  if (!replicated) return faults;
  return [
    ...faults,
    {
      name: "deposed-leader",
      strike(random) {
        const living = clients();
        const ms = between(random, 1_000, 8_000);
        living[random.int(living.length)]?.depose(ms);
        return `${ms} ms`;
      },
    },
  ];
}

function between(random: Random, minMs: number, maxMs: number): number {
  return Math.round(minMs + random.next() * (maxMs - minMs));
}
