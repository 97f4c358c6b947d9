/** NodePorts: two pods of one node cannot have the same host port on overlapping addresses. */

import type { Plugin, Target } from "../framework.ts";
import type { HostPort, PodInfo } from "../pod-info.ts";

export const nodePorts: Plugin = {
  name: "NodePorts",
  helpedBy: ["node-added", "pod-freed"],
  needsFilter: (pod) => pod.hostPorts.length > 0,
  filter: takenPorts,
};

/** Also what the ledger judges by. */
export function takenPorts(
  pod: PodInfo,
  { table, row }: Pick<Target, "table" | "row">,
): string[] | undefined {
  const held = table.hostPorts(row);
  const clash = pod.hostPorts.some((wanted) => held.some((other) => overlap(wanted, other)));
  return clash ? ["node(s) didn't have free ports for the requested pod ports"] : undefined;
}

function overlap(a: HostPort, b: HostPort): boolean {
  if (a.port !== b.port || a.protocol !== b.protocol) return false;
  return a.ip === b.ip || a.ip === anyAddress || b.ip === anyAddress;
}

const anyAddress = "0.0.0.0";
