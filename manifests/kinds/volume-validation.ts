/** The volumes of a pod (k8s:pkg/apis/core/validation/validation.go, ValidateVolumes). */
import { parseQuantity } from "../quantity.ts";
import type {
  DownwardAPIVolumeFile,
  KeyToPath,
  PersistentVolumeClaimTemplate,
  ServiceAccountTokenProjection,
  Volume,
  VolumeProjection,
} from "../schema/types.generated.ts";
import type { FieldErrors } from "../validation/field-error.ts";
import { dnsLabel, dnsSubdomain } from "../validation/formats.ts";
import { createWalk } from "../validation/generic.ts";
import { validateAnnotations, validateLabels } from "../validation/metadata.ts";
import type { Rule } from "../validation/rules.ts";
import { validateClaimSpec } from "./claim-validation.ts";
import { validateFieldRef, validateResourceFieldRef } from "./environment-validation.ts";
import { validateLocalPath } from "./mount-validation.ts";
import { volumeSourceRules } from "./volume-source-rules.ts";

const DOWNWARD_FIELDS = [
  "metadata.annotations",
  "metadata.labels",
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
];
const MOST_MODE = 0o777;
const LEAST_TOKEN_SECONDS = 600;
const MOST_TOKEN_SECONDS = 2 ** 32;

const walk = createWalk(
  {
    "core.v1.ConfigMapVolumeSource": named("name"),
    "core.v1.SecretVolumeSource": named("secretName"),
    "core.v1.DownwardAPIVolumeSource": validateDownward,
    "core.v1.ProjectedVolumeSource": validateProjected,
    "core.v1.EphemeralVolumeSource": validateEphemeral,
  },
  volumeSourceRules,
);

export function validateVolumes(errors: FieldErrors, volumes: Volume[], path: string): void {
  const names = new Set<string>();
  volumes.forEach((volume, i) => {
    const at = `${path}[${i}]`;
    const sources = Object.keys(volume).filter((key) => key !== "name");
    if (sources.length === 0) errors.required(at, "must specify a volume type");
    for (const extra of sources.slice(1)) {
      errors.forbidden(`${at}.${extra}`, "may not specify more than 1 volume type");
    }
    if (sources.length === 1) validateSource(errors, volume, at);
    if (volume.name === "") errors.required(`${at}.name`);
    else errors.invalidEach(`${at}.name`, volume.name, dnsLabel(volume.name));
    if (volume.name && names.has(volume.name)) errors.duplicate(`${at}.name`, volume.name);
    names.add(volume.name);
  });
}

/** All that most pods mount needs no walk. */
function validateSource(errors: FieldErrors, volume: Volume, at: string): void {
  if (!volume.emptyDir) walk(errors, "core.v1.Volume", { ...volume, name: "-" }, at);
  else if (volume.emptyDir.sizeLimit && parseQuantity(volume.emptyDir.sizeLimit).nano < 0n) {
    const detail = "SizeLimit field must be a valid resource quantity";
    errors.forbidden(`${at}.emptyDir.sizeLimit`, detail);
  }
}

interface Files {
  defaultMode?: number;
  items?: KeyToPath[];
}

/** Files made of the keys of an object, which one must be named. */
function named(field: string): Rule<Files> {
  return (errors, files, at) => {
    if (!files[field as keyof Files]) errors.required(`${at}.${field}`);
    validateFiles(errors, files, at);
  };
}

function validateFiles(errors: FieldErrors, files: Files, path: string): void {
  const field = `${path}.defaultMode`;
  validateMode(errors, files.defaultMode, field);
  files.items?.forEach((item, i) => {
    const at = `${path}.items[${i}]`;
    if (item.key === "") errors.required(`${at}.key`);
    if (item.path === "") errors.required(`${at}.path`);
    validateReservedPath(errors, item.path, `${at}.path`);
    validateMode(errors, item.mode, `${at}.mode`);
  });
}

/** The kubelet keeps what begins with two dots for itself. */
function validateReservedPath(errors: FieldErrors, path: string, at: string): void {
  validateLocalPath(errors, path, at);
  if (path.startsWith("..") && !path.startsWith("../")) {
    errors.invalid(at, path, "must not start with '..'");
  }
}

function validateMode(errors: FieldErrors, mode: number | undefined, at: string): void {
  if (mode === undefined || (mode >= 0 && mode <= MOST_MODE)) return;
  errors.invalid(at, mode, "must be a number between 0 and 0777 (octal), both inclusive");
}

