/** What a scheduling plugin is; after k8s:pkg/scheduler/framework/interface.go. */

import type { NodeInfo } from "./node-info.ts";
import type { NodeTable } from "./node-table.ts";
import type { PodInfo } from "./pod-info.ts";

/** What may happen in a cluster that helps a pod for which no node was good enough. */
export type ClusterEvent =
  | "node-added"
  | "node-allocatable"
  | "node-labels"
  | "node-taints"
  /** A pod that held resources or ports of a node has gone, ended or shrunk. */
  | "pod-freed";

/** One file each in `plugins/`, under the name of the upstream plugin. */
export interface Plugin {
  readonly name: string;
  /** The events after which a pod that this plugin refused is worth another try. */
  readonly helpedBy: readonly ClusterEvent[];
  /** Refuses the pod whatever the node, with the reason. */
  refuse?(pod: PodInfo): string | undefined;
  /** False spares the filter the whole loop over nodes for this pod. */
  needsFilter?(pod: PodInfo): boolean;
  /** The reasons against this node, in the words of upstream; undefined: it fits. */
  filter?(pod: PodInfo, target: Target): readonly string[] | undefined;
  readonly score?: Scorer;
}

export interface Scorer {
  readonly weight: number;
  /** False: the same for every node, so do not ask. */
  applies?(pod: PodInfo): boolean;
  /** 0 to 100 after `normalize`, which is absent when `score` gives that already. */
  score(pod: PodInfo, target: Target): number;
  normalize?(scores: Float64Array): void;
}

/** A node that a plugin looks at: the columns, the row, and what is not a number. */
export interface Target {
  readonly table: NodeTable;
  readonly row: number;
  readonly node: NodeInfo;
}

/** The highest becomes 100 and the rest in proportion; `reverse` makes the lowest the best. */
export function normalizeToHundred(scores: Float64Array, reverse: boolean): void {
  const highest = Math.max(...scores);
  for (let at = 0; at < scores.length; at++) {
    const share = highest === 0 ? 0 : Math.floor(((scores[at] ?? 0) * 100) / highest);
    scores[at] = reverse ? 100 - share : share;
  }
}
