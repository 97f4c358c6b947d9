/** Pods: what they start with, and how they go (k8s: registry/core/pod/strategy.go). */

import type { Pod, PodAffinityTerm, PodCondition, PodStatus } from "../../../manifests/index.ts";
import { podQOSClass } from "../../../manifests/kinds/pod-qos.ts";
import type { Hooks } from "./hooks.ts";

const defaultGraceSeconds = 30;

export const pods: Hooks<Pod> = {
  prepareCreate(pod) {
    const status: PodStatus = { phase: "Pending", qosClass: podQOSClass(pod) };
    if (pod.spec.schedulingGates?.length) status.conditions = [gated];
    return { ...withOwnLabels(pod), status };
  },

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

/** So that people see why nothing happens to it; no scheduler looks at it yet. */
const gated: PodCondition = {
  type: "PodScheduled",
  status: "False",
  reason: "SchedulingGated",
  message: "Scheduling is blocked due to non-empty scheduling gates",
};

/** Keys of labels whose values an affinity takes from the pod itself become part of its selector. */
function withOwnLabels(pod: Pod): Pod {
  const { affinity } = pod.spec;
  if (!affinity?.podAffinity && !affinity?.podAntiAffinity) return pod;
  const labels = pod.metadata.labels ?? {};
  const joined = { ...affinity };
  for (const side of ["podAffinity", "podAntiAffinity"] as const) {
    const terms = affinity[side];
    if (!terms) continue;
    const {
      requiredDuringSchedulingIgnoredDuringExecution: required,
      preferredDuringSchedulingIgnoredDuringExecution: preferred,
    } = terms;
    joined[side] = {
      ...terms,
      ...(required && {
        requiredDuringSchedulingIgnoredDuringExecution: required.map((term) =>
          withLabels(term, labels),
        ),
      }),
      ...(preferred && {
        preferredDuringSchedulingIgnoredDuringExecution: preferred.map((weighted) => ({
          ...weighted,
          podAffinityTerm: withLabels(weighted.podAffinityTerm, labels),
        })),
      }),
    };
  }
  return { ...pod, spec: { ...pod.spec, affinity: joined } };
}

function withLabels(
  term: PodAffinityTerm,
  labels: Readonly<Record<string, string>>,
): PodAffinityTerm {
  const { matchLabelKeys = [], mismatchLabelKeys = [], labelSelector } = term;
  // Without a selector the keys are at fault, and validation says so.
  if (!labelSelector) return term;
  const selecting = (keys: readonly string[], operator: string) =>
    keys.flatMap((key) => {
      const value = labels[key];
      return value === undefined ? [] : [{ key, operator, values: [value] }];
    });
  const own = [...selecting(matchLabelKeys, "In"), ...selecting(mismatchLabelKeys, "NotIn")];
  if (own.length === 0) return term;
  const matchExpressions = [...(labelSelector.matchExpressions ?? []), ...own];
  return { ...term, labelSelector: { ...labelSelector, matchExpressions } };
}
