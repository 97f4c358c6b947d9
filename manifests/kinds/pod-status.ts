/** What a pod's status says and means; nothing here asks the time. */
import type {
  Container,
  ContainerStatus,
  Pod,
  PodPhase,
  PodSpec,
  PodStatus,
} from "../schema/types.generated.ts";
import { isConditionTrue } from "./conditions.ts";

export function isPodTerminal(pod: Pod): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}

export function isPodReady(pod: Pod): boolean {
  return isConditionTrue(pod.status?.conditions, "Ready");
}

/** Ready for `minReadySeconds` at `nowMs` (k8s:pkg/api/v1/pod/util.go IsPodAvailable). */
export function isPodAvailable(pod: Pod, minReadySeconds: number, nowMs: number): boolean {
  if (!isPodReady(pod)) return false;
  if (minReadySeconds === 0) return true;
  const ready = pod.status?.conditions?.find((condition) => condition.type === "Ready");
  const since = Date.parse(ready?.lastTransitionTime ?? "");
  return since + minReadySeconds * 1000 <= nowMs;
}

export function isSidecar(container: Container): boolean {
  return container.restartPolicy === "Always";
}

/**
 * The phase that follows from the containers' statuses (k8s:pkg/kubelet/kubelet_pods.go getPhase). `isTerminated` is
 * for a pod that has been stopped for good: its containers will not start again, whatever the restart policy.
 */
export function podPhase(spec: PodSpec, status: PodStatus, isTerminated = false): PodPhase {
  const init = initState(spec, status.initContainerStatuses ?? []);
  if (init === "failed" && spec.restartPolicy === "Never") return "Failed";
  const count = countStates(spec.containers, status.containerStatuses ?? []);
  if (init !== "done" && !(isTerminated && count.stopped > 0)) return "Pending";
  if (count.waiting > 0) return "Pending";
  if (count.unknown > 0) return "Pending";
  if (count.running > 0) return "Running";
  if (count.stopped === 0) return "Pending";
  if (!isTerminated && spec.restartPolicy === "Always") return "Running";
  if (count.stopped === count.succeeded) return "Succeeded";
  return isTerminated || spec.restartPolicy === "Never" ? "Failed" : "Running";
}

/** An init container that failed is tried again, unless the pod never restarts; a sidecar only has to have started. */
function initState(spec: PodSpec, statuses: ContainerStatus[]): "pending" | "failed" | "done" {
  let state: "pending" | "done" = "done";
  for (const container of spec.initContainers ?? []) {
    const status = statuses.find(({ name }) => name === container.name);
    if (isSidecar(container)) {
      if (!status?.started && !status?.state?.terminated) state = "pending";
      continue;
    }
    const ended = status?.state?.terminated ?? status?.lastState?.terminated;
    if (ended && ended.exitCode !== 0) return "failed";
    if (!status?.state?.terminated) state = "pending";
  }
  return state;
}

function countStates(containers: Container[], statuses: ContainerStatus[]) {
  const count = { unknown: 0, running: 0, waiting: 0, stopped: 0, succeeded: 0 };
  for (const container of containers) {
    const status = statuses.find(({ name }) => name === container.name);
    const { running, terminated, waiting } = status?.state ?? {};
    if (!status) count.unknown++;
    else if (running) count.running++;
    else if (terminated) {
      count.stopped++;
      if (terminated.exitCode === 0) count.succeeded++;
    } else if (waiting && status.lastState?.terminated) count.stopped++;
    else count.waiting++;
  }
  return count;
}
