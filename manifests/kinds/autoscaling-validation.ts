/** HorizontalPodAutoscaler and PodDisruptionBudget (k8s:pkg/apis/autoscaling/validation, policy/validation). */
import { parseQuantity } from "../quantity.ts";
import type {
  HorizontalPodAutoscalerSpec,
  HPAScalingPolicy,
  HPAScalingRules,
  MetricSpec,
  MetricTarget,
  PodDisruptionBudgetSpec,
} from "../schema/types.generated.ts";
import type { FieldErrors } from "../validation/field-error.ts";
import { pathSegment } from "../validation/formats.ts";
import { format, holds, oneOf, positive, type RuleTable } from "../validation/rules.ts";
import { isPercent } from "./int-or-percent.ts";
import { validateIntOrPercent } from "./workload-validation.ts";

const MOST_WINDOW_SECONDS = 3600;
const MOST_PERIOD_SECONDS = 1800;
const SOURCES = {
  ContainerResource: "containerResource",
  External: "external",
  Object: "object",
  Pods: "pods",
  Resource: "resource",
} as const;

const NO_TARGET = "must set either a target raw value or a target utilization";
const TWO_TARGETS = "may not set both a target raw value and a target utilization";

export const autoscalingRules: RuleTable = {
  "autoscaling.v2.HorizontalPodAutoscalerSpec": {
    mayBeEmpty: ["maxReplicas"],
    whole: validateSize,
  },
  "autoscaling.v2.CrossVersionObjectReference": {
    fields: { kind: format(pathSegment), name: format(pathSegment) },
  },
  "autoscaling.v2.MetricSpec": {
    required: { type: "must specify a metric source type" },
    whole: validateMetric,
  },
  "autoscaling.v2.MetricIdentifier": {
    required: { name: "must specify a metric name" },
    fields: { name: format(pathSegment) },
  },
  "autoscaling.v2.MetricTarget": {
    required: { type: "must specify a metric target type" },
    whole: validateTarget,
  },
  "autoscaling.v2.ResourceMetricSource": { required: { name: "must specify a resource name" } },
  "autoscaling.v2.ContainerResourceMetricSource": {
    required: { name: "must specify a resource name", container: "must specify a container" },
  },
  "autoscaling.v2.HPAScalingRules": { whole: validateScaling },
  "autoscaling.v2.HPAScalingPolicy": {
    fields: {
      type: oneOf("Percent", "Pods"),
      value: positive,
      periodSeconds: (errors, seconds: number, at) => {
        positive(errors, seconds, at);
        const detail = `must be less than or equal to ${MOST_PERIOD_SECONDS}`;
        holds((value: number) => value <= MOST_PERIOD_SECONDS, detail)(errors, seconds, at);
      },
    },
  },
  "policy.v1.PodDisruptionBudgetSpec": { whole: validateBudget },
};

function validateSize(errors: FieldErrors, spec: HorizontalPodAutoscalerSpec, path: string): void {
  const { minReplicas, maxReplicas } = spec;
  if (minReplicas !== undefined && minReplicas < 1) {
    errors.invalid(`${path}.minReplicas`, minReplicas, "must be greater than or equal to 1");
  }
  const field = `${path}.maxReplicas`;
  if (maxReplicas < 1) errors.invalid(field, maxReplicas, "must be greater than 0");
  if (minReplicas !== undefined && maxReplicas < minReplicas) {
    errors.invalid(field, maxReplicas, "must be greater than or equal to `minReplicas`");
  }
}

/** The source that the type names, and no other. */
function validateMetric(errors: FieldErrors, metric: MetricSpec, at: string): void {
  if (!metric.type) return;
  const wanted = SOURCES[metric.type as keyof typeof SOURCES];
  if (!wanted) errors.notSupported(`${at}.type`, metric.type, Object.keys(SOURCES));
  for (const field of Object.values(SOURCES)) {
    if (field === wanted) {
      const detail = "must populate information for the given metric source";
      if (!metric[field]) errors.required(`${at}.${field}`, detail);
    } else if (metric[field]) {
      errors.forbidden(`${at}.${field}`, "must populate the given metric source only");
    }
  }
  validateTargets(errors, metric, at);
}

