/**
 * The three stores of a cluster. Objects have one order among them; Events and Leases, which are
 * many and short-lived, have streams of their own so that they neither crowd the objects' history
 * nor move their resourceVersions.
 */

import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Random } from "../random.ts";
import { type JetStreamOptions, openJournal } from "./jetstream.ts";
import type { StreamWish } from "./jetstream-stream.ts";
import type { Journal } from "./journal.ts";
import { resourcePrefix } from "./key.ts";
import { createStore, type StoreOptions } from "./objects.ts";
import type { Store } from "./store.ts";

export interface PerStore<T> {
  objects: T;
  events: T;
  leases: T;
}

export interface Stores extends PerStore<Store> {
  /** The one that holds a resource. */
  of(group: string, resource: string): Store;
  readonly ready: boolean;
  close(): Promise<void>;
}

const hourMs = 3_600_000;

/**
 * Differs from Kubernetes: a Lease that nobody renewed for a day is gone, like an Event after an
 * hour; there only the leases of API servers are collected.
 */
export const storeWishes: PerStore<StreamWish> = {
  objects: { bucket: "wherry", maxAgeMs: 0 },
  events: { bucket: "wherry-events", maxAgeMs: hourMs },
  leases: { bucket: "wherry-leases", maxAgeMs: 24 * hourMs },
};

/** Makes the streams if need be. Rejects when the server is too old or the data too new. */
export async function openJournals(
  options: JetStreamOptions & { replicas?: number },
): Promise<PerStore<Journal>> {
  const open = (wish: StreamWish): Promise<Journal> =>
    openJournal(options, { ...wish, replicas: options.replicas });
  return {
    objects: await open(storeWishes.objects),
    events: await open(storeWishes.events),
    leases: await open(storeWishes.leases),
  };
}

/** Loading begins at once; see `ready`. */
export function openStores(
  journals: PerStore<Journal>,
  world: { clock: Clock; random: Random; log: Log },
  options: Partial<StoreOptions> = {},
): Stores {
  const open = (journal: Journal): Store => createStore({ ...options, ...world, journal });
  const stores = {
    objects: open(journals.objects),
    events: open(journals.events),
    leases: open(journals.leases),
  };
  const elsewhere = new Map<string, Store>([
    [resourcePrefix("", "events"), stores.events],
    [resourcePrefix("events.k8s.io", "events"), stores.events],
    [resourcePrefix("coordination.k8s.io", "leases"), stores.leases],
  ]);
  const all = [stores.objects, stores.events, stores.leases];
  return {
    ...stores,
    of: (group, resource) => elsewhere.get(resourcePrefix(group, resource)) ?? stores.objects,
    get ready() {
      return all.every((store) => store.ready);
    },
    async close() {
      await Promise.all(all.map((store) => store.close()));
    },
  };
}
