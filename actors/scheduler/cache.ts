/**
 * What is on which node: pods that the API shows there, and pods that are on their way.
 *
 * A pod is assumed on its node when it is decided, before anybody confirms it, so that the next
 * decision counts it. It is then confirmed (the informer shows it there), moved (it shows it
 * elsewhere: another scheduler was quicker) or forgotten (the bind failed). By uid: a pod that was
 * deleted and made again under its name is another pod. After k8s:pkg/scheduler/backend/cache.
 *
 * Both a shard and the ledger keep one; only the ledger's decides.
 */

import { assert } from "../../runtime/errors.ts";
import { NodeTable } from "./node-table.ts";
import type { PodInfo } from "./pod-info.ts";

interface Placed {
  pod: PodInfo;
  node: string;
  assumed: boolean;
}

export class SchedulerCache {
  readonly table = new NodeTable();
  readonly #placed = new Map<string, Placed>();

  /** Where the pod counts now. */
  nodeOf(uid: string): string | undefined {
    return this.#placed.get(uid)?.node;
  }

  isAssumed(uid: string): boolean {
    return this.#placed.get(uid)?.assumed ?? false;
  }

  assume(pod: PodInfo, node: string): void {
    assert(!this.#placed.has(pod.uid), `Pod ${pod.key} is on a node already`);
    this.#place({ pod, node, assumed: true });
  }

  /** Undoes `assume`; a pod that was confirmed meanwhile stays. */
  forget(uid: string): void {
    if (this.isAssumed(uid)) this.#remove(uid);
  }

  /**
   * The API shows this pod on a node. Says whether it takes less than was counted before, which
   * is news for pods that wait.
   */
  confirm(pod: PodInfo): boolean {
    assert(pod.nodeName !== "", `Pod ${pod.key} is on no node`);
    const before = this.#placed.get(pod.uid);
    if (pod.terminal) return this.#remove(pod.uid);
    if (before !== undefined && !before.assumed && before.node === pod.nodeName) {
      if (sameDemand(before.pod, pod)) return false;
    }
    this.#remove(pod.uid);
    this.#place({ pod, node: pod.nodeName, assumed: false });
    return before !== undefined && (before.node !== pod.nodeName || asksLess(pod, before.pod));
  }

  /** The pod is gone. Says whether it counted. */
  remove(uid: string): boolean {
    return this.#remove(uid);
  }

  *assumedPods(): Iterable<{ pod: PodInfo; node: string }> {
    for (const { pod, node, assumed } of this.#placed.values()) if (assumed) yield { pod, node };
  }

  #place(placed: Placed): void {
    this.#placed.set(placed.pod.uid, placed);
    this.table.addPod(placed.pod, placed.node);
  }

  #remove(uid: string): boolean {
    const placed = this.#placed.get(uid);
    if (placed === undefined) return false;
    this.#placed.delete(uid);
    this.table.removePod(placed.pod, placed.node);
    return true;
  }
}

/** A pod's demand seldom changes (a resize), its status often: the rule that spares the columns. */
function sameDemand(a: PodInfo, b: PodInfo): boolean {
  if (a.requests.size !== b.requests.size) return false;
  for (const [resource, quantity] of a.requests)
    if (b.requests.get(resource) !== quantity) return false;
  return true;
}

function asksLess(now: PodInfo, before: PodInfo): boolean {
  for (const [resource, quantity] of before.requests)
    if ((now.requests.get(resource) ?? 0) < quantity) return true;
  return false;
}
