/** NodeAffinity: spec.nodeSelector and required terms must match; preferred terms add weight. */

import {
  matchesNodeSelector,
  matchesNodeSelectorTerm,
} from "../../../manifests/kinds/node-selector.ts";
import { normalizeToHundred, type Plugin } from "../framework.ts";
import type { NodeInfo } from "../node-info.ts";
import type { PodInfo } from "../pod-info.ts";

export const nodeAffinity: Plugin = {
  name: "NodeAffinity",
  helpedBy: ["node-added", "node-labels"],
  needsFilter: (pod) => pod.nodeSelector !== undefined || required(pod) !== undefined,
  filter: (pod, { node }) =>
    selects(pod, node) ? undefined : ["node(s) didn't match Pod's node affinity/selector"],
  score: {
    weight: 2,
    applies: (pod) => preferred(pod).length > 0,
    score: (pod, { node }) =>
      preferred(pod)
        .filter(({ preference }) => matchesNodeSelectorTerm(preference, node))
        .reduce((sum, { weight }) => sum + weight, 0),
    normalize: (scores) => normalizeToHundred(scores, false),
  },
};

function selects(pod: PodInfo, node: NodeInfo): boolean {
  for (const [key, value] of Object.entries(pod.nodeSelector ?? {}))
    if (node.labels[key] !== value) return false;
  const selector = required(pod);
  return selector === undefined || matchesNodeSelector(selector, node);
}

function required(pod: PodInfo) {
  return pod.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
}

function preferred(pod: PodInfo) {
  return pod.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
}
