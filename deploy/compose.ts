/**
 * Which actors one process supervises, and what each is given. Every role has its own connection
 * and credentials even where they share a process, so that taking them apart changes nothing.
 */
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { apiserver } from "../actors/apiserver/apiserver.ts";
import type { Grants } from "../actors/apiserver/authz.ts";
import { deployment } from "../actors/controllers/deployment.ts";
import { replicaset } from "../actors/controllers/replicaset.ts";
import { dns, dnsWrites } from "../actors/dns/dns.ts";
import { machineResolvers, startDnsServer } from "../actors/dns/server.ts";
import { createApi } from "../actors/kit/client.ts";
import type { Controller, ControllerArgs } from "../actors/kit/controller.ts";
import { createInformers, type Informers } from "../actors/kit/informer.ts";
import { owned, ownerWrites } from "../actors/kit/owned.ts";
import { grantsOf } from "../actors/kit/writes.ts";
import { ensureNetwork, podNetwork } from "../actors/kubelet/engines/docker/network.ts";
import { createHostNetwork } from "../actors/proxy/host-network.ts";
import { nftRules } from "../actors/proxy/nft.ts";
import { proxy } from "../actors/proxy/proxy.ts";
import { ledger, ledgerWrites } from "../actors/scheduler/ledger.ts";
import { shard, shardWrites } from "../actors/scheduler/shard.ts";
import { Node } from "../manifests/index.ts";
import type { ActorDefinition } from "../runtime/actor.ts";
import type { Log } from "../runtime/log.ts";
import { openJournals, openStores, type Stores } from "../runtime/store/open.ts";
import { createSystem, type System } from "../runtime/supervisor.ts";
import { createApiEdge } from "./api-edge.ts";
import {
  type Certificates,
  ensureCertificates,
  serverHosts,
  writeKubeconfig,
} from "./certificates.ts";
import { formatAddress } from "./cidr.ts";
import { tableOf } from "./identity.ts";
import { holdSettings, noteSetting } from "./kernel-settings.ts";
import type { Machine } from "./machine.ts";
import { actorRoles, principalOf } from "./nats/roles.ts";
import type { UpOptions } from "./options.ts";
import { Connections, type RoleWorld } from "./world.ts";

export const gitVersion = "v1.32.3+wherry0.1.0";
/** All controllers of this list run in one process at a time. */
const controllers: readonly Controller[] = [deployment, replicaset];
const shards = 2;

export interface Cluster {
  readonly kubeconfig: string;
  readonly url: string;
  stop(): Promise<void>;
}

interface Parts {
  readonly machine: Machine;
  readonly options: UpOptions;
  readonly log: Log;
  readonly system: System;
  readonly connections: Connections;
  readonly certificates: Certificates;
  readonly nodes: readonly NodePlace[];
}

/** A node's share of the pod addresses. */
export interface NodePlace {
  readonly name: string;
  readonly podCidr: string;
  /** The machine's own address among them. */
  readonly gateway: string;
}

const addressesPerNode = 256;

export function computePlaces(
  options: Pick<UpOptions, "podCidr">,
  names: readonly string[],
): NodePlace[] {
  return names.map((name, index) => {
    const first = options.podCidr.first + index * addressesPerNode;
    return { name, podCidr: `${formatAddress(first)}/24`, gateway: formatAddress(first + 1) };
  });
}

export async function startCluster(
  machine: Machine,
  options: UpOptions,
  log: Log,
): Promise<Cluster> {
  const { identity, engine } = machine;
  const nodes = computePlaces(options, identity.nodes);
  const [first] = nodes;
  const addresses = [options.listen, serviceAddress(options, 1), ...(first ? [first.gateway] : [])];
  const { clusterDomain } = options;
  const certificates = await ensureCertificates(
    options.dataDir,
    serverHosts({ addresses, clusterDomain }),
  );
  const connections = new Connections(machine.nats, log);
  const root = await connections.worldOf("api");
  const system = createSystem(root);
  const parts = { machine, options, log, system, connections, certificates, nodes };
  if (engine) {
    await holdSettings(identity.id);
    for (const place of nodes) {
      const owner = { cluster: identity.id, node: place.name };
      await ensureNetwork(engine.docker, owner, podNetwork(owner, place.podCidr));
    }
  }
  const stores = await startApi(parts, root);
  const informers = await startControlPlane(parts);
  if (engine) await startNetwork(parts, informers);
  const url = `https://${reachable(options.listen)}:${identity.httpsPort}`;
  return {
    kubeconfig: await writeKubeconfig(options.dataDir, url, certificates),
    url,
    async stop() {
      await system.stop();
      informers.close();
      await stores.close();
      await connections.close();
    },
  };
}

function serviceAddress(options: UpOptions, index: number): string {
  return formatAddress(options.serviceCidr.first + index);
}

/** What listens everywhere is reached here. */
function reachable(listen: string): string {
  return listen === "0.0.0.0" || listen === "::" ? "127.0.0.1" : listen;
}

