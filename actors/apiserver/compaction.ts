/**
 * Compaction: keeps the streams from growing for ever, by thinning out history older than a horizon.
 *
 * Mailbox  none                                rounds come by the compactors' own timers
 * Watches  nothing: it reads the streams themselves
 * Owns     one compactor for each stream that has a horizon
 * Writes   `_compacted` in each stream, and purges; no object of the API
 * Fails    a round that failed is taken again. Crash: the next owner begins at the start of the stream
 * Scales   one owner at a time (Lease `compaction`); two who overlap do no harm, see `runtime/store/compactor.ts`
 */

import type { ActorDefinition } from "../../runtime/actor.ts";
import { startCompactor } from "../../runtime/store/compactor.ts";
import type { Journal } from "../../runtime/store/journal.ts";
import type { PerStore } from "../../runtime/store/open.ts";

/** How long each store keeps every revision; a store without one is left alone. */
export type Horizons = Readonly<Partial<PerStore<number>>>;

export interface CompactionArgs {
  readonly journals: PerStore<Journal>;
  readonly horizonMs: Horizons;
}

const minuteMs = 60_000;

/**
 * A Lease is renewed every few seconds and nobody asks what it was: minutes are enough for a watch
 * that resumes. Events are not compacted: their stream drops what is old by itself.
 */
export const defaultHorizonMs: Horizons = { objects: 60 * minuteMs, leases: 5 * minuteMs };

export const compaction: ActorDefinition<never, CompactionArgs> = {
  name: "compaction",
  start(ctx, { journals, horizonMs }) {
    for (const name of ["objects", "events", "leases"] as const) {
      const horizon = horizonMs[name];
      if (horizon === undefined) continue;
      const { clock, log } = ctx;
      const compactor = startCompactor({ journal: journals[name], clock, log, horizonMs: horizon });
      ctx.onEnd(() => compactor.stop());
    }
    return { receive: () => undefined };
  },
};
