/**
 * Validation: everything that can be said against an object, at once and in upstream's words.
 *
 * A type with a validator of its own (in kinds/) is checked by it; every other by what the table knows. Objects come
 * here decoded, defaulted and, for an update, complete with the fields that the API server keeps.
 */

import { definitionUpdateValidators, definitionValidators } from "./crd/definition-validation.ts";
import { accessUpdateValidators, accessValidators } from "./kinds/access-validation.ts";
import { configUpdateValidators, configValidators } from "./kinds/config-validation.ts";
import type { Kind, KubeObject } from "./kinds/kind.ts";
import { podUpdateValidators, podValidators } from "./kinds/pod-validation.ts";
import { serviceUpdateValidators, serviceValidators } from "./kinds/service-validation.ts";
import { workloadUpdateValidators, workloadValidators } from "./kinds/workload-validation.ts";
import { type FieldError, FieldErrors } from "./validation/field-error.ts";
import { validateGeneric } from "./validation/generic.ts";
import { validateMetadata, validateMetadataUpdate } from "./validation/metadata.ts";
import type { UpdateValidator, Validator } from "./validation/validator.ts";

export {
  aggregateMessage,
  type FieldError,
  type FieldErrorReason,
  FieldErrors,
  fieldErrorBody,
  fieldErrorMessage,
  invalidStatus,
} from "./validation/field-error.ts";

type Fields = Record<string, unknown>;

const VALIDATORS = new Map(
  [
    podValidators,
    serviceValidators,
    workloadValidators,
    configValidators,
    accessValidators,
    definitionValidators,
  ].flatMap((table) => Object.entries(table) as [string, Validator<Fields>][]),
);

const UPDATE_VALIDATORS = new Map(
  [
    podUpdateValidators,
    serviceUpdateValidators,
    workloadUpdateValidators,
    configUpdateValidators,
    accessUpdateValidators,
    definitionUpdateValidators,
  ].flatMap((table) => Object.entries(table) as [string, UpdateValidator<Fields>][]),
);

/** Empty when the object may be created. */
export function validateCreate<T extends KubeObject>(kind: Kind<T>, object: T): FieldError[] {
  const errors = new FieldErrors();
  validateMetadata(errors, kind, object.metadata);
  if (kind.model) kind.model.validate(errors, object, undefined);
  else validateContent(errors, kind, object);
  return errors.list;
}

/** Empty when `object` may take the place of `old`. */
export function validateUpdate<T extends KubeObject>(
  kind: Kind<T>,
  object: T,
  old: T,
): FieldError[] {
  const errors = new FieldErrors();
  validateMetadataUpdate(errors, object.metadata, old.metadata);
  if (kind.model) {
    kind.model.validate(errors, object, old);
    return errors.list;
  }
  const validate = UPDATE_VALIDATORS.get(kind.typeName);
  validate?.(errors, object as unknown as Fields, old as unknown as Fields);
  // A pod that runs was well when it was made, and its update validator says what may differ; checking all of it
  // again would refuse what an older version let in.
  if (kind.typeName !== "core.v1.Pod") validateContent(errors, kind, object);
  return errors.list;
}

/** For the status subresource: of a built-in kind one of us writes it, so only the metadata is looked at. */
export function validateStatusUpdate<T extends KubeObject>(
  kind: Kind<T>,
  object: T,
  old: T,
): FieldError[] {
  const errors = new FieldErrors();
  validateMetadataUpdate(errors, object.metadata, old.metadata);
  kind.model?.validate(errors, object, old);
  return errors.list;
}

function validateContent(errors: FieldErrors, kind: Kind, object: KubeObject): void {
  const value = object as unknown as Fields;
  const special = (typeName: string, inner: Fields, path: string): boolean => {
    const validate = VALIDATORS.get(typeName);
    validate?.(errors, inner, path);
    return validate !== undefined;
  };
  if (special(kind.typeName, value, "")) return;
  validateGeneric(errors, kind.typeName, value, "", special);
}
