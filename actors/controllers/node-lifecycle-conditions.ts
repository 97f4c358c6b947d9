/** What a silent node's conditions and any node's taints should be. Pure. */

import equal from "fast-deep-equal";
import type { Node, NodeCondition, Taint } from "../../manifests/index.ts";

const notReady = "node.kubernetes.io/not-ready";
const unreachable = "node.kubernetes.io/unreachable";
const unschedulable = "node.kubernetes.io/unschedulable";

/** By condition, and by the status that means trouble. */
const pressureTaints: Readonly<Record<string, string>> = {
  MemoryPressure: "node.kubernetes.io/memory-pressure",
  DiskPressure: "node.kubernetes.io/disk-pressure",
  PIDPressure: "node.kubernetes.io/pid-pressure",
  NetworkUnavailable: "node.kubernetes.io/network-unavailable",
};

/** The taints that are ours to set and to take away. */
const ourTaints: ReadonlySet<string> = new Set([
  notReady,
  unreachable,
  unschedulable,
  ...Object.values(pressureTaints),
]);

/** What the kubelet reports, and nobody knows while it is silent. */
const reported = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

export function readyStatus({ status }: Node): string | undefined {
  return status?.conditions?.find(({ type }) => type === "Ready")?.status;
}

/** As k8s:pkg/controller/nodelifecycle `tryUpdateNodeHealth` writes them. */
export function computeSilentConditions(
  before: readonly NodeCondition[],
  time: string,
  createdAt: string | undefined,
): NodeCondition[] {
  const missing = reported.filter((type) => !before.some((condition) => condition.type === type));
  return [
    ...before.map((condition) => {
      if (!reported.includes(condition.type) || condition.status === "Unknown") return condition;
      const reason = "NodeStatusUnknown";
      const message = "Kubelet stopped posting node status.";
      return { ...condition, status: "Unknown", reason, message, lastTransitionTime: time };
    }),
    ...missing.map((type) => ({
      type,
      status: "Unknown",
      reason: "NodeStatusNeverUpdated",
      message: "Kubelet never posted node status.",
      lastHeartbeatTime: createdAt,
      lastTransitionTime: time,
    })),
  ];
}

/** Undefined when they are right already. Taints of others are kept, and come first. */
export function computeTaints(node: Node, time: string): Taint[] | undefined {
  const before = node.spec?.taints ?? [];
  const wanted = wantedTaints(node);
  const kept = before.filter(({ key }) => !ourTaints.has(key));
  const ours = wanted.map((taint) => {
    const known = before.find(({ key, effect }) => key === taint.key && effect === taint.effect);
    // NoExecute counts from the time it was added: tolerations may run out.
    return known ?? (taint.effect === "NoExecute" ? { ...taint, timeAdded: time } : taint);
  });
  const after = [...kept, ...ours];
  return sameSet(before, after) ? undefined : after;
}

function wantedTaints(node: Node): Taint[] {
  const taints: Taint[] = [];
  const ready = readyStatus(node);
  if (ready === "False") taints.push(...bothEffects(notReady));
  if (ready === "Unknown") taints.push(...bothEffects(unreachable));
  for (const { type, status } of node.status?.conditions ?? []) {
    const key = pressureTaints[type];
    if (key && status === "True") taints.push({ key, effect: "NoSchedule" });
  }
  if (node.spec?.unschedulable) taints.push({ key: unschedulable, effect: "NoSchedule" });
  return taints;
}

function bothEffects(key: string): Taint[] {
  return [
    { key, effect: "NoSchedule" },
    { key, effect: "NoExecute" },
  ];
}

function sameSet(a: readonly Taint[], b: readonly Taint[]): boolean {
  return a.length === b.length && a.every((taint) => b.some((other) => equal(taint, other)));
}
