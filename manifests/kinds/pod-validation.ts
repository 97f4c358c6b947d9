/** What a Pod, or a pod template, may say (k8s:pkg/apis/core/validation/validation.go, ValidatePodSpec). */
import { parseQuantity } from "../quantity.ts";
import type {
  Affinity,
  NodeSelectorTerm,
  Pod,
  PodAffinityTerm,
  PodSpec,
  PodTemplateSpec,
  Toleration,
  TopologySpreadConstraint,
} from "../schema/types.generated.ts";
import type { FieldErrors } from "../validation/field-error.ts";
import { dnsLabel, dnsSubdomain, inRange, qualifiedName } from "../validation/formats.ts";
import { validateAnnotations, validateLabels } from "../validation/metadata.ts";
import { validateSelector } from "../validation/selector.ts";
import {
  sameValue,
  type UpdateValidatorTable,
  type ValidatorTable,
} from "../validation/validator.ts";
import {
  validateContainers,
  validateHostNetworkPorts,
  validateHostPorts,
  validateImage,
} from "./container-validation.ts";
import { validateVolumes } from "./volume-validation.ts";

const RESTART_POLICIES = ["Always", "OnFailure", "Never"];
const DNS_POLICIES = ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"];
const NODE_OPERATORS = ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"];
const TAINT_EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
const MAX_INT32 = 2 ** 31 - 1;

export const podValidators: ValidatorTable = {
  "core.v1.Pod": validatePod,
  "core.v1.PodTemplateSpec": validatePodTemplate,
};

export const podUpdateValidators: UpdateValidatorTable = {
  "core.v1.Pod": validatePodUpdate,
};

function validatePod(errors: FieldErrors, pod: Pod): void {
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
  validatePodSpec(errors, template.spec ?? { containers: [] }, `${path}.spec`, false);
}

export function validateTemplateMetadata(
  errors: FieldErrors,
  template: PodTemplateSpec,
  path: string,
): void {
  validateLabels(errors, template.metadata?.labels, `${path}.labels`);
  validateAnnotations(errors, template.metadata?.annotations, `${path}.annotations`);
}

function validatePodSpec(errors: FieldErrors, spec: PodSpec, path: string, isPod: boolean): void {
  validateVolumes(errors, spec.volumes ?? [], `${path}.volumes`);
  const names = new Set<string>();
  if (spec.containers.length === 0) errors.required(`${path}.containers`);
  validateContainers(errors, spec, `${path}.containers`, false, names);
  validateContainers(errors, spec, `${path}.initContainers`, true, names);
  validateHostPorts(errors, spec.containers, `${path}.containers`);
  if (spec.hostNetwork) {
    validateHostNetworkPorts(errors, spec.containers, `${path}.containers`, isPod);
  }
  if (!spec.restartPolicy) errors.required(`${path}.restartPolicy`);
  else if (!RESTART_POLICIES.includes(spec.restartPolicy)) {
    errors.notSupported(`${path}.restartPolicy`, spec.restartPolicy, RESTART_POLICIES);
  }
  validateDns(errors, spec, path);
  validateLabels(errors, spec.nodeSelector, `${path}.nodeSelector`);
  validatePlacement(errors, spec, path);
  validateNames(errors, spec, path);
  if (spec.activeDeadlineSeconds !== undefined) {
    const faults = inRange(spec.activeDeadlineSeconds, 1, MAX_INT32);
    errors.invalidEach(`${path}.activeDeadlineSeconds`, spec.activeDeadlineSeconds, faults);
  }
  for (const [name, quantity] of Object.entries(spec.overhead ?? {})) {
    if (parseQuantity(quantity).nano >= 0n) continue;
    const at = `${path}.overhead[${name}]`;
    errors.invalid(at, quantity, "must be greater than or equal to 0");
  }
}

function validateDns(errors: FieldErrors, spec: PodSpec, path: string): void {
  const policy = spec.dnsPolicy;
  if (!policy) errors.required(`${path}.dnsPolicy`);
  else if (!DNS_POLICIES.includes(policy)) {
    errors.notSupported(`${path}.dnsPolicy`, policy, DNS_POLICIES);
  }
  if (policy !== "None" || spec.dnsConfig?.nameservers?.length) return;
  errors.required(
    `${path}.dnsConfig.nameservers`,
    "must provide at least one DNS nameserver when `dnsPolicy` is None",
  );
}