/** What each source can be measured against. */
function validateTargets(errors: FieldErrors, metric: MetricSpec, at: string): void {
  for (const field of ["resource", "containerResource"] as const) {
    const target = metric[field]?.target;
    if (!target) continue;
    const path = `${at}.${field}.target`;
    const { averageUtilization, averageValue } = target;
    if (averageUtilization === undefined && averageValue === undefined) {
      errors.required(`${path}.averageUtilization`, NO_TARGET);
    } else if (averageUtilization !== undefined && averageValue !== undefined) {
      errors.forbidden(`${path}.averageValue`, TWO_TARGETS);
    }
  }
  if (metric.pods && !isPositive(metric.pods.target.averageValue)) {
    const detail = "must specify a positive target averageValue";
    errors.required(`${at}.pods.target.averageValue`, detail);
  }
  for (const field of ["object", "external"] as const) {
    const target = metric[field]?.target;
    if (!target) continue;
    const path = `${at}.${field}.target`;
    if (target.value === undefined && target.averageValue === undefined) {
      const detail = "must set either a target value for metric or a per-pod target";
      errors.required(`${path}.averageValue`, detail);
    } else if (target.value !== undefined && target.averageValue !== undefined) {
      const detail = "may not set both a target value for metric and a per-pod target";
      errors.forbidden(field === "external" ? `${path}.value` : path, detail);
    }
  }
}

function isPositive(quantity: string | undefined): boolean {
  return quantity !== undefined && parseQuantity(quantity).nano > 0n;
}

function validateTarget(errors: FieldErrors, target: MetricTarget, at: string): void {
  const { type, value, averageValue, averageUtilization: utilization } = target;
  if (type && type !== "Utilization" && type !== "Value" && type !== "AverageValue") {
    const detail = "must be either Utilization, Value, or AverageValue";
    errors.invalid(`${at}.type`, type, detail);
  }
  if (value !== undefined && !isPositive(value)) {
    errors.invalid(`${at}.value`, value, "must be positive");
  }
  if (averageValue !== undefined && !isPositive(averageValue)) {
    errors.invalid(`${at}.averageValue`, averageValue, "must be positive");
  }
  if (utilization !== undefined && utilization < 1) {
    errors.invalid(`${at}.averageUtilization`, utilization, "must be greater than 0");
  }
}

function validateScaling(errors: FieldErrors, rules: HPAScalingRules, at: string): void {
  const { stabilizationWindowSeconds: window, selectPolicy } = rules;
  const field = `${at}.stabilizationWindowSeconds`;
  if (window !== undefined && window < 0) {
    errors.invalid(field, window, "must be greater than or equal to zero");
  }
  if (window !== undefined && window > MOST_WINDOW_SECONDS) {
    errors.invalid(field, window, `must be less than or equal to ${MOST_WINDOW_SECONDS}`);
  }
  if (selectPolicy !== undefined) {
    oneOf("Disabled", "Max", "Min")(errors, selectPolicy, `${at}.selectPolicy`);
  }
  const policies: HPAScalingPolicy[] = rules.policies ?? [];
  if (policies.length === 0) errors.required(`${at}.policies`, "must specify at least one Policy");
}

function validateBudget(errors: FieldErrors, spec: PodDisruptionBudgetSpec, at: string): void {
  const { minAvailable, maxUnavailable } = spec;
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    errors.invalid(at, spec, "minAvailable and maxUnavailable cannot be both set");
  }
  for (const [name, value] of Object.entries({ minAvailable, maxUnavailable })) {
    if (value === undefined) continue;
    validateIntOrPercent(errors, value, `${at}.${name}`);
    if (isPercent(value) && Number.parseInt(String(value), 10) > 100) {
      errors.invalid(`${at}.${name}`, value, "must not be greater than 100%");
    }
  }
}
