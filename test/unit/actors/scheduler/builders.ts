/** Pods and nodes as sentences: `podInfo("web", { cpu: 500 })` asks for half a core. */

import type { NodeInfo } from "../../../../actors/scheduler/node-info.ts";
import type { PodInfo } from "../../../../actors/scheduler/pod-info.ts";

export function podInfo(
  name: string,
  { cpu, memory, ...rest }: Partial<PodInfo> & { cpu?: number; memory?: number } = {},
): PodInfo {
  const requests = new Map<string, number>();
  if (cpu !== undefined) requests.set("cpu", cpu);
  if (memory !== undefined) requests.set("memory", memory);
  return {
    uid: `uid-${name}`,
    namespace: "default",
    name,
    key: `default/${name}`,
    nodeName: "",
    schedulerName: "default-scheduler",
    priority: 0,
    terminal: false,
    terminating: false,
    gated: false,
    requests,
    hostPorts: [],
    nodeSelector: undefined,
    nodeAffinity: undefined,
    tolerations: [],
    unsupportedFields: [],
    ...rest,
  };
}

export function nodeInfo(
  name: string,
  {
    cpu = 4_000,
    memory = 8 * 1024 ** 3,
    pods = 110,
    ...rest
  }: Partial<NodeInfo> & { cpu?: number; memory?: number; pods?: number } = {},
): NodeInfo {
  return {
    name,
    labels: {},
    taints: [],
    unschedulable: false,
    allocatable: new Map([
      ["cpu", cpu],
      ["memory", memory],
      ["pods", pods],
    ]),
    ...rest,
  };
}
