/**
 * Proxy: makes each Service's ClusterIP reach the Service's pods, from pods and from the machine.
 *
 * Mailbox  changed(service) | sync | verify    changes within 5 ms go to the kernel as one transaction
 * Watches  core/services, discovery.k8s.io/endpointslices
 * Owns     the nftables table of this cluster and the routes of the service and pod CIDRs
 * Writes   nothing in the API
 * Fails    nft refuses: crash, restart, load everything afresh; what was loaded stays in force meanwhile.
 * Scales   one for each machine (network namespace), however many nodes it hosts
 */

import { EndpointSlice, Service, serviceOf } from "../../manifests/index.ts";
import type { ActorDefinition, Behavior, Context } from "../../runtime/actor.ts";
import { assertNever } from "../../runtime/errors.ts";
import type { Informers } from "../kit/informer.ts";
import { type Key, keyOf } from "../kit/object.ts";
import type { HostNetwork } from "./host-network.ts";
import type { ProxyMessage } from "./messages.ts";
import type { Rules } from "./nft.ts";
import { type ProxyConfig, renderAll, renderChange } from "./render.ts";
import { computeFrontends, type Frontend, frontendKey } from "./tracker.ts";

export interface ProxyArgs {
  informers: Informers;
  rules: Rules;
  hostNetwork: HostNetwork;
  config: ProxyConfig;
  /** Names of the nodes on this machine. */
  nodes: ReadonlySet<string>;
}

/** Long enough that a rolling update is a few transactions, short enough that nobody notices. */
const syncDelayMs = 5;
const verifyIntervalMs = 30_000;

export const proxy: ActorDefinition<ProxyMessage, ProxyArgs> = {
  name: "proxy",
  async start(ctx, args) {
    const tracked = track(ctx, args);
    const { rules, hostNetwork, config } = args;
    await Promise.all(tracked.informers.map((informer) => informer.synced()));
    await hostNetwork.ensure();

    const dirty = new Set<Key>();
    let frontends = tracked.all();
    await rules.apply(renderAll(config, flatten(frontends)));
    ctx.log.info("Loaded Service rules", { services: frontends.size });
    ctx.after(verifyIntervalMs, { type: "verify" });

    async function sync(): Promise<void> {
      const next = new Map(frontends);
      for (const key of dirty) next.set(key, tracked.of(key));
      dirty.clear();
      await rules.apply(renderChange(config, flatten(frontends), flatten(next)));
      frontends = next;
    }

    async function verify(): Promise<void> {
      await hostNetwork.ensure();
      if (!(await rules.present(config.table))) {
        ctx.log.warn("Service rules were gone, loading them again");
        await rules.apply(renderAll(config, flatten(frontends)));
      }
      ctx.after(verifyIntervalMs, { type: "verify" });
    }

    const receive: Behavior<ProxyMessage>["receive"] = (message) => {
      switch (message.type) {
        case "changed":
          if (dirty.size === 0) ctx.after(syncDelayMs, { type: "sync" });
          dirty.add(message.service);
          return;
        case "sync":
          return sync();
        case "verify":
          return verify();
        default:
          return assertNever(message);
      }
    };
    return { receive };
  },
};

function byService(slice: EndpointSlice): Key[] {
  return [serviceOf(slice)];
}

type ByService = ReadonlyMap<Key, readonly Frontend[]>;

function track(ctx: Context<ProxyMessage>, { informers, nodes }: ProxyArgs) {
  const services = informers.of(Service);
  const slices = informers.of(EndpointSlice);
  slices.addIndex(byService);
  const changed = (service: Key) => ctx.self.tell({ type: "changed", service });
  const subscriptions = [
    services.addHandlers({
      onAdd: (service) => changed(keyOf(service)),
      onUpdate: (_, service) => changed(keyOf(service)),
      onDelete: (service) => changed(keyOf(service)),
    }),
    slices.addHandlers({
      onAdd: (slice) => changed(serviceOf(slice)),
      onUpdate: (_, slice) => changed(serviceOf(slice)),
      onDelete: (slice) => changed(serviceOf(slice)),
    }),
  ];
  ctx.onEnd(() => {
    for (const subscription of subscriptions) subscription.unsubscribe();
  });
  const of = (key: Key): Frontend[] => {
    const service = services.lister.get(key);
    return service ? computeFrontends(service, slices.lister.by(byService, key), nodes) : [];
  };
  return {
    informers: [services, slices],
    of,
    all: () =>
      new Map(services.lister.list().map((service) => [keyOf(service), of(keyOf(service))])),
  };
}

function flatten(services: ByService): Map<string, Frontend> {
  const frontends = new Map<string, Frontend>();
  for (const list of services.values()) {
    for (const frontend of list) frontends.set(frontendKey(frontend), frontend);
  }
  return frontends;
}
