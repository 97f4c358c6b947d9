/**
 * Plays the story in one seed's world: faults strike while each step is under way, invariants are
 * checked after every event, and the world must have become what the step asked for in the end.
 */

import {
  Deployment,
  EndpointSlice,
  Node,
  Pod,
  ReplicaSet,
  Service,
} from "../../manifests/index.ts";
import { killFault, type Misfortune, networkFaults, unleash } from "../../runtime/sim/faults.ts";
import { type Cluster, createCluster } from "./cluster.ts";
import { streamFaults } from "./faults.ts";
import { checkMachines } from "./machines.ts";
import { isExcused, type Step, story } from "./story.ts";
import { InvariantError } from "./truth.ts";
import { Witness } from "./watchers.ts";

export interface Played {
  seed: number;
  /** Of everything that happened: equal for equal seeds and code. */
  hash: string;
  events: number;
  virtualMs: number;
  faults: Readonly<Record<string, number>>;
  /** A node was really lost during a rollout, which then could not keep its promise. */
  excused: boolean;
}

export interface PlayOptions {
  seed: number;
  faults?: boolean;
  /** Told of each step as it is reached. */
  onStep?(name: string, virtualMs: number): void;
}

/** How long faults strike, and how long a step may take once they are over. */
const stormyMs = 90_000;
const calmMs = 300_000;
const meanGapMs = 1_000;
const watchedKinds = [Pod, Node, Deployment, ReplicaSet, Service, EndpointSlice];

/** Rejects with a SeedError that says which seed, which step, and what went before. */
export async function play(options: PlayOptions): Promise<Played> {
  const { seed } = options;
  const cluster = createCluster({ seed, nodes: 3, apis: 2 });
  let at = "start";
  try {
    const witnesses = watchEverything(cluster);
    const misfortune = options.faults === false ? undefined : strike(cluster);
    for (const step of story) {
      at = step.name;
      await takeStep(cluster, step);
      options.onStep?.(step.name, cluster.world.clock.monotonic());
    }
    at = "end";
    misfortune?.stop();
    await reach(cluster, () => witnesses.every((witness) => !witness.behind(cluster.truth)));
    for (const witness of witnesses) witness.verify(cluster.truth);
    const { trace, clock } = cluster.world;
    const faults = misfortune?.counts ?? {};
    return {
      seed,
      hash: trace.hash,
      events: trace.count,
      virtualMs: clock.monotonic(),
      faults,
      excused: isExcused(cluster.truth),
    };
  } catch (cause) {
    throw new SeedError(cluster, at, cause);
  }
}

export class SeedError extends Error {
  override name = "SeedError";
  readonly seed: number;

  constructor({ world }: Cluster, step: string, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const log = world.log.format({ last: 80 });
    super(`Seed ${world.seed} failed at "${step}": ${why}\n${log}`, { cause });
    this.seed = world.seed;
  }
}

function strike(cluster: Cluster): Misfortune {
  const { world, network, streams, processes, journals, replicated } = cluster;
  const faults = [
    ...networkFaults(network),
    killFault(world, processes),
    ...streamFaults(world, { streams: Object.values(streams), clients: journals, replicated }),
  ];
  const misfortune = unleash(world, { faults, meanGapMs });
  world.schedule(stormyMs, () => misfortune.stop());
  return misfortune;
}

function watchEverything({ user, userHost }: Cluster): Witness[] {
  const { signal } = new AbortController();
  return watchedKinds.map((kind) => {
    const witness = new Witness(kind);
    void witness.follow(user, (ms) => userHost.clock.sleep(ms), signal);
    return witness;
  });
}

async function takeStep(cluster: Cluster, step: Step): Promise<void> {
  const { user, userHost, truth } = cluster;
  let acted = false;
  void (async () => {
    while (!acted) {
      try {
        await step.act(user);
        acted = true;
      } catch {
        await userHost.clock.sleep(1_000);
      }
    }
  })();
  const reached = await reach(cluster, () => {
    step.always?.(truth);
    return acted && step.until(truth);
  });
  if (!reached) {
    throw new InvariantError("the step was not reached");
  }
}

async function reach({ world, truth, engines }: Cluster, until: () => boolean): Promise<boolean> {
  return await world.run({
    until: () => {
      truth.check();
      checkMachines(engines);
      return until();
    },
    maxVirtualMs: stormyMs + calmMs,
  });
}