function validateNames(errors: FieldErrors, spec: PodSpec, path: string): void {
  const checks = {
    serviceAccountName: dnsSubdomain,
    nodeName: dnsSubdomain,
    priorityClassName: dnsSubdomain,
    runtimeClassName: dnsSubdomain,
    hostname: dnsLabel,
    subdomain: dnsLabel,
  };
  for (const [name, check] of Object.entries(checks)) {
    const value = spec[name as keyof typeof checks];
    if (value) errors.invalidEach(`${path}.${name}`, value, check(value));
  }
}

function validatePlacement(errors: FieldErrors, spec: PodSpec, path: string): void {
  spec.tolerations?.forEach((toleration, i) => {
    validateToleration(errors, toleration, `${path}.tolerations[${i}]`);
  });
  spec.topologySpreadConstraints?.forEach((constraint, i) => {
    validateSpread(errors, constraint, `${path}.topologySpreadConstraints[${i}]`);
  });
  if (spec.affinity) validateAffinity(errors, spec.affinity, `${path}.affinity`);
}

function validateToleration(errors: FieldErrors, toleration: Toleration, at: string): void {
  const { key, operator, value, effect, tolerationSeconds } = toleration;
  if (key) errors.invalidEach(`${at}.key`, key, qualifiedName(key));
  else if (operator !== "Exists") {
    const detail =
      'operator must be Exists when `key` is empty, which means "match all values and all keys"';
    errors.invalid(`${at}.operator`, operator ?? "", detail);
  }
  if (tolerationSeconds !== undefined && effect !== "NoExecute") {
    const detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
    errors.invalid(`${at}.effect`, effect ?? "", detail);
  }
  if (operator === "Exists" && value) {
    const detail = "value must be empty when `operator` is 'Exists'";
    errors.invalid(`${at}.operator`, toleration, detail);
  } else if (operator && operator !== "Exists" && operator !== "Equal") {
    errors.notSupported(`${at}.operator`, operator, ["Equal", "Exists"]);
  }
  if (effect && !TAINT_EFFECTS.includes(effect)) {
    errors.notSupported(`${at}.effect`, effect, TAINT_EFFECTS);
  }
}

function validateSpread(errors: FieldErrors, spread: TopologySpreadConstraint, at: string): void {
  if (spread.maxSkew <= 0) {
    errors.invalid(`${at}.maxSkew`, spread.maxSkew, "must be greater than zero");
  }
  if (spread.topologyKey === "") errors.required(`${at}.topologyKey`, "can not be empty");
  const actions = ["DoNotSchedule", "ScheduleAnyway"];
  if (!actions.includes(spread.whenUnsatisfiable)) {
    errors.notSupported(`${at}.whenUnsatisfiable`, spread.whenUnsatisfiable, actions);
  }
  if (spread.labelSelector) validateSelector(errors, spread.labelSelector, `${at}.labelSelector`);
}

const REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution";

function validateAffinity(errors: FieldErrors, affinity: Affinity, path: string): void {
  const node = affinity.nodeAffinity;
  const terms = node?.[REQUIRED]?.nodeSelectorTerms;
  const nodePath = `${path}.nodeAffinity`;
  if (terms?.length === 0) {
    const detail = "must have at least one node selector term";
    errors.required(`${nodePath}.${REQUIRED}.nodeSelectorTerms`, detail);
  }
  terms?.forEach((term, i) => {
    validateNodeTerm(errors, term, `${nodePath}.${REQUIRED}.nodeSelectorTerms[${i}]`);
  });
  node?.[PREFERRED]?.forEach((term, i) => {
    validateWeight(errors, term.weight, `${nodePath}.${PREFERRED}[${i}]`);
    validateNodeTerm(errors, term.preference, `${nodePath}.${PREFERRED}[${i}].preference`);
  });
  for (const name of ["podAffinity", "podAntiAffinity"] as const) {
    affinity[name]?.[REQUIRED]?.forEach((term, i) => {
      validatePodTerm(errors, term, `${path}.${name}.${REQUIRED}[${i}]`);
    });
    affinity[name]?.[PREFERRED]?.forEach((term, i) => {
      const at = `${path}.${name}.${PREFERRED}[${i}]`;
      validateWeight(errors, term.weight, at);
      validatePodTerm(errors, term.podAffinityTerm, `${at}.podAffinityTerm`);
    });
  }
}

function validateWeight(errors: FieldErrors, weight: number, at: string): void {
  if (weight < 1 || weight > 100) {
    errors.invalid(`${at}.weight`, weight, "must be in the range 1-100");
  }
}

