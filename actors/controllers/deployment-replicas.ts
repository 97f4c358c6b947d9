/**
 * How many replicas each ReplicaSet of a Deployment should have next
 * (k8s:pkg/controller/deployment/{rolling,recreate,sync}.go). Pure: a table of numbers in, out.
 */

import type { Deployment, ReplicaSet } from "../../manifests/index.ts";
import { byCreation, desiredAnnotation, maxAnnotation } from "./deployment-revision.ts";

export interface Scale {
  set: ReplicaSet;
  replicas: number;
}

export function replicasOf({ spec }: Deployment | ReplicaSet): number {
  return spec.replicas ?? 1;
}

export function isRecreate({ spec }: Deployment): boolean {
  return spec.strategy?.type === "Recreate";
}

export function maxSurge(deployment: Deployment): number {
  return isRecreate(deployment) ? 0 : fences(deployment).surge;
}

export function maxUnavailable(deployment: Deployment): number {
  const replicas = replicasOf(deployment);
  if (isRecreate(deployment) || replicas === 0) return 0;
  return Math.min(fences(deployment).unavailable, replicas);
}

/** Percentages round up for surge and down for unavailable; one of them must let something move. */
function fences(deployment: Deployment): { surge: number; unavailable: number } {
  const { maxSurge: up = "25%", maxUnavailable: down = "25%" } =
    deployment.spec.strategy?.rollingUpdate ?? {};
  const surge = resolve(up, replicasOf(deployment), Math.ceil);
  const unavailable = resolve(down, replicasOf(deployment), Math.floor);
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}

function resolve(value: number | string, total: number, round: (x: number) => number): number {
  if (typeof value === "number") return value;
  return round((Number.parseInt(value, 10) * total) / 100);
}

/** How many the newest may have now without more than replicas + maxSurge in all. */
export function newestReplicas(deployment: Deployment, newest: number, total: number): number {
  const wanted = replicasOf(deployment);
  if (isRecreate(deployment)) return wanted;
  const room = wanted + maxSurge(deployment) - total;
  return room <= 0 ? newest : newest + Math.min(room, wanted - newest);
}

/** The next step of a rolling update: up with the new one, or else down with the old ones. */
export function computeRollingUpdate(
  deployment: Deployment,
  newest: ReplicaSet,
  old: readonly ReplicaSet[],
): Scale[] {
  const wanted = replicasOf(deployment);
  const total = sum([newest, ...old], replicasOf);
  const current = replicasOf(newest);
  const next = current > wanted ? wanted : newestReplicas(deployment, current, total);
  if (next !== current) return [{ set: newest, replicas: next }];
  return computeScaleDown(deployment, newest, old);
}

/**
 * Pods of old ReplicaSets that may go while the minimum stays available: first those that are not
 * available anyway, which would otherwise block the rollout for ever.
 */
function computeScaleDown(
  deployment: Deployment,
  newest: ReplicaSet,
  old: readonly ReplicaSet[],
): Scale[] {
  const minAvailable = replicasOf(deployment) - maxUnavailable(deployment);
  const newestUnavailable = replicasOf(newest) - keptAvailable(newest);
  const total = sum([newest, ...old], replicasOf);
  const left = new Map(byCreation(old).map((set) => [set, replicasOf(set)]));

  let unhealthy = total - minAvailable - newestUnavailable;
  if (unhealthy <= 0) return [];
  for (const [set, replicas] of left) {
    const count = Math.min(unhealthy, Math.max(0, replicas - keptAvailable(set)));
    unhealthy -= count;
    left.set(set, replicas - count);
  }

  let healthy = sum([newest, ...old], keptAvailable) - minAvailable;
  for (const [set, replicas] of left) {
    const count = Math.max(0, Math.min(healthy, replicas));
    healthy -= count;
    left.set(set, replicas - count);
  }
  return changed(left);
}

/** Recreate: everything old goes first. */
export function computeScaleToZero(old: readonly ReplicaSet[]): Scale[] {
  return changed(new Map(old.map((set) => [set, 0])));
}

/**
 * What a changed spec.replicas means outside of a rollout's steps: the only one follows; a rollout
 * that is complete drops what is left of the old; one under way is scaled in proportion.
 */
export function computeScaling(
  deployment: Deployment,
  newest: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): Scale[] {
  const wanted = replicasOf(deployment);
  const all = newest ? [...old, newest] : [...old];
  const active = all.filter((set) => replicasOf(set) > 0);
  const only = active.length > 1 ? undefined : (active[0] ?? newest ?? byCreation(old).at(-1));
  if (only) return [{ set: only, replicas: wanted }];
  if (newest && isSaturated(deployment, newest)) return computeScaleToZero(old);
  if (isRecreate(deployment)) return [];
  return computeProportions(deployment, active);
}

function isSaturated(deployment: Deployment, set: ReplicaSet): boolean {
  const wanted = replicasOf(deployment);
  return (
    replicasOf(set) === wanted &&
    Number(set.metadata.annotations?.[desiredAnnotation]) === wanted &&
    availableOf(set) === wanted
  );
}

function computeProportions(deployment: Deployment, active: readonly ReplicaSet[]): Scale[] {
  const wanted = replicasOf(deployment);
  const allowed = wanted > 0 ? wanted + maxSurge(deployment) : 0;
  const toAdd = allowed - sum(active, replicasOf);
  // The largest first; of equals the newest when growing, the oldest when shrinking.
  const oldestFirst = byCreation(active);
  const ordered = toAdd > 0 ? oldestFirst.reverse() : oldestFirst;
  ordered.sort((a, b) => replicasOf(b) - replicasOf(a));
  let added = 0;
  const scales = ordered.map((set) => {
    const share = proportion(deployment, set, toAdd - added);
    added += share;
    return { set, replicas: replicasOf(set) + share };
  });
  // What rounding left over goes to the largest.
  const [largest] = scales;
  if (largest) largest.replicas = Math.max(0, largest.replicas + toAdd - added);
  return scales;
}

function proportion(deployment: Deployment, set: ReplicaSet, allowed: number): number {
  const current = replicasOf(set);
  if (current === 0 || allowed === 0) return 0;
  const share = fraction(deployment, set, current);
  return allowed > 0 ? Math.min(share, allowed) : Math.max(share, allowed);
}

function fraction(deployment: Deployment, set: ReplicaSet, current: number): number {
  const wanted = replicasOf(deployment);
  if (wanted === 0) return -current;
  const before =
    Number(set.metadata.annotations?.[maxAnnotation]) || deployment.status?.replicas || 0;
  if (before === 0) return 0;
  return Math.round((current * (wanted + maxSurge(deployment))) / before) - current;
}

export function availableOf({ status }: ReplicaSet): number {
  return status?.availableReplicas ?? 0;
}

/**
 * Those that will stay. A create whose answer was lost may leave a ReplicaSet with a pod too many:
 * it is available, and about to go.
 *
 * Differs from Kubernetes: there it counts, and the rollout may take an old pod away for it.
 */
function keptAvailable(set: ReplicaSet): number {
  return Math.min(availableOf(set), replicasOf(set));
}

export function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

function changed(wanted: ReadonlyMap<ReplicaSet, number>): Scale[] {
  return [...wanted]
    .filter(([set, replicas]) => replicas !== replicasOf(set))
    .map(([set, replicas]) => ({ set, replicas }));
}
