/** What may change of a Pod that exists (k8s:pkg/apis/core/validation/validation.go, ValidatePodUpdate). */
import type { EphemeralContainer, Pod, PodSpec, Toleration } from "../schema/types.generated.ts";
import type { FieldErrors } from "../validation/field-error.ts";
import { inRange } from "../validation/formats.ts";
import { validateLabels } from "../validation/metadata.ts";
import { sameValue, type UpdateValidatorTable } from "../validation/validator.ts";
import { validateEphemeralContainers, validateImage } from "./container-validation.ts";

const MAX_INT32 = 2 ** 31 - 1;
const MUTABLE = [
  "`spec.containers[*].image`",
  "`spec.initContainers[*].image`",
  "`spec.activeDeadlineSeconds`",
  "`spec.tolerations` (only additions to existing tolerations)",
  "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
].join(",");

export const podUpdateValidators: UpdateValidatorTable = {
  "core.v1.Pod": validatePodUpdate,
};

/** A node is given by the binding subresource, and a gate may be lifted; nearly all else stays. */
function validatePodUpdate(errors: FieldErrors, pod: Pod, old: Pod): void {
  for (const list of ["containers", "initContainers"] as const) {
    if ((pod.spec[list]?.length ?? 0) !== (old.spec[list]?.length ?? 0)) {
      errors.forbidden(`spec.${list}`, "pod updates may not add or remove containers");
      return;
    }
    pod.spec[list]?.forEach((container, i) => {
      validateImage(errors, container.image, `spec.${list}[${i}].image`);
    });
  }
  validateDeadlineUpdate(errors, pod, old);
  validateTolerationUpdate(errors, pod.spec.tolerations ?? [], old.spec.tolerations ?? []);
  validateGateUpdate(errors, pod.spec, old.spec);
  validateEphemeralUpdate(errors, pod, old);
  if (!sameValue(fixedPart(pod.spec, old.spec), fixedPart(old.spec, old.spec))) {
    errors.forbidden("spec", `pod updates may not change fields other than ${MUTABLE}`);
  }
}

/** While a gate holds it back nobody has looked at where a pod may run, so that may be narrowed. */
function isGated(spec: PodSpec): boolean {
  return (spec.schedulingGates?.length ?? 0) > 0;
}

/** The spec without what may change, or with the old value in its place. */
function fixedPart(spec: PodSpec, old: PodSpec): unknown {
  const { activeDeadlineSeconds: _deadline, tolerations: _tolerations, ...rest } = spec;
  const imageless = (list: PodSpec["containers"] = []) => list.map((c) => ({ ...c, image: "" }));
  const wasNegative = (old.terminationGracePeriodSeconds ?? 0) < 0;
  const grace = spec.terminationGracePeriodSeconds;
  return {
    ...rest,
    containers: imageless(spec.containers),
    initContainers: imageless(spec.initContainers),
    // A list of its own says what is wrong with it.
    schedulingGates: undefined,
    ephemeralContainers: undefined,
    ...(wasNegative && grace === 1 && { terminationGracePeriodSeconds: grace }),
    ...(wasNegative && spec === old && { terminationGracePeriodSeconds: 1 }),
    ...(isGated(old) && narrowed(spec, old)),
  };
}

/** For a gated pod: the selector and the affinity as they were, where they only became narrower. */
function narrowed(spec: PodSpec, old: PodSpec): Partial<PodSpec> {
  const part: Partial<PodSpec> = {};
  const before = Object.entries(old.nodeSelector ?? {});
  if (before.every(([key, value]) => spec.nodeSelector?.[key] === value)) {
    part.nodeSelector = old.nodeSelector;
  }
  const affinity = spec.affinity?.nodeAffinity;
  if (!old.affinity?.nodeAffinity && affinity) {
    part.affinity = { ...spec.affinity, nodeAffinity: undefined };
    if (Object.keys(spec.affinity ?? {}).length === 1 && !old.affinity) part.affinity = undefined;
  }
  return part;
}

function validateGateUpdate(errors: FieldErrors, spec: PodSpec, old: PodSpec): void {
  const before = new Set(old.schedulingGates?.map(({ name }) => name));
  spec.schedulingGates?.forEach(({ name }, i) => {
    if (before.has(name)) return;
    const detail = `only deletion is allowed, but found new scheduling gate '${name}'`;
    errors.forbidden(`spec.schedulingGates[${i}].name`, detail);
  });
  if (isGated(old)) validateLabels(errors, spec.nodeSelector, "spec.nodeSelector");
}

function validateDeadlineUpdate(errors: FieldErrors, pod: Pod, old: Pod): void {
  const [after, before] = [pod.spec.activeDeadlineSeconds, old.spec.activeDeadlineSeconds];
  const field = "spec.activeDeadlineSeconds";
  if (after !== undefined) {
    errors.invalidEach(field, after, inRange(after, 0, MAX_INT32));
    if (before !== undefined && before < after) {
      errors.invalid(field, after, "must be less than or equal to previous value");
    }
  } else if (before !== undefined) {
    errors.invalid(field, null, "must not update from a positive integer to nil value");
  }
}

function validateTolerationUpdate(
  errors: FieldErrors,
  after: Toleration[],
  before: Toleration[],
): void {
  const timeless = ({ tolerationSeconds: _seconds, ...rest }: Toleration) => rest;
  const isKept = before.every((old) =>
    after.some((toleration) => sameValue(timeless(toleration), timeless(old))),
  );
  if (isKept) return;
  const detail = "existing toleration can not be modified except its tolerationSeconds";
  errors.forbidden("spec.tolerations", detail);
}

/** Containers for debugging are added by their subresource, and never leave or change. */
function validateEphemeralUpdate(errors: FieldErrors, pod: Pod, old: Pod): void {
  const field = "spec.ephemeralContainers";
  const after = pod.spec.ephemeralContainers ?? [];
  const before = old.spec.ephemeralContainers ?? [];
  if (sameValue(after, before)) return;
  validateEphemeralContainers(errors, after, field, pod.spec);
  const named = (list: readonly EphemeralContainer[], name: string) =>
    list.find((container) => container.name === name);
  for (const container of before) {
    const now = named(after, container.name);
    const what = `existing ephemeral containers ${JSON.stringify(container.name)} may not be`;
    if (!now) errors.forbidden(field, `${what} removed`);
    else if (!sameValue(now, container)) errors.forbidden(field, `${what} changed`);
  }
}
