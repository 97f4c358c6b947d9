/**
 * Pods: what they start with, and how they go. The files upstream: registry/core/pod/strategy.go,
 * and the admission plugins ServiceAccount, Priority and DefaultTolerationSeconds.
 */

import { forbidden } from "../../../manifests/api-error.ts";
import { type Pod, PriorityClass, type Toleration } from "../../../manifests/index.ts";
import { podQOSClass } from "../../../manifests/kinds/pod-qos.ts";
import { objectKey } from "../../../runtime/store/key.ts";
import type { View } from "../../../runtime/store/store.ts";
import type { HookContext, Hooks } from "./hooks.ts";

const defaultGraceSeconds = 30;
/** How long a pod stays on a node that is not ready or not reachable. */
const tolerationSeconds = 300;
const toleratedTaints = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];

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

  admit: (pod, old, context) => (old ? pod : admitNew(pod, context)),

  grace({ spec, status }, asked) {
    const finished = status?.phase === "Succeeded" || status?.phase === "Failed";
    // Nothing runs: there is no kubelet that could have anything to wind up.
    if (!spec.nodeName || finished) return 0;
    const grace = asked ?? spec.terminationGracePeriodSeconds ?? defaultGraceSeconds;
    return grace < 0 ? 1 : grace;
  },
};

/** Differs from Kubernetes: a service account brings no token volume until tokens are issued. */
function admitNew(pod: Pod, context: HookContext): Pod {
  const { spec } = pod;
  const serviceAccountName = spec.serviceAccountName || "default";
  const { value, policy } = priorityOf(pod, context.view);
  return {
    ...pod,
    spec: {
      ...spec,
      serviceAccountName,
      serviceAccount: serviceAccountName,
      priority: value,
      preemptionPolicy: spec.preemptionPolicy ?? policy,
      tolerations: withTolerations(spec.tolerations ?? []),
    },
  };
}

function withTolerations(tolerations: readonly Toleration[]): Toleration[] {
  const added = toleratedTaints
    .filter((key) => !tolerations.some((toleration) => coversNoExecute(toleration, key)))
    .map(
      (key): Toleration => ({ key, operator: "Exists", effect: "NoExecute", tolerationSeconds }),
    );
  return [...tolerations, ...added];
}

function coversNoExecute({ key, effect }: Toleration, taint: string): boolean {
  return (!key || key === taint) && (!effect || effect === "NoExecute");
}

interface Priority {
  value: number;
  policy: NonNullable<Pod["spec"]["preemptionPolicy"]>;
}

/** The two classes that every cluster has (k8s: pkg/apis/scheduling/v1/helpers.go). */
const systemPriorities: Readonly<Record<string, number>> = {
  "system-cluster-critical": 2_000_000_000,
  "system-node-critical": 2_000_001_000,
};

function priorityOf({ metadata, spec }: Pod, view: View): Priority {
  const name = spec.priorityClassName;
  if (!name) return { value: 0, policy: "PreemptLowerPriority" };
  const { group, resource } = PriorityClass;
  const entry = view.get(objectKey({ group, resource, namespace: "", name }));
  if (entry) {
    const found = JSON.parse(new TextDecoder().decode(entry.value)) as PriorityClass;
    return { value: found.value, policy: found.preemptionPolicy ?? "PreemptLowerPriority" };
  }
  const value = systemPriorities[name];
  if (value !== undefined) return { value, policy: "PreemptLowerPriority" };
  const why = `no PriorityClass with name ${name} was found`;
  throw forbidden({ group: "", resource: "pods" }, metadata.name ?? "", why);
}
