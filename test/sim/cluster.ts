/**
 * A whole control plane in one simulated world: API actors, controllers, scheduler shards, ledger
 * candidates and hollow nodes, each in a process of its own that can be killed, with the NATS
 * permissions of its role. The engines outlive the kubelets, as containers do.
 */

import { apiserver } from "../../actors/apiserver/apiserver.ts";
import { controllersActor } from "../../actors/controllers/controllers.ts";
import { type Api, createApi } from "../../actors/kit/client.ts";
import { createInformers, type Informers } from "../../actors/kit/informer.ts";
import { owned } from "../../actors/kit/owned.ts";
import { hollowDialer } from "../../actors/kubelet/dialer.ts";
import { createSimEngine, type SimEngine } from "../../actors/kubelet/engines/sim/index.ts";
import { kubelet } from "../../actors/kubelet/kubelet.ts";
import { hollowMachine } from "../../actors/kubelet/machine.ts";
import { MemoryFiles } from "../../actors/kubelet/volumes/memory.ts";
import { ledger } from "../../actors/scheduler/ledger.ts";
import { shard } from "../../actors/scheduler/shard.ts";
import { computeGrants } from "../../deploy/control-plane.ts";
import { permissionsOf, principalOf, type Role } from "../../deploy/nats/roles.ts";
import type { SimBus } from "../../runtime/sim/bus.ts";
import { createSimStream, type SimJournal, type SimStream } from "../../runtime/sim/journal.ts";
import { createNetwork, type SimNetwork } from "../../runtime/sim/network.ts";
import { createSimProcess, type SimHost, type SimProcess } from "../../runtime/sim/process.ts";
import { createSimTokenKeys } from "../../runtime/sim/token-keys.ts";
import { createWorld, type SimWorld } from "../../runtime/sim/world.ts";
import { openStores, type PerStore } from "../../runtime/store/open.ts";
import { hostEngine } from "./host-engine.ts";
import { hostJournal } from "./host-journal.ts";
import { Truth } from "./truth.ts";

export interface ClusterOptions {
  seed: number;
  nodes: number;
  apis: number;
}

export interface Cluster {
  readonly world: SimWorld;
  readonly network: SimNetwork;
  readonly streams: PerStore<SimStream>;
  readonly truth: Truth;
  /** All that may be killed: not the user, who watches. */
  readonly processes: readonly SimProcess[];
  readonly engines: ReadonlyMap<string, SimEngine>;
  /** Clients of the streams that live now. */
  journals(): readonly SimJournal[];
  /** The client of somebody who may do everything and whose process is never killed. */
  readonly user: Api;
  readonly userHost: SimHost;
  readonly replicated: boolean;
}

export function createCluster({ seed, nodes, apis }: ClusterOptions): Cluster {
  const world = createWorld({ seed });
  const network = createNetwork(world);
  // Half of the worlds have a stream on three servers, where leaders can be deposed.
  const replicated = world.random.fork("replicated").next() < 0.5;
  const streams = createStreams(world, replicated);
  const journals = new Set<SimJournal>();
  const engines = new Map<string, SimEngine>();
  const processes: SimProcess[] = [];

  function start(name: string, main: (host: SimHost) => void | Promise<void>): SimProcess {
    const started = createSimProcess({ network, name, main });
    started.start();
    return started;
  }

  for (let nth = 0; nth < apis; nth++)
    processes.push(start(`api-${nth}`, (host) => runApi(host, streams, journals)));
  for (const nth of [0, 1]) {
    processes.push(start(`controllers-${nth}`, runControllers));
    processes.push(start(`scheduler-${nth}`, runScheduler));
  }
  for (let nth = 0; nth < nodes; nth++) {
    const name = `node-${nth}`;
    const { clock } = world;
    const random = world.random.fork(`engine-${name}`);
    const engine = createSimEngine({ clock, random, podCIDR: `10.244.${nth}.0/24` });
    engines.set(name, engine);
    const files = new MemoryFiles();
    processes.push(start(name, (host) => runNode(host, { name, nth, engine, files })));
  }
  let userHost: SimHost | undefined;
  start("user", (host) => {
    userHost = host;
  });
  if (userHost === undefined) throw new Error("The user's process did not start");
  const user = createApi(connect(userHost, "admin"), userHost.clock, {
    principal: principalOf("admin"),
    patienceMs: 30_000,
  });
  return {
    world,
    network,
    streams,
    truth: new Truth(streams.objects, "$KV.wherry."),
    processes,
    engines,
    journals: () => [...journals],
    user,
    userHost,
    replicated,
  };
}

