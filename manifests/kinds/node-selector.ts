/** Which nodes a selector means; after k8s:component-helpers/scheduling/corev1/nodeaffinity. */

import type {
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
} from "../schema/types.generated.ts";

/** What of a Node a selector can see. */
export interface SelectableNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Terms are alternatives; a selector without terms means no node. */
export function matchesNodeSelector(selector: NodeSelector, node: SelectableNode): boolean {
  return selector.nodeSelectorTerms.some((term) => matchesNodeSelectorTerm(term, node));
}

/** Requirements must all hold; a term without any means no node. */
export function matchesNodeSelectorTerm(term: NodeSelectorTerm, node: SelectableNode): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length + matchFields.length === 0) return false;
  const fields = { "metadata.name": node.name };
  return (
    matchExpressions.every((requirement) => holds(requirement, node.labels)) &&
    matchFields.every((requirement) => holds(requirement, fields))
  );
}

function holds(
  { key, operator, values = [] }: NodeSelectorRequirement,
  labels: Readonly<Record<string, string>>,
): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
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
      return compare(value, values, (difference) => difference > 0n);
    case "Lt":
      return compare(value, values, (difference) => difference < 0n);
    default:
      return false;
  }
}

/** Both sides must be integers; anything else never matches. */
function compare(
  value: string | undefined,
  values: readonly string[],
  accepts: (difference: bigint) => boolean,
): boolean {
  const [bound, ...more] = values;
  const integer = /^[+-]?\d+$/;
  if (value === undefined || bound === undefined || more.length > 0) return false;
  return integer.test(value) && integer.test(bound) && accepts(BigInt(value) - BigInt(bound));
}
