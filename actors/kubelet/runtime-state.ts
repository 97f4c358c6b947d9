/** What runs, by pod: the engine's two lists put together. Pure. */

import type { ContainerState, SandboxState } from "./engine.ts";

export interface PodRuntime {
  uid: string;
  namespace: string;
  name: string;
  /** Newest first. */
  sandboxes: SandboxState[];
  /** Newest first, of all sandboxes. */
  containers: ContainerState[];
}

export function emptyRuntime(pod: { uid: string; namespace: string; name: string }): PodRuntime {
  return { ...pod, sandboxes: [], containers: [] };
}

/** Containers whose sandbox is gone belong to no pod; engines remove both together. */
export function groupByPod(
  sandboxes: readonly SandboxState[],
  containers: readonly ContainerState[],
): Map<string, PodRuntime> {
  const pods = new Map<string, PodRuntime>();
  const bySandbox = new Map<string, PodRuntime>();
  for (const sandbox of sandboxes) {
    const { uid, namespace, name } = sandbox;
    const pod = pods.get(uid) ?? emptyRuntime({ uid, namespace, name });
    pod.sandboxes.push(sandbox);
    pods.set(uid, pod);
    bySandbox.set(sandbox.id, pod);
  }
  for (const container of containers) {
    bySandbox.get(container.sandbox)?.containers.push(container);
  }
  for (const pod of pods.values()) {
    pod.sandboxes.sort((a, b) => b.attempt - a.attempt || b.createdAt - a.createdAt);
    pod.containers.sort((a, b) => b.createdAt - a.createdAt || b.attempt - a.attempt);
  }
  return pods;
}

/** The newest container of that name, running or not. */
export function latest(runtime: PodRuntime, name: string): ContainerState | undefined {
  return runtime.containers.find((container) => container.name === name);
}

/** The sandbox that the pod lives in now, if it still runs. */
export function liveSandbox(runtime: PodRuntime): SandboxState | undefined {
  const [newest] = runtime.sandboxes;
  return newest?.running ? newest : undefined;
}

/** Changes exactly when something changed that a pod worker or a status would see. */
export function fingerprint(runtime: PodRuntime | undefined): string {
  if (!runtime) return "";
  const sandboxes = runtime.sandboxes.map(({ id, running, ip }) => `${id} ${running} ${ip}`);
  const containers = runtime.containers.map(
    ({ id, status, startedAt, finishedAt, exitCode, reason }) =>
      `${id} ${status} ${startedAt} ${finishedAt} ${exitCode} ${reason}`,
  );
  return [...sandboxes, ...containers].join("\n");
}
