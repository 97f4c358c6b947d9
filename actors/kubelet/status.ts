/**
 * The status of a Pod, computed from its spec, what runs, and what the kubelet knows besides.
 * Pure. After k8s:pkg/kubelet/kubelet_pods.go (`generateAPIPodStatus`, `getPhase`,
 * `convertToAPIContainerStatuses`).
 */

import type {
  Container,
  ContainerStatus,
  Pod,
  PodPhase,
  PodStatus,
} from "../../manifests/index.ts";
import { podQOSClass } from "../../manifests/kinds/pod-qos.ts";
import { formatTime } from "../kit/time.ts";
import { isEnded, shouldRestart } from "./actions.ts";
import { computeConditions } from "./conditions.ts";
import type { ContainerState } from "./engine.ts";
import { liveSandbox, type PodRuntime } from "./runtime-state.ts";

export interface Waiting {
  reason: string;
  message?: string;
}

export interface PodFacts {
  now: number;
  /** Scheme and slashes included: `docker://`. */
  runtimePrefix: string;
  nodeIP: string;
  /** Why a container does not run, by its name; without an entry it is being created. */
  waiting: ReadonlyMap<string, Waiting>;
  /** By container id. Absent: not probed, or no result yet. */
  probes: ReadonlyMap<string, { ready: boolean | undefined; started: boolean | undefined }>;
  /** What containers wrote to their termination message, by id. */
  terminationMessages: ReadonlyMap<string, string>;
  /** The node does not take the pod, or has ended it: sets the phase Failed. */
  rejected?: { reason: string; message: string };
}

export function computePodStatus(pod: Pod, runtime: PodRuntime, facts: PodFacts): PodStatus {
  const old = pod.status ?? {};
  const inits = computeContainers(pod, pod.spec.initContainers ?? [], runtime, facts, true);
  const mains = computeContainers(pod, pod.spec.containers, runtime, facts, false);
  const phase = computePhase(pod, inits, mains, facts);
  const addresses = computeAddresses(pod, runtime, facts);
  const reason = facts.rejected?.reason ?? old.reason;
  const message = facts.rejected?.message ?? old.message;
  const kept = facts.rejected !== undefined || isEnded(pod) ? { reason, message } : {};
  return compact({
    phase,
    conditions: computeConditions(pod, { phase, inits, mains, runtime, now: facts.now }),
    ...kept,
    nominatedNodeName: old.nominatedNodeName,
    hostIP: facts.nodeIP,
    hostIPs: [{ ip: facts.nodeIP }],
    ...addresses,
    startTime: old.startTime ?? formatTime(facts.now),
    initContainerStatuses: inits.length > 0 ? inits : undefined,
    containerStatuses: mains.length > 0 && !facts.rejected ? mains : old.containerStatuses,
    qosClass: old.qosClass ?? podQOSClass(pod),
    resize: old.resize,
  });
}

/** A pod keeps the address it had: its logs and endpoints are still asked for by it. */
function computeAddresses(
  pod: Pod,
  runtime: PodRuntime,
  facts: PodFacts,
): Pick<PodStatus, "podIP" | "podIPs"> {
  const sandbox = liveSandbox(runtime);
  const own = pod.spec.hostNetwork && sandbox ? facts.nodeIP : sandbox?.ip;
  const ip = own || pod.status?.podIP;
  return ip ? { podIP: ip, podIPs: [{ ip }] } : {};
}

function computeContainers(
  pod: Pod,
  containers: readonly Container[],
  runtime: PodRuntime,
  facts: PodFacts,
  init: boolean,
): ContainerStatus[] {
  const statuses = init ? pod.status?.initContainerStatuses : pod.status?.containerStatuses;
  return containers.map((container) => {
    const old = statuses?.find(({ name }) => name === container.name);
    return computeContainer(pod, container, { old, runtime, facts, init });
  });
}

interface ContainerInput {
  old: ContainerStatus | undefined;
  runtime: PodRuntime;
  facts: PodFacts;
  init: boolean;
}

function computeContainer(pod: Pod, container: Container, input: ContainerInput): ContainerStatus {
  const { old, runtime, facts, init } = input;
  const own = runtime.containers.filter(({ name }) => name === container.name);
  const [newest] = own;
  const state = newest?.status === "created" ? own[1] : newest;
  // Removed behind our back: the API's memory is all there is.
  if (!state) return withoutContainer(pod, container, input);
  const waiting = waitingOf(pod, state, facts);
  const previous = own.find(({ id, status }) => id !== state.id && status === "exited");
  const ended = state.status === "exited" ? terminated(state, facts) : undefined;
  const before = previous && terminated(previous, facts);
  const running = state.status === "running";
  const lastState = waiting && ended ? ended : (before ?? old?.lastState?.terminated);
  return {
    name: container.name,
    state: waiting
      ? { waiting }
      : running
        ? { running: { startedAt: formatTime(state.startedAt) } }
        : { terminated: ended },
    lastState: lastState ? { terminated: lastState } : {},
    ready: isReady(container, state, facts, init),
    restartCount: Math.max(state.attempt, old?.restartCount ?? 0),
    image: state.image,
    imageID: state.imageID,
    containerID: facts.runtimePrefix + state.id,
    started: running && isStarted(container, state, facts),
  };
}

