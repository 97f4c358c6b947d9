/** Jobs and CronJobs (k8s:pkg/apis/batch/validation/validation.go). */
import type { CronJob, Job, JobSpec, PodSpec, PodTemplateSpec } from "../schema/types.generated.ts";
import { type FieldErrors, goSelector } from "../validation/field-error.ts";
import { dnsLabel } from "../validation/formats.ts";
import { validateAnnotations, validateLabels } from "../validation/metadata.ts";
import { validateSelector } from "../validation/selector.ts";
import {
  IMMUTABLE,
  sameValue,
  type UpdateValidatorTable,
  type ValidatorTable,
} from "../validation/validator.ts";
import { cronFault, timeZoneFault } from "./cron-schedule.ts";
import { validateFailurePolicy, validateSuccessPolicy } from "./job-policy-validation.ts";
import { validatePodTemplate } from "./pod-validation.ts";
import { checkTemplateLabels } from "./workload-validation.ts";

const MOST_INDEXED = 100_000;
const MOST_CRON_NAME = 52;
const MOST_MANAGED_BY = 63;
const CONCURRENCY = ["Allow", "Forbid", "Replace"];

export const jobValidators: ValidatorTable = {
  "batch.v1.Job": validateJob,
  "batch.v1.CronJob": validateCronJob,
};

export const jobUpdateValidators: UpdateValidatorTable = {
  "batch.v1.Job": validateJobUpdate,
};

function validateJob(errors: FieldErrors, job: Job): void {
  const { spec } = job;
  validateJobSpec(errors, spec, "spec");
  if (spec.selector) {
    validateSelector(errors, spec.selector, "spec.selector");
    checkTemplateLabels(errors, spec.template, spec.selector);
  }
  const { completions } = spec;
  if (spec.completionMode !== "Indexed" || !completions) return;
  // Every pod of it has its index in its host name.
  const host = `${job.metadata.name}-${completions - 1}`;
  if (dnsLabel(host).length === 0) return;
  const detail = `will not able to create pod with invalid DNS label: ${host}`;
  errors.invalid("metadata.name", job.metadata.name, detail);
}

const COUNTS = [
  "parallelism",
  "completions",
  "activeDeadlineSeconds",
  "backoffLimit",
  "ttlSecondsAfterFinished",
  "backoffLimitPerIndex",
  "maxFailedIndexes",
] as const;

function validateJobSpec(errors: FieldErrors, spec: JobSpec, path: string): void {
  for (const field of COUNTS) errors.nonNegative(`${path}.${field}`, spec[field]);
  const { completionMode: mode, managedBy } = spec;
  if (mode !== undefined) {
    if (mode !== "Indexed" && mode !== "NonIndexed") {
      errors.notSupported(`${path}.completionMode`, mode, ["Indexed", "NonIndexed"]);
    }
    if (mode === "Indexed") validateIndexed(errors, spec, path);
  }
  validateIndexLimits(errors, spec, path);
  if (managedBy !== undefined) validateManagedBy(errors, managedBy, `${path}.managedBy`);
  if (spec.podFailurePolicy) validateFailurePolicy(errors, spec, path);
  if (spec.successPolicy) validateSuccessPolicy(errors, spec, `${path}.successPolicy`);
  validateReplacement(errors, spec, `${path}.podReplacementPolicy`);
  validateJobTemplate(errors, spec.template, `${path}.template`);
}

function validateIndexed(errors: FieldErrors, spec: JobSpec, path: string): void {
  const { completions, parallelism } = spec;
  if (completions === undefined) {
    errors.required(`${path}.completions`, "when completion mode is Indexed");
  }
  if ((parallelism ?? 0) > MOST_INDEXED) {
    const detail = `must be less than or equal to ${MOST_INDEXED} when completion mode is Indexed`;
    errors.invalid(`${path}.parallelism`, parallelism, detail);
  }
  const { maxFailedIndexes: failed } = spec;
  if (failed !== undefined && completions !== undefined && failed > completions) {
    const detail = "must be less than or equal to completions";
    errors.invalid(`${path}.maxFailedIndexes`, failed, detail);
  }
}

function validateIndexLimits(errors: FieldErrors, spec: JobSpec, path: string): void {
  const { backoffLimitPerIndex: limit, maxFailedIndexes: failed } = spec;
  if (limit !== undefined && spec.completionMode !== "Indexed") {
    errors.invalid(`${path}.backoffLimitPerIndex`, limit, "requires indexed completion mode");
  }
  if (failed !== undefined && limit === undefined) {
    errors.required(`${path}.backoffLimitPerIndex`, "when maxFailedIndexes is specified");
  }
}

