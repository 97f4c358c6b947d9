/** From what Docker says of a container to what the kubelet wants to know. Pure. */

import type { ContainerInfo, ContainerInspectInfo } from "dockerode";
import type { ContainerState, SandboxState } from "../../engine.ts";
import { decodeRecord, label } from "./labels.ts";

type Inspected = Pick<ContainerInspectInfo, "Id" | "Created" | "Image" | "State" | "Config">;

/** Docker writes year 1 for "never". */
export function parseTime(text: string | undefined): number {
  const time = Date.parse(text ?? "");
  return Number.isNaN(time) || time < 0 ? 0 : time;
}

export function containerState(info: Inspected): ContainerState {
  const labels = info.Config.Labels;
  const createdAt = parseTime(info.Created);
  const startedAt = parseTime(info.State.StartedAt);
  const outcome = outcomeOf(info, startedAt);
  return {
    id: info.Id,
    sandbox: labels[label.sandbox] ?? "",
    name: labels[label.container] ?? "",
    attempt: Number(labels[label.attempt] ?? 0),
    image: info.Config.Image,
    imageID: info.Image,
    status: outcome.status,
    createdAt,
    startedAt,
    // Docker notes the end of a short life before its beginning, now and then.
    finishedAt:
      outcome.status === "exited"
        ? Math.max(parseTime(info.State.FinishedAt) || createdAt, startedAt)
        : 0,
    exitCode: outcome.status === "exited" ? info.State.ExitCode : 0,
    reason: outcome.reason,
    message: outcome.status === "exited" ? info.State.Error : "",
    labels: decodeRecord(labels[label.labels]),
    annotations: decodeRecord(labels[label.annotations]),
  };
}

/** Reasons as the field knows them from Docker: ContainerCannotRun, OOMKilled, Completed, Error. */
function outcomeOf(
  { State: state }: Inspected,
  startedAt: number,
): Pick<ContainerState, "status" | "reason"> {
  if (state.Running || state.Paused || state.Restarting) return { status: "running", reason: "" };
  if (state.Status === "created" || startedAt === 0) {
    // A start that the runtime refused leaves the container "created", with an error and exit code.
    if (state.ExitCode === 0 && !state.Error) return { status: "created", reason: "" };
    return { status: "exited", reason: "ContainerCannotRun" };
  }
  if (state.Status === "removing") return { status: "unknown", reason: "" };
  if (state.OOMKilled) return { status: "exited", reason: "OOMKilled" };
  return { status: "exited", reason: state.ExitCode === 0 ? "Completed" : "Error" };
}

export function sandboxState(info: ContainerInfo): SandboxState {
  const labels = info.Labels;
  const running = info.State === "running";
  const networks = Object.values(info.NetworkSettings?.Networks ?? {});
  const ip = networks.find((network) => network.IPAddress)?.IPAddress ?? "";
  return {
    id: info.Id,
    uid: labels[label.podUid] ?? "",
    namespace: labels[label.podNamespace] ?? "",
    name: labels[label.podName] ?? "",
    attempt: Number(labels[label.attempt] ?? 0),
    running,
    ip: running ? ip : "",
    createdAt: info.Created * 1000,
    labels: decodeRecord(labels[label.labels]),
    annotations: decodeRecord(labels[label.annotations]),
  };
}
