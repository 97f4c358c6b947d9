/** What the read-only endpoint shows. Pure, but for asking the engine for its stats. */

import type { Pod } from "../../manifests/index.ts";
import { formatTime } from "../kit/time.ts";
import type { ContainerStats } from "./engine.ts";
import type { PodRuntime } from "./runtime-state.ts";

export function podList(pods: readonly Pod[]): object {
  return { kind: "PodList", apiVersion: "v1", metadata: {}, items: pods };
}

/** In the text format of Prometheus, under upstream's names. */
export function metricsText(runtimes: Iterable<PodRuntime>, problem: string | undefined): string {
  const states = { created: 0, running: 0, exited: 0, unknown: 0 };
  let sandboxes = 0;
  for (const runtime of runtimes) {
    if (runtime.sandboxes[0]?.running) sandboxes++;
    for (const { status } of runtime.containers) states[status]++;
  }
  const containers = Object.entries(states).map(
    ([state, count]) => `kubelet_running_containers{container_state="${state}"} ${count}`,
  );
  const lines = [
    "# HELP kubelet_running_pods Number of pods that have a running pod sandbox",
    "# TYPE kubelet_running_pods gauge",
    `kubelet_running_pods ${sandboxes}`,
    "# HELP kubelet_running_containers Number of containers by state",
    "# TYPE kubelet_running_containers gauge",
    ...containers,
    "# HELP wherry_engine_up Whether the container engine answers",
    "# TYPE wherry_engine_up gauge",
    `wherry_engine_up ${problem === undefined ? 1 : 0}`,
  ];
  return `${lines.join("\n")}\n`;
}

/** The part of upstream's Summary API that the engine can tell. */
export function statsSummary(
  nodeName: string,
  runtimes: Iterable<PodRuntime>,
  stats: ReadonlyMap<string, ContainerStats>,
  now: number,
): object {
  const time = formatTime(now);
  const pods: object[] = [];
  for (const { uid, namespace, name, containers } of runtimes) {
    const measured = containers.flatMap((container) => {
      const found = stats.get(container.id);
      return found ? [containerSummary(container.name, container.startedAt, found, time)] : [];
    });
    pods.push({ podRef: { name, namespace, uid }, containers: measured });
  }
  return { node: { nodeName }, pods };
}

function containerSummary(
  name: string,
  startedAt: number,
  { cpuNanoseconds, memoryBytes }: ContainerStats,
  time: string,
): object {
  return {
    name,
    startTime: formatTime(startedAt),
    cpu: { time, usageCoreNanoSeconds: cpuNanoseconds },
    memory: { time, workingSetBytes: memoryBytes },
  };
}
