/** When a Job has failed or succeeded before all its pods have (k8s:pkg/apis/batch/validation/validation.go). */
import type {
  JobSpec,
  PodFailurePolicyOnExitCodesRequirement,
  PodFailurePolicyRule,
  SuccessPolicyRule,
} from "../schema/types.generated.ts";
import { type FieldErrors, GoText } from "../validation/field-error.ts";
import { qualifiedName } from "../validation/formats.ts";

const MOST_RULES = 20;
const MOST_EXIT_CODES = 255;
const ACTIONS = ["Count", "FailIndex", "FailJob", "Ignore"];
const STATUSES = ["False", "True", "Unknown"];

/** Upstream leaves the value out where only the rule as a whole is wrong. */
const invalidWhole = (errors: FieldErrors, at: string, detail: string) =>
  errors.add("FieldValueInvalid", at, new GoText(""), detail);

function goWords(words: readonly string[]): string {
  return `valid values: [${words.map((word) => JSON.stringify(word)).join(" ")}]`;
}

export function validateFailurePolicy(errors: FieldErrors, spec: JobSpec, path: string): void {
  const rules = spec.podFailurePolicy?.rules ?? [];
  const policy = spec.template.spec?.restartPolicy;
  if (policy !== "Never") {
    const detail = 'only "Never" is supported when podFailurePolicy is specified';
    errors.invalid(`${path}.template.spec.restartPolicy`, policy, detail);
  }
  const at = `${path}.podFailurePolicy.rules`;
  if (rules.length > MOST_RULES) errors.tooMany(at, rules.length, MOST_RULES);
  rules.forEach((rule, i) => {
    validateRule(errors, rule, `${at}[${i}]`, spec);
  });
}

function validateRule(
  errors: FieldErrors,
  rule: PodFailurePolicyRule,
  at: string,
  spec: JobSpec,
): void {
  const { action, onExitCodes, onPodConditions = [] } = rule;
  if (!action) errors.required(`${at}.action`, goWords(ACTIONS));
  else if (action === "FailIndex" && spec.backoffLimitPerIndex === undefined) {
    errors.invalid(`${at}.action`, action, "requires the backoffLimitPerIndex to be set");
  } else if (!ACTIONS.includes(action)) errors.notSupported(`${at}.action`, action, ACTIONS);
  if (onExitCodes) validateExitCodes(errors, onExitCodes, `${at}.onExitCodes`, spec);
  if (onPodConditions.length > MOST_RULES) {
    errors.tooMany(`${at}.onPodConditions`, onPodConditions.length, MOST_RULES);
  }
  onPodConditions.forEach(({ type, status }, i) => {
    const field = `${at}.onPodConditions[${i}]`;
    errors.invalidEach(`${field}.type`, type, qualifiedName(type));
    if (!status) errors.required(`${field}.status`, goWords(STATUSES));
    else if (!STATUSES.includes(status)) errors.notSupported(`${field}.status`, status, STATUSES);
  });
  if (onExitCodes && onPodConditions.length > 0) {
    invalidWhole(errors, at, "specifying both OnExitCodes and OnPodConditions is not supported");
  } else if (!onExitCodes && onPodConditions.length === 0) {
    invalidWhole(errors, at, "specifying one of OnExitCodes and OnPodConditions is required");
  }
}

function validateExitCodes(
  errors: FieldErrors,
  codes: PodFailurePolicyOnExitCodesRequirement,
  at: string,
  spec: JobSpec,
): void {
  const { operator, containerName, values = [] } = codes;
  if (!operator) errors.required(`${at}.operator`, goWords(["In", "NotIn"]));
  else if (operator !== "In" && operator !== "NotIn") {
    errors.notSupported(`${at}.operator`, operator, ["In", "NotIn"]);
  }
  const { containers = [], initContainers = [] } = spec.template.spec ?? {};
  const isKnown = [...containers, ...initContainers].some(({ name }) => name === containerName);
  if (containerName !== undefined && !isKnown) {
    const detail = "must be one of the container or initContainer names in the pod template";
    errors.invalid(`${at}.containerName`, containerName, detail);
  }
  if (values.length === 0) {
    errors.invalid(`${at}.values`, values, "at least one value is required");
  } else if (values.length > MOST_EXIT_CODES) {
    errors.tooMany(`${at}.values`, values.length, MOST_EXIT_CODES);
  }
  values.forEach((value, i) => {
    if (value === 0 && operator === "In") {
      errors.invalid(`${at}.values[${i}]`, value, "must not be 0 for the In operator");
    }
    if (values.indexOf(value) < i) errors.duplicate(`${at}.values[${i}]`, value);
  });
  const isOrdered = values.every((value, i) => i === 0 || (values[i - 1] as number) <= value);
  if (!isOrdered) errors.invalid(`${at}.values`, values, "must be ordered");
}

export function validateSuccessPolicy(errors: FieldErrors, spec: JobSpec, path: string): void {
  const rules = spec.successPolicy?.rules ?? [];
  if (spec.completionMode !== "Indexed") {
    errors.invalid(path, spec.successPolicy, "requires indexed completion mode");
    return;
  }
  if (rules.length === 0) {
    const detail = "at least one rules must be specified when the successPolicy is specified";
    errors.required(`${path}.rules`, detail);
  }
  if (rules.length > MOST_RULES) errors.tooMany(`${path}.rules`, rules.length, MOST_RULES);
  rules.forEach((rule, i) => {
    validateSuccessRule(errors, rule, `${path}.rules[${i}]`, spec.completions ?? 0);
  });
}

function validateSuccessRule(
  errors: FieldErrors,
  { succeededCount: count, succeededIndexes: text }: SuccessPolicyRule,
  at: string,
  completions: number,
): void {
  if (count === undefined && text === undefined) {
    const detail = "at least one of succeededCount or succeededIndexes must be specified";
    errors.required(at, detail);
    return;
  }
  const parsed = text === undefined ? undefined : countIndexes(text, completions);
  if (typeof parsed === "string") {
    errors.invalid(`${at}.succeededIndexes`, text, `error parsing succeededIndexes: ${parsed}`);
  }
  if (count === undefined) return;
  if (count <= 0) errors.invalid(`${at}.succeededCount`, count, "must be greater than zero");
  const [most, what] =
    typeof parsed === "number"
      ? [parsed, "indexes in the specified succeededIndexes field"]
      : [completions, "specified completions"];
  if (count > most) {
    const detail = `must be less than or equal to ${most} (the number of ${what})`;
    errors.invalid(`${at}.succeededCount`, count, detail);
  }
}

/** How many indexes `0,2-4` names; a text says what is wrong with it. */
function countIndexes(text: string, completions: number): number | string {
  let total = 0;
  let last = -1;
  for (const part of text.split(",")) {
    const [from = "", to = from, ...more] = part.split("-");
    if (more.length > 0) return `the fragment ${JSON.stringify(part)} violates the requirement`;
    for (const bound of [from, to]) {
      if (/^\d+$/.test(bound)) continue;
      const quoted = JSON.stringify(bound);
      return `cannot convert string to integer for index: ${quoted}`;
    }
    const [low, high] = [Number(from), Number(to)];
    if (high >= completions) {
      return `too large index: ${JSON.stringify(String(high))}`;
    }
    if (low <= last) return `non-increasing order, previous: ${last}, current: ${low}`;
    if (to !== from && low >= high)
      return `non-increasing order, previous: ${low}, current: ${high}`;
    total += high - low + 1;
    last = high;
  }
  return total;
}
