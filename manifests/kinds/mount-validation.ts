/** Where a container sees the volumes of its pod (k8s:pkg/apis/core/validation, ValidateVolumeMounts and below). */
import type {
  Container,
  PodSpec,
  Volume,
  VolumeDevice,
  VolumeMount,
} from "../schema/types.generated.ts";
import type { FieldErrors } from "../validation/field-error.ts";

const PROPAGATIONS = ["Bidirectional", "HostToContainer", "None"];
const RECURSIONS = ["Disabled", "Enabled", "IfPossible"];

type Mounting = Pick<Container, "securityContext" | "volumeDevices" | "volumeMounts">;

export function validateMounts(
  errors: FieldErrors,
  container: Mounting,
  at: string,
  spec: PodSpec,
): void {
  const { volumeMounts: mounts = [], volumeDevices: devices = [] } = container;
  const places = new Set<string>();
  const isPrivileged = container.securityContext?.privileged === true;
  mounts.forEach((mount, i) => {
    const field = `${at}.volumeMounts[${i}]`;
    if (mount.name === "") errors.required(`${field}.name`);
    else if (!volumeOf(spec, mount.name)) errors.notFound(`${field}.name`, mount.name);
    if (mount.mountPath === "") errors.required(`${field}.mountPath`);
    if (places.has(mount.mountPath)) {
      errors.invalid(`${field}.mountPath`, mount.mountPath, "must be unique");
    }
    places.add(mount.mountPath);
    if (devices.some((device) => device.devicePath === mount.mountPath)) {
      const detail = "must not already exist as a path in volumeDevices";
      errors.invalid(`${field}.mountPath`, mount.mountPath, detail);
    }
    if (mount.subPath) validateLocalPath(errors, mount.subPath, `${field}.subPath`);
    if (mount.subPathExpr) validateLocalPath(errors, mount.subPathExpr, `${field}.subPathExpr`);
    if (mount.subPath && mount.subPathExpr) {
      const detail = "subPathExpr and subPath are mutually exclusive";
      errors.invalid(`${field}.subPathExpr`, mount.subPathExpr, detail);
    }
    validatePropagation(errors, mount, field, isPrivileged);
  });
  validateDevices(errors, devices, `${at}.volumeDevices`, places, spec);
}

function volumeOf(spec: PodSpec, name: string): Volume | undefined {
  return spec.volumes?.find((volume) => volume.name === name);
}

/** A path inside a volume, which must not lead out of it. */
export function validateLocalPath(errors: FieldErrors, value: string, at: string): void {
  if (value.startsWith("/")) errors.invalid(at, value, "must be a relative path");
  if (value.split("/").includes("..")) errors.invalid(at, value, "must not contain '..'");
}

function validatePropagation(
  errors: FieldErrors,
  mount: VolumeMount,
  at: string,
  isPrivileged: boolean,
): void {
  const { mountPropagation: propagation, recursiveReadOnly: recursive } = mount;
  if (propagation !== undefined) {
    const field = `${at}.mountPropagation`;
    if (!PROPAGATIONS.includes(propagation)) {
      errors.notSupported(field, propagation, PROPAGATIONS);
    } else if (propagation === "Bidirectional" && !isPrivileged) {
      const rule = "Bidirectional mount propagation is available only to privileged containers";
      errors.forbidden(field, rule);
    }
  }
  if (recursive === undefined) return;
  const field = `${at}.recursiveReadOnly`;
  if (!RECURSIONS.includes(recursive)) errors.notSupported(field, recursive, RECURSIONS);
  else if (recursive !== "Disabled") {
    if (!mount.readOnly) errors.forbidden(field, "may only be specified when readOnly is true");
    if (propagation !== undefined && propagation !== "None") {
      const rule = "may only be specified when mountPropagation is None or not specified";
      errors.forbidden(field, rule);
    }
  }
}

/** A raw block device comes from a claim, and takes the place of a mount. */
function validateDevices(
  errors: FieldErrors,
  devices: readonly VolumeDevice[],
  path: string,
  places: ReadonlySet<string>,
  spec: PodSpec,
): void {
  const names = new Set<string>();
  const paths = new Set<string>();
  devices.forEach(({ name, devicePath }, i) => {
    const at = `${path}[${i}]`;
    if (name === "") errors.required(`${at}.name`);
    if (devicePath === "") errors.required(`${at}.devicePath`);
    if (names.has(name)) errors.invalid(`${at}.name`, name, "must be unique");
    if (devicePath.split("/").includes("..")) {
      errors.invalid(`${at}.devicePath`, devicePath, "can not contain backsteps ('..')");
    }
    if (paths.has(devicePath)) errors.invalid(`${at}.devicePath`, devicePath, "must be unique");
    if (places.has(devicePath)) {
      const detail = "must not already exist as a path in volumeMounts";
      errors.invalid(`${at}.devicePath`, devicePath, detail);
    }
    const volume = volumeOf(spec, name);
    if (!volume) errors.notFound(`${at}.name`, name);
    else if (!volume.persistentVolumeClaim && !volume.ephemeral) {
      const detail =
        "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
      errors.invalid(`${at}.name`, name, detail);
    }
    names.add(name);
    paths.add(devicePath);
  });
}
