/** What a container may say (k8s:pkg/apis/core/validation/validation.go, ValidateContainers and below). */
import { compareQuantity, parseQuantity } from "../quantity.ts";
import type {
  Container,
  ContainerPort,
  EnvFromSource,
  EnvVar,
  EnvVarSource,
  LifecycleHandler,
  PodSpec,
  Probe,
  ResourceRequirements,
  SecurityContext,
  VolumeMount,
} from "../schema/types.generated.ts";
import type { FieldErrors } from "../validation/field-error.ts";
import {
  configKey,
  dnsLabel,
  environmentName,
  inRange,
  portName,
  portNumber,
  portReference,
  qualifiedName,
} from "../validation/formats.ts";

const PULL_POLICIES = ["Always", "IfNotPresent", "Never"];
const MESSAGE_POLICIES = ["FallbackToLogsOnError", "File"];
const PROTOCOLS = ["SCTP", "TCP", "UDP"];
const FIELD_PATHS = [
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.podIP",
  "status.podIPs",
];
const STANDARD_RESOURCES = new Set(["cpu", "memory", "ephemeral-storage"]);
const MAX_USER_ID = 2 ** 31 - 1;

/** All containers of a pod of one sort; names must differ from those seen before. */
export function validateContainers(
  errors: FieldErrors,
  spec: PodSpec,
  path: string,
  isInit: boolean,
  names: Set<string>,
): void {
  const containers = (isInit ? spec.initContainers : spec.containers) ?? [];
  containers.forEach((container, index) => {
    const at = `${path}[${index}]`;
    if (container.name === "") errors.required(`${at}.name`);
    else errors.invalidEach(`${at}.name`, container.name, dnsLabel(container.name));
    if (container.name && names.has(container.name)) errors.duplicate(`${at}.name`, container.name);
    names.add(container.name);
    validateContainer(errors, container, at, spec);
    validateRestartPolicy(errors, container, at, isInit);
  });
}

function validateContainer(
  errors: FieldErrors,
  container: Container,
  at: string,
  spec: PodSpec,
): void {
  validateImage(errors, container.image, `${at}.image`);
  validatePorts(errors, container.ports ?? [], `${at}.ports`);
  validateEnv(errors, container.env ?? [], `${at}.env`);
  container.envFrom?.forEach((source, i) => {
    validateEnvFrom(errors, source, `${at}.envFrom[${i}]`);
  });
  validateMounts(errors, container.volumeMounts ?? [], `${at}.volumeMounts`, spec);
  const { imagePullPolicy: pull, terminationMessagePolicy: message } = container;
  if (!pull) errors.required(`${at}.imagePullPolicy`);
  else if (!PULL_POLICIES.includes(pull)) {
    errors.notSupported(`${at}.imagePullPolicy`, pull, PULL_POLICIES);
  }
  if (message && !MESSAGE_POLICIES.includes(message)) {
    errors.notSupported(`${at}.terminationMessagePolicy`, message, MESSAGE_POLICIES);
  }
  validateResources(errors, container.resources ?? {}, `${at}.resources`);
  if (container.securityContext) {
    validateSecurity(errors, container.securityContext, `${at}.securityContext`);
  }
}

export function validateImage(errors: FieldErrors, image: string | undefined, at: string): void {
  if (!image) errors.required(at);
  else if (image.trim() !== image) {
    errors.invalid(at, image, "must not have leading or trailing whitespace");
  }
}

/** An init container that restarts always is a sidecar, and may be probed like any other. */
function validateRestartPolicy(
  errors: FieldErrors,
  container: Container,
  at: string,
  isInit: boolean,
): void {
  const { restartPolicy, livenessProbe, readinessProbe, startupProbe, lifecycle } = container;
  if (restartPolicy !== undefined && !isInit) {
    errors.forbidden(`${at}.restartPolicy`, "may not be set for non-init containers");
  } else if (restartPolicy !== undefined && restartPolicy !== "Always") {
    errors.notSupported(`${at}.restartPolicy`, restartPolicy, ["Always"]);
  }
  const parts = { lifecycle, livenessProbe, readinessProbe, startupProbe };
  if (isInit && restartPolicy !== "Always") {
    for (const [name, part] of Object.entries(parts)) {
      if (!part) continue;
      const detail = "may not be set for init containers without restartPolicy=Always";
      errors.forbidden(`${at}.${name}`, detail);
    }
    return;
  }
  for (const hook of ["postStart", "preStop"] as const) {
    const handler = lifecycle?.[hook];
    if (handler) validateHandler(errors, handler, `${at}.lifecycle.${hook}`);
  }
  for (const name of ["livenessProbe", "readinessProbe", "startupProbe"] as const) {
    const probe = parts[name];
    if (probe) validateProbe(errors, probe, `${at}.${name}`, name !== "readinessProbe");
  }
}

