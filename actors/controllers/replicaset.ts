/**
 * ReplicaSet controller: keeps each ReplicaSet at spec.replicas live Pods.
 *
 * Mailbox  reconcile(key)                  one key at a time, repeats of a key coalesce
 * Watches  apps/replicasets, core/pods (mapped to the owner's key, orphans to all that select them)
 * Owns     nothing that is not in the store
 * Writes   core/pods create+delete+patch; apps/replicasets/status update
 * Fails    conflict or api away: repeated, 5 ms .. 16 min. Crash: restart and resync, no state lost.
 * Scales   one owner (Lease `replicaset`). A deposed one's writes are refused by its epoch.
 */

import { isConflict, isNotFound } from "../../manifests/api-error.ts";
import {
  type KubeObject,
  Pod,
  ReplicaSet,
  type ReplicaSetCondition,
  type ReplicaSetStatus,
} from "../../manifests/index.ts";
import { selectsLabels } from "../../manifests/kinds/label-selector.ts";
import { errorMessage } from "../../runtime/errors.ts";
import { byOwner } from "../kit/cache.ts";
import {
  defineController,
  type Listers,
  type Outcome,
  type ReconcileContext,
  requeueAfter,
  toOwner,
  watch,
} from "../kit/controller.ts";
import { type Key, keyOf } from "../kit/object.ts";
import { formatTime } from "../kit/time.ts";
import { create, del, patch, status } from "../kit/writes.ts";
import { allSettled, slowStart } from "./batches.ts";
import { claim, controllerOf, controllerReference } from "./ownership.ts";
import { availableInMs, isActive, isReady } from "./pods.ts";
import { rankForDeletion } from "./replicaset-ranking.ts";
import { isNamespaceTerminating, sameStatus, setCondition } from "./status.ts";

/** Most pods made or deleted in one pass, as upstream's BurstReplicas. */
const burst = 500;

export const replicaset = defineController({
  name: "replicaset",
  watches: [watch(ReplicaSet), watch(Pod, { keysOf: replicaSetsOf })],
  writes: [create(Pod), del(Pod), patch(Pod), status(ReplicaSet)],
  options: { workers: 5 },
  async reconcile(key, ctx) {
    const set = ctx.lister(ReplicaSet).get(key);
    if (!set) return;
    const active = await claimPods(set, ctx);
    let failure: Failure | undefined;
    if (!set.metadata.deletionTimestamp) failure = await matchReplicas(set, active, ctx);
    await writeStatus(set, active, failure, ctx);
    if (failure) throw failure.cause;
    return requeueWhenAvailable(set, active, ctx);
  },
});

interface Failure {
  reason: "FailedCreate" | "FailedDelete";
  cause: unknown;
}

function replicaSetsOf(pod: Pod, { lister }: Listers): Key[] {
  if (controllerOf(pod)) return toOwner(ReplicaSet)(pod);
  return lister(ReplicaSet)
    .inNamespace(pod.metadata.namespace ?? "")
    .filter(({ spec }) => selectsLabels(spec.selector, pod.metadata.labels))
    .map(keyOf);
}

async function claimPods(set: ReplicaSet, { api, lister }: ReconcileContext): Promise<Pod[]> {
  const candidates = lister(Pod)
    .inNamespace(set.metadata.namespace ?? "")
    .filter(isActive);
  const { selector } = set.spec;
  return await claim(api, { ownerKind: ReplicaSet, owner: set, selector, kind: Pod, candidates });
}

/** One pass towards spec.replicas. A failure is a value, because the status must tell of it. */
async function matchReplicas(
  set: ReplicaSet,
  active: readonly Pod[],
  ctx: ReconcileContext,
): Promise<Failure | undefined> {
  const surplus = active.length - wantedReplicas(set);
  try {
    if (surplus < 0) await createPods(set, Math.min(-surplus, burst), ctx);
    else if (surplus > 0) await deletePods(set, active, Math.min(surplus, burst), ctx);
    return undefined;
  } catch (cause) {
    // Nothing can be made where everything is being deleted; the set itself will go too.
    if (isNamespaceTerminating(cause)) return undefined;
    return { reason: surplus < 0 ? "FailedCreate" : "FailedDelete", cause };
  }
}

