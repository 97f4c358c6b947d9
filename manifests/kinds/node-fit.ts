/**
 * Whether a pod may go to a node, as far as the two of them decide it: selector, affinity, taints.
 *
 * Scheduler and kubelet must answer alike, so both ask here (k8s:component-helpers/scheduling/corev1).
 */
import type {
  Node,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodSpec,
  Taint,
  TaintEffect,
  Toleration,
} from "../schema/types.generated.ts";

export const UNSCHEDULABLE_TAINT = "node.kubernetes.io/unschedulable";

export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  if (toleration.operator === "Exists") return true;
  if (!toleration.key) return false;
  return (toleration.value ?? "") === (taint.value ?? "");
}

/** The effects that keep a new pod away. */
export const REPELLING: readonly TaintEffect[] = ["NoSchedule", "NoExecute"];

/** The first taint of one of the effects that no toleration covers. */
export function untoleratedTaint(
  taints: readonly Taint[] | undefined,
  tolerations: readonly Toleration[] | undefined,
  effects: readonly TaintEffect[] = REPELLING,
): Taint | undefined {
  return taints?.find(
    (taint) =>
      effects.includes(taint.effect) &&
      !tolerations?.some((toleration) => tolerates(toleration, taint)),
  );
}

/** Cordoned, and the pod does not say that it would go there all the same. */
export function isUnschedulable(
  node: Node,
  tolerations: readonly Toleration[] | undefined,
): boolean {
  if (!node.spec.unschedulable) return false;
  const taint: Taint = { key: UNSCHEDULABLE_TAINT, effect: "NoSchedule" };
  return untoleratedTaint([taint], tolerations) !== undefined;
}

/** nodeSelector and the required part of the node affinity. */
export function matchesNodeAffinity(spec: PodSpec, node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  for (const [key, value] of Object.entries(spec.nodeSelector ?? {})) {
    if (labels[key] !== value) return false;
  }
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (!required) return true;
  return required.nodeSelectorTerms.some((term) => matchesNodeTerm(term, node));
}

/** The weights of the preferred terms that the node meets, together. */
export function nodeAffinityScore(spec: PodSpec, node: Node): number {
  const preferred = spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution;
  let score = 0;
  for (const { weight, preference } of preferred ?? []) {
    if (matchesNodeTerm(preference, node)) score += weight;
  }
  return score;
}

/** All expressions of a term must hold; a term without any matches nothing. */
export function matchesNodeTerm(term: NodeSelectorTerm, node: Node): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length + fields.length === 0) return false;
  const labels = node.metadata.labels ?? {};
  return (
    expressions.every((requirement) => matchesRequirement(requirement, labels[requirement.key])) &&
    fields.every(
      (requirement) =>
        requirement.key === "metadata.name" && matchesRequirement(requirement, node.metadata.name),
    )
  );
}

function matchesRequirement(
  { operator, values = [] }: NodeSelectorRequirement,
  value: string | undefined,
): boolean {
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
      return isInteger(value) && Number(value) > Number(values[0]);
    case "Lt":
      return isInteger(value) && Number(value) < Number(values[0]);
    default:
      return false;
  }
}

function isInteger(value: string | undefined): boolean {
  return value !== undefined && /^-?\d+$/.test(value);
}
