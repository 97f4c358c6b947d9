/**
 * HorizontalPodAutoscaler: autoscaling/v1 is a narrow view of the stored autoscaling/v2 object.
 *
 * What v1 has no fields for travels in annotations, so that a v1 client that writes back what it read loses nothing
 * (k8s:pkg/apis/autoscaling/v1/conversion.go). Differs from Kubernetes: the annotations hold v2's own JSON.
 */
import type {
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerStatus,
  HorizontalPodAutoscalerV1,
  MetricSpec,
  MetricStatus,
  ObjectMeta,
} from "../schema/types.generated.ts";
import { defined } from "./defined.ts";
import type { Conversion, KubeObject } from "./kind.ts";

const PREFIX = "autoscaling.alpha.kubernetes.io/";
const METRICS = `${PREFIX}metrics`;
const BEHAVIOR = `${PREFIX}behavior`;
const CONDITIONS = `${PREFIX}conditions`;
const CURRENT_METRICS = `${PREFIX}current-metrics`;
const CARRIED = [METRICS, BEHAVIOR, CONDITIONS, CURRENT_METRICS];

export const horizontalPodAutoscalerV1: Conversion = {
  apiVersion: "autoscaling/v2",
  kind: "HorizontalPodAutoscaler",
  toStored: (object: KubeObject): HorizontalPodAutoscaler =>
    toV2(object as HorizontalPodAutoscalerV1),
  fromStored: (object: KubeObject): HorizontalPodAutoscalerV1 =>
    toV1(object as HorizontalPodAutoscaler),
};

function isCpu(metric: MetricSpec | MetricStatus): boolean {
  return metric.type === "Resource" && metric.resource?.name === "cpu";
}

function isCpuUtilization(metric: MetricSpec): boolean {
  return isCpu(metric) && metric.resource?.target.averageUtilization !== undefined;
}

function toV1(hpa: HorizontalPodAutoscaler): HorizontalPodAutoscalerV1 {
  const metrics = hpa.spec.metrics ?? [];
  const cpu = metrics.find(isCpuUtilization);
  const currentCpu = hpa.status?.currentMetrics?.find(isCpu);
  const carried: Record<string, unknown[] | object | undefined> = {
    [METRICS]: metrics.filter((metric) => metric !== cpu),
    [BEHAVIOR]: hpa.spec.behavior,
    [CONDITIONS]: hpa.status?.conditions,
    [CURRENT_METRICS]: hpa.status?.currentMetrics?.filter((metric) => metric !== currentCpu),
  };
  const annotations = { ...hpa.metadata.annotations };
  for (const [key, value] of Object.entries(carried)) {
    if (value && Object.keys(value).length > 0) annotations[key] = JSON.stringify(value);
  }
  return {
    apiVersion: "autoscaling/v1",
    kind: "HorizontalPodAutoscaler",
    metadata: withAnnotations(hpa.metadata, annotations),
    spec: defined({
      scaleTargetRef: hpa.spec.scaleTargetRef,
      minReplicas: hpa.spec.minReplicas,
      maxReplicas: hpa.spec.maxReplicas,
      targetCPUUtilizationPercentage: cpu?.resource?.target.averageUtilization,
    }),
    ...(hpa.status && {
      status: defined({
        observedGeneration: hpa.status.observedGeneration,
        lastScaleTime: hpa.status.lastScaleTime,
        currentReplicas: hpa.status.currentReplicas ?? 0,
        desiredReplicas: hpa.status.desiredReplicas,
        currentCPUUtilizationPercentage: currentCpu?.resource?.current.averageUtilization,
      }),
    }),
  };
}

function toV2(hpa: HorizontalPodAutoscalerV1): HorizontalPodAutoscaler {
  const carried = (key: string) => parseAnnotation(hpa.metadata.annotations?.[key]);
  const metrics = [...((carried(METRICS) as MetricSpec[] | undefined) ?? [])];
  const target = hpa.spec.targetCPUUtilizationPercentage;
  if (target !== undefined) {
    const utilization = { type: "Utilization", averageUtilization: target };
    metrics.unshift({ type: "Resource", resource: { name: "cpu", target: utilization } });
  }
  const annotations = { ...hpa.metadata.annotations };
  for (const key of CARRIED) delete annotations[key];
  return {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: withAnnotations(hpa.metadata, annotations),
    spec: defined({
      scaleTargetRef: hpa.spec.scaleTargetRef,
      minReplicas: hpa.spec.minReplicas,
      maxReplicas: hpa.spec.maxReplicas,
      metrics: metrics.length > 0 ? metrics : undefined,
      behavior: carried(BEHAVIOR) as HorizontalPodAutoscaler["spec"]["behavior"],
    }),
    ...(hpa.status && {
      status: defined({
        observedGeneration: hpa.status.observedGeneration,
        lastScaleTime: hpa.status.lastScaleTime,
        currentReplicas: hpa.status.currentReplicas,
        desiredReplicas: hpa.status.desiredReplicas,
        currentMetrics: currentMetrics(hpa, carried(CURRENT_METRICS) as MetricStatus[] | undefined),
        conditions: carried(CONDITIONS) as HorizontalPodAutoscalerStatus["conditions"],
      }),
    }),
  };
}

function currentMetrics(
  hpa: HorizontalPodAutoscalerV1,
  others: MetricStatus[] | undefined,
): MetricStatus[] | undefined {
  const cpu = hpa.status?.currentCPUUtilizationPercentage;
  if (cpu === undefined) return others;
  const resource = { name: "cpu", current: { averageUtilization: cpu } };
  return [{ type: "Resource", resource }, ...(others ?? [])];
}

/** An annotation that a client has broken is as good as none: v1 has always ignored it. */
function parseAnnotation(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function withAnnotations(meta: ObjectMeta, annotations: Record<string, string>): ObjectMeta {
  const { annotations: _replaced, ...rest } = meta;
  return Object.keys(annotations).length > 0 ? { ...rest, annotations } : rest;
}
