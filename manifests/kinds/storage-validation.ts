/** PersistentVolumes and the kinds of storage.k8s.io (k8s:pkg/apis/core/validation, pkg/apis/storage/validation). */
import { parseQuantity } from "../quantity.ts";
import type {
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  PersistentVolume,
  PersistentVolumeSpec,
  StorageClass,
  TokenRequest,
  VolumeAttachment,
  VolumeAttachmentSource,
} from "../schema/types.generated.ts";
import { type FieldErrors, goMap } from "../validation/field-error.ts";
import { dnsSubdomain, driverName, qualifiedName } from "../validation/formats.ts";
import { utf8Length } from "../validation/metadata.ts";
import { each, format, oneOf, optional, type RuleTable, unique } from "../validation/rules.ts";
import { IMMUTABLE, sameValue, type UpdateValidatorTable } from "../validation/validator.ts";
import { validateAccessModes, validateVolumeMode } from "./claim-validation.ts";
import { notNegative } from "./resource-validation.ts";
import { volumeSourceRules } from "./volume-source-rules.ts";

const MOST_PARAMETERS = 512;
const MOST_PARAMETER_BYTES = 256 * 1024;
const MOST_NODE_ID = 192;
const LEAST_TOKEN_SECONDS = 600;

/** What of a volume's spec does not say where its data is. */
const NOT_SOURCES = new Set([
  "accessModes",
  "capacity",
  "claimRef",
  "mountOptions",
  "nodeAffinity",
  "persistentVolumeReclaimPolicy",
  "storageClassName",
  "volumeAttributesClassName",
  "volumeMode",
]);

export const storageRules: RuleTable = {
  ...volumeSourceRules,
  "core.v1.PersistentVolumeSpec": {
    fields: { storageClassName: optional(dnsSubdomain) },
    // Its rules look at these as a whole.
    unlisted: ["accessModes", "volumeMode"],
    whole: validateVolumeSpec,
  },
  "core.v1.VolumeNodeAffinity": {
    required: { required: "must specify required node constraints" },
  },
  "storage.v1.StorageClass": {
    unlisted: ["reclaimPolicy"],
    fields: {
      reclaimPolicy: oneOf("Delete", "Retain"),
      provisioner: format((value) => qualifiedName(value.toLowerCase())),
      parameters: validateParameters,
    },
  },
  "core.v1.TopologySelectorLabelRequirement": {
    required: { values: "" },
    fields: { key: format(qualifiedName), values: unique((value: string) => value) },
  },
  "storage.v1.VolumeAttachmentSpec": {
    fields: { attacher: format(driverName), nodeName: format(dnsSubdomain) },
  },
  "storage.v1.VolumeAttachmentSource": { whole: validateAttached },
  "storage.v1.CSIDriverSpec": {
    fields: {
      fsGroupPolicy: oneOf("File", "None", "ReadWriteOnceWithFSType"),
      volumeLifecycleModes: each(oneOf("Ephemeral", "Persistent")),
      tokenRequests: validateTokens,
    },
  },
  "storage.v1.TokenRequest": { mayBeEmpty: ["audience"] },
  "storage.v1.CSINodeSpec": {
    fields: { drivers: unique(({ name }: { name: string }) => name, ".name") },
  },
  "storage.v1.CSINodeDriver": {
    fields: {
      name: format(driverName),
      nodeID: format((id) =>
        id.length > MOST_NODE_ID ? [`must be ${MOST_NODE_ID} characters or less`] : [],
      ),
      topologyKeys: each(format(qualifiedName)),
    },
  },
  "storage.v1.VolumeNodeResources": {
    fields: { count: (errors, count: number, at) => errors.nonNegative(at, count) },
  },
  "storage.v1.CSIStorageCapacity": {
    fields: {
      storageClassName: format(dnsSubdomain),
      capacity: notNegative,
      maximumVolumeSize: notNegative,
    },
  },
};

export const storageUpdateValidators: UpdateValidatorTable = {
  "core.v1.PersistentVolume": validateVolumeUpdate,
  "storage.v1.StorageClass": validateClassUpdate,
  "storage.v1.VolumeAttachment": (errors, { spec }: VolumeAttachment, old: VolumeAttachment) => {
    if (!sameValue(spec, old.spec)) errors.invalid("spec", spec, IMMUTABLE);
  },
  "storage.v1.CSIDriver": (errors, { spec }: CSIDriver, old: CSIDriver) => {
    // As upstream, which has the name of the first field wrong.
    if (spec.attachRequired !== old.spec.attachRequired) {
      errors.invalid("spec.attachedRequired", spec.attachRequired, IMMUTABLE);
    }
    if (!sameValue(spec.volumeLifecycleModes, old.spec.volumeLifecycleModes)) {
      errors.invalid("spec.volumeLifecycleModes", spec.volumeLifecycleModes, IMMUTABLE);
    }
  },
  "storage.v1.CSINode": validateNodeDrivers,
  "storage.v1.CSIStorageCapacity": (
    errors,
    { nodeTopology, storageClassName }: CSIStorageCapacity,
    old: CSIStorageCapacity,
  ) => {
    if (!sameValue(nodeTopology, old.nodeTopology)) {
      errors.invalid("nodeTopology", nodeTopology, IMMUTABLE);
    }
    if (storageClassName !== old.storageClassName) {
      errors.invalid("storageClassName", storageClassName, IMMUTABLE);
    }
  },
};

