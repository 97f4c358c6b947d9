import { expect, test } from "vitest";
import { podRequests } from "../../../../manifests/kinds/pod-requests.ts";
import type { Container, Pod } from "../../../../manifests/schema/types.generated.ts";

function container(name: string, requests: Record<string, string>, rest = {}): Container {
  return { name, image: "busybox:1.35", resources: { requests }, ...rest };
}

function requestsOf(spec: Partial<Pod["spec"]>): Record<string, number> {
  const pod = { metadata: { name: "p" }, spec: { containers: [], ...spec } };
  return Object.fromEntries(podRequests(pod));
}

test("pod requests: containers add up, in millicores and bytes", () => {
  const containers = [
    container("a", { cpu: "250m", memory: "64Mi" }),
    container("b", { cpu: "1.5", "example.com/gpu": "1" }),
  ];
  expect(requestsOf({ containers })).toEqual({
    cpu: 1_750,
    memory: 64 * 1024 * 1024,
    "example.com/gpu": 1,
  });
});

test("pod requests: an init container counts only where it asks for more than the rest", () => {
  const containers = [container("main", { cpu: "500m", memory: "10" })];
  const initContainers = [container("init", { cpu: "2", memory: "5" })];
  expect(requestsOf({ containers, initContainers })).toEqual({ cpu: 2_000, memory: 10 });
});

test("pod requests: a sidecar runs beside the containers, and beside the init containers after it", () => {
  const initContainers = [
    container("first", { cpu: "1" }),
    container("sidecar", { cpu: "300m" }, { restartPolicy: "Always" }),
    container("second", { cpu: "900m" }),
  ];
  const containers = [container("main", { cpu: "500m" })];
  expect(requestsOf({ containers, initContainers })).toEqual({ cpu: 1_200 });
});

test("pod requests: overhead comes on top", () => {
  const containers = [container("main", { cpu: "500m" })];
  expect(requestsOf({ containers, overhead: { cpu: "100m" } })).toEqual({ cpu: 600 });
});
