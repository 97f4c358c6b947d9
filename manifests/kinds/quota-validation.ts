/** ResourceQuota and LimitRange (k8s:pkg/apis/core/validation/validation.go). */
import { compareQuantity, parseQuantity } from "../quantity.ts";
import type {
  LimitRangeItem,
  LimitRangeSpec,
  ResourceQuota,
  ResourceQuotaSpec,
  ScopedResourceSelectorRequirement,
} from "../schema/types.generated.ts";
import { type FieldErrors, goList } from "../validation/field-error.ts";
import { qualifiedName } from "../validation/formats.ts";
import type { RuleTable } from "../validation/rules.ts";
import { IMMUTABLE, sameValue, type UpdateValidatorTable } from "../validation/validator.ts";
import { isWhole, notNegative, validateAmount } from "./resource-validation.ts";

const COMPUTE = ["cpu", "memory", "ephemeral-storage"];
const COUNTED = [
  "pods",
  "services",
  "replicationcontrollers",
  "resourcequotas",
  "secrets",
  "configmaps",
  "persistentvolumeclaims",
  "services.nodeports",
  "services.loadbalancers",
];
const QUOTA_RESOURCES = new Set([
  ...COMPUTE,
  ...COUNTED,
  ...COMPUTE.flatMap((name) => [`requests.${name}`, `limits.${name}`]),
  "requests.storage",
]);
const LIMIT_TYPES = ["Container", "PersistentVolumeClaim", "Pod"];

/** Scopes that count pods alone, and of those that only some resources can be counted for. */
const POD_RESOURCES = new Set([
  ...COMPUTE,
  ...COMPUTE.flatMap((name) => [`requests.${name}`, `limits.${name}`]),
  "pods",
]);
const BEST_EFFORT_RESOURCES = new Set(["pods"]);
const SCOPE_RESOURCES: Record<string, ReadonlySet<string>> = {
  BestEffort: BEST_EFFORT_RESOURCES,
  CrossNamespacePodAffinity: POD_RESOURCES,
  NotBestEffort: POD_RESOURCES,
  NotTerminating: POD_RESOURCES,
  PriorityClass: POD_RESOURCES,
  Terminating: POD_RESOURCES,
};
const OPPOSITES = [
  ["BestEffort", "NotBestEffort"],
  ["Terminating", "NotTerminating"],
];

export const quotaRules: RuleTable = {
  "core.v1.ResourceQuotaSpec": { unlisted: ["scopes"], whole: validateQuota },
  "core.v1.ScopedResourceSelectorRequirement": {
    unlisted: ["scopeName", "operator"],
    whole: validateScopeRequirement,
  },
  "core.v1.LimitRangeSpec": { whole: validateLimits },
};

export const quotaUpdateValidators: UpdateValidatorTable = {
  "core.v1.ResourceQuota": (errors, { spec }: ResourceQuota, old: ResourceQuota) => {
    const scopes = (quota: ResourceQuotaSpec | undefined) => new Set(quota?.scopes).values();
    const [now, before] = [[...scopes(spec)].sort(), [...scopes(old.spec)].sort()];
    if (!sameValue(now, before)) errors.invalid("spec.scopes", goList(now), IMMUTABLE);
    if (!sameValue(spec?.scopeSelector, old.spec?.scopeSelector)) {
      errors.invalid("spec.scopeSelector", spec?.scopeSelector, IMMUTABLE);
    }
  },
};

function isExtendedQuota(name: string): boolean {
  return name.includes("/") || name.startsWith("requests.hugepages-");
}

function validateQuota(errors: FieldErrors, spec: ResourceQuotaSpec, path: string): void {
  for (const [name, quantity] of Object.entries(spec.hard ?? {})) {
    const at = `${path}.hard[${name}]`;
    const faults = qualifiedName(name);
    errors.invalidEach(at, name, faults);
    const isKnown =
      QUOTA_RESOURCES.has(name) || isExtendedQuota(name) || name.startsWith("hugepages-");
    if (faults.length === 0 && !isKnown) {
      errors.invalid(at, name, "must be a standard resource for quota");
    }
    validateAmount(errors, name, quantity, at);
    if (COUNTED.includes(name) && !isWhole(quantity)) {
      errors.invalid(at, quantity, "must be an integer");
    }
  }
  validateScopes(errors, spec, path);
}

function validateScopes(errors: FieldErrors, spec: ResourceQuotaSpec, path: string): void {
  const scopes = spec.scopes ?? [];
  const at = `${path}.scopes`;
  const hard = Object.keys(spec.hard ?? {});
  for (const scope of scopes) {
    const allowed = SCOPE_RESOURCES[scope];
    if (!allowed) errors.invalid(at, goList(scopes), "unsupported scope");
    for (const name of hard) {
      if (!allowed || allowed.has(name) || isExtendedQuota(name)) continue;
      errors.invalid(at, goList(scopes), "unsupported scope applied to resource");
    }
  }
  for (const pair of OPPOSITES) {
    if (pair.every((scope) => scopes.some((given) => given === scope))) {
      errors.invalid(at, goList(scopes), "conflicting scopes");
    }
  }
}

