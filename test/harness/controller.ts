/**
 * Controllers in the simulator: real API actors on simulated stores, the controllers under test,
 * and a client of the cluster's owner. Nothing is faked, and virtual time passes as asked.
 */

import { apiserver } from "../../actors/apiserver/apiserver.ts";
import type { AccountTokens } from "../../actors/apiserver/authn/service-account.ts";
import { adminPrincipal } from "../../actors/apiserver/authn/user.ts";
import { type Api, createApi } from "../../actors/kit/client.ts";
import type { Controller } from "../../actors/kit/controller.ts";
import { createInformers, type Informers } from "../../actors/kit/informer.ts";
import { keyOf } from "../../actors/kit/object.ts";
import { ownerWrites } from "../../actors/kit/owned.ts";
import { formatTime } from "../../actors/kit/time.ts";
import { grantsOf, type Write } from "../../actors/kit/writes.ts";
import { Event, Namespace, Pod } from "../../manifests/index.ts";
import { createSimStream, type SimStream } from "../../runtime/sim/journal.ts";
import { createNetwork, type SimNetwork } from "../../runtime/sim/network.ts";
import { createSimProcess, type SimHost, type SimProcess } from "../../runtime/sim/process.ts";
import { createWorld, type SimWorld } from "../../runtime/sim/world.ts";
import { openStores } from "../../runtime/store/open.ts";
import type { WindowLimits } from "../../runtime/store/window.ts";
import { hostJournal } from "../sim/host-journal.ts";

export const controllersPrincipal = "system:wherry:controllers";
const apiPrincipal = "system:wherry:api";

export interface Scene {
  readonly world: SimWorld;
  readonly network: SimNetwork;
  readonly api: Api;
  /** The API actors; their replicas' names begin with the process's. */
  readonly servers: readonly SimProcess[];
  readonly streams: { objects: SimStream; events: SimStream; leases: SimStream };
  /** A process of the role `controllers`. */
  start(name: string, main: (host: SimHost, informers: Informers) => void): SimProcess;
  /** One process that runs these, without Leases. */
  run(...controllers: Controller[]): SimProcess;
  /** Lets time pass until the promise is kept. */
  settle<T>(work: Promise<T>): Promise<T>;
  until(what: string, holds: () => boolean | Promise<boolean>, withinMs?: number): Promise<void>;
  passes(ms: number): Promise<void>;
  /** What a kubelet would say of a pod: it runs, and is ready. */
  becomeReady(pod: Pod, address?: string): Promise<void>;
  /** Says so of every pod that is not ready yet, each with an address of its own. */
  becomeAllReady(): Promise<void>;
  pods(namespace?: string): Promise<Pod[]>;
  /** Reason and message of the events about objects of this name. */
  events(name: string): Promise<string[]>;
  dispose(): Promise<void>;
}

export interface SceneOptions {
  seed?: number;
  /** What the role `controllers` may write, beside what every owner may. */
  writes?: readonly Write[];
  /** Who else may write that much. */
  principals?: readonly string[];
  /** What watchers can come back to, when it is to be less than a real store keeps. */
  window?: Partial<WindowLimits>;
  /** How many API actors; default 1. */
  apis?: number;
  /** Issues ServiceAccount tokens; without it pods need no account. */
  tokens?: AccountTokens;
}

