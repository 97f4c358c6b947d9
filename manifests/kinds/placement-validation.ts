/** Where a pod may run: affinity, tolerations, spread (k8s:pkg/apis/core/validation/validation.go). */
import type {
  Affinity,
  LabelSelector,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinityTerm,
  PodSpec,
  Toleration,
  TopologySpreadConstraint,
} from "../schema/types.generated.ts";
import type { FieldErrors } from "../validation/field-error.ts";
import { dnsLabel, dnsSubdomain, labelValue, qualifiedName } from "../validation/formats.ts";
import { validateSelector } from "../validation/selector.ts";
import type { ValidatorTable } from "../validation/validator.ts";

const NODE_OPERATORS = ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"];
export const TAINT_EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
const REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution";

export const placementValidators: ValidatorTable = {
  "core.v1.NodeSelector": validateNodeSelector,
  "core.v1.Toleration": validateToleration,
};

export function validatePlacement(errors: FieldErrors, spec: PodSpec, path: string): void {
  if (spec.affinity) validateAffinity(errors, spec.affinity, `${path}.affinity`);
  spec.tolerations?.forEach((toleration, i) => {
    validateToleration(errors, toleration, `${path}.tolerations[${i}]`);
  });
  validateSpreads(
    errors,
    spec.topologySpreadConstraints ?? [],
    `${path}.topologySpreadConstraints`,
  );
}

export function validateToleration(errors: FieldErrors, toleration: Toleration, at: string): void {
  const { key, operator, value = "", effect, tolerationSeconds } = toleration;
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
  if (!operator || operator === "Equal") {
    const faults = labelValue(value);
    if (faults.length > 0) errors.invalid(`${at}.operator`, value, faults.join(";"));
  } else if (operator !== "Exists") {
    errors.notSupported(`${at}.operator`, operator, ["Equal", "Exists"]);
  } else if (value) {
    const detail = "value must be empty when `operator` is 'Exists'";
    errors.invalid(`${at}.operator`, toleration, detail);
  }
  if (effect && !TAINT_EFFECTS.includes(effect)) {
    errors.notSupported(`${at}.effect`, effect, TAINT_EFFECTS);
  }
}

function validateSpreads(
  errors: FieldErrors,
  spreads: readonly TopologySpreadConstraint[],
  path: string,
): void {
  const seen = new Set<string>();
  spreads.forEach((spread, i) => {
    validateSpread(errors, spread, `${path}[${i}]`);
    const pair = `{${spread.topologyKey}, ${spread.whenUnsatisfiable}}`;
    const field = `${path}[${i}].{topologyKey, whenUnsatisfiable}`;
    if (seen.has(pair)) errors.duplicate(field, pair);
    seen.add(pair);
  });
}

function validateSpread(errors: FieldErrors, spread: TopologySpreadConstraint, at: string): void {
  const { whenUnsatisfiable: action, minDomains } = spread;
  if (spread.maxSkew <= 0) {
    errors.invalid(`${at}.maxSkew`, spread.maxSkew, "must be greater than zero");
  }
  if (spread.topologyKey === "") errors.required(`${at}.topologyKey`, "can not be empty");
  const actions = ["DoNotSchedule", "ScheduleAnyway"];
  if (!actions.includes(action)) errors.notSupported(`${at}.whenUnsatisfiable`, action, actions);
  if (minDomains !== undefined) {
    if (minDomains <= 0) {
      errors.invalid(`${at}.minDomains`, minDomains, "must be greater than zero");
    }
    if (action !== "DoNotSchedule") {
      const rule = "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not";
      errors.invalid(`${at}.minDomains`, minDomains, `${rule} ${action}`);
    }
  }
  for (const field of ["nodeAffinityPolicy", "nodeTaintsPolicy"] as const) {
    const policy = spread[field];
    if (policy !== undefined && policy !== "Honor" && policy !== "Ignore") {
      errors.notSupported(`${at}.${field}`, policy, ["Honor", "Ignore"]);
    }
  }
  const { matchLabelKeys, labelSelector } = spread;
  validateLabelKeys(errors, matchLabelKeys, labelSelector, `${at}.matchLabelKeys`);
  if (spread.labelSelector) validateSelector(errors, spread.labelSelector, `${at}.labelSelector`);
}

/**
 * Keys whose values are taken from the pod itself, so the selector must not name them, too. An affinity has them
 * joined to its selector when its pod is made, each once: `most` is 1.
 */
