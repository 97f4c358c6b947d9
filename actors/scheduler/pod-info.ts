/** What scheduling looks at in a Pod, computed once when an informer shows it. */

import { podRequests } from "../../manifests/kinds/pod-requests.ts";
import type {
  Affinity,
  NodeAffinity,
  Pod,
  Toleration,
} from "../../manifests/schema/types.generated.ts";

export const defaultSchedulerName = "default-scheduler";

export interface PodInfo {
  uid: string;
  namespace: string;
  name: string;
  /** `namespace/name`. */
  key: string;
  /** Empty until the pod is on a node, or when it asks for none. */
  nodeName: string;
  schedulerName: string;
  priority: number;
  /** Ended: holds nothing of its node any more. */
  terminal: boolean;
  /** Being deleted: not to be placed. */
  terminating: boolean;
  /** Held back by spec.schedulingGates. */
  gated: boolean;
  /** By resource name: millicores for cpu, whole units for all others. */
  requests: ReadonlyMap<string, number>;
  hostPorts: readonly HostPort[];
  nodeSelector: Readonly<Record<string, string>> | undefined;
  nodeAffinity: NodeAffinity | undefined;
  tolerations: readonly Toleration[];
  /** Paths of fields that would constrain the choice of a node and that no plugin honours. */
  unsupportedFields: readonly string[];
}

export interface HostPort {
  ip: string;
  protocol: string;
  port: number;
}

export function computePodInfo(pod: Pod): PodInfo {
  const { metadata, spec, status } = pod;
  const namespace = metadata.namespace ?? "";
  const name = metadata.name ?? "";
  return {
    uid: metadata.uid ?? "",
    namespace,
    name,
    key: `${namespace}/${name}`,
    nodeName: spec.nodeName ?? "",
    schedulerName: spec.schedulerName ?? defaultSchedulerName,
    priority: spec.priority ?? 0,
    terminal: status?.phase === "Succeeded" || status?.phase === "Failed",
    terminating: metadata.deletionTimestamp !== undefined,
    gated: (spec.schedulingGates ?? []).length > 0,
    requests: podRequests(pod),
    hostPorts: hostPortsOf(pod),
    nodeSelector: spec.nodeSelector,
    nodeAffinity: spec.affinity?.nodeAffinity,
    tolerations: spec.tolerations ?? [],
    unsupportedFields: unsupportedFieldsOf(spec.affinity, pod),
  };
}

/** Whether a scheduler of ours is to find a node for it. */
export function awaitsNode(pod: PodInfo): boolean {
  if (pod.nodeName !== "" || pod.terminal || pod.terminating || pod.gated) return false;
  return pod.schedulerName === defaultSchedulerName;
}

function hostPortsOf({ spec }: Pod): HostPort[] {
  const ports: HostPort[] = [];
  for (const container of [...spec.containers, ...restartableInits(spec)])
    for (const { hostPort, hostIP, protocol } of container.ports ?? [])
      if (hostPort)
        ports.push({ ip: hostIP || "0.0.0.0", protocol: protocol ?? "TCP", port: hostPort });
  return ports;
}

function restartableInits(spec: Pod["spec"]): Pod["spec"]["containers"] {
  return (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always");
}

function unsupportedFieldsOf(affinity: Affinity | undefined, { spec }: Pod): string[] {
  const required = "requiredDuringSchedulingIgnoredDuringExecution";
  const fields: string[] = [];
  for (const kind of ["podAffinity", "podAntiAffinity"] as const)
    if ((affinity?.[kind]?.[required] ?? []).length > 0)
      fields.push(`spec.affinity.${kind}.${required}`);
  const spread = spec.topologySpreadConstraints ?? [];
  if (spread.some(({ whenUnsatisfiable }) => whenUnsatisfiable === "DoNotSchedule"))
    fields.push("spec.topologySpreadConstraints[].whenUnsatisfiable=DoNotSchedule");
  if ((spec.resourceClaims ?? []).length > 0) fields.push("spec.resourceClaims");
  return fields;
}