export async function startScene(options: SceneOptions = {}): Promise<Scene> {
  const world = createWorld({ seed: options.seed ?? 1 });
  const network = createNetwork(world);
  const { clock, random } = world;
  const stream = () => createSimStream({ clock, random });
  const streams = { objects: stream(), events: stream(), leases: stream() };
  const processes: SimProcess[] = [];
  const writes = options.writes ?? [];
  const writers = [controllersPrincipal, ...(options.principals ?? [])];

  const launch = (name: string, main: (host: SimHost) => void): SimProcess => {
    const process = createSimProcess({ network, name, main });
    processes.unshift(process);
    process.start();
    return process;
  };

  const serve = (host: SimHost): void => {
    const journals = {
      objects: hostJournal(host, streams.objects),
      events: hostJournal(host, streams.events),
      leases: hostJournal(host, streams.leases),
    };
    host.system(host.connect({ principal: apiPrincipal })).spawn(apiserver, {
      replica: `${host.name}-${host.random.suffix(5)}`,
      principal: apiPrincipal,
      stores: openStores(journals, host, options.window ? { window: options.window } : {}),
      grants: new Map(writers.map((it) => [it, grantsOf([...ownerWrites, ...writes])])),
      serviceCidr: "10.96.0.0/16",
      tokens: options.tokens,
    });
  };
  const servers = Array.from({ length: options.apis ?? 1 }, (_, nth) =>
    launch(`api-${nth}`, serve),
  );

  let address = 1;
  let client: Api | undefined;
  launch("admin", (host) => {
    const bus = host.connect({ principal: adminPrincipal });
    client = createApi(bus, host.clock, { principal: adminPrincipal, patienceMs: 60_000 });
  });
  await world.run({ until: () => client !== undefined, maxVirtualMs: 1_000 });
  if (!client) throw new Error("the client did not start");
  const api = client;

  async function settle<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const watched = work.finally(() => {
      done = true;
    });
    watched.catch(() => undefined);
    if (!(await world.run({ until: () => done, maxVirtualMs: 600_000 }))) {
      throw new Error("it took more than ten minutes");
    }
    return await watched;
  }

  const scene: Scene = {
    world,
    network,
    api,
    servers,
    streams,
    start: (name, main) =>
      launch(name, (host) => {
        const bus = host.connect({ principal: controllersPrincipal });
        const reader = createApi(bus, host.clock, { principal: controllersPrincipal, writes: [] });
        main(host, createInformers(reader, { clock: host.clock, log: host.log, freeze: true }));
      }),
    run: (...controllers) =>
      scene.start("controllers", (host, informers) => {
        const system = host.system(host.connect({ principal: controllersPrincipal }));
        for (const controller of controllers) {
          system.spawn(controller, { principal: controllersPrincipal, informers });
        }
      }),
    settle,
    async until(what, holds, withinMs = 60_000) {
      const deadline = clock.monotonic() + withinMs;
      for (;;) {
        if (await settle((async () => await holds())().catch(() => false))) return;
        if (clock.monotonic() > deadline) {
          const told = world.log.format({ last: 20, level: "warn" });
          throw new Error(`Waited in vain for ${what}\n${told}`);
        }
        await world.run({ maxVirtualMs: 50 });
      }
    },
    async passes(ms) {
      await world.run({ maxVirtualMs: ms });
    },
    async becomeReady(pod, address = "10.244.0.2") {
      const lastTransitionTime = formatTime(clock.now());
      const status = {
        phase: "Running",
        podIP: address,
        podIPs: [{ ip: address }],
        conditions: [{ type: "Ready", status: "True", lastTransitionTime }],
      };
      const change = { type: "strategic", subresource: "status" } as const;
      await settle(api.patch(Pod, keyOf(pod), { status }, change));
    },
    async becomeAllReady() {
      for (const pod of await scene.pods()) {
        const ready = pod.status?.conditions?.some(
          ({ type, status }) => type === "Ready" && status === "True",
        );
        if (!ready) await scene.becomeReady(pod, `10.244.0.${++address}`);
      }
    },
    pods: async (namespace = "default") => (await settle(api.list(Pod, { namespace }))).items,
    async events(name) {
      const { items } = await settle(api.list(Event));
      return items
        .filter(({ involvedObject }) => involvedObject.name === name)
        .map(({ reason, message }) => `${reason}: ${message}`);
    },
    async dispose() {
      for (const process of processes) if (process.running) await settle(process.stop());
    },
  };
  await scene.until("the first namespaces", async () => {
    for (const name of ["default", "kube-system", "kube-node-lease"])
      await api.get(Namespace, name);
    return true;
  });
  return scene;
}

/** The smallest pod template there is. */
export function template(labels: Record<string, string>, image = "nginx:1.22") {
  return { metadata: { labels }, spec: { containers: [{ name: "main", image }] } };
}
