/** Starts the kubelets of this machine: on Docker, or hollow ones that only pretend. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Informers } from "../actors/kit/informer.ts";
import { hollowDialer } from "../actors/kubelet/dialer.ts";
import { createDockerEngine } from "../actors/kubelet/engines/docker/index.ts";
import { createSimEngine } from "../actors/kubelet/engines/sim/index.ts";
import type { KubeletConfig } from "../actors/kubelet/environment.ts";
import { kubelet } from "../actors/kubelet/kubelet.ts";
import { hollowMachine } from "../actors/kubelet/machine.ts";
import { netDialer } from "../actors/kubelet/net-dialer.ts";
import { readHostDns, readMachine } from "../actors/kubelet/real-machine.ts";
import { endpointOn } from "../actors/kubelet/server.ts";
import { DiskFiles } from "../actors/kubelet/volumes/disk.ts";
import { MemoryFiles } from "../actors/kubelet/volumes/memory.ts";
import type { DockerEngine } from "./dockerd.ts";
import { pauseImage } from "./images/index.ts";
import { type NodePlace, serviceAddress } from "./places.ts";
import type { Site } from "./site.ts";
import { gitVersion } from "./version.ts";

export interface NodeParts {
  readonly place: NodePlace;
  /** Shared by the nodes of a process. */
  readonly informers: Informers;
  /** Undefined: a hollow node. */
  readonly docker: DockerEngine | undefined;
}

/** Where the nodes keep volumes and the like; some are mounts of their own, in memory. */
export function nodesDir(dataDir: string): string {
  return join(dataDir, "nodes");
}

export async function startNode(site: Site, { place, informers, docker }: NodeParts) {
  const world = await site.connections.worldOf(`node:${place.name}`);
  const common = {
    principal: world.principal,
    nodeName: place.name,
    nodeIP: place.gateway,
    podCIDR: place.podCidr,
    version: gitVersion,
    sharedInformers: informers,
  };
  const config: KubeletConfig = docker
    ? { ...common, ...(await realParts(site, place, docker)) }
    : {
        ...common,
        dns: undefined,
        hostDns: { servers: [], searches: [], options: [] },
        engine: createSimEngine({
          clock: world.clock,
          random: world.random,
          podCIDR: place.podCidr,
        }),
        machine: hollowMachine(place.name),
        files: new MemoryFiles(),
        dialer: hollowDialer,
      };
  site.system.spawn(kubelet, config, { name: `kubelet-${place.name}`, world });
  return () => config.engine.close();
}

async function realParts(site: Site, place: NodePlace, docker: DockerEngine) {
  const stateDir = join(nodesDir(site.dataDir), place.name);
  await mkdir(stateDir, { recursive: true });
  return {
    dns: {
      server: serviceAddress(site.serviceCidr, "kube-dns"),
      domain: site.clusterDomain,
    },
    hostDns: readHostDns(),
    engine: createDockerEngine({
      cluster: site.identity.id,
      node: place.name,
      socketPath: docker.socketPath,
      podCIDR: place.podCidr,
      pauseImage,
      stateDir,
    }),
    machine: readMachine(site.dataDir),
    files: new DiskFiles(stateDir),
    dialer: netDialer,
    endpoint: endpointOn(),
  };
}
