/** Label selectors inside objects (k8s:apimachinery/pkg/apis/meta/v1/validation). */
import type { LabelSelector } from "../schema/types.generated.ts";
import type { FieldErrors } from "./field-error.ts";
import { labelValue, qualifiedName } from "./formats.ts";
import { validateLabels } from "./metadata.ts";

export function validateSelector(errors: FieldErrors, selector: LabelSelector, path: string): void {
  validateLabels(errors, selector.matchLabels, `${path}.matchLabels`);
  selector.matchExpressions?.forEach(({ key, operator, values = [] }, i) => {
    const at = `${path}.matchExpressions[${i}]`;
    if (operator === "In" || operator === "NotIn") {
      const detail = "must be specified when `operator` is 'In' or 'NotIn'";
      if (values.length === 0) errors.required(`${at}.values`, detail);
    } else if (operator === "Exists" || operator === "DoesNotExist") {
      const detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
      if (values.length > 0) errors.forbidden(`${at}.values`, detail);
    } else {
      errors.invalid(`${at}.operator`, operator, "not a valid selector operator");
    }
    errors.invalidEach(`${at}.key`, key, qualifiedName(key));
    values.forEach((value, v) => {
      errors.invalidEach(`${at}.values[${v}]`, value, labelValue(value));
    });
  });
}

export function isEmptySelector(selector: LabelSelector): boolean {
  const labels = Object.keys(selector.matchLabels ?? {}).length;
  return labels + (selector.matchExpressions?.length ?? 0) === 0;
}
