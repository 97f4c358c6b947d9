/** What a Pod, or a pod template, may say (k8s:pkg/apis/core/validation/validation.go, ValidatePodSpec). */
import { parseQuantity } from "../quantity.ts";
import type {
  HostAlias,
  ObjectMeta,
  Pod,
  PodDNSConfig,
  PodSpec,
  PodTemplateSpec,
} from "../schema/types.generated.ts";
import { type FieldErrors, goList } from "../validation/field-error.ts";
import {
  dnsLabel,
  dnsSubdomain,
  inRange,
  ipAddress,
  qualifiedName,
} from "../validation/formats.ts";
import { validateAnnotations, validateLabels } from "../validation/metadata.ts";
import type { ValidatorTable } from "../validation/validator.ts";
import {
  validateContainers,
  validateHostNetworkPorts,
  validateHostPorts,
} from "./container-validation.ts";
import { validatePlacement } from "./placement-validation.ts";
import { isExtendedResource, isWhole, NOT_NEGATIVE } from "./resource-validation.ts";
import { validateOs, validatePodSecurity } from "./security-validation.ts";
import { validateVolumes } from "./volume-validation.ts";

const RESTART_POLICIES = ["Always", "OnFailure", "Never"];
const DNS_POLICIES = ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"];
const PREEMPTIONS = ["Never", "PreemptLowerPriority"];
const MAX_INT32 = 2 ** 31 - 1;
/** What the resolver of a usual libc takes. */
const MOST_NAMESERVERS = 3;
const MOST_SEARCHES = 32;
const MOST_SEARCH_LETTERS = 2048;

export const podValidators: ValidatorTable = {
  "core.v1.Pod": validatePod,
  "core.v1.PodTemplateSpec": validatePodTemplate,
};

function validatePod(errors: FieldErrors, pod: Pod): void {
  validatePodAnnotations(errors, pod.metadata, "metadata.annotations");
  validatePodSpec(errors, pod.spec, "spec", true);
  if (pod.spec.ephemeralContainers?.length) {
    errors.forbidden("spec.ephemeralContainers", "cannot be set on create");
  }
}

export function validatePodTemplate(
  errors: FieldErrors,
  template: PodTemplateSpec,
  path: string,
): void {
  validateTemplateMetadata(errors, template, path);
  if (template.metadata) {
    validatePodAnnotations(errors, template.metadata, `${path}.annotations`);
  }
  const spec = template.spec ?? { containers: [] };
  validatePodSpec(errors, spec, `${path}.spec`, false);
  if (spec.ephemeralContainers?.length) {
    const detail = "ephemeral containers not allowed in pod template";
    errors.forbidden(`${path}.spec.ephemeralContainers`, detail);
  }
}

export function validateTemplateMetadata(
  errors: FieldErrors,
  template: PodTemplateSpec,
  path: string,
): void {
  validateLabels(errors, template.metadata?.labels, `${path}.labels`);
  validateAnnotations(errors, template.metadata?.annotations, `${path}.annotations`);
}

/** The cost of deletion is an annotation, and so can be anything; a ReplicaSet must read it. */
function validatePodAnnotations(
  errors: FieldErrors,
  { annotations }: Pick<ObjectMeta, "annotations">,
  at: string,
) {
  const key = "controller.kubernetes.io/pod-deletion-cost";
  const cost = annotations?.[key];
  if (cost === undefined || isInt32Text(cost)) return;
  errors.invalid(`${at}[${key}]`, cost, "must be a 32bit integer");
}

function isInt32Text(text: string): boolean {
  if (!/^(?:0|-?[1-9]\d{0,9})$/.test(text)) return false;
  return Number(text) <= MAX_INT32 && Number(text) >= -MAX_INT32 - 1;
}

function validatePodSpec(errors: FieldErrors, spec: PodSpec, path: string, isPod: boolean): void {
  validateVolumes(errors, spec.volumes ?? [], `${path}.volumes`);
  const names = new Set<string>();
  if (spec.containers.length === 0) errors.required(`${path}.containers`);
  validateContainers(errors, spec, `${path}.containers`, false, names);
  validateContainers(errors, spec, `${path}.initContainers`, true, names);
  validateHostPorts(errors, spec.containers, `${path}.containers`);
  validatePolicies(errors, spec, path);
  validateLabels(errors, spec.nodeSelector, `${path}.nodeSelector`);
  if (spec.hostNetwork) {
    validateHostNetworkPorts(errors, spec.containers, `${path}.containers`, isPod);
  }
  validatePodSecurity(errors, spec, `${path}.securityContext`);
  validatePlacement(errors, spec, path);
  validateNames(errors, spec, path);
  validateDns(errors, spec.dnsConfig, spec.dnsPolicy, `${path}.dnsConfig`);
  validateHostAliases(errors, spec.hostAliases ?? [], `${path}.hostAliases`);
  validateGates(errors, spec, path);
  validateNumbers(errors, spec, path);
  validateOs(errors, spec, path);
}

