/** The condition PodScheduled=False, as `kubectl describe` and autoscalers read it. Pure. */

import type { Pod } from "../../manifests/schema/types.generated.ts";
import { formatTime } from "../kit/time.ts";

/** A strategic merge patch of the status, or undefined when it says so already. */
export function unschedulablePatch(pod: Pod, message: string, now: number): object | undefined {
  const before = pod.status?.conditions?.find(({ type }) => type === "PodScheduled");
  const condition = { type: "PodScheduled", status: "False", reason: "Unschedulable", message };
  const same =
    before?.status === condition.status &&
    before.reason === condition.reason &&
    before.message === message;
  if (same) return undefined;
  const lastTransitionTime =
    before?.status === condition.status ? before.lastTransitionTime : formatTime(now);
  return {
    // The pod that was looked at and no other of its name.
    metadata: { uid: pod.metadata.uid },
    status: { conditions: [{ ...condition, lastProbeTime: null, lastTransitionTime }] },
  };
}
