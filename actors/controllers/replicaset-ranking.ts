/**
 * Which pods go first when a ReplicaSet has too many, as k8s:pkg/controller/controller_utils.go
 * `ActivePodsWithRanks` orders them.
 */

import type { Pod } from "../../manifests/index.ts";
import { parseTime } from "../kit/time.ts";
import { isActive, isReady, readyCondition } from "./pods.ts";

const deletionCostAnnotation = "controller.kubernetes.io/pod-deletion-cost";
const phaseOrder: Record<string, number> = { Pending: 0, Unknown: 1, Running: 2 };

interface Ranked {
  pod: Pod;
  /** Active related pods on the same node: the more, the less one of them is missed. */
  neighbours: number;
}

type Comparison = (a: Ranked, b: Ranked, now: number) => number;

/** `related`: all pods of the ReplicaSets with the same owner. */
export function rankForDeletion(pods: readonly Pod[], related: readonly Pod[], now: number): Pod[] {
  const onNode = new Map<string, number>();
  for (const pod of related) {
    const node = pod.spec.nodeName;
    if (node && isActive(pod)) onNode.set(node, (onNode.get(node) ?? 0) + 1);
  }
  return pods
    .map((pod) => ({ pod, neighbours: onNode.get(pod.spec.nodeName ?? "") ?? 0 }))
    .sort((a, b) => compare(a, b, now))
    .map(({ pod }) => pod);
}

const comparisons: readonly Comparison[] = [
  // Unassigned, then pending, then not ready: what serves least goes first.
  (a, b) => Number(Boolean(a.pod.spec.nodeName)) - Number(Boolean(b.pod.spec.nodeName)),
  (a, b) => phase(a) - phase(b),
  (a, b) => Number(isReady(a.pod)) - Number(isReady(b.pod)),
  (a, b) => deletionCost(a.pod) - deletionCost(b.pod),
  (a, b) => b.neighbours - a.neighbours,
  (a, b, now) =>
    isReady(a.pod) && isReady(b.pod) ? byAge(readySince(a.pod), readySince(b.pod), now) : 0,
  (a, b) => restarts(b.pod) - restarts(a.pod),
  (a, b, now) => byAge(createdAt(a.pod), createdAt(b.pod), now),
  (a, b) => (uid(a) < uid(b) ? -1 : Number(uid(a) > uid(b))),
];

function compare(a: Ranked, b: Ranked, now: number): number {
  for (const comparison of comparisons) {
    const order = comparison(a, b, now);
    if (order !== 0) return order;
  }
  return 0;
}

/**
 * The younger first, but only by orders of magnitude: of pods about equally old any may go, so
 * that scaling up and down again does not always spare the same zone.
 */
function byAge(a: number | undefined, b: number | undefined, now: number): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
  return magnitude(now - a) - magnitude(now - b);
}

function magnitude(ageMs: number): number {
  return ageMs <= 0 ? -1 : Math.floor(Math.log2(ageMs * 1e6));
}

function phase({ pod }: Ranked): number {
  return phaseOrder[pod.status?.phase ?? "Pending"] ?? 0;
}

function deletionCost({ metadata }: Pod): number {
  return Number.parseInt(metadata.annotations?.[deletionCostAnnotation] ?? "0", 10) || 0;
}

function readySince(pod: Pod): number | undefined {
  return parseTime(readyCondition(pod)?.lastTransitionTime);
}

function createdAt({ metadata }: Pod): number | undefined {
  return parseTime(metadata.creationTimestamp);
}

function restarts({ status }: Pod): number {
  return Math.max(0, ...(status?.containerStatuses ?? []).map(({ restartCount }) => restartCount));
}

function uid({ pod }: Ranked): string {
  return pod.metadata.uid ?? "";
}
