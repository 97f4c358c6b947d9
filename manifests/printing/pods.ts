/** Pods, as `kubectl get pods` shows them (k8s:pkg/printers/internalversion/printers.go printPod). */
import type { ContainerState, ContainerStatus, Pod } from "../schema/types.generated.ts";
import { age, type Cell, columns, orNone, type PrinterTable, since } from "./printer.ts";

export const podPrinters: PrinterTable = {
  "core.v1.Pod": {
    columns: columns(
      "Name",
      "Ready",
      "Status",
      "Restarts",
      "Age",
      "+IP",
      "+Node",
      "+Nominated Node",
      "+Readiness Gates",
    ),
    cells: podCells,
  },
};

interface Summary {
  reason: string;
  ready: number;
  restarts: number;
  lastRestart: string;
}

function podCells(pod: Pod, nowMs: number): Cell[] {
  const { spec, status = {} } = pod;
  const summary = summarize(pod);
  const sidecars = (spec.initContainers ?? []).filter((c) => c.restartPolicy === "Always");
  const ago = summary.lastRestart ? ` (${since(summary.lastRestart, nowMs)} ago)` : "";
  const gates = spec.readinessGates ?? [];
  const open = gates.filter(({ conditionType }) => hasCondition(pod, conditionType));
  return [
    pod.metadata.name,
    `${summary.ready}/${spec.containers.length + sidecars.length}`,
    summary.reason,
    summary.restarts === 0 ? "0" : `${summary.restarts}${ago}`,
    age(pod, nowMs),
    orNone(status.podIPs?.[0]?.ip ?? status.podIP),
    orNone(spec.nodeName),
    orNone(status.nominatedNodeName),
    gates.length > 0 ? `${open.length}/${gates.length}` : "<none>",
  ];
}

function hasCondition(pod: Pod, type: string): boolean {
  return pod.status?.conditions?.some((c) => c.type === type && c.status === "True") ?? false;
}

function summarize(pod: Pod): Summary {
  const { status = {} } = pod;
  const summary: Summary = {
    reason: status.reason || status.phase || "Unknown",
    ready: 0,
    restarts: 0,
    lastRestart: "",
  };
  const gated = status.conditions?.some(
    (c) => c.type === "PodScheduled" && c.reason === "SchedulingGated",
  );
  if (gated) summary.reason = "SchedulingGated";
  const isInitializing = summarizeInit(pod, summary);
  if (!isInitializing || hasCondition(pod, "Initialized")) summarizeContainers(pod, summary);
  if (!pod.metadata.deletionTimestamp) return summary;
  if (status.reason === "NodeLost") summary.reason = "Unknown";
  else if (status.phase !== "Succeeded" && status.phase !== "Failed") {
    summary.reason = "Terminating";
  }
  return summary;
}

/** Whether an init container is still at work, or has failed: then its state is the pod's. */
function summarizeInit(pod: Pod, summary: Summary): boolean {
  const inits = pod.spec.initContainers ?? [];
  const statuses = pod.status?.initContainerStatuses ?? [];
  for (const [index, status] of statuses.entries()) {
    countRestarts(summary, status);
    const { terminated, waiting } = status.state ?? {};
    if (terminated?.exitCode === 0) continue;
    const container = inits.find(({ name }) => name === status.name);
    if (container?.restartPolicy === "Always" && status.started) {
      if (status.ready) summary.ready++;
      continue;
    }
    if (terminated) summary.reason = `Init:${endOf(terminated)}`;
    else if (waiting?.reason && waiting.reason !== "PodInitializing") {
      summary.reason = `Init:${waiting.reason}`;
    } else summary.reason = `Init:${index}/${inits.length}`;
    return true;
  }
  return false;
}

/** Once the pod is initialized, what its init containers went through is forgotten, but for sidecars. */
function summarizeContainers(pod: Pod, summary: Summary): void {
  summary.restarts = 0;
  summary.lastRestart = "";
  for (const status of pod.status?.initContainerStatuses ?? []) {
    const container = pod.spec.initContainers?.find(({ name }) => name === status.name);
    if (container?.restartPolicy === "Always") countRestarts(summary, status);
  }
  let isRunning = false;
  for (const status of [...(pod.status?.containerStatuses ?? [])].reverse()) {
    countRestarts(summary, status);
    const { waiting, terminated, running } = status.state ?? {};
    if (waiting?.reason) summary.reason = waiting.reason;
    else if (terminated) summary.reason = endOf(terminated);
    else if (status.ready && running) {
      isRunning = true;
      summary.ready++;
    }
  }
  if (summary.reason === "Completed" && isRunning) {
    summary.reason = hasCondition(pod, "Ready") ? "Running" : "NotReady";
  }
}

function countRestarts(summary: Summary, status: ContainerStatus): void {
  summary.restarts += status.restartCount;
  const ended = status.lastState?.terminated?.finishedAt ?? "";
  if (ended > summary.lastRestart) summary.lastRestart = ended;
}

function endOf(terminated: NonNullable<ContainerState["terminated"]>): string {
  if (terminated.reason) return terminated.reason;
  return terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`;
}
