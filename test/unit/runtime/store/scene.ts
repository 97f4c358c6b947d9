/** A simulated stream with stores on it, and ways to let its time pass. */

import {
  createSimStream,
  type SimStream,
  type SimStreamOptions,
} from "../../../../runtime/sim/journal.ts";
import { createWorld, type SimWorld } from "../../../../runtime/sim/world.ts";

export interface Scene {
  world: SimWorld;
  stream: SimStream;
}

export function createScene(options: Partial<SimStreamOptions> & { seed?: number } = {}): Scene {
  const world = createWorld({ seed: options.seed ?? 1 });
  return { world, stream: createSimStream({ ...world, ...options }) };
}

/** Runs the world until the promise is settled. */
export async function settle<T>(world: SimWorld, promise: Promise<T>): Promise<T> {
  let settled = false;
  const watched = promise.finally(() => {
    settled = true;
  });
  watched.catch(() => undefined);
  if (!(await world.run({ until: () => settled, maxVirtualMs: 120_000 }))) {
    throw new Error("The promise was not settled within two virtual minutes");
  }
  return await watched;
}

/** What is still to come once everything that was under way has arrived. */
export async function leftovers(world: SimWorld): Promise<number> {
  await world.run({ maxVirtualMs: 60_000 });
  return world.pending;
}
