/** The kinds that make pods (k8s:pkg/apis/apps/validation, batch/validation, autoscaling/validation). */

import type {
  CronJob,
  DaemonSet,
  Deployment,
  Job,
  LabelSelector,
  PodDisruptionBudget,
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
  "apps.v1.StatefulSet": (errors, set: StatefulSet) =>
    validateOwner(errors, set, "statefulset", "StatefulSet"),
  "apps.v1.DaemonSet": (errors, set: DaemonSet) =>
    validateOwner(errors, set, "daemonset", "DaemonSet"),
  "core.v1.ReplicationController": validateReplicationController,
  "batch.v1.Job": validateJob,
  "batch.v1.CronJob": validateCronJob,
  "policy.v1.PodDisruptionBudget": validateBudget,
};

export const workloadUpdateValidators: UpdateValidatorTable = {
  "apps.v1.Deployment": keepSelector,
  "apps.v1.ReplicaSet": keepSelector,
  "apps.v1.DaemonSet": keepSelector,
  "apps.v1.StatefulSet": validateStatefulSetUpdate,
  "batch.v1.Job": validateJobUpdate,
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

function checkTemplateLabels(
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

function validateIntOrPercent(errors: FieldErrors, value: number | string, at: string): void {
  if (typeof value === "number") errors.nonNegative(at, value);
  else errors.invalidEach(at, value, percent(value));
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

function validateJob(errors: FieldErrors, job: Job): void {
  const { spec } = job;
  for (const field of [
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
  ] as const) {
    errors.nonNegative(`spec.${field}`, spec[field]);
  }
  if (spec.selector) {
    validateSelector(errors, spec.selector, "spec.selector");
    checkTemplateLabels(errors, spec.template, spec.selector);
  }
  validateJobTemplate(errors, spec.template, "spec.template");
}

function validateJobTemplate(errors: FieldErrors, template: PodTemplateSpec, path: string): void {
  validatePodTemplate(errors, template, path);
  const policy = template.spec?.restartPolicy;
  const detail = 'valid values: "OnFailure", "Never"';
  if (policy === "Always") errors.required(`${path}.spec.restartPolicy`, detail);
}

const MOST_CRON_NAME = 52;

function validateCronJob(errors: FieldErrors, cron: CronJob): void {
  const { spec, metadata } = cron;
  if (metadata.name.length > MOST_CRON_NAME) {
    const detail = `must be no more than ${MOST_CRON_NAME} characters`;
    errors.invalid("metadata.name", metadata.name, detail);
  }
  if (spec.schedule === "") errors.required("spec.schedule");
  else if (!spec.schedule.startsWith("@") && spec.schedule.trim().split(/\s+/).length !== 5) {
    const found = spec.schedule.trim().split(/\s+/).length;
    const detail = `expected exactly 5 fields, found ${found}: [${spec.schedule}]`;
    errors.invalid("spec.schedule", spec.schedule, detail);
  }
  const policies = ["Allow", "Forbid", "Replace"];
  if (!policies.includes(spec.concurrencyPolicy ?? "")) {
    errors.notSupported("spec.concurrencyPolicy", spec.concurrencyPolicy, policies);
  }
  for (const field of [
    "startingDeadlineSeconds",
    "successfulJobsHistoryLimit",
    "failedJobsHistoryLimit",
  ] as const) {
    errors.nonNegative(`spec.${field}`, spec[field]);
  }
  const template = spec.jobTemplate.spec?.template ?? {};
  validateJobTemplate(errors, template, "spec.jobTemplate.spec.template");
}

function validateBudget(errors: FieldErrors, budget: PodDisruptionBudget): void {
  const { minAvailable, maxUnavailable, selector } = budget.spec;
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    const detail = "minAvailable and maxUnavailable cannot be both set";
    errors.invalid("spec", budget.spec, detail);
  }
  for (const [name, value] of Object.entries({ minAvailable, maxUnavailable })) {
    if (value !== undefined) validateIntOrPercent(errors, value, `spec.${name}`);
  }
  if (selector) validateSelector(errors, selector, "spec.selector");
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

function validateJobUpdate(errors: FieldErrors, job: Job, old: Job): void {
  const isIndexed = job.spec.completionMode === "Indexed";
  if (!isIndexed && job.spec.completions !== old.spec.completions) {
    errors.invalid("spec.completions", job.spec.completions ?? null, IMMUTABLE);
  }
  if (!sameValue(job.spec.selector, old.spec.selector)) {
    errors.invalid("spec.selector", goSelector(job.spec.selector), IMMUTABLE);
  }
  const mayChange = old.spec.suspend === true && !old.status?.startTime;
  if (!mayChange && !sameValue(job.spec.template, old.spec.template)) {
    errors.invalid("spec.template", job.spec.template, IMMUTABLE);
  }
}
