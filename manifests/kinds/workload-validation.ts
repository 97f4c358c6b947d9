/** The kinds that make pods (k8s:pkg/apis/apps/validation, batch/validation, autoscaling/validation). */

import type {
  DaemonSet,
  Deployment,
  LabelSelector,
  PodTemplateSpec,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from "../schema/types.generated.ts";
import { type FieldErrors, goMap, goSelector } from "../validation/field-error.ts";
import { percent } from "../validation/formats.ts";
import { isEmptySelector, validateSelector } from "../validation/selector.ts";
import {
  IMMUTABLE,
  sameValue,
  type UpdateValidatorTable,
  type ValidatorTable,
} from "../validation/validator.ts";
import { isPercent, percentOf } from "./int-or-percent.ts";
import { selectsLabels } from "./label-selector.ts";
import { validatePodTemplate, validateTemplateMetadata } from "./pod-validation.ts";

type Owner = Deployment | ReplicaSet | StatefulSet | DaemonSet;

export const workloadValidators: ValidatorTable = {
  "apps.v1.Deployment": validateDeployment,
  "apps.v1.ReplicaSet": (errors, set: ReplicaSet) =>
    validateOwner(errors, set, "deployment", "ReplicaSet"),
  "apps.v1.StatefulSet": (errors, set: StatefulSet) => {
    validateStatefulSet(errors, set);
    validateOwner(errors, set, "statefulset", "StatefulSet");
  },
  "apps.v1.DaemonSet": (errors, set: DaemonSet) => {
    validateOwner(errors, set, "daemonset", "DaemonSet");
    validateDaemonStrategy(errors, set, "spec.updateStrategy");
  },
  "core.v1.ReplicationController": validateReplicationController,
};

export const workloadUpdateValidators: UpdateValidatorTable = {
  "apps.v1.Deployment": keepSelector,
  "apps.v1.ReplicaSet": keepSelector,
  "apps.v1.DaemonSet": keepSelector,
  "apps.v1.StatefulSet": validateStatefulSetUpdate,
};

/**
 * What Deployment, ReplicaSet, StatefulSet and DaemonSet have in common. The last two arguments are the words by which
 * upstream calls the kind, the one about its selector and the other about its pods.
 */
function validateOwner(errors: FieldErrors, owner: Owner, noun: string, kind: string): void {
  const { spec } = owner;
  const replicas = "replicas" in spec ? spec.replicas : undefined;
  errors.nonNegative("spec.replicas", replicas);
  errors.nonNegative("spec.minReadySeconds", spec.minReadySeconds);
  const limit = "revisionHistoryLimit" in spec ? spec.revisionHistoryLimit : undefined;
  errors.nonNegative("spec.revisionHistoryLimit", limit);
  const selector = spec.selector as LabelSelector | undefined;
  if (!selector) errors.required("spec.selector");
  else {
    validateSelector(errors, selector, "spec.selector");
    if (isEmptySelector(selector)) {
      const detail = `empty selector is invalid for ${noun}`;
      errors.invalid("spec.selector", goSelector(selector), detail);
    }
  }
  const template = spec.template ?? {};
  checkTemplateLabels(errors, template, selector);
  if (kind === "StatefulSet") {
    // As upstream: its volumes are known only together with the claims, when its pods are made.
    validateTemplateMetadata(errors, template, "spec.template");
  } else validatePodTemplate(errors, template, "spec.template");
  requireRestart(errors, template, ["Always"]);
  if (template.spec?.activeDeadlineSeconds !== undefined) {
    const detail = `activeDeadlineSeconds in ${kind} is not Supported`;
    errors.forbidden("spec.template.spec.activeDeadlineSeconds", detail);
  }
}

export function checkTemplateLabels(
  errors: FieldErrors,
  template: PodTemplateSpec,
  selector: LabelSelector | undefined,
): void {
  if (!selector || isEmptySelector(selector)) return;
  const labels = template.metadata?.labels;
  if (selectsLabels(selector, labels ?? {})) return;
  const detail = "`selector` does not match template `labels`";
  errors.invalid("spec.template.metadata.labels", goMap(labels), detail);
}

function requireRestart(errors: FieldErrors, template: PodTemplateSpec, allowed: string[]): void {
  const policy = template.spec?.restartPolicy;
  if (!policy || allowed.includes(policy)) return;
  errors.notSupported("spec.template.spec.restartPolicy", policy, allowed);
}

function validateDeployment(errors: FieldErrors, deployment: Deployment): void {
  validateOwner(errors, deployment, "deployment", "ReplicaSet");
  const { strategy, progressDeadlineSeconds: deadline, minReadySeconds = 0 } = deployment.spec;
  const type = strategy?.type;
  const rolling = strategy?.rollingUpdate;
  if (type === "Recreate" && rolling) {
    const detail = "may not be specified when strategy `type` is 'Recreate'";
    errors.forbidden("spec.strategy.rollingUpdate", detail);
  } else if (type === "RollingUpdate") {
    validateRolling(errors, rolling?.maxUnavailable ?? 0, rolling?.maxSurge ?? 0);
  } else if (type !== "Recreate") {
    errors.notSupported("spec.strategy.type", type ?? "", ["Recreate", "RollingUpdate"]);
  }
  errors.nonNegative("spec.progressDeadlineSeconds", deadline);
  if (deadline !== undefined && deadline <= minReadySeconds) {
    const detail = "must be greater than minReadySeconds";
    errors.invalid("spec.progressDeadlineSeconds", deadline, detail);
  }
}

function validateRolling(
  errors: FieldErrors,
  maxUnavailable: number | string,
  maxSurge: number | string,
): void {
  const path = "spec.strategy.rollingUpdate";
  validateIntOrPercent(errors, maxUnavailable, `${path}.maxUnavailable`);
  validateIntOrPercent(errors, maxSurge, `${path}.maxSurge`);
  const isZero = (value: number | string) => percentOf(value, 100, "up") === 0;
  if (isZero(maxUnavailable) && isZero(maxSurge)) {
    errors.invalid(`${path}.maxUnavailable`, maxUnavailable, "may not be 0 when `maxSurge` is 0");
  }
  if (isPercent(maxUnavailable) && Number.parseInt(String(maxUnavailable), 10) > 100) {
    errors.invalid(`${path}.maxUnavailable`, maxUnavailable, "must not be greater than 100%");
  }
}

export function validateIntOrPercent(
  errors: FieldErrors,
  value: number | string,
  at: string,
): void {
  if (typeof value === "number") errors.nonNegative(at, value);
  else errors.invalidEach(at, value, percent(value));
}

function validateStatefulSet(errors: FieldErrors, { spec }: StatefulSet): void {
  const { podManagementPolicy: policy, updateStrategy: strategy, ordinals } = spec;
  if (policy !== "OrderedReady" && policy !== "Parallel") {
    const detail = "must be 'OrderedReady' or 'Parallel'";
    errors.invalid("spec.podManagementPolicy", policy, detail);
  }
  const rolling = strategy?.rollingUpdate;
  if (strategy?.type === "RollingUpdate") {
    errors.nonNegative("spec.updateStrategy.rollingUpdate.partition", rolling?.partition);
    const most = rolling?.maxUnavailable;
    if (most !== undefined) {
      const field = "spec.updateStrategy.rollingUpdate.maxUnavailable";
      validateIntOrPercent(errors, most, field);
      if (percentOf(most, 100, "up") === 0) errors.invalid(field, most, "cannot be 0");
    }
  } else if (strategy?.type !== "OnDelete") {
    errors.invalid("spec.updateStrategy", strategy, "must be 'RollingUpdate' or 'OnDelete'");
  } else if (rolling) {
    const detail = "only allowed for updateStrategy 'RollingUpdate'";
    errors.invalid("spec.updateStrategy.rollingUpdate", rolling, detail);
  }
  const retention = spec.persistentVolumeClaimRetentionPolicy;
  for (const field of ["whenDeleted", "whenScaled"] as const) {
    const value = retention?.[field];
    if (value === undefined || value === "Retain" || value === "Delete") continue;
    const at = `spec.persistentVolumeClaimRetentionPolicy.${field}`;
    errors.notSupported(at, value, ["Delete", "Retain"]);
  }
  errors.nonNegative("spec.ordinals.start", ordinals?.start);
}

/** A node has one pod of a set at a time, or for the length of an update two; one of both it must be. */
function validateDaemonStrategy(errors: FieldErrors, { spec }: DaemonSet, path: string): void {
  const { type, rollingUpdate } = spec.updateStrategy ?? {};
  if (type === "OnDelete") return;
  if (type !== "RollingUpdate") {
    const supported = ["RollingUpdate", "OnDelete"];
    errors.notSupported(path, spec.updateStrategy, supported);
    return;
  }
  const { maxUnavailable = 0, maxSurge = 0 } = rollingUpdate ?? {};
  for (const [field, value] of Object.entries({ maxUnavailable, maxSurge })) {
    const at = `${path}.rollingUpdate.${field}`;
    validateIntOrPercent(errors, value, at);
    if (isPercent(value) && Number.parseInt(String(value), 10) > 100) {
      errors.invalid(at, value, "must not be greater than 100%");
    }
  }
  const [pulls, pushes] = [maxUnavailable, maxSurge].map((n) => percentOf(n, 100, "up") !== 0);
  if (pulls && pushes) {
    const detail = "may not be set when maxUnavailable is non-zero";
    errors.invalid(`${path}.rollingUpdate.maxSurge`, maxSurge, detail);
  } else if (!pulls && !pushes) {
    const detail = "cannot be 0 when maxSurge is 0";
    errors.required(`${path}.rollingUpdate.maxUnavailable`, detail);
  }
}

function validateReplicationController(errors: FieldErrors, rc: ReplicationController): void {
  errors.nonNegative("spec.replicas", rc.spec.replicas);
  if (Object.keys(rc.spec.selector ?? {}).length === 0) errors.required("spec.selector");
  if (!rc.spec.template) {
    errors.required("spec.template");
    return;
  }
  checkTemplateLabels(errors, rc.spec.template, { matchLabels: rc.spec.selector });
  validatePodTemplate(errors, rc.spec.template, "spec.template");
  requireRestart(errors, rc.spec.template, ["Always"]);
}

function keepSelector(
  errors: FieldErrors,
  owner: Deployment | ReplicaSet | DaemonSet,
  old: Deployment | ReplicaSet | DaemonSet,
): void {
  if (sameValue(owner.spec.selector, old.spec.selector)) return;
  errors.invalid("spec.selector", goSelector(owner.spec.selector), IMMUTABLE);
}

const STATEFUL_SET_MUTABLE = [
  "replicas",
  "ordinals",
  "template",
  "updateStrategy",
  "persistentVolumeClaimRetentionPolicy",
  "minReadySeconds",
] as const;

function validateStatefulSetUpdate(errors: FieldErrors, set: StatefulSet, old: StatefulSet): void {
  const spec: Partial<StatefulSet["spec"]> = { ...set.spec };
  for (const field of STATEFUL_SET_MUTABLE) Object.assign(spec, { [field]: old.spec[field] });
  Object.assign(spec, { revisionHistoryLimit: old.spec.revisionHistoryLimit });
  if (sameValue(spec, old.spec)) return;
  const names = STATEFUL_SET_MUTABLE.map((name) => `'${name}'`);
  const list = `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
  const rule = "updates to statefulset spec for fields other than";
  errors.forbidden("spec", `${rule} ${list} are forbidden`);
}