function validatePorts(errors: FieldErrors, ports: ContainerPort[], path: string): void {
  const names = new Set<string>();
  ports.forEach((port, i) => {
    const at = `${path}[${i}]`;
    if (port.name) {
      const faults = portName(port.name);
      errors.invalidEach(`${at}.name`, port.name, faults);
      if (faults.length === 0 && names.has(port.name)) errors.duplicate(`${at}.name`, port.name);
      names.add(port.name);
    }
    if (!port.containerPort) errors.required(`${at}.containerPort`);
    else {
      errors.invalidEach(`${at}.containerPort`, port.containerPort, portNumber(port.containerPort));
    }
    if (port.hostPort) {
      errors.invalidEach(`${at}.hostPort`, port.hostPort, portNumber(port.hostPort));
    }
    if (!port.protocol) errors.required(`${at}.protocol`);
    else if (!PROTOCOLS.includes(port.protocol)) {
      errors.notSupported(`${at}.protocol`, port.protocol, PROTOCOLS);
    }
  });
}

/** No two containers of a pod may take the same port of the host. */
export function validateHostPorts(
  errors: FieldErrors,
  containers: Container[],
  path: string,
): void {
  const taken = new Set<string>();
  containers.forEach((container, c) => {
    container.ports?.forEach((port, p) => {
      if (!port.hostPort) return;
      const key = `${port.protocol ?? ""}/${port.hostIP ?? ""}/${port.hostPort}`;
      if (taken.has(key)) errors.duplicate(`${path}[${c}].ports[${p}].hostPort`, key);
      taken.add(key);
    });
  });
}

/** On the host's network a port is the host's. A template may leave that open: its pods will be defaulted. */
export function validateHostNetworkPorts(
  errors: FieldErrors,
  containers: Container[],
  path: string,
  isPod: boolean,
): void {
  containers.forEach((container, c) => {
    container.ports?.forEach(({ hostPort = 0, containerPort }, p) => {
      if (hostPort === containerPort || (!isPod && hostPort === 0)) return;
      const detail = "must match `containerPort` when `hostNetwork` is true";
      errors.invalid(`${path}[${c}].ports[${p}].hostPort`, hostPort, detail);
    });
  });
}

function validateEnv(errors: FieldErrors, env: EnvVar[], path: string): void {
  env.forEach((variable, i) => {
    const at = `${path}[${i}]`;
    if (variable.name === "") errors.required(`${at}.name`);
    else errors.invalidEach(`${at}.name`, variable.name, environmentName(variable.name));
    if (!variable.valueFrom) return;
    validateEnvSource(errors, variable.valueFrom, `${at}.valueFrom`, variable.value ?? "");
  });
}

