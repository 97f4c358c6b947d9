/** Starts what makes a machine's Services reachable: the proxy, and DNS on the pod bridge. */
import { dns, dnsWrites } from "../actors/dns/dns.ts";
import { machineResolvers, startDnsServer } from "../actors/dns/server.ts";
import { createApi } from "../actors/kit/client.ts";
import type { Informers } from "../actors/kit/informer.ts";
import { podNetwork } from "../actors/kubelet/engines/docker/network.ts";
import { createHostNetwork } from "../actors/proxy/host-network.ts";
import { nftRules } from "../actors/proxy/nft.ts";
import { proxy } from "../actors/proxy/proxy.ts";
import { Node } from "../manifests/index.ts";
import { tableOf } from "./identity.ts";
import { noteSetting } from "./kernel-settings.ts";
import { type NodePlace, serviceAddress } from "./places.ts";
import { findOnPath } from "./setup/index.ts";
import type { Site } from "./site.ts";

const dnsPort = 53;

export async function startProxy(
  site: Site,
  { informers, ip, nft }: { informers: Informers; ip: string; nft: string },
): Promise<void> {
  const { identity, places, podCidr, serviceCidr } = site;
  const [first] = places;
  if (!first) return;
  const { bridge } = podNetwork({ cluster: identity.id, node: first.name }, first.podCidr);
  const ranges = { podCidr: podCidr.text, serviceCidr: serviceCidr.text };
  const hostNetwork = createHostNetwork({
    ...ranges,
    ip,
    iptables: await findOnPath("iptables"),
    bridge: { name: bridge, address: first.gateway },
    onSetting: noteSetting,
  });
  site.system.spawn(
    proxy,
    {
      informers,
      rules: nftRules([nft]),
      hostNetwork,
      config: { ...ranges, table: tableOf(identity) },
      nodes: new Set(places.map((it) => it.name)),
    },
    { world: await site.connections.worldOf("proxy") },
  );
}

/** Begins once the machine's first node is registered, whose address it serves on. */
export async function startDns(
  site: Site,
  { informers, place }: { informers: Informers; place: NodePlace },
): Promise<void> {
  const world = await site.connections.worldOf("dns");
  const { bus, clock, principal } = world;
  const upstreams = await machineResolvers(serviceAddress(site.serviceCidr, "kube-dns"));
  const args = {
    informers,
    api: createApi(bus, clock, { principal, writes: dnsWrites }),
    address: place.gateway,
    port: dnsPort,
    domain: site.clusterDomain,
    upstreams,
    startServer: startDnsServer,
  };
  void registered(informers, place.name).then(
    (node) => site.system.spawn(dns, { ...args, node }, { world }),
    // The informers were closed: we are stopping.
    () => undefined,
  );
}

function registered(informers: Informers, name: string): Promise<Node> {
  const nodes = informers.of(Node);
  return new Promise((resolve, reject) => {
    const subscription = nodes.addHandlers({
      onAdd(node) {
        if (node.metadata.name !== name) return;
        resolve(node);
        // Handlers are told of what is there already before this one has a name.
        queueMicrotask(() => subscription.unsubscribe());
      },
    });
    nodes.synced().catch(reject);
  });
}