function createStreams(world: SimWorld, replicated: boolean): PerStore<SimStream> {
  const create = (name: string): SimStream =>
    createSimStream({
      clock: world.clock,
      random: world.random.fork(`stream-${name}`),
      facts: { name: `KV_${name}`, prefix: `$KV.${name}.`, replicated },
    });
  return {
    objects: create("wherry"),
    events: create("wherry-events"),
    leases: create("wherry-leases"),
  };
}

/** A connection with what the server lets its role say and hear. */
function connect(host: SimHost, role: Role): SimBus {
  const { publish, subscribe, responses } = permissionsOf(role);
  return host.connect({
    principal: principalOf(role),
    permissions: {
      publish: { allow: publish },
      subscribe: { allow: subscribe },
      ...(responses ? { allowResponses: { max: 1, expiresMs: 30_000 } } : {}),
    },
  });
}

/** Unique to a run of a process: what was killed is not who comes back. */
function identityOf(host: SimHost): string {
  return `${host.name}-${host.random.suffix(8)}`;
}

function informersOf(host: SimHost, bus: SimBus, role: Role): Informers {
  const { clock, log } = host;
  const api = createApi(bus, clock, { principal: principalOf(role), writes: [] });
  return createInformers(api, { clock, log, freeze: true });
}

const shards = 2;

function runApi(host: SimHost, streams: PerStore<SimStream>, journals: Set<SimJournal>): void {
  const { clock, random, log } = host;
  const open = (stream: SimStream) => hostJournal(host, stream, journals);
  const stores = openStores(
    { objects: open(streams.objects), events: open(streams.events), leases: open(streams.leases) },
    { clock, random, log },
  );
  const principal = principalOf("api");
  host.system(connect(host, "api")).spawn(apiserver, {
    replica: identityOf(host),
    principal,
    stores,
    grants: computeGrants(),
    serviceCidr: "10.96.0.0/16",
    dnsAddress: "10.96.0.10",
    tokens: {
      keys: createSimTokenKeys(),
      issuer: "https://kubernetes.default.svc.cluster.local",
    },
  });
}

function runControllers(host: SimHost): void {
  const bus = connect(host, "controllers");
  host.system(bus).spawn(controllersActor, {
    principal: principalOf("controllers"),
    identity: identityOf(host),
    informers: informersOf(host, bus, "controllers"),
    caPem: "a certificate",
  });
}

/** The ledger rides along, on a connection and with caches of its own. */
function runScheduler(host: SimHost): void {
  const bus = connect(host, "scheduler");
  const system = host.system(bus);
  const principal = principalOf("scheduler");
  const informers = informersOf(host, bus, "scheduler");
  const identity = identityOf(host);
  for (let nth = 0; nth < shards; nth++) {
    const name = `scheduler-${nth}`;
    const args = { principal, informers, shard: nth, shards };
    system.spawn(
      owned(shard),
      { name, identity, principal, informers, args: (ownership) => ({ ...args, ownership }) },
      { name },
    );
  }
  runLedger(host, identity);
}

function runLedger(host: SimHost, identity: string): void {
  const bus = connect(host, "ledger");
  const principal = principalOf("ledger");
  const informers = informersOf(host, bus, "ledger");
  host.system(bus).spawn(owned(ledger), {
    name: "ledger",
    identity,
    principal,
    informers,
    args: (ownership) => ({ principal, informers, ownership }),
  });
}

interface SimNode {
  name: string;
  nth: number;
  engine: SimEngine;
  files: MemoryFiles;
}

function runNode(host: SimHost, { name, nth, engine, files }: SimNode): void {
  const bus = connect(host, `node:${name}`);
  host.system(bus).spawn(kubelet, {
    principal: principalOf(`node:${name}`),
    nodeName: name,
    nodeIP: `192.0.2.${nth + 1}`,
    podCIDR: `10.244.${nth}.0/24`,
    dns: { server: "10.96.0.10", domain: "cluster.local" },
    hostDns: { servers: ["192.0.2.53"], searches: [], options: [] },
    version: "v1.32.0+wherry",
    engine: hostEngine(host, engine),
    machine: hollowMachine(name),
    files,
    dialer: hollowDialer,
  });
}