function validateEnvSource(
  errors: FieldErrors,
  from: EnvVarSource,
  at: string,
  value: string,
): void {
  const { fieldRef, configMapKeyRef, secretKeyRef } = from;
  if (fieldRef) validateFieldRef(errors, fieldRef.fieldPath, `${at}.fieldRef`, FIELD_PATHS);
  for (const [name, ref] of Object.entries({ configMapKeyRef, secretKeyRef })) {
    if (!ref) continue;
    if (!ref.name) errors.required(`${at}.${name}.name`);
    if (ref.key === "") errors.required(`${at}.${name}.key`);
    else errors.invalidEach(`${at}.${name}.key`, ref.key, configKey(ref.key));
  }
  const sources = Object.keys(from).length;
  if (sources === 0) {
    const options = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`";
    errors.invalid(at, "", `must specify one of: ${options}`);
  } else if (value !== "") {
    errors.invalid(at, "", "may not be specified when `value` is not empty");
  } else if (sources > 1) {
    errors.invalid(at, "", "may not have more than one field specified at a time");
  }
}

export function validateFieldRef(
  errors: FieldErrors,
  fieldPath: string,
  at: string,
  supported: readonly string[],
): void {
  if (fieldPath === "") errors.required(`${at}.fieldPath`);
  else if (/^metadata\.(?:annotations|labels)\['[^']+'\]$/.test(fieldPath)) return;
  else if (!supported.includes(fieldPath)) {
    errors.notSupported(`${at}.fieldPath`, fieldPath, supported);
  }
}

function validateEnvFrom(errors: FieldErrors, source: EnvFromSource, at: string): void {
  const { prefix, configMapRef, secretRef } = source;
  if (prefix) errors.invalidEach(`${at}.prefix`, prefix, environmentName(prefix));
  if (configMapRef && !configMapRef.name) errors.required(`${at}.configMapRef.name`);
  if (secretRef && !secretRef.name) errors.required(`${at}.secretRef.name`);
  if (!configMapRef && !secretRef) {
    errors.invalid(at, "", "must specify one of: `configMapRef` or `secretRef`");
  } else if (configMapRef && secretRef) {
    errors.invalid(at, "", "may not have more than one field specified at a time");
  }
}

function validateMounts(
  errors: FieldErrors,
  mounts: VolumeMount[],
  path: string,
  spec: PodSpec,
): void {
  const places = new Set<string>();
  mounts.forEach((mount, i) => {
    const at = `${path}[${i}]`;
    const isKnown = spec.volumes?.some((volume) => volume.name === mount.name);
    if (mount.name === "") errors.required(`${at}.name`);
    else if (!isKnown) errors.notFound(`${at}.name`, mount.name);
    if (mount.mountPath === "") errors.required(`${at}.mountPath`);
    if (places.has(mount.mountPath)) {
      errors.invalid(`${at}.mountPath`, mount.mountPath, "must be unique");
    }
    places.add(mount.mountPath);
    if (mount.subPath) validateLocalPath(errors, mount.subPath, `${at}.subPath`);
    if (mount.subPathExpr) validateLocalPath(errors, mount.subPathExpr, `${at}.subPathExpr`);
    if (mount.subPath && mount.subPathExpr) {
      const detail = "subPathExpr and subPath are mutually exclusive";
      errors.invalid(`${at}.subPathExpr`, mount.subPathExpr, detail);
    }
  });
}

/** A path inside a volume, which must not lead out of it. */
export function validateLocalPath(errors: FieldErrors, value: string, at: string): void {
  if (value.startsWith("/")) errors.invalid(at, value, "must be a relative path");
  if (value.split("/").includes("..")) errors.invalid(at, value, "must not contain '..'");
}

function validateProbe(errors: FieldErrors, probe: Probe, at: string, onlyOnce: boolean): void {
  validateHandler(errors, probe, at);
  const seconds = ["initialDelaySeconds", "timeoutSeconds", "periodSeconds"] as const;
  for (const field of seconds) errors.nonNegative(`${at}.${field}`, probe[field]);
  errors.nonNegative(`${at}.successThreshold`, probe.successThreshold);
  errors.nonNegative(`${at}.failureThreshold`, probe.failureThreshold);
  if (onlyOnce && (probe.successThreshold ?? 1) !== 1) {
    errors.invalid(`${at}.successThreshold`, probe.successThreshold, "must be 1");
  }
}

function validateHandler(errors: FieldErrors, handler: Probe | LifecycleHandler, at: string): void {
  const { exec, httpGet, tcpSocket } = handler;
  const grpc = "grpc" in handler ? handler.grpc : undefined;
  const sleep = "sleep" in handler ? handler.sleep : undefined;
  const given = Object.entries({ exec, httpGet, tcpSocket, grpc, sleep }).filter(([, v]) => v);
  for (const [name] of given.slice(1)) {
    errors.forbidden(`${at}.${name}`, "may not specify more than 1 handler type");
  }
  if (given.length === 0) errors.required(at, "must specify a handler type");
  if (exec && !exec.command?.length) errors.required(`${at}.exec.command`);
  if (httpGet) {
    if (!httpGet.path) errors.required(`${at}.httpGet.path`);
    errors.invalidEach(`${at}.httpGet.port`, httpGet.port, portReference(httpGet.port));
    if (httpGet.scheme !== "HTTP" && httpGet.scheme !== "HTTPS") {
      errors.notSupported(`${at}.httpGet.scheme`, httpGet.scheme, ["HTTP", "HTTPS"]);
    }
  }
  if (tcpSocket) {
    errors.invalidEach(`${at}.tcpSocket.port`, tcpSocket.port, portReference(tcpSocket.port));
  }
  if (grpc) errors.invalidEach(`${at}.grpc.port`, grpc.port, portNumber(grpc.port));
}

export function validateResources(
  errors: FieldErrors,
  resources: ResourceRequirements,
  at: string,
): void {
  const { limits = {}, requests = {} } = resources;
  for (const [list, values] of Object.entries({ limits, requests })) {
    for (const [name, quantity] of Object.entries(values)) {
      const field = `${at}.${list}[${name}]`;
      validateResourceName(errors, name, `${at}.${list}`);
      if (parseQuantity(quantity).nano < 0n) {
        errors.invalid(field, quantity, "must be greater than or equal to 0");
      }
    }
  }
  for (const [name, request] of Object.entries(requests)) {
    const limit = limits[name];
    if (limit === undefined) continue;
    const isExtended = name.includes("/");
    const order = compareQuantity(request, limit);
    if (isExtended && order !== 0) {
      errors.invalid(`${at}.requests`, request, `must be equal to ${name} limit of ${limit}`);
    } else if (order > 0) {
      const detail = `must be less than or equal to ${name} limit of ${limit}`;
      errors.invalid(`${at}.requests`, request, detail);
    }
  }
}

function validateResourceName(errors: FieldErrors, name: string, at: string): void {
  const faults = qualifiedName(name);
  errors.invalidEach(at, name, faults);
  if (faults.length > 0 || name.includes("/")) return;
  if (STANDARD_RESOURCES.has(name) || name.startsWith("hugepages-")) return;
  errors.invalid(at, name, "must be a standard resource for containers");
}

function validateSecurity(errors: FieldErrors, security: SecurityContext, at: string): void {
  for (const field of ["runAsUser", "runAsGroup"] as const) {
    const id = security[field];
    if (id !== undefined) errors.invalidEach(`${at}.${field}`, id, inRange(id, 0, MAX_USER_ID));
  }
  if (security.privileged && security.allowPrivilegeEscalation === false) {
    const detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
    errors.invalid(at, security, detail);
  }
}