async function startApi(
  { machine, options, system, certificates, nodes }: Parts,
  world: RoleWorld,
) {
  const { identity, engine } = machine;
  const { bus, clock, random, log } = world;
  const stores: Stores = openStores(
    await openJournals({ bus, serverVersion: bus.serverVersion, clock, random, log }),
    { clock, random, log },
  );
  system.spawn(
    apiserver,
    {
      replica: randomBytes(4).toString("hex"),
      principal: world.principal,
      stores,
      grants: computeGrants(),
      serviceCidr: options.serviceCidr.text,
      dnsAddress: engine ? serviceAddress(options, 10) : undefined,
      edge: createApiEdge({
        certificates,
        host: options.listen,
        port: identity.httpsPort,
        podSideHost: engine ? nodes[0]?.gateway : undefined,
        gitVersion,
        checks: new Map([
          ["store", () => stores.ready],
          ["nats", () => bus.connected],
        ]),
      }),
    },
    { world },
  );
  return stores;
}

/** Each role may write what its actors declare, by the table that they declare it in. */
export function computeGrants(): Grants {
  const writes = {
    api: ownerWrites,
    controllers: [...ownerWrites, ...controllers.flatMap((it) => it.writes)],
    scheduler: [...ownerWrites, ...shardWrites],
    ledger: [...ownerWrites, ...ledgerWrites],
    proxy: [],
    dns: dnsWrites,
  } as const;
  return new Map(actorRoles.map((role) => [principalOf(role), grantsOf(writes[role])]));
}

async function startControlPlane({ system, connections, log }: Parts): Promise<Informers> {
  const identity = `${hostname()}_${process.pid}_${randomBytes(4).toString("hex")}`;
  const controllersWorld = await connections.worldOf("controllers");
  const { bus, clock, principal } = controllersWorld;
  // Everybody in this process reads the same caches: the Wherry roles all may read everything.
  const informers = createInformers(createApi(bus, clock, { principal, writes: [] }), {
    clock,
    log,
  });
  const own = { identity, informers };
  system.spawn(
    owned(allControllers),
    {
      ...own,
      name: "controllers",
      principal,
      args: (ownership) => ({ principal, informers, ownership }),
    },
    { name: "controllers", world: controllersWorld },
  );
  const scheduler = await connections.worldOf("scheduler");
  for (let index = 0; index < shards; index++) {
    system.spawn(
      owned(shard),
      {
        ...own,
        name: `scheduler-${index}`,
        principal: scheduler.principal,
        args: (ownership) => ({
          principal: scheduler.principal,
          informers,
          ownership,
          shard: index,
          shards,
        }),
      },
      { name: `scheduler-${index}`, world: scheduler },
    );
  }
  const ledgerWorld = await connections.worldOf("ledger");
  system.spawn(
    owned(ledger),
    {
      ...own,
      name: "ledger",
      principal: ledgerWorld.principal,
      args: (ownership) => ({ principal: ledgerWorld.principal, informers, ownership }),
    },
    { name: "ledger", world: ledgerWorld },
  );
  return informers;
}

/** The controllers under one ownership, each a child that crashes and restarts by itself. */
const allControllers: ActorDefinition<never, ControllerArgs> = {
  name: "controllers",
  start(ctx, args) {
    for (const controller of controllers) ctx.spawn(controller, args);
    return { receive: () => undefined };
  },
};

/** Service addresses and names, on this machine. */
async function startNetwork(parts: Parts, informers: Informers): Promise<void> {
  const { machine, options, system, connections, nodes } = parts;
  const { identity, tools } = machine;
  const [first] = nodes;
  if (!first) return;
  const { bridge } = podNetwork({ cluster: identity.id, node: first.name }, first.podCidr);
  const ranges = { podCidr: options.podCidr.text, serviceCidr: options.serviceCidr.text };
  if (options.proxy !== "none" && tools.nft) {
    system.spawn(
      proxy,
      {
        informers,
        rules: nftRules([tools.nft]),
        hostNetwork: createHostNetwork({
          ...ranges,
          bridge: { name: bridge, address: first.gateway },
          onSetting: noteSetting,
        }),
        config: { ...ranges, table: tableOf(identity) },
        nodes: new Set(nodes.map((it) => it.name)),
      },
      { world: await connections.worldOf("proxy") },
    );
  }
  const world = await connections.worldOf("dns");
  const { bus, clock, principal } = world;
  const upstreams = await machineResolvers(serviceAddress(options, 10));
  void nodeObject(informers, first.name).then(
    (node) =>
      system.spawn(
        dns,
        {
          informers,
          api: createApi(bus, clock, { principal, writes: dnsWrites }),
          node,
          address: first.gateway,
          port: 53,
          domain: options.clusterDomain,
          upstreams,
          startServer: startDnsServer,
        },
        { world },
      ),
    // The informers were closed: we are stopping.
    () => undefined,
  );
}

/** The node, once its kubelet has registered it. */
function nodeObject(informers: Informers, name: string): Promise<Node> {
  const nodes = informers.of(Node);
  return new Promise((resolve, reject) => {
    const check = (node: Node): void => {
      if (node.metadata.name !== name) return;
      queueMicrotask(() => subscription.unsubscribe());
      resolve(node);
    };
    const subscription = nodes.addHandlers({ onAdd: check });
    nodes.synced().catch(reject);
  });
}