function validateVolumeSpec(errors: FieldErrors, spec: PersistentVolumeSpec, path: string): void {
  validateAccessModes(errors, spec.accessModes, `${path}.accessModes`, "");
  const { capacity = {}, hostPath, nodeAffinity } = spec;
  const names = Object.keys(capacity);
  if (names.length === 0) errors.required(`${path}.capacity`);
  else if (names.length > 1 || !("storage" in capacity)) {
    errors.notSupported(`${path}.capacity`, goMap(capacity), ["storage"]);
  }
  for (const [name, quantity] of Object.entries(capacity)) {
    if (parseQuantity(quantity).nano > 0n) continue;
    errors.invalid(`${path}.capacity[${name}]`, quantity, "must be greater than zero");
  }
  const sources = Object.keys(spec).filter((name) => !NOT_SOURCES.has(name));
  if (sources.length === 0) errors.required(path, "must specify a volume type");
  for (const extra of sources.slice(1)) {
    errors.forbidden(`${path}.${extra}`, "may not specify more than 1 volume type");
  }
  if (hostPath?.path === "/" && spec.persistentVolumeReclaimPolicy === "Recycle") {
    const detail = "may not be 'recycle' for a hostPath mount of '/'";
    errors.forbidden(`${path}.persistentVolumeReclaimPolicy`, detail);
  }
  if (spec.local && !nodeAffinity?.required) {
    errors.required(`${path}.nodeAffinity`, "Local volume requires node affinity");
  }
  validateVolumeMode(errors, spec.volumeMode, `${path}.volumeMode`);
}

function validateParameters(
  errors: FieldErrors,
  parameters: Record<string, string>,
  at: string,
): void {
  const names = Object.keys(parameters);
  if (names.length > MOST_PARAMETERS) {
    errors.add("FieldValueTooLong", at, undefined, `may not be more than ${MOST_PARAMETERS} bytes`);
  }
  let size = 0;
  for (const [key, value] of Object.entries(parameters)) {
    if (key === "") errors.invalid(at, key, "field can not be empty.");
    size += utf8Length(key) + utf8Length(value);
  }
  if (size > MOST_PARAMETER_BYTES) errors.tooLong(at, MOST_PARAMETER_BYTES);
}

function validateAttached(errors: FieldErrors, source: VolumeAttachmentSource, at: string): void {
  const { persistentVolumeName: name, inlineVolumeSpec } = source;
  const detail = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
  if (name === undefined && !inlineVolumeSpec) errors.required(at, detail);
  else if (name !== undefined && inlineVolumeSpec) errors.forbidden(at, detail);
  else if (name === "") {
    errors.required(`${at}.persistentVolumeName`, "must specify non empty persistentVolumeName");
  }
}

function validateTokens(errors: FieldErrors, tokens: readonly TokenRequest[], path: string): void {
  const audiences = new Set<string>();
  tokens.forEach(({ audience, expirationSeconds: seconds }, i) => {
    const at = `${path}[${i}]`;
    if (audiences.has(audience)) errors.duplicate(`${at}.audience`, audience);
    audiences.add(audience);
    if (seconds === undefined) return;
    const field = `${at}.expirationSeconds`;
    if (seconds < LEAST_TOKEN_SECONDS) {
      errors.invalid(field, seconds, "may not specify a duration less than 10 minutes");
    } else if (seconds > 2 ** 32) {
      errors.invalid(field, seconds, "may not specify a duration larger than 2^32 seconds");
    }
  });
}

/** Where the data is never changes; who may reach it is told once. */
function validateVolumeUpdate(
  errors: FieldErrors,
  { spec }: PersistentVolume,
  old: PersistentVolume,
): void {
  const sourceOf = (of: PersistentVolumeSpec) =>
    Object.fromEntries(Object.entries(of).filter(([name]) => !NOT_SOURCES.has(name)));
  if (!sameValue(sourceOf(spec), sourceOf(old.spec))) {
    const detail = "spec.persistentvolumesource is immutable after creation";
    errors.forbidden("spec.persistentvolumesource", detail);
  }
  if (spec.volumeMode !== old.spec.volumeMode) {
    errors.invalid("spec.volumeMode", spec.volumeMode, IMMUTABLE);
  }
  if (old.spec.nodeAffinity && !sameValue(spec.nodeAffinity, old.spec.nodeAffinity)) {
    const detail = `${IMMUTABLE}, except for updating from beta label to GA`;
    errors.invalid("spec.nodeAffinity", spec.nodeAffinity, detail);
  }
}

function validateClassUpdate(errors: FieldErrors, now: StorageClass, old: StorageClass): void {
  for (const field of ["parameters", "provisioner", "reclaimPolicy"] as const) {
    if (sameValue(now[field], old[field])) continue;
    errors.forbidden(field, `updates to ${field} are forbidden.`);
  }
  if (now.volumeBindingMode !== old.volumeBindingMode) {
    errors.invalid("volumeBindingMode", now.volumeBindingMode, IMMUTABLE);
  }
}

/** A driver may come and go, but not become another under its name. */
function validateNodeDrivers(errors: FieldErrors, { spec }: CSINode, old: CSINode): void {
  for (const driver of spec.drivers) {
    const before = old.spec.drivers.find(({ name }) => name === driver.name);
    if (before && !sameValue(before, driver)) {
      errors.invalid("spec.drivers", driver, IMMUTABLE);
    }
  }
}
