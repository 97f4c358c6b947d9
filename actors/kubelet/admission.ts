/**
 * Whether a node takes a pod that the scheduler, or whoever set nodeName, has given it. Pure. The
 * kubelet has the last word; reasons and messages as k8s:pkg/kubelet/lifecycle/predicate.go has.
 */

import type { Node, Pod } from "../../manifests/index.ts";
import { matchesNodeSelector } from "../../manifests/kinds/node-selector.ts";
import { podRequests, resourceAmounts } from "../../manifests/kinds/pod-requests.ts";
import { isEnded } from "./actions.ts";

export interface Rejection {
  reason: string;
  message: string;
}

/** `admitted`: the pods that this node runs already. */
export function rejectPod(pod: Pod, node: Node, admitted: readonly Pod[]): Rejection | undefined {
  const { labels = {}, name } = node.metadata;
  if (!matchesNode(pod, { name, labels })) {
    return reject(
      "NodeAffinity",
      "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    );
  }
  const others = admitted.filter((other) => other !== pod && !isEnded(other));
  const allocatable = resourceAmounts(node.status?.allocatable);
  const most = allocatable.get("pods");
  if (most !== undefined && others.length + 1 > most) {
    return tooMuch("pods", 1, others.length, most);
  }
  for (const [resource, requested] of podRequests(pod)) {
    if (requested === 0) continue;
    const capacity = allocatable.get(resource) ?? 0;
    const used = others.reduce((sum, other) => sum + (podRequests(other).get(resource) ?? 0), 0);
    if (used + requested > capacity) return tooMuch(resource, requested, used, capacity);
  }
  return undefined;
}

function matchesNode(
  { spec }: Pod,
  node: { name: string; labels: Readonly<Record<string, string>> },
): boolean {
  const wanted = Object.entries(spec.nodeSelector ?? {});
  if (!wanted.every(([key, value]) => node.labels[key] === value)) return false;
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return !required || matchesNodeSelector(required, node);
}

function tooMuch(resource: string, requested: number, used: number, capacity: number): Rejection {
  const amounts = `requested: ${requested}, used: ${used}, capacity: ${capacity}`;
  return reject(`OutOf${resource}`, `Node didn't have enough resource: ${resource}, ${amounts}`);
}

function reject(reason: string, message: string): Rejection {
  return { reason, message: `Pod was rejected: ${message}` };
}
