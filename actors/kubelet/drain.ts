/** How long a pod that is being deleted goes on as before. Pure. */

import type { Pod } from "../../manifests/index.ts";

/**
 * Several times what a deletion takes to leave the EndpointSlices and then the rules of the
 * proxies, and still too short for a user to wait for.
 */
const longestDrainMs = 300;

/**
 * Differs from Kubernetes: a pod that was ready is not told to stop at once. There the kubelet
 * and the proxies hear of a deletion at the same time, and a server that obeys SIGTERM faster
 * than the proxies forget it refuses connections, which is why so many images carry a `preStop`
 * hook that sleeps. Here the pause is built in. It is a part of the grace period, never more
 * than half of it.
 */
export function drainMs(pod: Pod, graceSeconds: number): number {
  const ready = pod.status?.conditions?.find(({ type }) => type === "Ready");
  if (ready?.status !== "True") return 0;
  return Math.min(longestDrainMs, (graceSeconds * 1_000) / 2);
}
