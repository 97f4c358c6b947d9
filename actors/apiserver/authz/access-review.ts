/** What a SubjectAccessReview asks, and what may be wrong with the question (k8s:pkg/apis/authorization/validation). */

import type {
  FieldError,
  ResourceAttributes,
  SubjectAccessReviewSpec,
} from "../../../manifests/index.ts";
import { FieldErrors } from "../../../manifests/validation/field-error.ts";
import type { User } from "../request.ts";
import { type Asked, exactFields, type Fields } from "./access.ts";

export type SubjectSpec = SubjectAccessReviewSpec;
export type AccessSpec = Pick<SubjectSpec, "resourceAttributes" | "nonResourceAttributes">;

export function validateAccess({ resourceAttributes, nonResourceAttributes }: AccessSpec) {
  const errors = new FieldErrors();
  if (resourceAttributes && nonResourceAttributes) {
    const why = "cannot be specified in combination with resourceAttributes";
    errors.invalid("spec.nonResourceAttributes", nonResourceAttributes, why);
  }
  if (!resourceAttributes && !nonResourceAttributes) {
    const why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
    errors.invalid("spec.resourceAttributes", undefined, why);
  }
  for (const field of ["fieldSelector", "labelSelector"] as const) {
    validateSelector(errors, `spec.resourceAttributes.${field}`, resourceAttributes?.[field]);
  }
  return errors.list;
}

export function validateSubject(spec: SubjectSpec): FieldError[] {
  const errors = new FieldErrors();
  if (!spec.user && !spec.groups?.length) {
    errors.invalid("spec.user", "", "at least one of user or group must be specified");
  }
  return [...validateAccess(spec), ...errors.list];
}

/** Of a question that is asked in a namespace. */
export function validateLocal(spec: SubjectSpec, namespace: string): FieldError[] {
  const errors = new FieldErrors();
  const { resourceAttributes: of, nonResourceAttributes } = spec;
  if (of && (of.namespace ?? "") !== namespace) {
    const field = "spec.resourceAttributes.namespace";
    errors.invalid(field, of.namespace ?? "", "must match metadata.namespace");
  }
  if (nonResourceAttributes) {
    const why = "disallowed on this kind of request";
    errors.invalid("spec.nonResourceAttributes", nonResourceAttributes, why);
  }
  return errors.list;
}

interface SelectorAttributes {
  rawSelector?: string;
  requirements?: readonly unknown[];
}

function validateSelector(
  errors: FieldErrors,
  field: string,
  selector: SelectorAttributes | undefined,
): void {
  if (!selector) return;
  const { rawSelector = "", requirements = [] } = selector;
  if (rawSelector && requirements.length > 0) {
    const why = "may not specified at the same time as requirements";
    errors.invalid(`${field}.rawSelector`, rawSelector, why);
  }
  if (!rawSelector && requirements.length === 0) {
    const why = `when ${field} is specified, requirements or rawSelector is required`;
    errors.required(`${field}.requirements`, why);
  }
}

/** `errors`: what of the question could not be taken into account. */
export function askedBy(
  { resourceAttributes, nonResourceAttributes: of }: AccessSpec,
  user: User,
): { asked: Asked; errors: string[] } {
  if (!resourceAttributes) {
    return { asked: { user, verb: of?.verb ?? "", path: of?.path ?? "" }, errors: [] };
  }
  const { verb = "", group = "", resource = "", subresource = "" } = resourceAttributes;
  const { namespace = "", name = "" } = resourceAttributes;
  const { fields, errors } = fieldsOf(resourceAttributes);
  const asked = { user, verb, group, resource, subresource, namespace, name, fields };
  return { asked, errors };
}

function fieldsOf({ fieldSelector }: ResourceAttributes): { fields?: Fields; errors: string[] } {
  const { rawSelector, requirements = [] } = fieldSelector ?? {};
  if (rawSelector) {
    if (rawSelector.split(",").every((part) => part.includes("="))) {
      return { fields: exactFields(rawSelector), errors: [] };
    }
    const why = "spec.resourceAttributes.fieldSelector ignored due to parse error";
    return { errors: [why] };
  }
  const exact = requirements.flatMap(({ key, operator, values = [] }) =>
    operator === "In" && values.length === 1 ? [[key, values[0] ?? ""] as const] : [],
  );
  return { fields: new Map(exact), errors: [] };
}
