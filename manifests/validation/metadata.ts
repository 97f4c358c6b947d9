/** Metadata of every object (k8s:apimachinery/pkg/api/validation/objectmeta.go). */
import type { Kind } from "../kinds/kind.ts";
import type { ObjectMeta, OwnerReference } from "../schema/types.generated.ts";
import type { FieldErrors } from "./field-error.ts";
import {
  dns1035Label,
  dnsLabel,
  dnsSubdomain,
  labelValue,
  type NameCheck,
  nameCheck,
  pathSegment,
  qualifiedName,
} from "./formats.ts";

const ANNOTATION_BYTES = 256 * 1024;
const IMMUTABLE = "field is immutable";

/** Names are DNS subdomains but for these. */
const NAME_CHECKS: Record<string, NameCheck> = {
  "core.v1.Namespace": nameCheck(dnsLabel),
  "core.v1.Service": nameCheck(dns1035Label),
  "rbac.v1.Role": pathSegment,
  "rbac.v1.RoleBinding": pathSegment,
  "rbac.v1.ClusterRole": pathSegment,
  "rbac.v1.ClusterRoleBinding": pathSegment,
  "apiregistration.v1.APIService": pathSegment,
};
const DEFAULT_NAME_CHECK = nameCheck(dnsSubdomain);

export function nameCheckOf(kind: Kind): NameCheck {
  return NAME_CHECKS[kind.typeName] ?? DEFAULT_NAME_CHECK;
}

/** It expects that the API server has generated the name and filled in the namespace. */
export function validateMetadata(errors: FieldErrors, kind: Kind, meta: ObjectMeta): void {
  const checkName = nameCheckOf(kind);
  const { generateName, name, namespace } = meta;
  if (generateName) {
    errors.invalidEach("metadata.generateName", generateName, checkName(generateName, true));
  }
  if (!name) errors.required("metadata.name", "name or generateName is required");
  else errors.invalidEach("metadata.name", name, checkName(name, false));
  if (kind.namespaced) {
    if (!namespace) errors.required("metadata.namespace");
    else errors.invalidEach("metadata.namespace", namespace, dnsLabel(namespace));
  } else if (namespace) {
    errors.forbidden("metadata.namespace", "not allowed on this type");
  }
  errors.nonNegative("metadata.generation", meta.generation);
  validateCommon(errors, meta);
  validateFinalizers(errors, meta.finalizers ?? []);
}

export function validateMetadataUpdate(
  errors: FieldErrors,
  meta: ObjectMeta,
  old: ObjectMeta,
): void {
  if (old.deletionTimestamp) refuseNewFinalizers(errors, meta.finalizers ?? [], old);
  if (!meta.resourceVersion) {
    errors.invalid("metadata.resourceVersion", "", "must be specified for an update");
  }
  if ((meta.generation ?? 0) < (old.generation ?? 0)) {
    errors.invalid("metadata.generation", meta.generation ?? 0, "must not be decremented");
  }
  const immutable = [
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
  ] as const;
  for (const field of immutable) {
    if ((meta[field] ?? "") === (old[field] ?? "")) continue;
    errors.invalid(`metadata.${field}`, meta[field] ?? "", IMMUTABLE);
  }
  validateCommon(errors, meta);
}

function validateCommon(errors: FieldErrors, meta: ObjectMeta): void {
  validateLabels(errors, meta.labels, "metadata.labels");
  validateAnnotations(errors, meta.annotations, "metadata.annotations");
  validateOwners(errors, meta.ownerReferences ?? []);
}

export function validateLabels(
  errors: FieldErrors,
  labels: Record<string, string> | undefined,
  field: string,
): void {
  for (const [key, value] of Object.entries(labels ?? {})) {
    errors.invalidEach(field, key, qualifiedName(key));
    errors.invalidEach(field, value, labelValue(value));
  }
}

export function validateAnnotations(
  errors: FieldErrors,
  annotations: Record<string, string> | undefined,
  field: string,
): void {
  let size = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    errors.invalidEach(field, key, qualifiedName(key.toLowerCase()));
    size += utf8Length(key) + utf8Length(value);
  }
  if (size > ANNOTATION_BYTES) errors.tooLong(field, ANNOTATION_BYTES);
}

export function utf8Length(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    // Each half of a surrogate pair counts two, and a pair is four bytes.
    bytes += code < 0x80 ? 1 : code < 0x800 || (code >= 0xd800 && code < 0xe000) ? 2 : 3;
  }
  return bytes;
}

function validateOwners(errors: FieldErrors, owners: OwnerReference[]): void {
  const field = "metadata.ownerReferences";
  let controller: string | undefined;
  for (const owner of owners) {
    if (!owner.apiVersion.replace(/^.*\//, "")) {
      errors.invalid(`${field}.apiVersion`, owner.apiVersion, "version must not be empty");
    }
    if (!owner.kind) errors.invalid(`${field}.kind`, owner.kind, "kind must not be empty");
    if (!owner.name) errors.invalid(`${field}.name`, owner.name, "name must not be empty");
    if (!owner.uid) errors.invalid(`${field}.uid`, owner.uid, "uid must not be empty");
    if (owner.apiVersion === "v1" && owner.kind === "Event") {
      errors.invalid(field, owner, "/v1, Kind=Event is disallowed from being an owner");
    }
    if (!owner.controller) continue;
    const current = `${owner.kind}/${owner.name}`;
    if (controller) {
      const both = `Found "true" in references for ${controller} and ${current}`;
      const rule = "Only one reference can have Controller set to true.";
      errors.invalid(field, owners, `${rule} ${both}`);
    } else controller = current;
  }
}

function validateFinalizers(errors: FieldErrors, finalizers: string[]): void {
  for (const finalizer of finalizers) {
    errors.invalidEach("metadata.finalizers", finalizer, qualifiedName(finalizer));
  }
  if (finalizers.includes("orphan") && finalizers.includes("foregroundDeletion")) {
    const detail = "finalizer orphan and foregroundDeletion cannot be both set";
    errors.invalid("metadata.finalizers", finalizers, detail);
  }
}

function refuseNewFinalizers(errors: FieldErrors, finalizers: string[], old: ObjectMeta): void {
  const added = finalizers.filter((name) => !old.finalizers?.includes(name)).sort();
  if (added.length === 0) return;
  const rule = "no new finalizers can be added if the object is being deleted";
  const shown = added.map((name) => JSON.stringify(name)).join(", ");
  errors.forbidden("metadata.finalizers", `${rule}, found new finalizers []string{${shown}}`);
}
