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
import type { ActorDefinition, Context } from "../../runtime/actor.ts";
import { createApi } from "../kit/client.ts";
import type { Controller } from "../kit/controller.ts";
import { createInformers, type Informers } from "../kit/informer.ts";
import { kindId } from "../kit/object.ts";
import { owned, ownerWrites } from "../kit/owned.ts";
import type { Write } from "../kit/writes.ts";
import { garbageCollector } from "./garbage-collector.ts";
import { type ControllerSettings, controllers } from "./index.ts";

export interface ControllersArgs extends ControllerSettings {
  principal: string;
  /** Of this process, and of no other one ever. */
  identity: string;
  /** Shared with whatever else runs in this process. */
  informers: Informers;
}

/** What the principal of this process writes: by it the API actors' table is made. */
export const controllersWrites: readonly Write[] = [
  ...ownerWrites,
  ...controllers({ caPem: "" }).flatMap(({ writes }) => writes),
];

export const controllersActor: ActorDefinition<never, ControllersArgs> = {
  name: "controllers",
  start(ctx, { principal, identity, informers, ...settings }) {
    const list = controllers(settings);
    const collector = collectorInformers(ctx, principal, list, informers);
    for (const controller of list) {
      const seen = controller === garbageCollector ? collector : informers;
      ctx.spawn(
        owned(controller),
        {
          name: controller.name,
          identity,
          principal,
          informers,
          args: (ownership) => ({ principal, informers: seen, ownership }),
        },
        { name: controller.name },
      );
    }
    return { receive: () => undefined };
  },
};

/**
 * The garbage collector watches every kind, but reads only who owns what. Of kinds that nobody
 * else here reads it keeps just that; the others it shares.
 */
function collectorInformers(
  { bus, clock, log, signal, onEnd }: Context<never>,
  principal: string,
  list: readonly Controller[],
  shared: Informers,
): Informers {
  const api = createApi(bus, clock, { principal, writes: [], signal });
  const own = createInformers(api, { clock, log, project: onlyOwnership });
  onEnd(() => own.close());
  const read = new Set(
    list
      .filter((controller) => controller !== garbageCollector)
      .flatMap(({ watches }) => watches.map(({ kind }) => kindId(kind))),
  );
  return {
    of: (kind, selection) => (read.has(kindId(kind)) ? shared : own).of(kind, selection),
    hold: (kind) => own.hold(kind),
    close: () => own.close(),
  };
}

function onlyOwnership<T extends KubeObject>({ apiVersion, kind, metadata }: T): T {
  const { managedFields: _, annotations: __, labels: ___, ...kept } = metadata;
  return { apiVersion, kind, metadata: kept } as T;
}
