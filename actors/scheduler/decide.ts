/**
 * How a pod's node is found: filter, score, pick. After k8s:pkg/scheduler/schedule_one.go.
 * Computation only: the shard acts on the decision.
 */

import type { Random } from "../../runtime/random.ts";
import type { ClusterEvent, Plugin, Target } from "./framework.ts";
import type { NodeTable } from "./node-table.ts";
import { plugins as allPlugins } from "./plugins/index.ts";
import type { PodInfo } from "./pod-info.ts";

export type Decision =
  | { type: "node"; node: string }
  | { type: "unschedulable"; message: string; rejectedBy: ReadonlySet<string> };

/** Picks the best of the nodes that fit; among equals at random, so that shards seldom collide. */
export function decide(
  pod: PodInfo,
  table: NodeTable,
  random: Random,
  plugins: readonly Plugin[] = allPlugins,
): Decision {
  if (table.size === 0) {
    const message = "no nodes available to schedule pods";
    return { type: "unschedulable", message, rejectedBy: new Set(["NodeName"]) };
  }
  for (const plugin of plugins) {
    const reason = plugin.refuse?.(pod);
    if (reason === undefined) continue;
    const message = `0/${table.size} nodes are available: ${reason}.`;
    return { type: "unschedulable", message, rejectedBy: new Set([plugin.name]) };
  }
  const { feasible, reasons, rejectedBy } = filter(pod, table, plugins);
  if (feasible.length === 0)
    return { type: "unschedulable", message: explain(table.size, reasons), rejectedBy };
  const [only] = feasible;
  const best = feasible.length === 1 && only ? only : pick(pod, feasible, random, plugins);
  return { type: "node", node: best.node.name };
}

interface Filtered {
  feasible: Target[];
  /** How many nodes gave each reason. */
  reasons: Map<string, number>;
  rejectedBy: Set<string>;
}

function filter(pod: PodInfo, table: NodeTable, plugins: readonly Plugin[]): Filtered {
  const active = plugins.filter((plugin) => plugin.filter && plugin.needsFilter?.(pod) !== false);
  const found: Filtered = { feasible: [], reasons: new Map(), rejectedBy: new Set() };
  for (let row = 0; row < table.rows; row++) {
    const node = table.node(row);
    if (node === undefined) continue;
    const target = { table, row, node };
    // The first plugin that refuses speaks for the node, as upstream.
    const refused = active.some((plugin) => {
      const against = plugin.filter?.(pod, target);
      if (against === undefined) return false;
      found.rejectedBy.add(plugin.name);
      for (const reason of against) found.reasons.set(reason, (found.reasons.get(reason) ?? 0) + 1);
      return true;
    });
    if (!refused) found.feasible.push(target);
  }
  return found;
}

function pick(
  pod: PodInfo,
  feasible: readonly Target[],
  random: Random,
  plugins: readonly Plugin[],
): Target {
  const totals = new Float64Array(feasible.length);
  for (const { score: scorer } of plugins) {
    if (scorer === undefined || scorer.applies?.(pod) === false) continue;
    const scores = Float64Array.from(feasible, (target) => scorer.score(pod, target));
    scorer.normalize?.(scores);
    for (let at = 0; at < totals.length; at++)
      totals[at] = (totals[at] ?? 0) + (scores[at] ?? 0) * scorer.weight;
  }
  const highest = Math.max(...totals);
  const best = feasible.filter((_, at) => totals[at] === highest);
  return best[random.int(best.length)] as Target;
}

/**
 * The message of condition and event: `0/3 nodes are available: 1 Insufficient cpu, 2 …`.
 *
 * Differs from Kubernetes: no `preemption: …` follows, because nothing tried to preempt.
 */
export function explain(nodes: number, reasons: ReadonlyMap<string, number>): string {
  const counted = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort();
  return `0/${nodes} nodes are available: ${counted.join(", ")}.`;
}

/** For the queue: does any of the plugins that refused a pod hope for this event? */
export function helps(
  rejectedBy: ReadonlySet<string>,
  event: ClusterEvent,
  plugins: readonly Plugin[] = allPlugins,
): boolean {
  return plugins.some(({ name, helpedBy }) => rejectedBy.has(name) && helpedBy.includes(event));
}
