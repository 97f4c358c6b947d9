/** The volumes of a pod (k8s:pkg/apis/core/validation/validation.go, ValidateVolumes). */
import { parseQuantity } from "../quantity.ts";
import type { KeyToPath, Volume, VolumeProjection } from "../schema/types.generated.ts";
import type { FieldErrors } from "../validation/field-error.ts";
import { dnsLabel } from "../validation/formats.ts";
import { validateFieldRef, validateLocalPath } from "./container-validation.ts";

const HOST_PATH_TYPES = [
  "",
  "BlockDevice",
  "CharDevice",
  "Directory",
  "DirectoryOrCreate",
  "File",
  "FileOrCreate",
  "Socket",
];
const DOWNWARD_PATHS = ["metadata.annotations", "metadata.labels", "metadata.name"];
const MOST_MODE = 0o777;

export function validateVolumes(errors: FieldErrors, volumes: Volume[], path: string): void {
  const names = new Set<string>();
  volumes.forEach((volume, i) => {
    const at = `${path}[${i}]`;
    validateSource(errors, volume, at);
    if (volume.name === "") errors.required(`${at}.name`);
    else errors.invalidEach(`${at}.name`, volume.name, dnsLabel(volume.name));
    if (volume.name && names.has(volume.name)) errors.duplicate(`${at}.name`, volume.name);
    names.add(volume.name);
  });
}

function validateSource(errors: FieldErrors, volume: Volume, at: string): void {
  const sources = Object.keys(volume).filter((key) => key !== "name");
  if (sources.length === 0) errors.required(at, "must specify a volume type");
  for (const extra of sources.slice(1)) {
    errors.forbidden(`${at}.${extra}`, "may not specify more than 1 volume type");
  }
  const { emptyDir, hostPath, secret, configMap, persistentVolumeClaim: claim } = volume;
  if (emptyDir?.sizeLimit && parseQuantity(emptyDir.sizeLimit).nano < 0n) {
    const detail = "SizeLimit field must be a valid resource quantity";
    errors.forbidden(`${at}.emptyDir.sizeLimit`, detail);
  }
  if (hostPath) validateHostPath(errors, hostPath, `${at}.hostPath`);
  if (secret) {
    if (!secret.secretName) errors.required(`${at}.secret.secretName`);
    validateFiles(errors, secret, `${at}.secret`);
  }
  if (configMap) {
    if (!configMap.name) errors.required(`${at}.configMap.name`);
    validateFiles(errors, configMap, `${at}.configMap`);
  }
  if (claim && !claim.claimName) errors.required(`${at}.persistentVolumeClaim.claimName`);
  validateDownward(errors, volume.downwardAPI?.items ?? [], `${at}.downwardAPI`);
  volume.projected?.sources?.forEach((source, i) => {
    validateProjection(errors, source, `${at}.projected.sources[${i}]`);
  });
}

function validateHostPath(
  errors: FieldErrors,
  hostPath: { path: string; type?: string },
  at: string,
): void {
  if (hostPath.path === "") errors.required(`${at}.path`);
  else if (hostPath.path.split("/").includes("..")) {
    errors.invalid(`${at}.path`, hostPath.path, "must not contain '..'");
  }
  if (hostPath.type === undefined || HOST_PATH_TYPES.includes(hostPath.type)) return;
  errors.notSupported(`${at}.type`, hostPath.type, HOST_PATH_TYPES);
}

interface Files {
  defaultMode?: number;
  items?: KeyToPath[];
}

function validateFiles(errors: FieldErrors, files: Files, path: string): void {
  validateMode(errors, files.defaultMode, `${path}.defaultMode`);
  files.items?.forEach((item, i) => {
    const at = `${path}.items[${i}]`;
    if (item.key === "") errors.required(`${at}.key`);
    if (item.path === "") errors.required(`${at}.path`);
    else validateLocalPath(errors, item.path, `${at}.path`);
    validateMode(errors, item.mode, `${at}.mode`);
  });
}

function validateMode(errors: FieldErrors, mode: number | undefined, at: string): void {
  if (mode === undefined || (mode >= 0 && mode <= MOST_MODE)) return;
  errors.invalid(at, mode, "must be a number between 0 and 0777 (octal), both inclusive");
}

type DownwardItems = NonNullable<NonNullable<Volume["downwardAPI"]>["items"]>;

function validateDownward(errors: FieldErrors, items: DownwardItems, path: string): void {
  items.forEach((item, i) => {
    const at = `${path}.items[${i}]`;
    if (item.path === "") errors.required(`${at}.path`);
    else validateLocalPath(errors, item.path, `${at}.path`);
    if (item.fieldRef) {
      const known = [...DOWNWARD_PATHS, "metadata.namespace", "metadata.uid"];
      validateFieldRef(errors, item.fieldRef.fieldPath, `${at}.fieldRef`, known);
    } else if (!item.resourceFieldRef) {
      errors.required(at, "one of fieldRef and resourceFieldRef is required");
    }
    validateMode(errors, item.mode, `${at}.mode`);
  });
}

function validateProjection(errors: FieldErrors, source: VolumeProjection, at: string): void {
  const { secret, configMap, downwardAPI, serviceAccountToken: token } = source;
  for (const [name, files] of Object.entries({ secret, configMap })) {
    if (!files) continue;
    if (!files.name) errors.required(`${at}.${name}.name`);
    validateFiles(errors, files, `${at}.${name}`);
  }
  validateDownward(errors, downwardAPI?.items ?? [], `${at}.downwardAPI`);
  if (!token) return;
  if (token.path === "") errors.required(`${at}.serviceAccountToken.path`);
  if ((token.expirationSeconds ?? 600) < 600) {
    const field = `${at}.serviceAccountToken.expirationSeconds`;
    errors.invalid(
      field,
      token.expirationSeconds,
      "may not specify a duration less than 10 minutes",
    );
  }
}
