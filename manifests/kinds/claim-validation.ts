/** PersistentVolumeClaims (k8s:pkg/apis/core/validation/validation.go, ValidatePersistentVolumeClaim). */
import { compareQuantity, parseQuantity } from "../quantity.ts";
import type {
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  TypedObjectReference,
} from "../schema/types.generated.ts";
import type { FieldErrors } from "../validation/field-error.ts";
import { dnsSubdomain } from "../validation/formats.ts";
import { validateSelector } from "../validation/selector.ts";
import {
  IMMUTABLE,
  sameValue,
  type UpdateValidatorTable,
  type ValidatorTable,
} from "../validation/validator.ts";

const ACCESS_MODES = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
const VOLUME_MODES = ["Block", "Filesystem"];

export const claimValidators: ValidatorTable = {
  "core.v1.PersistentVolumeClaim": (errors, { spec }: PersistentVolumeClaim) =>
    validateClaimSpec(errors, spec, "spec"),
};

export const claimUpdateValidators: UpdateValidatorTable = {
  "core.v1.PersistentVolumeClaim": validateClaimUpdate,
};

/** One pod of one node is no mode among others. */
export function validateAccessModes(
  errors: FieldErrors,
  modes: readonly string[] | undefined,
  at: string,
  detail: string,
): void {
  if (!modes?.length) errors.required(at, detail);
  for (const mode of modes ?? []) {
    if (!ACCESS_MODES.includes(mode)) errors.notSupported(at, mode, ACCESS_MODES);
  }
  if (modes?.includes("ReadWriteOncePod") && modes.some((mode) => mode !== "ReadWriteOncePod")) {
    errors.forbidden(at, "may not use ReadWriteOncePod with other access modes");
  }
}

export function validateVolumeMode(errors: FieldErrors, mode: string | undefined, at: string) {
  if (mode !== undefined && !VOLUME_MODES.includes(mode)) {
    errors.notSupported(at, mode, VOLUME_MODES);
  }
}

export function validateClaimSpec(
  errors: FieldErrors,
  spec: PersistentVolumeClaimSpec,
  path: string,
): void {
  const { accessModes, selector, resources, storageClassName, dataSource, dataSourceRef } = spec;
  const atLeast = "at least 1 access mode is required";
  if (!accessModes?.length) errors.required(`${path}.accessModes`, atLeast);
  if (selector) validateSelector(errors, selector, `${path}.selector`);
  if (accessModes?.length) {
    validateAccessModes(errors, accessModes, `${path}.accessModes`, atLeast);
  }
  const size = resources?.requests?.storage;
  if (size === undefined) errors.required(`${path}.resources[storage]`);
  else if (parseQuantity(size).nano <= 0n) {
    errors.invalid(`${path}.resources[storage]`, size, "must be greater than zero");
  }
  if (storageClassName) {
    const faults = dnsSubdomain(storageClassName);
    errors.invalidEach(`${path}.storageClassName`, storageClassName, faults);
  }
  validateVolumeMode(errors, spec.volumeMode, `${path}.volumeMode`);
  if (dataSource) validateDataSource(errors, dataSource, `${path}.dataSource`);
  if (dataSourceRef) validateDataSource(errors, dataSourceRef, `${path}.dataSourceRef`);
  if (dataSource && dataSourceRef && !sameValue(dataSource, dataSourceRef)) {
    errors.invalid(path, `${path}.dataSource`, "must match dataSourceRef");
  }
}

function validateDataSource(errors: FieldErrors, source: TypedObjectReference, at: string): void {
  const { name, kind, apiGroup = "" } = source;
  if (!name) errors.required(`${at}.name`);
  if (!kind) errors.required(`${at}.kind`);
  if (apiGroup === "" && kind !== "PersistentVolumeClaim") {
    const detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
    errors.invalid(at, kind, detail);
  }
  if (apiGroup) errors.invalidEach(at, apiGroup, dnsSubdomain(apiGroup));
}

/** A claim may be bound once, and grow once it is. */
function validateClaimUpdate(
  errors: FieldErrors,
  claim: PersistentVolumeClaim,
  old: PersistentVolumeClaim,
): void {
  const spec = { ...claim.spec };
  if (!old.spec.volumeName) Object.assign(spec, { volumeName: old.spec.volumeName });
  const isBound = old.status?.phase === "Bound";
  if (isBound) {
    spec.resources = { ...spec.resources, requests: old.spec.resources?.requests };
    spec.volumeAttributesClassName = old.spec.volumeAttributesClassName;
  }
  if (!sameValue(spec, old.spec)) {
    const rule = "spec is immutable after creation except";
    const rest = "resources.requests and volumeAttributesClassName for bound claims";
    errors.forbidden("spec", `${rule} ${rest}`);
  }
  const size = claim.spec.resources?.requests?.storage;
  const before = old.spec.resources?.requests?.storage;
  const held = old.status?.capacity?.storage;
  if (isBound && size && before && compareQuantity(size, before) < 0) {
    const detail = "field can not be less than status.capacity";
    const isShort = held === undefined || compareQuantity(size, held) <= 0;
    if (isShort) errors.forbidden("spec.resources.requests.storage", detail);
  }
  if ((claim.spec.volumeMode ?? "") !== (old.spec.volumeMode ?? "")) {
    errors.invalid("spec.volumeMode", claim.spec.volumeMode, IMMUTABLE);
  }
}
