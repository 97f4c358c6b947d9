/** The Node object as its kubelet reports it. Pure; after k8s:pkg/kubelet/nodestatus. */

import {
  canonicalQuantity,
  type Node,
  type NodeCondition,
  type NodeStatus,
} from "../../manifests/index.ts";
import { formatTime } from "../kit/time.ts";
import type { KubeletConfig } from "./environment.ts";

export interface NodeFacts {
  now: number;
  /** Why no pod can be run; undefined when all is well. */
  problem: string | undefined;
  /** As the engine told: `docker://20.10.24`; empty until it has answered once. */
  runtimeVersion: string;
  /** Where the read-only endpoint listens, if it does. */
  port: number | undefined;
}

const defaultMaxPods = 110;

export function newNode(config: KubeletConfig): Node {
  return {
    metadata: { name: config.nodeName, labels: nodeLabels(config) },
    spec: { podCIDR: config.podCIDR, podCIDRs: [config.podCIDR] },
  };
}

export function nodeLabels({ nodeName, labels, machine }: KubeletConfig): Record<string, string> {
  return {
    "kubernetes.io/hostname": nodeName,
    "kubernetes.io/os": "linux",
    "kubernetes.io/arch": machine.architecture,
    "beta.kubernetes.io/os": "linux",
    "beta.kubernetes.io/arch": machine.architecture,
    ...labels,
  };
}

export function computeNodeStatus(
  config: KubeletConfig,
  old: NodeStatus | undefined,
  facts: NodeFacts,
): NodeStatus {
  const { machine, maxPods = defaultMaxPods } = config;
  // In the API's own spelling, or every comparison with what it gives back would differ.
  const amounts = {
    cpu: String(machine.cpus),
    "ephemeral-storage": kibibytes(machine.ephemeralStorageBytes),
    memory: kibibytes(machine.memoryBytes),
    pods: canonicalQuantity(maxPods),
  };
  const hostname = config.nodeName;
  return {
    ...old,
    capacity: amounts,
    allocatable: amounts,
    conditions: computeNodeConditions(old?.conditions ?? [], facts),
    addresses: [
      { type: "InternalIP", address: config.nodeIP },
      { type: "Hostname", address: hostname },
    ],
    ...(facts.port === undefined
      ? {}
      : { daemonEndpoints: { kubeletEndpoint: { Port: facts.port } } }),
    nodeInfo: {
      machineID: machine.machineID,
      systemUUID: machine.machineID,
      bootID: machine.bootID,
      kernelVersion: machine.kernelVersion,
      osImage: machine.osImage,
      containerRuntimeVersion: facts.runtimeVersion || old?.nodeInfo?.containerRuntimeVersion || "",
      kubeletVersion: config.version,
      kubeProxyVersion: config.version,
      operatingSystem: "linux",
      architecture: machine.architecture,
    },
  };
}

function kibibytes(bytes: number): string {
  return canonicalQuantity(`${Math.floor(bytes / 1024)}Ki`);
}

type Verdict = Pick<NodeCondition, "status" | "reason" | "message">;

/** Differs from Kubernetes: pressure is not measured yet, so that it is never reported. */
const calm: Record<string, Verdict> = {
  MemoryPressure: {
    status: "False",
    reason: "KubeletHasSufficientMemory",
    message: "kubelet has sufficient memory available",
  },
  DiskPressure: {
    status: "False",
    reason: "KubeletHasNoDiskPressure",
    message: "kubelet has no disk pressure",
  },
  PIDPressure: {
    status: "False",
    reason: "KubeletHasSufficientPID",
    message: "kubelet has sufficient PID available",
  },
};

function computeNodeConditions(
  old: readonly NodeCondition[],
  { now, problem }: NodeFacts,
): NodeCondition[] {
  const ready: Verdict =
    problem === undefined
      ? { status: "True", reason: "KubeletReady", message: "kubelet is posting ready status" }
      : {
          status: "False",
          reason: "KubeletNotReady",
          message: `container runtime is down: ${problem}`,
        };
  const verdicts = { ...calm, Ready: ready };
  const ours = Object.entries(verdicts).map(([type, verdict]) => {
    const before = old.find((condition) => condition.type === type);
    const isSame = before?.status === verdict.status && before.lastTransitionTime !== undefined;
    const lastTransitionTime = isSame ? before.lastTransitionTime : formatTime(now);
    return { type, ...verdict, lastHeartbeatTime: formatTime(now), lastTransitionTime };
  });
  return [...ours, ...old.filter(({ type }) => !(type in verdicts))];
}

/** What tells a report that says something new from a mere heartbeat. */
export function withoutHeartbeats(status: NodeStatus | undefined): NodeStatus {
  const conditions = status?.conditions?.map(({ lastHeartbeatTime: _, ...rest }) => rest);
  return { ...status, conditions };
}