function validatePolicies(errors: FieldErrors, spec: PodSpec, path: string): void {
  const policies = { restartPolicy: RESTART_POLICIES, dnsPolicy: DNS_POLICIES } as const;
  for (const [name, supported] of Object.entries(policies)) {
    const value = spec[name as keyof typeof policies];
    if (!value) errors.required(`${path}.${name}`);
    else if (!supported.includes(value)) errors.notSupported(`${path}.${name}`, value, supported);
  }
  const { preemptionPolicy: preemption } = spec;
  if (preemption !== undefined && !PREEMPTIONS.includes(preemption)) {
    errors.notSupported(`${path}.preemptionPolicy`, preemption, PREEMPTIONS);
  }
}

const NAME_CHECKS = {
  serviceAccountName: dnsSubdomain,
  nodeName: dnsSubdomain,
  priorityClassName: dnsSubdomain,
  runtimeClassName: dnsSubdomain,
  hostname: dnsLabel,
  subdomain: dnsLabel,
  schedulerName: dnsSubdomain,
} as const;

function validateNames(errors: FieldErrors, spec: PodSpec, path: string): void {
  for (const name of Object.keys(NAME_CHECKS) as (keyof typeof NAME_CHECKS)[]) {
    const value = spec[name];
    if (value) errors.invalidEach(`${path}.${name}`, value, NAME_CHECKS[name](value));
  }
}

function validateDns(
  errors: FieldErrors,
  config: PodDNSConfig | undefined,
  policy: string | undefined,
  path: string,
): void {
  if (policy === "None" && !config) {
    errors.required(path, "must provide `dnsConfig` when `dnsPolicy` is None");
  } else if (policy === "None" && !config?.nameservers?.length) {
    const detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
    errors.required(`${path}.nameservers`, detail);
  }
  if (!config) return;
  const { nameservers = [], searches = [], options = [] } = config;
  if (nameservers.length > MOST_NAMESERVERS) {
    const detail = `must not have more than ${MOST_NAMESERVERS} nameservers`;
    errors.invalid(`${path}.nameservers`, goList(nameservers), detail);
  }
  nameservers.forEach((address, i) => {
    errors.invalidEach(`${path}.nameservers[${i}]`, address, ipAddress(address));
  });
  if (searches.length > MOST_SEARCHES) {
    const detail = `must not have more than ${MOST_SEARCHES} search paths`;
    errors.invalid(`${path}.searches`, goList(searches), detail);
  }
  if (searches.join(" ").length > MOST_SEARCH_LETTERS) {
    const most = `must not have more than ${MOST_SEARCH_LETTERS} characters`;
    const detail = `${most} (including spaces) in the search list`;
    errors.invalid(`${path}.searches`, goList(searches), detail);
  }
  searches.forEach((search, i) => {
    const faults = dnsSubdomain(search.replace(/\.$/, ""));
    errors.invalidEach(`${path}.searches[${i}]`, search.replace(/\.$/, ""), faults);
  });
  options.forEach(({ name }, i) => {
    if (!name) errors.required(`${path}.options[${i}]`, "must not be empty");
  });
}

function validateHostAliases(
  errors: FieldErrors,
  aliases: readonly HostAlias[],
  path: string,
): void {
  aliases.forEach(({ ip, hostnames = [] }, i) => {
    errors.invalidEach(`${path}[${i}].ip`, ip, ipAddress(ip));
    hostnames.forEach((name, h) => {
      errors.invalidEach(`${path}[${i}].hostnames[${h}]`, name, dnsSubdomain(name));
    });
  });
}

/** What must be so before a pod is ready, and before it is scheduled. */
function validateGates(errors: FieldErrors, spec: PodSpec, path: string): void {
  spec.readinessGates?.forEach(({ conditionType: type }, i) => {
    errors.invalidEach(`${path}.readinessGates[${i}].conditionType`, type, qualifiedName(type));
  });
  const names = new Set<string>();
  spec.schedulingGates?.forEach(({ name }, i) => {
    const at = `${path}.schedulingGates[${i}]`;
    errors.invalidEach(at, name, qualifiedName(name));
    if (names.has(name)) errors.duplicate(at, name);
    names.add(name);
  });
  if (spec.nodeName && names.size > 0) {
    const detail = "cannot be set until all schedulingGates have been cleared";
    errors.forbidden(`${path}.nodeName`, detail);
  }
}

function validateNumbers(errors: FieldErrors, spec: PodSpec, path: string): void {
  const { activeDeadlineSeconds: deadline } = spec;
  if (deadline !== undefined) {
    errors.invalidEach(`${path}.activeDeadlineSeconds`, deadline, inRange(deadline, 1, MAX_INT32));
  }
  for (const [name, quantity] of Object.entries(spec.overhead ?? {})) {
    const at = `${path}.overhead[${name}]`;
    if (parseQuantity(quantity).nano < 0n) errors.invalid(at, quantity, NOT_NEGATIVE);
    if (isExtendedResource(name) && !isWhole(quantity)) {
      errors.invalid(at, quantity, "must be an integer");
    }
  }
}
