/** What scheduling looks at in a Node, and what a change of it may mean for pods that wait. */

import equal from "fast-deep-equal/es6/index.js";
import { resourceAmounts } from "../../manifests/kinds/pod-requests.ts";
import type { Node, Taint } from "../../manifests/schema/types.generated.ts";
import type { ClusterEvent } from "./framework.ts";

export interface NodeInfo {
  name: string;
  labels: Readonly<Record<string, string>>;
  taints: readonly Taint[];
  unschedulable: boolean;
  /** By resource name: millicores for cpu, whole units for all others. */
  allocatable: ReadonlyMap<string, number>;
}

export function computeNodeInfo({ metadata, spec, status }: Node): NodeInfo {
  return {
    name: metadata.name ?? "",
    labels: metadata.labels ?? {},
    taints: spec.taints ?? [],
    unschedulable: spec.unschedulable ?? false,
    allocatable: resourceAmounts(status?.allocatable ?? status?.capacity),
  };
}

/** Heartbeats change nothing here, so that they wake nobody. */
export function nodeEvents(before: NodeInfo | undefined, after: NodeInfo): ClusterEvent[] {
  if (before === undefined) return ["node-added"];
  const events: ClusterEvent[] = [];
  if (!equal(before.allocatable, after.allocatable)) events.push("node-allocatable");
  if (!equal(before.labels, after.labels)) events.push("node-labels");
  const tainted = !equal(before.taints, after.taints);
  if (tainted || before.unschedulable !== after.unschedulable) events.push("node-taints");
  return events;
}
