/** NodeResourcesFit: what the pod requests must be left on the node; scores by LeastAllocated. */

import type { Plugin, Target } from "../framework.ts";
import { unstatedRequests } from "../node-table.ts";
import type { PodInfo } from "../pod-info.ts";

export const nodeResourcesFit: Plugin = {
  name: "NodeResourcesFit",
  helpedBy: ["node-added", "node-allocatable", "pod-freed"],
  filter: insufficientResources,
  score: { weight: 1, score: leastAllocated },
};

/** Also what the ledger judges by. */
export function insufficientResources(
  pod: PodInfo,
  { table, row }: Pick<Target, "table" | "row">,
): string[] | undefined {
  const reasons: string[] = [];
  if (table.podCount(row) + 1 > table.allocatable(row, "pods")) reasons.push("Too many pods");
  for (const [resource, quantity] of pod.requests) {
    // A request of nothing fits even where more is used than there is.
    if (quantity === 0) continue;
    if (table.requested(row, resource) + quantity > table.allocatable(row, resource))
      reasons.push(`Insufficient ${resource}`);
  }
  return reasons.length > 0 ? reasons : undefined;
}

function leastAllocated(pod: PodInfo, { table, row }: Target): number {
  let total = 0;
  for (const resource of ["cpu", "memory"] as const) {
    const allocatable = table.allocatable(row, resource);
    const used = table.scored(row, resource) + scoredRequest(pod, resource);
    if (allocatable > 0 && used <= allocatable)
      total += Math.floor(((allocatable - used) * 100) / allocatable);
  }
  return Math.floor(total / 2);
}

export function scoredRequest(pod: PodInfo, resource: "cpu" | "memory"): number {
  return pod.requests.get(resource) || unstatedRequests[resource];
}
