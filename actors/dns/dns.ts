/**
 * DNS: answers pods about the names of Services and pods, and asks the machine's resolvers the rest.
 *
 * Mailbox  announce                           makes this server an endpoint of the kube-dns Service
 * Watches  core/services, core/namespaces, discovery.k8s.io/endpointslices
 * Owns     one UDP and TCP socket on the pod bridge; an EndpointSlice `kube-dns-<node>`
 * Writes   discovery.k8s.io/endpointslices create+update
 * Fails    API away: goes on answering from memory, announces itself later. Address taken: crash, backoff.
 * Scales   one for each machine; all of them stand behind the kube-dns Service
 */

import { isAlreadyExists } from "../../manifests/api-error.ts";
import {
  EndpointSlice,
  managedByLabel,
  Namespace,
  type Node,
  Service,
  serviceNameLabel,
  serviceOf,
} from "../../manifests/index.ts";
import type { ActorDefinition } from "../../runtime/actor.ts";
import { errorMessage } from "../../runtime/errors.ts";
import type { Api } from "../kit/client.ts";
import type { Informer, Informers } from "../kit/informer.ts";
import { keyIn } from "../kit/object.ts";
import { create, update } from "../kit/writes.ts";
import type { DnsMessage } from "./messages.ts";
import { hostsOf, type Records, resolve } from "./records.ts";
import type { DnsServer, DnsServerOptions } from "./server.ts";

export interface DnsArgs {
  informers: Informers;
  /** Limited to `dnsWrites`. */
  api: Api;
  /** The node that the address belongs to; its EndpointSlice goes when the node does. */
  node: Pick<Node, "metadata">;
  address: string;
  port: number;
  domain: string;
  upstreams: readonly string[];
  startServer(options: DnsServerOptions): Promise<DnsServer>;
}

export const dnsWrites = [create(EndpointSlice), update(EndpointSlice)];

const announceRetryMs = 2_000;

export const dns: ActorDefinition<DnsMessage, DnsArgs> = {
  name: "dns",
  async start(ctx, args) {
    const { informers, domain, address, upstreams } = args;
    const services = informers.of(Service);
    const slices = informers.of(EndpointSlice);
    const namespaces = informers.of(Namespace);
    await Promise.all([services.synced(), slices.synced(), namespaces.synced()]);
    const records = recordsOf({ services, slices, namespaces }, domain);
    const server = await args.startServer({
      address,
      port: args.port,
      domain,
      upstreams,
      log: ctx.log,
      resolve: (question) => resolve(records, domain, question),
    });
    ctx.onEnd(() => server.close());
    ctx.log.info("Serving DNS", { address, port: server.port });
    ctx.self.tell({ type: "announce" });

    return {
      async receive() {
        try {
          await announce(args.api, computeSlice(args, server.port));
        } catch (error) {
          ctx.log.debug("Could not announce DNS", { error: errorMessage(error) });
          ctx.after(announceRetryMs, { type: "announce" });
        }
      },
    };
  },
};

/** What makes this server an endpoint of the Service `kube-system/kube-dns`. */
export function computeSlice(
  { node, address }: Pick<DnsArgs, "node" | "address">,
  port: number,
): EndpointSlice {
  const { name, uid } = node.metadata;
  return {
    metadata: {
      namespace: "kube-system",
      name: `kube-dns-${name}`,
      labels: { [serviceNameLabel]: "kube-dns", [managedByLabel]: "dns.wherry.io" },
      ...(uid ? { ownerReferences: [{ apiVersion: "v1", kind: "Node", name, uid }] } : {}),
    },
    addressType: "IPv4",
    endpoints: [{ addresses: [address], nodeName: name, conditions: { ready: true } }],
    ports: [
      { name: "dns", protocol: "UDP", port },
      { name: "dns-tcp", protocol: "TCP", port },
    ],
  };
}

async function announce(api: Api, slice: EndpointSlice): Promise<void> {
  try {
    await api.create(EndpointSlice, slice);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    await api.update(EndpointSlice, slice);
  }
}

function serviceKeys(slice: EndpointSlice): string[] {
  return [serviceOf(slice)];
}

function endpointAddresses({ endpoints }: EndpointSlice): string[] {
  return endpoints.flatMap(({ addresses }) => addresses);
}

function clusterAddresses({ spec }: Service): string[] {
  return spec.clusterIP ? [spec.clusterIP] : [];
}

interface Caches {
  services: Informer<Service>;
  slices: Informer<EndpointSlice>;
  namespaces: Informer<Namespace>;
}

function recordsOf({ services, slices, namespaces }: Caches, domain: string): Records {
  slices.addIndex(serviceKeys);
  slices.addIndex(endpointAddresses);
  services.addIndex(clusterAddresses);
  const suffix = (metadata: { namespace?: string }) => `${metadata.namespace}.svc.${domain}`;
  return {
    service: (namespace, name) => services.lister.get(keyIn(namespace, name)),
    slices: (namespace, name) => slices.lister.by(serviceKeys, keyIn(namespace, name)),
    namespaceExists: (name) => namespaces.lister.get(name) !== undefined,
    nameOf(address) {
      const [service] = services.lister.by(clusterAddresses, address);
      if (service) return `${service.metadata.name}.${suffix(service.metadata)}`;
      const slice = slices.lister.by(endpointAddresses, address).find(isHeadless);
      const host = slice && hostsOf([slice], true).find((it) => it.address === address);
      if (!slice || !host) return undefined;
      return `${host.hostname}.${slice.metadata.labels?.[serviceNameLabel]}.${suffix(slice.metadata)}`;
    },
  };

  function isHeadless(slice: EndpointSlice): boolean {
    return services.lister.get(serviceOf(slice))?.spec.clusterIP === "None";
  }
}