function withoutContainer(
  pod: Pod,
  container: Container,
  { old, facts, init }: ContainerInput,
): ContainerStatus {
  const kept = old?.containerID ? old : undefined;
  const lost = kept?.state?.running && {
    exitCode: 137,
    reason: "ContainerStatusUnknown",
    message: "The container could not be located when the pod was looked at",
    startedAt: kept.state.running.startedAt,
    finishedAt: formatTime(facts.now),
    containerID: kept.containerID,
  };
  const lastState = lost ? { terminated: lost } : (kept?.lastState ?? {});
  if (kept?.state?.terminated && (isEnded(pod) || init)) return kept;
  if (isEnded(pod) && old) return old;
  return {
    name: container.name,
    state: { waiting: facts.waiting.get(container.name) ?? defaultWaiting(pod) },
    lastState,
    ready: false,
    restartCount: old?.restartCount ?? 0,
    image: container.image ?? "",
    imageID: kept?.imageID ?? "",
    ...(kept?.containerID ? { containerID: kept.containerID } : {}),
    started: false,
  };
}

/** What upstream shows before anything is known of a container. */
function defaultWaiting(pod: Pod): Waiting {
  const hasInits = (pod.spec.initContainers ?? []).length > 0;
  return { reason: hasInits ? "PodInitializing" : "ContainerCreating" };
}

/** Only a container that will run again is waiting; one that has ended for good shows its end. */
function waitingOf(pod: Pod, state: ContainerState, facts: PodFacts): Waiting | undefined {
  if (state.status !== "exited" || isEnded(pod) || pod.metadata.deletionTimestamp) return undefined;
  return shouldRestart(pod, state) ? facts.waiting.get(state.name) : undefined;
}

function terminated(
  state: ContainerState,
  facts: PodFacts,
): NonNullable<NonNullable<ContainerStatus["state"]>["terminated"]> {
  const message = facts.terminationMessages.get(state.id) || state.message;
  return {
    exitCode: state.exitCode,
    reason: state.reason || (state.exitCode === 0 ? "Completed" : "Error"),
    ...(message ? { message } : {}),
    ...(state.startedAt ? { startedAt: formatTime(state.startedAt) } : {}),
    finishedAt: formatTime(state.finishedAt),
    containerID: facts.runtimePrefix + state.id,
  };
}

function isStarted(container: Container, state: ContainerState, facts: PodFacts): boolean {
  if (state.status !== "running") return false;
  return !container.startupProbe || facts.probes.get(state.id)?.started === true;
}

function isReady(
  container: Container,
  state: ContainerState,
  facts: PodFacts,
  init: boolean,
): boolean {
  if (init) return state.status === "exited" && state.exitCode === 0;
  if (state.status !== "running" || !isStarted(container, state, facts)) return false;
  return !container.readinessProbe || facts.probes.get(state.id)?.ready === true;
}

interface Tally {
  waiting: number;
  running: number;
  stopped: number;
  succeeded: number;
}

export function computePhase(
  pod: Pod,
  inits: readonly ContainerStatus[],
  mains: readonly ContainerStatus[],
  facts: Pick<PodFacts, "rejected">,
): PodPhase {
  if (facts.rejected) return "Failed";
  const old = pod.status?.phase;
  if (old === "Succeeded" || old === "Failed") return old;
  const policy = pod.spec.restartPolicy ?? "Always";
  const mainsBegan = mains.some(({ state, containerID }) => containerID && !state?.waiting);
  for (const { state } of mainsBegan ? [] : inits) {
    const end = state?.terminated;
    if (end && end.exitCode !== 0 && policy === "Never") return "Failed";
    if (end?.exitCode !== 0) return "Pending";
  }
  const tally = countStates(mains);
  if (tally.waiting > 0) return "Pending";
  if (tally.running > 0) return "Running";
  if (tally.stopped === 0) return "Pending";
  if (policy === "Always") return "Running";
  if (tally.stopped === tally.succeeded) return "Succeeded";
  return policy === "Never" ? "Failed" : "Running";
}

function countStates(mains: readonly ContainerStatus[]): Tally {
  const tally = { waiting: 0, running: 0, stopped: 0, succeeded: 0 };
  for (const { state, lastState } of mains) {
    if (state?.running) tally.running++;
    else if (state?.terminated) {
      tally.stopped++;
      if (state.terminated.exitCode === 0) tally.succeeded++;
      // One that crashed and waits for its next start has begun all the same.
    } else if (lastState?.terminated) tally.stopped++;
    else tally.waiting++;
  }
  return tally;
}

/** Leaves out what is undefined, so that a status compares equal to the one the API gives back. */
function compact<T extends object>(value: T): T {
  const entries = Object.entries(value).filter(([, part]) => part !== undefined);
  return Object.fromEntries(entries) as T;
}

export function containerOf(pod: Pod, name: string): Container | undefined {
  const all = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  return all.find((container) => container.name === name);
}
