/**
 * A node in the simulator: one API actor on a simulated store, and one kubelet on the simulated
 * engine, in virtual time. What a test asks for is what a user would see.
 */

import { apiserver } from "../../../../actors/apiserver/apiserver.ts";
import { type Api, createApi } from "../../../../actors/kit/client.ts";
import { keyIn } from "../../../../actors/kit/object.ts";
import { hollowDialer } from "../../../../actors/kubelet/dialer.ts";
import {
  type SimBehavior,
  simAnnotation,
} from "../../../../actors/kubelet/engines/sim/container.ts";
import {
  createSimEngine,
  type SimEngine,
  type SimEngineOptions,
} from "../../../../actors/kubelet/engines/sim/index.ts";
import type { KubeletConfig } from "../../../../actors/kubelet/environment.ts";
import { kubelet } from "../../../../actors/kubelet/kubelet.ts";
import { hollowMachine } from "../../../../actors/kubelet/machine.ts";
import { MemoryFiles } from "../../../../actors/kubelet/volumes/memory.ts";
import { type Container, Event, Namespace, type Node, Pod } from "../../../../manifests/index.ts";
import type { Bus } from "../../../../runtime/bus.ts";
import { createSimStream } from "../../../../runtime/sim/journal.ts";
import { createNetwork, type SimNetwork } from "../../../../runtime/sim/network.ts";
import { createSimProcess, type SimProcess } from "../../../../runtime/sim/process.ts";
import { createWorld, type SimWorld } from "../../../../runtime/sim/world.ts";
import { openStores } from "../../../../runtime/store/open.ts";
import { hostEngine } from "../../../sim/host-engine.ts";
import { hostJournal } from "../../../sim/host-journal.ts";

export const nodeName = "node-1";

export interface SimNode {
  world: SimWorld;
  network: SimNetwork;
  engine: SimEngine;
  files: MemoryFiles;
  api: Api;
  /** As an API actor has it. */
  bus: Bus;
  kubelet: SimProcess;
  /** Runs until the promise is kept; virtual time passes. */
  run<T>(work: Promise<T>): Promise<T>;
  /** Runs until it holds; throws when it does not within the time. */
  until(
    what: string,
    condition: () => boolean | Promise<boolean>,
    withinMs?: number,
  ): Promise<void>;
  passes(ms: number): Promise<void>;
  /** Creates a Pod that is bound to this node. */
  create(pod: PodWish): Promise<Pod>;
  pod(name: string): Promise<Pod | undefined>;
  /** Reason and message of the Pod's events, oldest first. */
  events(name: string): Promise<string[]>;
  dispose(): Promise<void>;
}

export interface PodWish {
  name: string;
  spec?: Partial<Pod["spec"]>;
  annotations?: Record<string, string>;
  /** How its containers behave. */
  behavior?: Record<string, SimBehavior>;
}

export interface SimNodeOptions {
  seed?: number;
  engine?: Partial<SimEngineOptions>;
  config?: Partial<KubeletConfig>;
}

export async function startSimNode(options: SimNodeOptions = {}): Promise<SimNode> {
  const world = createWorld({ seed: options.seed ?? 1 });
  const network = createNetwork(world);
  const { clock, random } = world;
  const stream = () => createSimStream({ clock, random });
  const streams = { objects: stream(), events: stream(), leases: stream() };
  const engine = createSimEngine({ clock, random, podCIDR: "10.244.1.0/24", ...options.engine });
  const files = new MemoryFiles();

  const server = createSimProcess({
    network,
    name: "api",
    main(host) {
      const journals = {
        objects: hostJournal(host, streams.objects),
        events: hostJournal(host, streams.events),
        leases: hostJournal(host, streams.leases),
      };
      const stores = openStores(journals, host);
      host.system(host.connect({ principal: "system:wherry:api" })).spawn(apiserver, {
        replica: "api",
        principal: "system:wherry:api",
        stores,
        grants: new Map(),
        serviceCidr: "10.96.0.0/16",
      });
    },
  });
  server.start();
  const principal = `system:node:${nodeName}`;
  const node = createSimProcess({
    network,
    name: nodeName,
    main(host) {
      host.system(host.connect({ principal })).spawn(kubelet, {
        principal,
        nodeName,
        nodeIP: "192.0.2.1",
        podCIDR: "10.244.1.0/24",
        dns: { server: "10.96.0.10", domain: "cluster.local" },
        hostDns: { servers: ["192.0.2.53"], searches: [], options: [] },
        version: "v1.32.0+wherry",
        engine: hostEngine(host, engine),
        machine: hollowMachine(nodeName),
        files,
        dialer: hollowDialer,
        ...options.config,
      });
    },
  });
  node.start();
  const admin = createSimProcess({
    network,
    name: "admin",
    main(host) {
      bus = host.connect({ principal: "wherry-admin" });
      api = createApi(bus, host.clock, { principal: "wherry-admin", patienceMs: 60_000 });
    },
  });
  let api: Api | undefined;
  let bus: Bus | undefined;
  admin.start();
  await world.run({ until: () => api !== undefined, maxVirtualMs: 1_000 });
  if (!api || !bus) throw new Error("the client did not start");
  const client = api;

  async function run<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const settled = work.finally(() => {
      done = true;
    });
    settled.catch(() => undefined);
    await world.run({ until: () => done, maxVirtualMs: 600_000 });
    if (!done) throw new Error("it took more than ten minutes");
    return settled;
  }

  const it: SimNode = {
    world,
    network,
    engine,
    files,
    api: client,
    bus,
    kubelet: node,
    run,
    async until(what, condition, withinMs = 60_000) {
      const deadline = clock.monotonic() + withinMs;
      while (!(await run(Promise.resolve(condition()).catch(() => false as boolean)))) {
        if (clock.monotonic() > deadline) throw new Error(`waited in vain for ${what}`);
        await world.run({ maxVirtualMs: 50 });
      }
    },
    async passes(ms) {
      await world.run({ maxVirtualMs: ms });
    },
    create: (wish) => run(client.create(Pod, podOf(wish))),
    pod: (name) => run(client.get(Pod, keyIn("default", name)).catch(() => undefined)),
    async events(name) {
      const { items } = await run(client.list(Event, { namespace: "default" }));
      return items
        .filter(({ involvedObject }) => involvedObject.name === name)
        .map(({ reason, message }) => `${reason}: ${message}`);
    },
    async dispose() {
      for (const process of [node, server, admin]) await run(process.stop());
    },
  };
  await it.until("the namespaces", async () => {
    await client.get(Namespace, "default");
    await client.get(Namespace, "kube-node-lease");
    return true;
  });
  await it.until("the Node to be ready", async () => {
    const { items } = await client.list<Node>(
      (await import("../../../../manifests/index.ts")).Node,
    );
    return (
      items[0]?.status?.conditions?.some((c) => c.type === "Ready" && c.status === "True") ?? false
    );
  });
  return it;
}

function podOf({ name, spec, annotations, behavior = {} }: PodWish): Pod {
  const behaviors = Object.entries(behavior).map(([container, value]) => [
    simAnnotation(container),
    JSON.stringify(value),
  ]);
  return {
    metadata: {
      name,
      namespace: "default",
      annotations: { ...annotations, ...Object.fromEntries(behaviors) },
    },
    spec: { nodeName, containers: [container("app")], ...spec },
  };
}

export function container(name: string, more: Partial<Container> = {}): Container {
  return { name, image: "busybox:1.35", ...more };
}