function validateLabelKeys(
  errors: FieldErrors,
  keys: readonly string[] | undefined,
  selector: LabelSelector | undefined,
  at: string,
  most = 0,
): void {
  if (!keys?.length) return;
  if (!selector) {
    errors.forbidden(at, "must not be specified when labelSelector is not set");
    return;
  }
  const named = [
    ...Object.keys(selector.matchLabels ?? {}),
    ...(selector.matchExpressions ?? []).map((requirement) => requirement.key),
  ];
  keys.forEach((key, i) => {
    errors.invalidEach(`${at}[${i}]`, key, qualifiedName(key));
    const detail = "exists in both matchLabelKeys and labelSelector";
    const times = named.filter((name) => name === key).length;
    if (times > most) errors.invalid(`${at}[${i}]`, key, detail);
  });
}

function validateAffinity(errors: FieldErrors, affinity: Affinity, path: string): void {
  const node = affinity.nodeAffinity;
  const nodePath = `${path}.nodeAffinity`;
  const required = node?.[REQUIRED];
  if (required) validateNodeSelector(errors, required, `${nodePath}.${REQUIRED}`);
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

export function validateNodeSelector(
  errors: FieldErrors,
  { nodeSelectorTerms: terms }: NodeSelector,
  path: string,
): void {
  if (terms.length === 0) {
    errors.required(`${path}.nodeSelectorTerms`, "must have at least one node selector term");
  }
  terms.forEach((term, i) => {
    validateNodeTerm(errors, term, `${path}.nodeSelectorTerms[${i}]`);
  });
}

function validateNodeTerm(errors: FieldErrors, term: NodeSelectorTerm, path: string): void {
  term.matchExpressions?.forEach((requirement, i) => {
    validateRequirement(errors, requirement, `${path}.matchExpressions[${i}]`);
  });
  term.matchFields?.forEach((requirement, i) => {
    validateFieldRequirement(errors, requirement, `${path}.matchFields[${i}]`);
  });
}

function validateRequirement(
  errors: FieldErrors,
  { key, operator, values = [] }: NodeSelectorRequirement,
  at: string,
): void {
  const count = values.length;
  if (operator === "In" || operator === "NotIn") {
    const detail = "must be specified when `operator` is 'In' or 'NotIn'";
    if (count === 0) errors.required(`${at}.values`, detail);
  } else if (operator === "Exists" || operator === "DoesNotExist") {
    const detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
    if (count > 0) errors.forbidden(`${at}.values`, detail);
  } else if (operator === "Gt" || operator === "Lt") {
    const detail = "must be specified single value when `operator` is 'Lt' or 'Gt'";
    if (count !== 1) errors.required(`${at}.values`, detail);
  } else if (!NODE_OPERATORS.includes(operator)) {
    errors.invalid(`${at}.operator`, operator, "not a valid selector operator");
  }
  errors.invalidEach(`${at}.key`, key, qualifiedName(key));
}

/** Of a node's fields only its name can be asked for, and only one name. */
function validateFieldRequirement(
  errors: FieldErrors,
  { key, operator, values = [] }: NodeSelectorRequirement,
  at: string,
): void {
  if (operator !== "In" && operator !== "NotIn") {
    errors.invalid(`${at}.operator`, operator, "not a valid selector operator");
  } else if (values.length !== 1) {
    const detail =
      "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
    errors.required(`${at}.values`, detail);
  }
  if (key !== "metadata.name") {
    errors.invalid(`${at}.key`, key, "not a valid field selector key");
    return;
  }
  values.forEach((value, i) => {
    errors.invalidEach(`${at}.values[${i}]`, value, dnsSubdomain(value));
  });
}

function validatePodTerm(errors: FieldErrors, term: PodAffinityTerm, at: string): void {
  const { labelSelector, namespaceSelector, matchLabelKeys = [], mismatchLabelKeys } = term;
  if (labelSelector) validateSelector(errors, labelSelector, `${at}.labelSelector`);
  if (namespaceSelector) validateSelector(errors, namespaceSelector, `${at}.namespaceSelector`);
  for (const namespace of term.namespaces ?? []) {
    errors.invalidEach(`${at}.namespace`, namespace, dnsLabel(namespace));
  }
  validateLabelKeys(errors, matchLabelKeys, labelSelector, `${at}.matchLabelKeys`, 1);
  validateLabelKeys(errors, mismatchLabelKeys, labelSelector, `${at}.mismatchLabelKeys`, 1);
  matchLabelKeys.forEach((key, i) => {
    const detail = "exists in both matchLabelKeys and mismatchLabelKeys";
    if (mismatchLabelKeys?.includes(key)) errors.invalid(`${at}.matchLabelKeys[${i}]`, key, detail);
  });
  if (term.topologyKey === "") errors.required(`${at}.topologyKey`, "can not be empty");
  errors.invalidEach(`${at}.topologyKey`, term.topologyKey, qualifiedName(term.topologyKey));
}
