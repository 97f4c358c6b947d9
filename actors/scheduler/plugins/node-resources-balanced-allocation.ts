/** NodeResourcesBalancedAllocation: prefers nodes whose cpu and memory are used alike. */

import type { Plugin, Target } from "../framework.ts";
import type { PodInfo } from "../pod-info.ts";

export const nodeResourcesBalancedAllocation: Plugin = {
  name: "NodeResourcesBalancedAllocation",
  helpedBy: [],
  score: {
    weight: 1,
    // A pod that requests nothing would only be drawn to where others are (upstream skips it too).
    applies: (pod) => (pod.requests.get("cpu") ?? 0) > 0 || (pod.requests.get("memory") ?? 0) > 0,
    score: balance,
  },
};

function balance(pod: PodInfo, target: Target): number {
  const deviation = Math.abs(share(pod, target, "cpu") - share(pod, target, "memory")) / 2;
  return Math.floor((1 - deviation) * 100);
}

function share(pod: PodInfo, { table, row }: Target, resource: "cpu" | "memory"): number {
  const allocatable = table.allocatable(row, resource);
  if (allocatable === 0) return 1;
  const used = table.requested(row, resource) + (pod.requests.get(resource) ?? 0);
  return Math.min(1, used / allocatable);
}
