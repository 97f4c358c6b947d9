/**
 * Validation: everything that can be said against an object, at once and in upstream's words.
 *
 * A type with a validator of its own (in kinds/) is checked by it; every other by what the table knows. Objects come
 * here decoded, defaulted and, for an update, complete with the fields that the API server keeps.
 */

import { definitionUpdateValidators, definitionValidators } from "./crd/definition-validation.ts";
import { accessUpdateValidators, accessValidators } from "./kinds/access-validation.ts";
import { apiServiceRules } from "./kinds/api-service-validation.ts";
import { autoscalingRules } from "./kinds/autoscaling-validation.ts";
import { claimUpdateValidators, claimValidators } from "./kinds/claim-validation.ts";
import { clusterRules, clusterUpdateValidators } from "./kinds/cluster-validation.ts";
import { configUpdateValidators, configValidators } from "./kinds/config-validation.ts";
import {
  endpointRules,
  endpointUpdateValidators,
  endpointValidators,
} from "./kinds/endpoint-validation.ts";
import { extensionRules } from "./kinds/extension-validation.ts";
import { flowRules } from "./kinds/flow-validation.ts";
import { ingressRules, ingressUpdateValidators } from "./kinds/ingress-validation.ts";
import { jobUpdateValidators, jobValidators } from "./kinds/job-validation.ts";
import type { Kind, KubeObject } from "./kinds/kind.ts";
import { placementValidators } from "./kinds/placement-validation.ts";
import { podUpdateValidators } from "./kinds/pod-update-validation.ts";
import { podValidators } from "./kinds/pod-validation.ts";
import { quotaRules, quotaUpdateValidators } from "./kinds/quota-validation.ts";
import { serviceUpdateValidators, serviceValidators } from "./kinds/service-validation.ts";
import { storageRules, storageUpdateValidators } from "./kinds/storage-validation.ts";
import { workloadUpdateValidators, workloadValidators } from "./kinds/workload-validation.ts";
import { type FieldError, FieldErrors } from "./validation/field-error.ts";
import { createWalk } from "./validation/generic.ts";
import { validateMetadata, validateMetadataUpdate } from "./validation/metadata.ts";
import { validateSelector } from "./validation/selector.ts";
import type { UpdateValidator, ValidatorTable } from "./validation/validator.ts";

export {
  aggregateMessage,
  type FieldError,
  type FieldErrorReason,
  FieldErrors,
  fieldErrorBody,
  fieldErrorMessage,
  invalidStatus,
} from "./validation/field-error.ts";

const VALIDATORS: ValidatorTable = {
  "meta.v1.LabelSelector": validateSelector,
  ...placementValidators,
  ...podValidators,
  ...serviceValidators,
  ...endpointValidators,
  ...workloadValidators,
  ...jobValidators,
  ...configValidators,
  ...claimValidators,
  ...accessValidators,
  ...definitionValidators,
};

const walk = createWalk(VALIDATORS, {
  ...endpointRules,
  ...ingressRules,
  ...autoscalingRules,
  ...storageRules,
  ...quotaRules,
  ...clusterRules,
  ...extensionRules,
  ...apiServiceRules,
  ...flowRules,
});

const UPDATE_VALIDATORS: Readonly<Record<string, UpdateValidator<never>>> = {
  ...podUpdateValidators,
  ...serviceUpdateValidators,
  ...endpointUpdateValidators,
  ...ingressUpdateValidators,
  ...workloadUpdateValidators,
  ...jobUpdateValidators,
  ...configUpdateValidators,
  ...claimUpdateValidators,
  ...storageUpdateValidators,
  ...quotaUpdateValidators,
  ...clusterUpdateValidators,
  ...accessUpdateValidators,
  ...definitionUpdateValidators,
};

/** Empty when the object may be created. */
export function validateCreate<T extends KubeObject>(kind: Kind<T>, object: T): FieldError[] {
  const errors = new FieldErrors();
  validateMetadata(errors, kind, object.metadata);
  if (kind.model) kind.model.validate(errors, object, undefined);
  else walk(errors, kind.typeName, object, "");
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
  const validate = UPDATE_VALIDATORS[kind.typeName] as UpdateValidator<T> | undefined;
  validate?.(errors, object, old);
  // A pod that runs was well when it was made, and its update validator says what may differ; checking all of it
  // again would refuse what an older version let in.
  if (kind.typeName !== "core.v1.Pod") walk(errors, kind.typeName, object, "");
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