export function validateNodeTerm(errors: FieldErrors, term: NodeSelectorTerm, path: string): void {
  term.matchExpressions?.forEach(({ key, operator, values }, i) => {
    const at = `${path}.matchExpressions[${i}]`;
    const count = values?.length ?? 0;
    if ((operator === "In" || operator === "NotIn") && count === 0) {
      const detail = "must be specified when `operator` is 'In' or 'NotIn'";
      errors.required(`${at}.values`, detail);
    } else if ((operator === "Exists" || operator === "DoesNotExist") && count > 0) {
      const detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
      errors.forbidden(`${at}.values`, detail);
    } else if ((operator === "Gt" || operator === "Lt") && count !== 1) {
      const detail = "must be specified single value when `operator` is 'Lt' or 'Gt'";
      errors.required(`${at}.values`, detail);
    } else if (!NODE_OPERATORS.includes(operator)) {
      errors.invalid(`${at}.operator`, operator, "not a valid selector operator");
    }
    errors.invalidEach(`${at}.key`, key, qualifiedName(key));
  });
}

function validatePodTerm(errors: FieldErrors, term: PodAffinityTerm, at: string): void {
  if (term.labelSelector) validateSelector(errors, term.labelSelector, `${at}.labelSelector`);
  if (term.topologyKey === "") errors.required(`${at}.topologyKey`, "can not be empty");
  else errors.invalidEach(`${at}.topologyKey`, term.topologyKey, qualifiedName(term.topologyKey));
}

const MUTABLE = [
  "`spec.containers[*].image`",
  "`spec.initContainers[*].image`",
  "`spec.activeDeadlineSeconds`",
  "`spec.tolerations` (only additions to existing tolerations)",
  "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
].join(",");

/** A node is given by the binding subresource, and a gate may be lifted; nearly all else stays. */
function validatePodUpdate(errors: FieldErrors, pod: Pod, old: Pod): void {
  for (const list of ["containers", "initContainers"] as const) {
    if ((pod.spec[list]?.length ?? 0) !== (old.spec[list]?.length ?? 0)) {
      errors.forbidden(`spec.${list}`, "pod updates may not add or remove containers");
      return;
    }
    pod.spec[list]?.forEach((container, i) => {
      validateImage(errors, container.image, `spec.${list}[${i}].image`);
    });
  }
  validateDeadlineUpdate(errors, pod, old);
  validateTolerationUpdate(errors, pod.spec.tolerations ?? [], old.spec.tolerations ?? []);
  if (!sameValue(withoutMutable(pod.spec, old.spec), withoutMutable(old.spec, old.spec))) {
    errors.forbidden("spec", `pod updates may not change fields other than ${MUTABLE}`);
  }
}

function withoutMutable(spec: PodSpec, old: PodSpec): unknown {
  const { activeDeadlineSeconds: _deadline, tolerations: _tolerations, ...rest } = spec;
  const wasNegative = (old.terminationGracePeriodSeconds ?? 0) < 0;
  const imageless = (list: PodSpec["containers"] = []) => list.map((c) => ({ ...c, image: "" }));
  const gates = spec.schedulingGates?.filter((gate) =>
    old.schedulingGates?.some((before) => before.name === gate.name),
  );
  const lifted = (gates?.length ?? 0) < (old.schedulingGates?.length ?? 0);
  return {
    ...rest,
    containers: imageless(spec.containers),
    initContainers: imageless(spec.initContainers),
    schedulingGates: lifted ? old.schedulingGates : spec.schedulingGates,
    ephemeralContainers: undefined,
    ...(wasNegative && { terminationGracePeriodSeconds: 1 }),
  };
}

function validateDeadlineUpdate(errors: FieldErrors, pod: Pod, old: Pod): void {
  const [after, before] = [pod.spec.activeDeadlineSeconds, old.spec.activeDeadlineSeconds];
  const field = "spec.activeDeadlineSeconds";
  if (after !== undefined) {
    errors.invalidEach(field, after, inRange(after, 0, MAX_INT32));
    if (before !== undefined && before < after) {
      errors.invalid(field, after, "must be less than or equal to previous value");
    }
  } else if (before !== undefined) {
    errors.invalid(field, null, "must not update from a positive integer to nil value");
  }
}

function validateTolerationUpdate(
  errors: FieldErrors,
  after: Toleration[],
  before: Toleration[],
): void {
  const timeless = ({ tolerationSeconds: _seconds, ...rest }: Toleration) => rest;
  const isKept = before.every((old) =>
    after.some((toleration) => sameValue(timeless(toleration), timeless(old))),
  );
  if (isKept) return;
  const detail = "existing toleration can not be modified except its tolerationSeconds";
  errors.forbidden("spec.tolerations", detail);
}
