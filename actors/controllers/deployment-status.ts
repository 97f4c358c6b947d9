/**
 * What a Deployment says about itself, as `kubectl rollout status` reads it
 * (k8s:pkg/controller/deployment/progress.go, sync.go). Pure.
 */

import type {
  Deployment,
  DeploymentCondition,
  DeploymentStatus,
  ReplicaSet,
} from "../../manifests/index.ts";
import { formatTime, parseTime } from "../kit/time.ts";
import { availableOf, maxUnavailable, replicasOf, sum } from "./deployment-replicas.ts";
import { setCondition } from "./status.ts";

export interface Progress {
  status: "True" | "False" | "Unknown";
  reason: string;
  message: string;
}

const progressing = "Progressing";
const timedOut = "ProgressDeadlineExceeded";
const complete = "NewReplicaSetAvailable";

export function conditionOf(status: DeploymentStatus | undefined, type: string) {
  return status?.conditions?.find((condition) => condition.type === type);
}

export function hasProgressDeadline({ spec }: Deployment): boolean {
  const seconds = spec.progressDeadlineSeconds;
  return seconds !== undefined && seconds !== 2 ** 31 - 1;
}

export function withCondition(
  conditions: readonly DeploymentCondition[],
  type: string,
  { status, reason, message }: Progress,
  now: number,
): DeploymentCondition[] {
  const time = formatTime(now);
  const times = { lastUpdateTime: time, lastTransitionTime: time };
  return setCondition(conditions, { type, status, ...times, reason, message });
}

/** Counts and the Available condition. */
export function computeCounts(
  deployment: Deployment,
  newest: ReplicaSet | undefined,
  all: readonly ReplicaSet[],
  now: number,
): DeploymentStatus {
  const { status } = deployment;
  const available = sum(all, availableOf);
  const enough = available >= replicasOf(deployment) - maxUnavailable(deployment);
  const availability: Progress = enough
    ? {
        status: "True",
        reason: "MinimumReplicasAvailable",
        message: "Deployment has minimum availability.",
      }
    : {
        status: "False",
        reason: "MinimumReplicasUnavailable",
        message: "Deployment does not have minimum availability.",
      };
  return {
    observedGeneration: deployment.metadata.generation,
    replicas: sum(all, (set) => set.status?.replicas ?? 0),
    updatedReplicas: newest?.status?.replicas ?? 0,
    readyReplicas: sum(all, (set) => set.status?.readyReplicas ?? 0),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, sum(all, replicasOf) - available),
    collisionCount: status?.collisionCount,
    conditions: withCondition(status?.conditions ?? [], "Available", availability, now),
  };
}

/** Counts, the Available condition, and how the rollout is getting on. */
export function computeRolloutStatus(
  deployment: Deployment,
  newest: ReplicaSet | undefined,
  all: readonly ReplicaSet[],
  now: number,
): DeploymentStatus {
  const next = computeCounts(deployment, newest, all, now);
  let conditions = next.conditions ?? [];
  if (!hasProgressDeadline(deployment)) conditions = without(conditions, progressing);
  else conditions = progressConditions(deployment, newest, { ...next, conditions }, now);
  const failure = replicaFailure(newest, all);
  conditions = without(conditions, "ReplicaFailure");
  if (failure) conditions = [...conditions, failure];
  return { ...next, conditions };
}

function progressConditions(
  deployment: Deployment,
  newest: ReplicaSet | undefined,
  next: DeploymentStatus,
  now: number,
): DeploymentCondition[] {
  const conditions = next.conditions ?? [];
  const current = conditionOf(deployment.status, progressing);
  // A finished rollout stays finished while pods come and go.
  if (next.replicas === next.updatedReplicas && current?.reason === complete) return conditions;
  const who = newest
    ? `ReplicaSet "${newest.metadata.name}"`
    : `Deployment "${deployment.metadata.name}"`;
  if (isComplete(deployment, next)) {
    const message = `${who} has successfully progressed.`;
    return withCondition(
      conditions,
      progressing,
      { status: "True", reason: complete, message },
      now,
    );
  }
  if (isProgressing(deployment, next)) {
    // Replaced even if it says the same, because the deadline runs from its last update.
    const since = current?.status === "True" ? current.lastTransitionTime : undefined;
    const time = formatTime(now);
    const condition: DeploymentCondition = {
      type: progressing,
      status: "True",
      lastUpdateTime: time,
      lastTransitionTime: since ?? time,
      reason: "ReplicaSetUpdated",
      message: `${who} is progressing.`,
    };
    return [...without(conditions, progressing), condition];
  }
  if (isTimedOut(deployment, next, now)) {
    const message = `${who} has timed out progressing.`;
    return withCondition(
      conditions,
      progressing,
      { status: "False", reason: timedOut, message },
      now,
    );
  }
  return conditions;
}

export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const wanted = replicasOf(deployment);
  return (
    (status.updatedReplicas ?? 0) === wanted &&
    (status.replicas ?? 0) === wanted &&
    (status.availableReplicas ?? 0) === wanted &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

function isProgressing({ status: before = {} }: Deployment, after: DeploymentStatus): boolean {
  const oldReplicas = (of: DeploymentStatus) => (of.replicas ?? 0) - (of.updatedReplicas ?? 0);
  return (
    (after.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    oldReplicas(after) < oldReplicas(before) ||
    (after.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (after.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}

function isTimedOut(deployment: Deployment, status: DeploymentStatus, now: number): boolean {
  const condition = conditionOf(status, progressing);
  if (!condition || condition.reason === complete) return false;
  if (condition.reason === timedOut) return true;
  return now > deadlineOf(deployment, condition);
}

/** Milliseconds until the rollout counts as stuck, if it is under way. */
export function deadlineInMs(
  deployment: Deployment,
  status: DeploymentStatus,
  now: number,
): number | undefined {
  const condition = conditionOf(status, progressing);
  if (!hasProgressDeadline(deployment) || !condition) return undefined;
  if (isComplete(deployment, status) || condition.reason === timedOut) return undefined;
  // One second more: the time written down has no fractions.
  return Math.max(0, deadlineOf(deployment, condition) - now) + 1_000;
}

function deadlineOf({ spec }: Deployment, { lastUpdateTime }: DeploymentCondition): number {
  return (parseTime(lastUpdateTime) ?? 0) + (spec.progressDeadlineSeconds ?? 0) * 1_000;
}

/** The newest's own failure first. */
function replicaFailure(
  newest: ReplicaSet | undefined,
  all: readonly ReplicaSet[],
): DeploymentCondition | undefined {
  for (const set of newest ? [newest, ...all] : all) {
    const failure = set.status?.conditions?.find(({ type }) => type === "ReplicaFailure");
    if (failure) return { ...failure, lastUpdateTime: failure.lastTransitionTime };
  }
  return undefined;
}

/** A pause stops the clock of the deadline; what it says changes only with it. */
export function pauseProgress(deployment: Deployment): Progress | undefined {
  const current = conditionOf(deployment.status, progressing);
  if (!hasProgressDeadline(deployment) || current?.reason === timedOut) return undefined;
  const known = current?.reason === "DeploymentPaused";
  if (deployment.spec.paused && !known) {
    return { status: "Unknown", reason: "DeploymentPaused", message: "Deployment is paused" };
  }
  if (!deployment.spec.paused && known) {
    return { status: "Unknown", reason: "DeploymentResumed", message: "Deployment is resumed" };
  }
  return undefined;
}

function without(conditions: readonly DeploymentCondition[], type: string): DeploymentCondition[] {
  return conditions.filter((condition) => condition.type !== type);
}
