/** What a node's pod workers share, and what the kubelet is told when it starts. */

import type { Node, Pod, Service } from "../../manifests/index.ts";
import type { Api } from "../kit/client.ts";
import type { EventRecorder } from "../kit/events.ts";
import type { Informers } from "../kit/informer.ts";
import type { Dialer } from "./dialer.ts";
import type { Engine, SandboxConfig } from "./engine.ts";
import type { Images } from "./images.ts";
import type { MachineInfo } from "./machine.ts";
import type { ClusterDns } from "./pod-network.ts";
import type { RuntimeCache } from "./runtime-cache.ts";
import type { OpenEndpoint } from "./server.ts";
import type { Tokens } from "./tokens.ts";
import type { PodFiles } from "./volumes/files.ts";

export interface KubeletConfig {
  /** Who the kubelet is to the API and to NATS. */
  principal: string;
  nodeName: string;
  nodeIP: string;
  podCIDR: string;
  /** Undefined: pods get the machine's own resolv.conf. */
  dns: ClusterDns | undefined;
  /** The machine's own resolv.conf. */
  hostDns: SandboxConfig["dns"];
  labels?: Record<string, string>;
  /** Default 110, as upstream. */
  maxPods?: number;
  /** `v1.32.x+wherry…`, as shown in the node's list. */
  version: string;
  engine: Engine;
  machine: MachineInfo;
  files: PodFiles;
  dialer: Dialer;
  /** For what all nodes of a process watch alike; default: informers of its own. */
  sharedInformers?: Informers;
  /** Opens the read-only endpoint; undefined on hollow nodes. */
  endpoint?: OpenEndpoint;
}

export interface NodeEnvironment {
  readonly config: KubeletConfig;
  readonly api: Api;
  readonly recorder: EventRecorder;
  readonly runtimes: RuntimeCache;
  readonly images: Images;
  readonly tokens: Tokens;
  /** `docker://`, before a container's id in a status. */
  runtimePrefix(): string;
  services(): readonly Service[];
  node(): Node | undefined;
  /** The Pods of this node that it has taken. */
  admitted(): readonly Pod[];
}
