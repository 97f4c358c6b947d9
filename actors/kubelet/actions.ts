/**
 * What has to be done to a pod's sandbox and containers, decided from its spec and what runs.
 * Pure; `pod-worker.ts` carries it out. After `computePodActions` in
 * k8s:pkg/kubelet/kuberuntime/kuberuntime_manager.go.
 */

import type { Container, Pod } from "../../manifests/index.ts";
import type { ContainerState } from "./engine.ts";
import { latest, liveSandbox, type PodRuntime } from "./runtime-state.ts";

export type PodAction =
  /** Stops everything; the pod has ended or must end, or its sandbox has died. */
  | { type: "stop-pod"; changed: boolean }
  | { type: "run-sandbox"; attempt: number }
  | { type: "kill-container"; id: string; name: string; message: string }
  | { type: "start-container"; name: string; attempt: number; init: boolean }
  /** Dead, and a later one exists: its log and state are not shown any more. */
  | { type: "remove-container"; id: string };

export interface PodObservations {
  /** Containers, by id, that failed their liveness or startup probe, and how to tell the user. */
  unhealthy: ReadonlyMap<string, string>;
}

/** The annotation by which a container remembers the definition that it was made from. */
export const definitionAnnotation = "wherry.io/definition";

/** Only what makes another container: image and name, as upstream since 1.31. */
export function definitionOf(container: Container): string {
  return JSON.stringify([container.name, container.image ?? ""]);
}

export function computePodActions(
  pod: Pod,
  runtime: PodRuntime,
  observed: PodObservations,
): PodAction[] {
  if (pod.metadata.deletionTimestamp || isEnded(pod)) return stopAll(runtime);
  const sandbox = liveSandbox(runtime);
  if (!sandbox) return computeWithoutSandbox(pod, runtime);
  const here = runtime.containers.filter((container) => container.sandbox === sandbox.id);
  const removals = computeRemovals(runtime);
  const init = computeInit(pod, here, runtime);
  if (init !== "done") return [...init, ...removals];
  const main = computeMain(pod, here, runtime, observed);
  const isIdle = main.length === 0 && !here.some((container) => container.status === "running");
  // Nothing runs and nothing will: the pod has come to its end.
  if (isIdle) return [{ type: "stop-pod", changed: false }];
  return [...main, ...removals];
}

/** Phases that are never left again. */
export function isEnded(pod: Pod): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}

/** Whether the pod's restart policy starts a container again that ended so. */
export function shouldRestart(pod: Pod, ended: Pick<ContainerState, "exitCode">): boolean {
  const policy = pod.spec.restartPolicy ?? "Always";
  return policy === "Always" || (policy === "OnFailure" && ended.exitCode !== 0);
}

function stopAll(runtime: PodRuntime): PodAction[] {
  const runs =
    runtime.sandboxes.some(({ running }) => running) ||
    runtime.containers.some(({ status }) => status === "running");
  return runs ? [{ type: "stop-pod", changed: false }] : [];
}

function computeWithoutSandbox(pod: Pod, runtime: PodRuntime): PodAction[] {
  const [last] = runtime.sandboxes;
  const attempt = last ? last.attempt + 1 : 0;
  const leftovers = runtime.containers.some(({ status }) => status === "running");
  const stop: PodAction[] = last || leftovers ? [{ type: "stop-pod", changed: true }] : [];
  const someoneIsToRun = pod.spec.containers.some((container) => {
    const known = latest(runtime, container.name);
    return !known || known.status === "created" || shouldRestart(pod, known);
  });
  if (!someoneIsToRun) return leftovers ? stop : [];
  return [...(leftovers || last ? stop : []), { type: "run-sandbox", attempt }];
}

/** One init container after the other; "done" when the main containers may start. */
function computeInit(
  pod: Pod,
  here: readonly ContainerState[],
  runtime: PodRuntime,
): PodAction[] | "done" {
  const inits = pod.spec.initContainers ?? [];
  const mains = new Set(pod.spec.containers.map(({ name }) => name));
  if (here.some(({ name, status }) => mains.has(name) && status !== "created")) return "done";
  for (const { name } of inits) {
    const state = here.find((container) => container.name === name);
    if (state?.status === "running") return [];
    if (state?.status === "exited" && state.exitCode === 0) continue;
    if (state?.status === "exited" && pod.spec.restartPolicy === "Never") {
      return [{ type: "stop-pod", changed: false }];
    }
    return [start(pod, runtime, name, true)];
  }
  return "done";
}

function computeMain(
  pod: Pod,
  here: readonly ContainerState[],
  runtime: PodRuntime,
  observed: PodObservations,
): PodAction[] {
  const actions: PodAction[] = [];
  for (const container of pod.spec.containers) {
    const { name } = container;
    const state = here.find((found) => found.name === name);
    const last = state ?? latest(runtime, name);
    if (state?.status === "running") {
      const message = killReason(container, state, observed);
      if (message !== undefined) {
        actions.push({ type: "kill-container", id: state.id, name, message });
      }
    } else if (!last || last.status === "created" || shouldRestart(pod, last)) {
      actions.push(start(pod, runtime, name, false));
    }
  }
  return actions;
}

function killReason(
  container: Container,
  state: ContainerState,
  { unhealthy }: PodObservations,
): string | undefined {
  const definition = state.annotations[definitionAnnotation];
  if (definition !== undefined && definition !== definitionOf(container)) {
    return `Container ${container.name} definition changed, will be restarted`;
  }
  return unhealthy.get(state.id);
}

/** What never started is made again under the same number; all else counts one up. */
function start(pod: Pod, runtime: PodRuntime, name: string, init: boolean): PodAction {
  const last = latest(runtime, name);
  if (last?.status === "created") {
    return { type: "start-container", name, attempt: last.attempt, init };
  }
  const statuses = init ? pod.status?.initContainerStatuses : pod.status?.containerStatuses;
  const reported = statuses?.find((status) => status.name === name);
  // A container that was removed behind our back is remembered by the API alone.
  const counted = reported?.containerID ? reported.restartCount : -1;
  const attempt = Math.max(last?.attempt ?? -1, counted) + 1;
  return { type: "start-container", name, attempt, init };
}

/** Of each container the newest stays, and the one before it, for `logs --previous`. */
function computeRemovals(runtime: PodRuntime): PodAction[] {
  const seen = new Map<string, number>();
  const removals: PodAction[] = [];
  for (const { id, name, status } of runtime.containers) {
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    if (count > 2 && status !== "running") removals.push({ type: "remove-container", id });
  }
  return removals;
}