interface Downward {
  defaultMode?: number;
  items?: DownwardAPIVolumeFile[];
}

function validateDownward(errors: FieldErrors, source: Downward, path: string): void {
  validateMode(errors, source.defaultMode, `${path}.defaultMode`);
  for (const item of source.items ?? []) {
    // As upstream, which names the list's field without an index.
    if (item.path === "") errors.required(`${path}.path`);
    validateReservedPath(errors, item.path, `${path}.path`);
    if (item.fieldRef) {
      validateFieldRef(errors, item.fieldRef, `${path}.fieldRef`, DOWNWARD_FIELDS);
      if (item.resourceFieldRef) {
        const detail = "fieldRef and resourceFieldRef can not be specified simultaneously";
        errors.invalid(path, "resource", detail);
      }
    } else if (item.resourceFieldRef) {
      validateResourceFieldRef(errors, item.resourceFieldRef, `${path}.resourceFieldRef`, true);
    } else errors.required(path, "one of fieldRef and resourceFieldRef is required");
    validateMode(errors, item.mode, `${path}.mode`);
  }
}

interface Projected {
  defaultMode?: number;
  sources?: VolumeProjection[];
}

function validateProjected(errors: FieldErrors, projected: Projected, path: string): void {
  validateMode(errors, projected.defaultMode, `${path}.defaultMode`);
  const places = new Set<string>();
  projected.sources?.forEach((source, i) => {
    const at = `${path}.sources[${i}]`;
    const given = Object.keys(source);
    for (const extra of given.slice(1)) {
      errors.forbidden(`${at}.${extra}`, "may not specify more than 1 volume type");
    }
    validateProjection(errors, source, at);
    for (const place of pathsOf(source)) {
      if (places.has(place)) {
        const detail = `conflicting duplicate paths`;
        errors.invalid(path, place, detail);
      }
      places.add(place);
    }
  });
}

function pathsOf({ secret, configMap, downwardAPI, ...rest }: VolumeProjection): string[] {
  const lists = [secret?.items, configMap?.items, downwardAPI?.items];
  const paths = lists.flatMap((items) => (items ?? []).map(({ path }) => path));
  const single = rest.serviceAccountToken?.path ?? rest.clusterTrustBundle?.path;
  return (single === undefined ? paths : [...paths, single]).filter((path) => path !== "");
}

function validateProjection(errors: FieldErrors, source: VolumeProjection, at: string): void {
  const { secret, configMap, downwardAPI, serviceAccountToken } = source;
  for (const [name, files] of Object.entries({ secret, configMap })) {
    if (!files) continue;
    if (!files.name) errors.required(`${at}.${name}.name`);
    validateFiles(errors, files, `${at}.${name}`);
  }
  if (downwardAPI) validateDownward(errors, downwardAPI, `${at}.downwardAPI`);
  if (serviceAccountToken) {
    validateToken(errors, serviceAccountToken, `${at}.serviceAccountToken`);
  }
}

function validateToken(
  errors: FieldErrors,
  { path, expirationSeconds: seconds = 3600 }: ServiceAccountTokenProjection,
  at: string,
): void {
  const field = `${at}.expirationSeconds`;
  if (seconds < LEAST_TOKEN_SECONDS) {
    errors.invalid(field, seconds, "may not specify a duration less than 10 minutes");
  } else if (seconds > MOST_TOKEN_SECONDS) {
    errors.invalid(field, seconds, "may not specify a duration larger than 2^32 seconds");
  }
  if (path === "") errors.required(`${at}.path`);
  else validateReservedPath(errors, path, `${at}.path`);
}

interface Ephemeral {
  volumeClaimTemplate?: PersistentVolumeClaimTemplate;
}

function validateEphemeral(errors: FieldErrors, { volumeClaimTemplate }: Ephemeral, at: string) {
  const path = `${at}.volumeClaimTemplate`;
  if (!volumeClaimTemplate) {
    errors.required(path);
    return;
  }
  const { metadata, spec } = volumeClaimTemplate;
  validateLabels(errors, metadata?.labels, `${path}.metadata.labels`);
  validateAnnotations(errors, metadata?.annotations, `${path}.metadata.annotations`);
  if (metadata?.name) {
    errors.invalidEach(`${path}.metadata.name`, metadata.name, dnsSubdomain(metadata.name));
  }
  validateClaimSpec(errors, spec, `${path}.spec`);
}
