/** What controllers ask of a Pod, in upstream's words (k8s:pkg/controller/controller_utils.go, pkg/api/v1/pod). */

import type { Pod, PodCondition } from "../../manifests/index.ts";
import { parseTime } from "../kit/time.ts";

/** Neither finished nor being deleted: it counts as a replica. */
export function isActive({ metadata, status }: Pod): boolean {
  return !isFinished(status?.phase) && !metadata.deletionTimestamp;
}

export function isFinished(phase: string | undefined): boolean {
  return phase === "Succeeded" || phase === "Failed";
}

export function readyCondition({ status }: Pod): PodCondition | undefined {
  return status?.conditions?.find(({ type }) => type === "Ready");
}

export function isReady(pod: Pod): boolean {
  return readyCondition(pod)?.status === "True";
}

/** Milliseconds until the pod is available, 0 when it is, undefined when it is not even ready. */
export function availableInMs(pod: Pod, minReadySeconds: number, now: number): number | undefined {
  if (!isReady(pod)) return undefined;
  if (minReadySeconds === 0) return 0;
  const since = parseTime(readyCondition(pod)?.lastTransitionTime);
  if (since === undefined) return undefined;
  return Math.max(0, since + minReadySeconds * 1_000 - now);
}

/** An index: the node that the pod is bound to. */
export function byNode({ spec }: Pod): string[] {
  return spec.nodeName ? [spec.nodeName] : [];
}
