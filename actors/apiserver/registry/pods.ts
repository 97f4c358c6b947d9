/** Pods: what they start with, and how they go (k8s: registry/core/pod/strategy.go). */

import type { Pod } from "../../../manifests/index.ts";
import { podQOSClass } from "../../../manifests/kinds/pod-qos.ts";
import type { Hooks } from "./hooks.ts";

const defaultGraceSeconds = 30;

export const pods: Hooks<Pod> = {
  prepareCreate: (pod) => ({
    ...pod,
    status: { phase: "Pending", qosClass: podQOSClass(pod) },
  }),

  /** A kubelet need not know the QoS class that the API has worked out. */
  prepareUpdate(pod, old) {
    const qosClass = pod.status?.qosClass || old.status?.qosClass;
    return pod.status && qosClass ? { ...pod, status: { ...pod.status, qosClass } } : pod;
  },

  grace({ spec, status }, asked) {
    const finished = status?.phase === "Succeeded" || status?.phase === "Failed";
    // Nothing runs: there is no kubelet that could have anything to wind up.
    if (!spec.nodeName || finished) return 0;
    const grace = asked ?? spec.terminationGracePeriodSeconds ?? defaultGraceSeconds;
    return grace < 0 ? 1 : grace;
  },
};
