/** CPU and memory of containers, asked of Docker once and on demand. */

import type Docker from "dockerode";
import type { ContainerStats } from "../../engine.ts";
import { call, callUnlessGone } from "./errors.ts";

interface DockerStats {
  cpu_stats?: { cpu_usage?: { total_usage?: number } };
  memory_stats?: { usage?: number; stats?: Record<string, number | undefined> };
}

export async function readStats(
  docker: Docker,
  ids: string[],
): Promise<Map<string, ContainerStats>> {
  const stats = new Map<string, ContainerStats>();
  const one = async (id: string): Promise<void> => {
    // One-shot: without it Docker takes a second sample a second later.
    const read = await callUnlessGone(() =>
      docker.getContainer(id).stats({ stream: false, "one-shot": true }),
    );
    if (read) stats.set(id, toStats(read as DockerStats));
  };
  await call(() => Promise.all(ids.map(one)));
  return stats;
}

/** The working set, as the kubelet reports it: usage without the page cache that can be dropped. */
export function toStats(read: DockerStats): ContainerStats {
  const memory = read.memory_stats;
  const inactive = memory?.stats?.total_inactive_file ?? memory?.stats?.inactive_file ?? 0;
  return {
    cpuNanoseconds: read.cpu_stats?.cpu_usage?.total_usage ?? 0,
    memoryBytes: Math.max(0, (memory?.usage ?? 0) - inactive),
  };
}
