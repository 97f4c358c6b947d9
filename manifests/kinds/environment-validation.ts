/** The environment of a container, and the fields of a pod that can be told to it. */
import { formatQuantity, parseQuantity } from "../quantity.ts";
import type {
  EnvFromSource,
  EnvVar,
  EnvVarSource,
  ObjectFieldSelector,
  ResourceFieldSelector,
} from "../schema/types.generated.ts";
import type { FieldErrors } from "../validation/field-error.ts";
import { configKey, environmentName, qualifiedName } from "../validation/formats.ts";

const ENVIRONMENT_FIELDS = [
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
/** What a field path can name at all (k8s:pkg/apis/core/v1/conversion.go, of Pods' field labels). */
const KNOWN_FIELDS = new Set([
  ...ENVIRONMENT_FIELDS,
  "metadata.annotations",
  "metadata.labels",
  "spec.restartPolicy",
  "spec.schedulerName",
  "status.phase",
]);
const RESOURCE_FIELDS = [
  "limits.cpu",
  "limits.ephemeral-storage",
  "limits.memory",
  "requests.cpu",
  "requests.ephemeral-storage",
  "requests.memory",
];
const CPU_DIVISORS = new Set(["1m", "1"]);
const BYTE_DIVISORS = "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei";
const byteDivisors = new Set(BYTE_DIVISORS.split(", "));
const HUGE_PAGES = /^(?:limits|requests)\.hugepages-/;

export function validateEnv(errors: FieldErrors, env: readonly EnvVar[], path: string): void {
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
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = from;
  if (fieldRef) validateFieldRef(errors, fieldRef, `${at}.fieldRef`, ENVIRONMENT_FIELDS);
  if (resourceFieldRef) {
    validateResourceFieldRef(errors, resourceFieldRef, `${at}.resourceFieldRef`, false);
  }
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

const SUBSCRIPTED = /^(.*)\['(.*)'\]$/;

/** `supported` are the fields that may be named here, of all that a path can name. */
export function validateFieldRef(
  errors: FieldErrors,
  { apiVersion, fieldPath }: ObjectFieldSelector,
  at: string,
  supported: readonly string[],
): void {
  if (!apiVersion) {
    errors.required(`${at}.apiVersion`);
    return;
  }
  if (fieldPath === "") {
    errors.required(`${at}.fieldPath`);
    return;
  }
  const [, base = "", key = ""] = SUBSCRIPTED.exec(fieldPath) ?? [];
  if (base === "metadata.annotations" || base === "metadata.labels") {
    const name = base === "metadata.annotations" ? key.toLowerCase() : key;
    errors.invalidEach(at, key, qualifiedName(name));
  } else if (base && KNOWN_FIELDS.has(base)) {
    errors.invalid(at, base, "does not support subscript");
  } else if (!KNOWN_FIELDS.has(fieldPath)) {
    const detail = `error converting fieldPath: field label not supported: ${fieldPath}`;
    errors.invalid(`${at}.fieldPath`, fieldPath, detail);
  } else if (!supported.includes(fieldPath)) {
    errors.notSupported(`${at}.fieldPath`, fieldPath, supported);
  }
}

/** In a volume it must say of which container; in a container's environment its own is meant. */
export function validateResourceFieldRef(
  errors: FieldErrors,
  { containerName, resource, divisor }: ResourceFieldSelector,
  at: string,
  isVolume: boolean,
): void {
  if (isVolume && !containerName) errors.required(`${at}.containerName`);
  else if (resource === "") errors.required(`${at}.resource`);
  else if (!RESOURCE_FIELDS.includes(resource) && !HUGE_PAGES.test(resource)) {
    errors.notSupported(`${at}.resource`, resource, RESOURCE_FIELDS);
  }
  const shown = divisor === undefined ? "0" : formatQuantity(parseQuantity(divisor));
  if (shown === "0") return;
  const field = `${at}.divisor`;
  if (resource.endsWith(".cpu")) {
    const detail = "only divisor's values 1m and 1 are supported with the cpu resource";
    if (!CPU_DIVISORS.has(shown)) errors.invalid(field, resource, detail);
  } else if (!byteDivisors.has(shown)) {
    const what = resource.endsWith(".memory")
      ? "memory resource"
      : resource.endsWith(".ephemeral-storage")
        ? "local ephemeral storage resource"
        : "hugepages resource";
    const rule = `only divisor's values ${BYTE_DIVISORS} are supported with the ${what}`;
    errors.invalid(field, resource, rule);
  }
}

export function validateEnvFrom(errors: FieldErrors, source: EnvFromSource, at: string): void {
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