function validateManagedBy(errors: FieldErrors, manager: string, at: string): void {
  const [domain = "", ...rest] = manager.split("/");
  if (!domain || !rest.join("/")) {
    errors.invalid(at, manager, 'must be a domain-prefixed path (such as "acme.io/foo")');
  }
  if (manager.length > MOST_MANAGED_BY) errors.tooLong(at, MOST_MANAGED_BY);
}

function validateReplacement(errors: FieldErrors, spec: JobSpec, at: string): void {
  const { podReplacementPolicy: policy } = spec;
  if (policy === undefined) return;
  const supported = spec.podFailurePolicy ? ["Failed"] : ["Failed", "TerminatingOrFailed"];
  if (!supported.includes(policy)) errors.notSupported(at, policy, supported);
}

function validateJobTemplate(errors: FieldErrors, template: PodTemplateSpec, path: string): void {
  validatePodTemplate(errors, template, path);
  const policy = template.spec?.restartPolicy;
  const detail = 'valid values: "OnFailure", "Never"';
  if (policy === "Always") errors.required(`${path}.spec.restartPolicy`, detail);
}

function validateCronJob(errors: FieldErrors, cron: CronJob): void {
  const { spec, metadata } = cron;
  if (metadata.name.length > MOST_CRON_NAME) {
    const detail = `must be no more than ${MOST_CRON_NAME} characters`;
    errors.invalid("metadata.name", metadata.name, detail);
  }
  validateSchedule(errors, spec.schedule, spec.timeZone);
  errors.nonNegative("spec.startingDeadlineSeconds", spec.startingDeadlineSeconds);
  const { concurrencyPolicy: policy } = spec;
  if (!policy) errors.required("spec.concurrencyPolicy");
  else if (!CONCURRENCY.includes(policy)) {
    errors.notSupported("spec.concurrencyPolicy", policy, CONCURRENCY);
  }
  errors.nonNegative("spec.successfulJobsHistoryLimit", spec.successfulJobsHistoryLimit);
  errors.nonNegative("spec.failedJobsHistoryLimit", spec.failedJobsHistoryLimit);
  const { metadata: template, spec: job } = spec.jobTemplate;
  const path = "spec.jobTemplate";
  validateLabels(errors, template?.labels, `${path}.metadata.labels`);
  validateAnnotations(errors, template?.annotations, `${path}.metadata.annotations`);
  validateJobSpec(errors, job ?? { template: {} }, `${path}.spec`);
  if (job?.manualSelector) {
    errors.notSupported(`${path}.spec.manualSelector`, true, ["nil", "false"]);
  }
}

function validateSchedule(errors: FieldErrors, schedule: string, zone: string | undefined): void {
  if (schedule === "") errors.required("spec.schedule");
  else {
    const fault = cronFault(schedule);
    if (fault) errors.invalid("spec.schedule", schedule, fault);
    if (schedule.includes("TZ")) {
      const detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
      errors.invalid("spec.schedule", schedule, detail);
    }
  }
  const fault = zone === undefined ? undefined : timeZoneFault(zone);
  if (fault) errors.invalid("spec.timeZone", zone, fault);
}

/** A Job that was never started may still be told where its pods may run. */
const MUTABLE_WHILE_SUSPENDED = ["nodeSelector", "affinity", "tolerations", "schedulingGates"];
const FIXED = ["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy"] as const;

function validateJobUpdate(errors: FieldErrors, job: Job, old: Job): void {
  const { spec } = job;
  if (spec.completions !== old.spec.completions) {
    const isElastic = spec.completionMode === "Indexed" && spec.completions !== undefined;
    if (!isElastic) errors.invalid("spec.completions", spec.completions, IMMUTABLE);
    else if (spec.completions !== spec.parallelism) {
      const detail = "can only be modified in tandem with spec.parallelism";
      errors.invalid("spec.completions", spec.completions, detail);
    }
  }
  if (!sameValue(spec.selector, old.spec.selector)) {
    errors.invalid("spec.selector", goSelector(spec.selector), IMMUTABLE);
  }
  const mayMove = old.spec.suspend === true && !old.status?.startTime;
  const before = mayMove ? placedAs(old.spec.template, spec.template) : old.spec.template;
  if (!sameValue(spec.template, before)) {
    errors.invalid("spec.template", spec.template, IMMUTABLE);
  }
  for (const field of [...FIXED, "successPolicy"] as const) {
    if (!sameValue(spec[field], old.spec[field])) {
      errors.invalid(`spec.${field}`, spec[field], IMMUTABLE);
    }
  }
}

/** The template as it was, with what may change taken from the new one. */
function placedAs(template: PodTemplateSpec, from: PodTemplateSpec): PodTemplateSpec {
  const spec = { ...template.spec } as PodSpec;
  for (const field of MUTABLE_WHILE_SUSPENDED as (keyof PodSpec)[]) {
    Object.assign(spec, { [field]: from.spec?.[field] });
  }
  return { ...template, metadata: from.metadata, spec };
}