function validateScopeRequirement(
  errors: FieldErrors,
  requirement: ScopedResourceSelectorRequirement,
  at: string,
): void {
  const { scopeName, operator, values = [] } = requirement;
  if (!SCOPE_RESOURCES[scopeName]) {
    errors.invalid(`${at}.scopeName`, scopeName, "unsupported scope");
  }
  const isPlain = scopeName !== "PriorityClass";
  if (isPlain && operator !== "Exists") {
    const detail =
      "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
    errors.invalid(`${at}.operator`, operator, detail);
  }
  if (operator === "In" || operator === "NotIn") {
    const detail =
      "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
    if (values.length === 0) errors.required(`${at}.values`, detail);
  } else if (operator === "Exists" || operator === "DoesNotExist") {
    const detail =
      "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
    if (values.length > 0) errors.invalid(`${at}.values`, values, detail);
  } else errors.invalid(`${at}.operator`, operator, "not a valid selector operator");
}

function validateLimits(errors: FieldErrors, { limits }: LimitRangeSpec, path: string): void {
  const types = new Set<string>();
  limits.forEach((item, i) => {
    const at = `${path}.limits[${i}]`;
    validateLimitType(errors, item.type, `${at}.type`);
    if (types.has(item.type)) errors.duplicate(`${at}.type`, item.type);
    types.add(item.type);
    validateLimit(errors, item, at);
  });
}

function validateLimitType(errors: FieldErrors, type: string, at: string): void {
  if (type === "") return;
  const faults = qualifiedName(type);
  errors.invalidEach(at, type, faults);
  if (faults.length > 0 || type.includes("/") || LIMIT_TYPES.includes(type)) return;
  errors.invalid(at, type, "must be a standard limit type or fully qualified");
}

function validateLimit(errors: FieldErrors, item: LimitRangeItem, at: string): void {
  const { type, max = {}, min = {}, default: limits = {}, defaultRequest = {} } = item;
  const ratios = item.maxLimitRequestRatio ?? {};
  if (type === "Pod") {
    const detail = "may not be specified when `type` is 'Pod'";
    if (Object.keys(limits).length > 0) errors.forbidden(`${at}.default`, detail);
    if (Object.keys(defaultRequest).length > 0) errors.forbidden(`${at}.defaultRequest`, detail);
  }
  if (type === "PersistentVolumeClaim" && !min.storage && !max.storage) {
    const detail = "either minimum or maximum storage value is required, but neither was provided";
    errors.required(at, detail);
  }
  const lists = { max, min, default: limits, defaultRequest, maxLimitRequestRatio: ratios };
  for (const [list, values] of Object.entries(lists)) {
    for (const [name, quantity] of Object.entries(values)) {
      notNegative(errors, quantity, `${at}.${list}[${name}]`);
    }
  }
  const names = new Set(Object.values(lists).flatMap((values) => Object.keys(values)));
  for (const name of names) validateOrder(errors, lists, name, at);
}

type Lists = Record<
  "max" | "min" | "default" | "defaultRequest" | "maxLimitRequestRatio",
  Record<string, string>
>;

/** Which list must not hold more than which, where the fault is told, and in which words. */
const ORDER = [
  ["min", "max", "min", "min value", "max value"],
  ["min", "defaultRequest", "defaultRequest", "min value", "default request value"],
  ["defaultRequest", "max", "defaultRequest", "default request value", "max value"],
  ["defaultRequest", "default", "defaultRequest", "default request value", "default limit value"],
  ["min", "default", "default", "min value", "default value"],
  ["default", "max", "default", "default value", "max value"],
] as const;

function validateOrder(errors: FieldErrors, lists: Lists, name: string, at: string): void {
  for (const [less, more, field, lessWords, moreWords] of ORDER) {
    const [low, high] = [lists[less][name], lists[more][name]];
    if (low === undefined || high === undefined || compareQuantity(low, high) <= 0) continue;
    const detail = `${lessWords} ${low} is greater than ${moreWords} ${high}`;
    errors.invalid(`${at}.${field}[${name}]`, field === less ? low : high, detail);
  }
  const ratio = lists.maxLimitRequestRatio[name];
  if (ratio === undefined) return;
  const field = `${at}.maxLimitRequestRatio[${name}]`;
  if (compareQuantity(ratio, "1") < 0) {
    errors.invalid(field, ratio, `ratio ${ratio} is less than 1`);
  }
  const [min, max] = [lists.min[name], lists.max[name]];
  if (!min || !max) return;
  const most = Number(parseQuantity(max).nano) / Number(parseQuantity(min).nano);
  if (Number(parseQuantity(ratio).nano) / 1e9 <= most) return;
  errors.invalid(field, ratio, `ratio ${ratio} is greater than max/min = ${most.toFixed(6)}`);
}
