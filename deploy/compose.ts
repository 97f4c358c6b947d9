/**
 * `wherry up` in one process: which roles it supervises, in which order, and how they stop. Every
 * role has its own connection and credentials even here, so that taking them apart (`wherry run`)
 * changes nothing.
 */
import { ensureNetwork, podNetwork } from "../actors/kubelet/engines/docker/network.ts";
import type { Log } from "../runtime/log.ts";
import { createSystem } from "../runtime/supervisor.ts";
import { ensureCertificates, serverHosts, writeKubeconfig } from "./certificates.ts";
import {
  newOwnerIdentity,
  openInformers,
  startApi,
  startControllers,
  startLedger,
  startScheduler,
} from "./control-plane.ts";
import { holdSettings } from "./kernel-settings.ts";
import type { Machine } from "./machine.ts";
import { startDns, startProxy } from "./network.ts";
import { startNode } from "./node.ts";
import type { UpOptions } from "./options.ts";
import { computePlaces, reachable, serviceAddress } from "./places.ts";
import { waitUntilReady } from "./ready.ts";
import type { Site } from "./site.ts";
import { Connections } from "./world.ts";

export interface Cluster {
  readonly kubeconfig: string;
  readonly url: string;
  stop(): Promise<void>;
}

const readyTimeoutMs = 60_000;

/** Resolves when the cluster is ready, or at once when `signal` aborts before. */
export async function startCluster(
  machine: Machine,
  options: UpOptions,
  { log, signal }: { log: Log; signal: AbortSignal },
): Promise<Cluster> {
  const site = await openSite(machine, options, log);
  const { system, connections, certificates, places, identity } = site;
  await makeBridges(site, machine);
  const stores = await startApi(site);
  const informers = await openInformers(site, "controllers");
  const parts = { informers, identity: newOwnerIdentity() };
  await startControllers(site, parts);
  await startScheduler(site, parts);
  await startLedger(site, parts);
  const [place] = places;
  if (machine.engine && place) {
    const { ip, nft } = machine.tools;
    if (options.proxy !== "none" && ip && nft) await startProxy(site, { informers, ip, nft });
    await startDns(site, { informers, place });
  }
  const closings: (() => void)[] = [];
  const url = `https://${reachable(options.listen)}:${site.httpsPort}`;
  const stop = async (): Promise<void> => {
    await system.stop();
    for (const close of closings) close();
    informers.close();
    await stores.close();
    await connections.close();
  };
  try {
    // They are loaded while the control plane starts; a node that is Ready has them.
    await machine.images;
    const nodeParts = { informers, docker: machine.engine };
    closings.push(
      ...(await Promise.all(places.map((place) => startNode(site, { place, ...nodeParts })))),
    );
    const kubeconfig = await writeKubeconfig(options.dataDir, url, certificates);
    const { nodes } = identity;
    const waiting = { url, certificates, informers, nodes, timeoutMs: readyTimeoutMs, signal };
    await waitUntilReady(waiting);
    return { kubeconfig, url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function openSite(machine: Machine, options: UpOptions, log: Log): Promise<Site> {
  const { identity, engine } = machine;
  const { dataDir, listen, podCidr, serviceCidr, clusterDomain, admission, security } = options;
  const places = computePlaces(podCidr, identity.nodes);
  const podSide = engine ? places[0]?.gateway : undefined;
  const addresses = [listen, serviceAddress(serviceCidr, "kubernetes")];
  if (podSide !== undefined) addresses.push(podSide);
  const certificates = await ensureCertificates(dataDir, serverHosts({ addresses, clusterDomain }));
  const connections = new Connections(machine.nats, log);
  const system = createSystem(await connections.worldOf("api"));
  const ranges = { podCidr, serviceCidr, clusterDomain, admission, places, podSide };
  const { httpsPort } = identity;
  const running = { security, certificates, connections, system, log };
  return { identity, dataDir, listen, httpsPort, ...ranges, ...running };
}

/** The doors and DNS listen on the bridges, so that these are made before any pod needs them. */
async function makeBridges({ identity, places }: Site, { engine }: Machine): Promise<void> {
  if (!engine) return;
  await holdSettings(identity.id);
  for (const { name, podCidr } of places) {
    const owner = { cluster: identity.id, node: name };
    await ensureNetwork(engine.docker, owner, podNetwork(owner, podCidr));
  }
}
