/** The conditions of a Pod; after k8s:pkg/kubelet/status/generate.go. Pure. */

import type { ContainerStatus, Pod, PodCondition, PodPhase } from "../../manifests/index.ts";
import { formatTime } from "../kit/time.ts";
import { liveSandbox, type PodRuntime } from "./runtime-state.ts";

interface Seen {
  phase: PodPhase;
  inits: readonly ContainerStatus[];
  mains: readonly ContainerStatus[];
  runtime: PodRuntime;
  now: number;
}

type Verdict = Pick<PodCondition, "status" | "reason" | "message">;

const isTrue: Verdict = { status: "True" };
const owned = [
  "PodReadyToStartContainers",
  "Initialized",
  "Ready",
  "ContainersReady",
  "PodScheduled",
];

/** Ours, in upstream's order, then those that others have set. */
export function computeConditions(pod: Pod, seen: Seen): PodCondition[] {
  const containersReady = containersVerdict(pod, seen);
  const verdicts: Record<string, Verdict> = {
    PodReadyToStartContainers: { status: liveSandbox(seen.runtime) ? "True" : "False" },
    Initialized: initializedVerdict(seen),
    Ready: readyVerdict(pod, seen, containersReady),
    ContainersReady: containersReady,
    PodScheduled: isTrue,
  };
  const old = pod.status?.conditions ?? [];
  const ours = owned.map((type) => {
    const before = old.find((condition) => condition.type === type);
    return condition(type, verdicts[type] ?? isTrue, before, seen.now);
  });
  return [...ours, ...old.filter(({ type }) => !owned.includes(type))];
}

function condition(
  type: string,
  verdict: Verdict,
  before: PodCondition | undefined,
  now: number,
): PodCondition {
  const isSame = before?.status === verdict.status && before.lastTransitionTime !== undefined;
  return {
    type,
    status: verdict.status,
    lastTransitionTime: isSame ? before.lastTransitionTime : formatTime(now),
    ...(verdict.reason ? { reason: verdict.reason } : {}),
    ...(verdict.message ? { message: verdict.message } : {}),
  };
}

function ended(phase: PodPhase): Verdict | undefined {
  if (phase === "Succeeded") return { status: "False", reason: "PodCompleted" };
  if (phase === "Failed") return { status: "False", reason: "PodFailed" };
  return undefined;
}

function initializedVerdict({ phase, inits, mains }: Seen): Verdict {
  if (phase === "Succeeded") return { status: "True", reason: "PodCompleted" };
  const begun = mains.some(({ state }) => state?.running || state?.terminated);
  const missing = inits.filter(({ ready }) => !ready).map(({ name }) => name);
  if (begun || missing.length === 0) return isTrue;
  return {
    status: "False",
    reason: "ContainersNotInitialized",
    message: `containers with incomplete status: [${missing.join(" ")}]`,
  };
}

function containersVerdict(pod: Pod, { phase, mains }: Seen): Verdict {
  const end = ended(phase);
  if (end) return end;
  const known = new Set(mains.map(({ name }) => name));
  const unknown = pod.spec.containers.filter(({ name }) => !known.has(name));
  const unready = mains.filter(({ ready }) => !ready).map(({ name }) => name);
  if (unknown.length === 0 && unready.length === 0) return isTrue;
  const parts: string[] = [];
  if (unknown.length > 0) {
    parts.push(`containers with unknown status: [${unknown.map(({ name }) => name).join(" ")}]`);
  }
  if (unready.length > 0) parts.push(`containers with unready status: [${unready.join(" ")}]`);
  return { status: "False", reason: "ContainersNotReady", message: parts.join(", ") };
}

function readyVerdict(pod: Pod, { phase }: Seen, containersReady: Verdict): Verdict {
  if (ended(phase) || containersReady.status !== "True") return containersReady;
  const unmet: string[] = [];
  for (const { conditionType } of pod.spec.readinessGates ?? []) {
    const gate = pod.status?.conditions?.find(({ type }) => type === conditionType);
    const name = `"${conditionType}"`;
    if (!gate) unmet.push(`corresponding condition of pod readiness gate ${name} does not exist.`);
    else if (gate.status !== "True") {
      unmet.push(`the status of pod readiness gate ${name} is not "True", but ${gate.status}`);
    }
  }
  if (unmet.length === 0) return isTrue;
  return { status: "False", reason: "ReadinessGatesNotReady", message: unmet.join(", ") };
}
