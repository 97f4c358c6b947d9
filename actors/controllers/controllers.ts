/**
 * The controllers' process: every controller of the list, each run while this process owns it.
 *
 * Mailbox  nothing: it only holds its children together
 * Watches  what its controllers watch, through one cache per kind
 * Owns     the shared caches; its children own the rest
 * Writes   coordination.k8s.io/leases create+update; wherry.io/epochs create+update; and what each controller declares
 * Fails    a controller that crashes is restarted alone; too often, and all of them are
 * Scales   one Lease per controller: several processes share the load, and take over from each other
 */

import type { KubeObject } from "../../manifests/index.ts";
import type { ActorDefinition } from "../../runtime/actor.ts";
import { createApi } from "../kit/client.ts";
import { createInformers } from "../kit/informer.ts";
import { kindId } from "../kit/object.ts";
import { owned, ownerWrites } from "../kit/owned.ts";
import { type Grant, grantsOf } from "../kit/writes.ts";
import { garbageCollector } from "./garbage-collector.ts";
import { type ControllerSettings, controllers } from "./index.ts";

export interface ControllersArgs extends ControllerSettings {
  principal: string;
  /** Of this process, and of no other one ever. */
  identity: string;
  /** Refuses changes to cached objects; for tests. */
  freeze?: boolean;
}

/** What the principal of this process may write: its row in the API actors' table. */
export const controllersGrants: readonly Grant[] = grantsOf([
  ...ownerWrites,
  ...controllers({ caPem: "" }).flatMap(({ writes }) => writes),
]);

export const controllersActor: ActorDefinition<never, ControllersArgs> = {
  name: "controllers",
  start(ctx, { principal, identity, freeze, caPem }) {
    const { bus, clock, log } = ctx;
    const api = createApi(bus, clock, { principal, writes: [], signal: ctx.signal });
    const list = controllers({ caPem });
    const projections = new Map(metadataOnly(list).map((kind) => [kind, onlyMetadata]));
    const informers = createInformers(api, { clock, log, freeze, projections });
    ctx.onEnd(() => informers.close());
    for (const controller of list) {
      ctx.spawn(owned(controller), {
        name: controller.name,
        identity,
        principal,
        informers,
        args: (ownership) => ({ principal, informers, ownership }),
      });
    }
    return { receive: () => undefined };
  },
};

/** Kinds that only the garbage collector watches, which reads nothing but who owns what. */
function metadataOnly(list: ReturnType<typeof controllers>): string[] {
  const read = new Set(
    list
      .filter((controller) => controller !== garbageCollector)
      .flatMap(({ watches }) => watches.map(({ kind }) => kindId(kind))),
  );
  return garbageCollector.watches.map(({ kind }) => kindId(kind)).filter((kind) => !read.has(kind));
}

function onlyMetadata<T extends KubeObject>({ apiVersion, kind, metadata }: T): T {
  const { managedFields: _, annotations: __, ...kept } = metadata;
  return { apiVersion, kind, metadata: kept } as T;
}
