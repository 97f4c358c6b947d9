import { expect, test } from "vitest";
import {
  decode,
  Event,
  EventsEvent,
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerV1,
  type Kind,
  type KubeObject,
} from "../../../../manifests/index.ts";

const time = "2026-01-01T00:00:00Z";

/** From the stored form to the other version and back. */
function thereAndBack(kind: Kind, stored: KubeObject): { shown: KubeObject; back: KubeObject } {
  if (!kind.conversion) throw new Error(`${kind.kind} is stored as it is`);
  const shown = kind.conversion.fromStored(stored);
  return { shown, back: kind.conversion.toStored(shown) };
}

test("conversion: an Event of either group is the same object under other names", () => {
  const { object: stored } = decode(Event, {
    metadata: { name: "e", namespace: "ns" },
    involvedObject: { kind: "Pod", name: "p" },
    reason: "Started",
    message: "It started",
    source: { component: "kubelet" },
    firstTimestamp: time,
    lastTimestamp: time,
    count: 2,
    type: "Normal",
    reportingComponent: "kubelet",
  });
  const { shown, back } = thereAndBack(EventsEvent, stored);
  expect(shown).toMatchObject({
    apiVersion: "events.k8s.io/v1",
    regarding: { kind: "Pod", name: "p" },
    note: "It started",
    reportingController: "kubelet",
    deprecatedCount: 2,
  });
  expect(shown).not.toHaveProperty("involvedObject");
  expect(decode(Event, back).object).toEqual(stored);
  expect(decode(EventsEvent, shown, { strict: true }).strictErrors).toEqual([]);
});

test("conversion: what autoscaling/v1 has no fields for survives a v1 client", () => {
  const resource = (name: string) => ({
    type: "Resource",
    resource: { name, target: { type: "Utilization", averageUtilization: 50 } },
  });
  const { object: stored } = decode(HorizontalPodAutoscaler, {
    metadata: { name: "h", annotations: { a: "b" } },
    spec: {
      scaleTargetRef: { kind: "Deployment", name: "d" },
      maxReplicas: 3,
      metrics: [resource("cpu"), resource("memory")],
      behavior: { scaleDown: { stabilizationWindowSeconds: 5 } },
    },
    status: { desiredReplicas: 2, conditions: [{ type: "AbleToScale", status: "True" }] },
  });
  const { shown, back } = thereAndBack(HorizontalPodAutoscalerV1, stored);
  expect(shown).toMatchObject({
    apiVersion: "autoscaling/v1",
    spec: { targetCPUUtilizationPercentage: 50, maxReplicas: 3 },
  });
  expect(JSON.parse(JSON.stringify(shown))).toStrictEqual(shown);
  expect(decode(HorizontalPodAutoscaler, back).object).toEqual(stored);
  expect(back.metadata.annotations).toEqual({ a: "b" });
});

test("conversion: an annotation that somebody broke is ignored", () => {
  const broken = { "autoscaling.alpha.kubernetes.io/metrics": "{" };
  const { object } = decode(HorizontalPodAutoscalerV1, {
    metadata: { name: "h", annotations: broken },
    spec: { scaleTargetRef: { kind: "Deployment", name: "d" }, maxReplicas: 3 },
  });
  const stored = HorizontalPodAutoscalerV1.conversion?.toStored(object);
  expect(stored).toMatchObject({ spec: { maxReplicas: 3 } });
  expect(stored).not.toHaveProperty("spec.metrics");
});