async function createPods(set: ReplicaSet, count: number, ctx: ReconcileContext): Promise<void> {
  const pod = computePod(set);
  await slowStart(count, async () => {
    try {
      const { metadata } = await ctx.api.create(Pod, pod);
      ctx.events.normal(ReplicaSet, set, "SuccessfulCreate", `Created pod: ${metadata.name}`);
    } catch (error) {
      if (!isNamespaceTerminating(error)) {
        const message = `Error creating: ${errorMessage(error)}`;
        ctx.events.warning(ReplicaSet, set, "FailedCreate", message);
      }
      throw error;
    }
  });
}

async function deletePods(
  set: ReplicaSet,
  active: readonly Pod[],
  count: number,
  ctx: ReconcileContext,
): Promise<void> {
  const ranked = rankForDeletion(active, relatedPods(set, ctx), ctx.clock.now());
  await allSettled(
    ranked.slice(0, count).map(async (pod) => {
      const { name, uid } = pod.metadata;
      try {
        await ctx.api.delete(Pod, keyOf(pod), { uid });
        ctx.events.normal(ReplicaSet, set, "SuccessfulDelete", `Deleted pod: ${name}`);
      } catch (error) {
        if (isNotFound(error) || isConflict(error)) return;
        const message = `Error deleting: ${errorMessage(error)}`;
        ctx.events.warning(ReplicaSet, set, "FailedDelete", message);
        throw error;
      }
    }),
  );
}

/** Pods of all ReplicaSets of the same Deployment: during a rollout they spread together. */
function relatedPods(set: ReplicaSet, { lister }: ReconcileContext): Pod[] {
  const owner = controllerOf(set);
  const siblings = owner ? lister(ReplicaSet).by(byOwner, owner.uid) : [set];
  return siblings.flatMap(({ metadata }) => lister(Pod).by(byOwner, metadata.uid ?? ""));
}

function computePod(set: ReplicaSet): Pod {
  const { template } = set.spec;
  const { labels, annotations, finalizers } = template?.metadata ?? {};
  return {
    metadata: {
      name: "",
      generateName: `${set.metadata.name}-`,
      namespace: set.metadata.namespace,
      labels,
      annotations,
      finalizers,
      ownerReferences: [controllerReference(ReplicaSet, set)],
    },
    spec: template?.spec ?? { containers: [] },
  };
}

async function writeStatus(
  set: ReplicaSet,
  active: readonly Pod[],
  failure: Failure | undefined,
  { api, clock }: ReconcileContext,
): Promise<void> {
  const before = set.status ?? { replicas: 0 };
  const after = computeStatus(set, active, failure, clock.now());
  if (sameStatus(before, after)) return;
  await api.updateStatus(ReplicaSet, { ...set, status: after });
}

export function computeStatus(
  set: ReplicaSet,
  active: readonly Pod[],
  failure: Failure | undefined,
  now: number,
): ReplicaSetStatus {
  const { template, minReadySeconds = 0 } = set.spec;
  const labels = Object.entries(template?.metadata?.labels ?? {});
  const labeled = (pod: KubeObject) =>
    labels.every(([key, value]) => pod.metadata.labels?.[key] === value);
  const available = active.filter((pod) => availableInMs(pod, minReadySeconds, now) === 0);
  return {
    replicas: active.length,
    fullyLabeledReplicas: active.filter(labeled).length,
    readyReplicas: active.filter(isReady).length,
    availableReplicas: available.length,
    observedGeneration: set.metadata.generation,
    conditions: computeConditions(set.status?.conditions ?? [], failure, now),
  };
}

function computeConditions(
  before: readonly ReplicaSetCondition[],
  failure: Failure | undefined,
  now: number,
): ReplicaSetCondition[] {
  const others = before.filter(({ type }) => type !== "ReplicaFailure");
  if (!failure) return others;
  return setCondition(before, {
    type: "ReplicaFailure",
    status: "True",
    reason: failure.reason,
    message: errorMessage(failure.cause),
    lastTransitionTime: formatTime(now),
  });
}

/** A pod becomes available by time alone: nobody else will tell. */
function requeueWhenAvailable(
  set: ReplicaSet,
  active: readonly Pod[],
  { clock }: ReconcileContext,
): Outcome {
  const { minReadySeconds = 0 } = set.spec;
  const waits = active
    .map((pod) => availableInMs(pod, minReadySeconds, clock.now()) ?? 0)
    .filter((waitMs) => waitMs > 0);
  return waits.length > 0 ? requeueAfter(Math.min(...waits)) : undefined;
}

function wantedReplicas({ spec }: ReplicaSet): number {
  return spec.replicas ?? 1;
}
