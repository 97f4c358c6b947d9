/** What a container may say (k8s:pkg/apis/core/validation/validation.go, ValidateContainers and below). */
import type {
  Container,
  ContainerPort,
  EphemeralContainer,
  PodSpec,
} from "../schema/types.generated.ts";
import type { FieldErrors } from "../validation/field-error.ts";
import { dnsLabel, portName, portNumber } from "../validation/formats.ts";
import { validateEnv, validateEnvFrom } from "./environment-validation.ts";
import { validateMounts } from "./mount-validation.ts";
import { validateProbes } from "./probe-validation.ts";
import { validateResources } from "./resource-validation.ts";
import { validateSecurity } from "./security-validation.ts";

const PULL_POLICIES = ["Always", "IfNotPresent", "Never"];
const MESSAGE_POLICIES = ["FallbackToLogsOnError", "File"];
const PROTOCOLS = ["SCTP", "TCP", "UDP"];

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
    validateName(errors, container.name, at, names);
    validateContainer(errors, container, at, spec);
    validateRestartPolicy(errors, container, at, isInit);
    if (!isInit || container.restartPolicy === "Always") {
      validateProbes(errors, container, at, spec.terminationGracePeriodSeconds);
    }
  });
}

function validateName(errors: FieldErrors, name: string, at: string, names: Set<string>): void {
  if (name === "") errors.required(`${at}.name`);
  else errors.invalidEach(`${at}.name`, name, dnsLabel(name));
  if (name && names.has(name)) errors.duplicate(`${at}.name`, name);
  names.add(name);
}

function validateContainer(
  errors: FieldErrors,
  container: Container | EphemeralContainer,
  at: string,
  spec: PodSpec,
): void {
  validateImage(errors, container.image, `${at}.image`);
  const { terminationMessagePolicy: message, imagePullPolicy: pull } = container;
  if (message && !MESSAGE_POLICIES.includes(message)) {
    errors.notSupported(`${at}.terminationMessagePolicy`, message, MESSAGE_POLICIES);
  }
  validatePorts(errors, container.ports ?? [], `${at}.ports`);
  validateEnv(errors, container.env ?? [], `${at}.env`);
  container.envFrom?.forEach((source, i) => {
    validateEnvFrom(errors, source, `${at}.envFrom[${i}]`);
  });
  validateMounts(errors, container, at, spec);
  if (!pull) errors.required(`${at}.imagePullPolicy`);
  else if (!PULL_POLICIES.includes(pull)) {
    errors.notSupported(`${at}.imagePullPolicy`, pull, PULL_POLICIES);
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
  if (!isInit || restartPolicy === "Always") return;
  const parts = { lifecycle, livenessProbe, readinessProbe, startupProbe };
  for (const [name, part] of Object.entries(parts)) {
    if (!part) continue;
    const detail = "may not be set for init containers without restartPolicy=Always";
    errors.forbidden(`${at}.${name}`, detail);
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

/** Fields of containers that one added to a running pod for debugging cannot have. */
const NOT_EPHEMERAL = [
  "ports",
  "livenessProbe",
  "readinessProbe",
  "startupProbe",
  "lifecycle",
  "resources",
] as const;

/** Containers added for debugging; `spec` holds the containers beside which they run. */
export function validateEphemeralContainers(
  errors: FieldErrors,
  containers: readonly EphemeralContainer[],
  path: string,
  spec: PodSpec,
): void {
  const others = [...spec.containers, ...(spec.initContainers ?? [])].map(({ name }) => name);
  const names = new Set(others);
  containers.forEach((container, i) => {
    const at = `${path}[${i}]`;
    validateName(errors, container.name, at, names);
    validateContainer(errors, container, at, spec);
    for (const field of NOT_EPHEMERAL) {
      const given = container[field];
      const isSet = given !== undefined && Object.keys(given).length > 0;
      if (isSet) errors.forbidden(`${at}.${field}`, "cannot be set for an Ephemeral Container");
    }
    const target = container.targetContainerName;
    if (target && !others.includes(target)) {
      errors.notFound(`${at}.targetContainerName`, target);
    }
    if (container.restartPolicy !== undefined) {
      errors.forbidden(`${at}.restartPolicy`, "cannot be set for an Ephemeral Container");
    }
    container.volumeMounts?.forEach(({ subPath, subPathExpr }, m) => {
      const field = `${at}.volumeMounts[${m}]`;
      const detail = "cannot be set for an Ephemeral Container";
      if (subPath) errors.forbidden(`${field}.subPath`, detail);
      if (subPathExpr) errors.forbidden(`${field}.subPathExpr`, detail);
    });
  });
}
