/** Whether labels are selected, as k8s:apimachinery/pkg/apis/meta/v1 `LabelSelectorAsSelector` decides. */
import type { LabelSelector, LabelSelectorRequirement } from "../schema/types.generated.ts";

type Labels = Readonly<Record<string, string>>;

/** An absent selector selects nothing; an empty one selects everything. */
export function selectsLabels(selector: LabelSelector | undefined, labels: Labels = {}): boolean {
  if (!selector) return false;
  const { matchLabels = {}, matchExpressions = [] } = selector;
  return (
    hasLabels(matchLabels, labels) && matchExpressions.every((wanted) => meets(wanted, labels))
  );
}

/** The plain form of a Service's or ReplicationController's selector. */
export function hasLabels(wanted: Labels, labels: Labels = {}): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}

function meets({ key, operator, values = [] }: LabelSelectorRequirement, labels: Labels): boolean {
  const value = labels[key];
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    default:
      return false;
  }
}
