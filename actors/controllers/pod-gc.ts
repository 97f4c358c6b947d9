/**
 * Pod garbage collector: removes Pods that no kubelet will ever finish.
 *
 * Mailbox  reconcile(key)                  one key at a time, repeats of a key coalesce
 * Watches  core/pods, core/nodes (the pods bound to them)
 * Owns     since when a Pod's Node has been missing; forgotten on restart, which only delays
 * Writes   core/pods delete; core/pods/status patch
 * Fails    api away: repeated, 5 ms .. 16 min. Crash: restart and resync.
 * Scales   one owner (Lease `pod-gc`). A deposed one's writes are refused by its epoch.
 *
 * Differs from Kubernetes: finished Pods are not counted against a threshold.
 */

import { isNotFound } from "../../manifests/api-error.ts";
import { Node, Pod } from "../../manifests/index.ts";
import {
  defineController,
  type Outcome,
  type ReconcileContext,
  requeueAfter,
  watch,
} from "../kit/controller.ts";
import { type Key, keyOf } from "../kit/object.ts";
import { formatTime } from "../kit/time.ts";
import { del, status } from "../kit/writes.ts";
import { byNode, isFinished } from "./pods.ts";

/** A Node that went may be one that registers anew (k8s:pkg/controller/podgc `quarantineTime`). */
const quarantineMs = 40_000;

interface Missing {
  /** By pod, on the monotonic clock. */
  since: Map<Key, number>;
}

export const podGc = defineController<Missing>({
  name: "pod-gc",
  watches: [
    watch(Pod, {
      indexes: [byNode],
      matters: (before, after) =>
        before.spec.nodeName !== after.spec.nodeName ||
        before.metadata.deletionTimestamp !== after.metadata.deletionTimestamp,
    }),
    watch(Node, {
      keysOf: ({ metadata }, { lister }) => lister(Pod).by(byNode, metadata.name).map(keyOf),
      matters: () => false,
    }),
  ],
  writes: [del(Pod), status(Pod)],
  state: () => ({ since: new Map() }),
  async reconcile(key, ctx) {
    const pod = ctx.lister(Pod).get(key);
    const { nodeName } = pod?.spec ?? {};
    if (!pod || !nodeName || ctx.lister(Node).get(nodeName)) {
      ctx.state.since.delete(key);
      if (pod && !nodeName && pod.metadata.deletionTimestamp) await remove(pod, ctx);
      return;
    }
    return await collectOrphan(pod, nodeName, ctx);
  },
});

async function collectOrphan(
  pod: Pod,
  nodeName: string,
  ctx: ReconcileContext<Missing>,
): Promise<Outcome> {
  const { clock, state, api } = ctx;
  const key = keyOf(pod);
  const since = state.since.get(key) ?? clock.monotonic();
  state.since.set(key, since);
  const waitMs = since + quarantineMs - clock.monotonic();
  if (waitMs > 0) return requeueAfter(waitMs);
  if (await exists(nodeName, ctx)) return;
  if (!isFinished(pod.status?.phase)) {
    const condition = {
      type: "DisruptionTarget",
      status: "True",
      reason: "DeletionByPodGC",
      message: "PodGC: node no longer exists",
      lastTransitionTime: formatTime(clock.now()),
    };
    const change = {
      metadata: { uid: pod.metadata.uid },
      status: { phase: "Failed", conditions: [condition] },
    };
    await api.patch(Pod, key, change, { type: "strategic", subresource: "status" });
  }
  await remove(pod, ctx);
}

async function exists(nodeName: string, { api }: ReconcileContext<Missing>): Promise<boolean> {
  try {
    await api.get(Node, nodeName);
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

async function remove(pod: Pod, { api }: ReconcileContext<Missing>): Promise<void> {
  const { uid } = pod.metadata;
  await api.delete(Pod, keyOf(pod), { uid, gracePeriodSeconds: 0 }).catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
}
