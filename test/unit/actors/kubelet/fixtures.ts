/** Pods and what runs of them, as the deciders see it. */

import type { ContainerState, SandboxState } from "../../../../actors/kubelet/engine.ts";
import type { PodRuntime } from "../../../../actors/kubelet/runtime-state.ts";
import type { Container, Pod, PodStatus } from "../../../../manifests/index.ts";

export const identity = { uid: "uid-1", namespace: "default", name: "web" };

export function podWith(spec: Partial<Pod["spec"]> = {}, status?: PodStatus): Pod {
  const containers: Container[] = [{ name: "app", image: "busybox:1.35" }];
  return { metadata: { ...identity }, spec: { containers, ...spec }, status };
}

export function sandboxWith(more: Partial<SandboxState> = {}): SandboxState {
  return {
    ...identity,
    id: "sandbox-0",
    attempt: 0,
    running: true,
    ip: "10.244.0.2",
    createdAt: 1_000,
    labels: {},
    annotations: {},
    ...more,
  };
}

export function containerWith(more: Partial<ContainerState> = {}): ContainerState {
  return {
    id: "container-0",
    sandbox: "sandbox-0",
    name: "app",
    attempt: 0,
    image: "busybox:1.35",
    imageID: "sha256:1",
    status: "running",
    createdAt: 2_000,
    startedAt: 3_000,
    finishedAt: 0,
    exitCode: 0,
    reason: "",
    message: "",
    labels: {},
    annotations: {},
    ...more,
  };
}

export function exited(exitCode: number, more: Partial<ContainerState> = {}): ContainerState {
  const reason = exitCode === 0 ? "Completed" : "Error";
  return containerWith({ status: "exited", exitCode, reason, finishedAt: 9_000, ...more });
}

export function runtimeWith(
  sandboxes: SandboxState[] = [],
  containers: ContainerState[] = [],
): PodRuntime {
  return { ...identity, sandboxes, containers };
}
