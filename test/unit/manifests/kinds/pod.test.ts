import { expect, test } from "vitest";
import {
  type Container,
  type ContainerState,
  type ContainerStatus,
  controllerOf,
  controllerReference,
  insufficientResources,
  isPodAvailable,
  Pod,
  type PodCondition,
  type PodSpec,
  percentOf,
  podLimits,
  podPhase,
  podQosClass,
  podRequests,
  ReplicaSet,
  setCondition,
} from "../../../../manifests/index.ts";

function container(name: string, requests: Record<string, string>, more = {}): Container {
  return { name, resources: { requests }, ...more };
}

test("pod requests: containers add up, init containers count by their greatest moment", () => {
  const spec: PodSpec = {
    containers: [container("a", { cpu: "100m", memory: "1Gi" }), container("b", { cpu: "0.2" })],
    initContainers: [
      container("i", { cpu: "1" }),
      container("sidecar", { cpu: "50m" }, { restartPolicy: "Always" }),
      container("j", { cpu: "400m", "example.com/gpu": "1" }),
    ],
    overhead: { cpu: "10m" },
  };
  // i alone: 1000; j beside the sidecar: 450; containers with the sidecar: 350.
  expect(podRequests(spec)).toEqual({ cpu: 1010, memory: 2 ** 30, "example.com/gpu": 1 });
  expect(podRequests({ containers: spec.containers })).toEqual({ cpu: 300, memory: 2 ** 30 });
  expect(podLimits(spec)).toEqual({ cpu: 10 });
});

test("pod requests: what is missing is named, what is not asked for is not", () => {
  const free = { cpu: 500, memory: 10 };
  expect(insufficientResources({ cpu: 500, memory: 11, "a/b": 0, "c/d": 1 }, free)).toEqual([
    "memory",
    "c/d",
  ]);
});

test.each<[string, object[], string]>([
  ["nothing said", [{}], "BestEffort"],
  ["zero said", [{ requests: { cpu: "0" } }], "BestEffort"],
  ["a request", [{ requests: { cpu: "1" } }], "Burstable"],
  ["one resource limited", [{ limits: { cpu: "1" } }], "Burstable"],
  ["both limited", [{ limits: { cpu: "1", memory: "1Gi" } }], "Guaranteed"],
  [
    "both equal",
    [{ limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "1000m", memory: "1024Mi" } }],
    "Guaranteed",
  ],
  [
    "a smaller request",
    [{ limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "1m" } }],
    "Burstable",
  ],
  ["one container of two", [{ limits: { cpu: "1", memory: "1Gi" } }, {}], "Burstable"],
])("pod quality of service: %s", (_name, resources, expected) => {
  const containers = resources.map((r, i) => ({ name: `c${i}`, resources: r }));
  expect(podQosClass({ metadata: { name: "p" }, spec: { containers } })).toBe(expected);
});

const running: ContainerState = { running: {} };
const waiting: ContainerState = { waiting: { reason: "ContainerCreating" } };
const exited = (exitCode: number): ContainerState => ({ terminated: { exitCode } });

function status(name: string, state: ContainerState, more: Partial<ContainerStatus> = {}) {
  return { name, state, image: "", imageID: "", ready: false, restartCount: 0, ...more };
}

interface PhaseCase {
  policy: "Always" | "OnFailure" | "Never";
  states: ContainerState[];
  last?: ContainerState;
  init?: ContainerState;
  terminated?: boolean;
  phase: string;
}

test.each<PhaseCase>([
  { policy: "Always", states: [], phase: "Pending" },
  { policy: "Always", states: [waiting], phase: "Pending" },
  { policy: "Always", states: [running, waiting], phase: "Pending" },
  { policy: "Always", states: [running, running], phase: "Running" },
  { policy: "Always", states: [running, exited(1)], phase: "Running" },
  { policy: "Always", states: [exited(0)], phase: "Running" },
  { policy: "Always", states: [exited(1)], phase: "Running" },
  { policy: "Always", states: [waiting], last: exited(1), phase: "Running" },
  { policy: "Never", states: [exited(0), exited(0)], phase: "Succeeded" },
  { policy: "Never", states: [exited(0), exited(1)], phase: "Failed" },
  { policy: "OnFailure", states: [exited(0)], phase: "Succeeded" },
  { policy: "OnFailure", states: [exited(1)], phase: "Running" },
  { policy: "Always", states: [exited(0)], terminated: true, phase: "Succeeded" },
  { policy: "Always", states: [exited(137)], terminated: true, phase: "Failed" },
  { policy: "Always", init: waiting, states: [waiting], phase: "Pending" },
  { policy: "Always", init: exited(1), states: [waiting], phase: "Pending" },
  { policy: "Never", init: exited(1), states: [waiting], phase: "Failed" },
  { policy: "Always", init: exited(0), states: [running], phase: "Running" },
])("pod phase: $policy $init $states $last is $phase", (given) => {
  const spec: PodSpec = {
    restartPolicy: given.policy,
    containers: (given.states.length > 0 ? given.states : [waiting]).map((_, i) => ({
      name: `${i}`,
    })),
    initContainers: given.init && [{ name: "init" }],
  };
  const more = given.last ? { lastState: given.last } : {};
  const statuses = given.states.map((state, i) => status(`${i}`, state, more));
  const initContainerStatuses = given.init && [status("init", given.init)];
  const whole = { containerStatuses: statuses, initContainerStatuses };
  expect(podPhase(spec, whole, given.terminated)).toBe(given.phase);
});

test("pod phase: a sidecar only has to have started", () => {
  const spec: PodSpec = {
    restartPolicy: "Never",
    initContainers: [{ name: "s", restartPolicy: "Always" }],
    containers: [{ name: "c" }],
  };
  const phase = (started: boolean) =>
    podPhase(spec, {
      initContainerStatuses: [status("s", running, { started })],
      containerStatuses: [status("c", running)],
    });
  expect(phase(false)).toBe("Pending");
  expect(phase(true)).toBe("Running");
});

test("pod availability: ready for long enough", () => {
  const conditions = [
    { type: "Ready", status: "True", lastTransitionTime: "2026-01-01T00:00:00Z" },
  ];
  const pod: Pod = { metadata: { name: "p" }, spec: { containers: [] }, status: { conditions } };
  const ready = Date.parse("2026-01-01T00:00:00Z");
  expect(isPodAvailable(pod, 0, ready)).toBe(true);
  expect(isPodAvailable(pod, 10, ready + 9_999)).toBe(false);
  expect(isPodAvailable(pod, 10, ready + 10_000)).toBe(true);
});

test("conditions: the time moves only with the status, and nothing new keeps the list", () => {
  const first = setCondition<PodCondition>(
    undefined,
    { type: "A", status: "True", reason: "x" },
    "t1",
  );
  expect(setCondition(first, { type: "A", status: "True", reason: "x" }, "t2")).toBe(first);
  const reason = setCondition(first, { type: "A", status: "True", reason: "y" }, "t2");
  expect(reason).toEqual([{ type: "A", status: "True", reason: "y", lastTransitionTime: "t1" }]);
  const flipped = setCondition(reason, { type: "A", status: "False", reason: "y" }, "t3");
  expect(flipped[0]?.lastTransitionTime).toBe("t3");
});

test("ownership: a reference names its owner, and an owner without uid is a bug", () => {
  const owner: ReplicaSet = {
    metadata: { name: "rs", uid: "u" },
    spec: { selector: {}, replicas: 1 },
  };
  const reference = controllerReference(ReplicaSet, owner);
  expect(reference).toMatchObject({ apiVersion: "apps/v1", kind: "ReplicaSet", uid: "u" });
  const pod = { metadata: { name: "p", ownerReferences: [reference] } };
  expect(controllerOf(pod)).toBe(reference);
  expect(() =>
    controllerReference(Pod, { metadata: { name: "x" }, spec: { containers: [] } }),
  ).toThrow("has no uid");
});

test.each([
  ["25%", 3, "up", 1],
  ["25%", 3, "down", 0],
  ["100%", 3, "down", 3],
  [2, 3, "up", 2],
  [undefined, 3, "up", 0],
] as const)("int or percent: %s of %s rounded %s is %s", (value, total, round, expected) => {
  expect(percentOf(value, total, round)).toBe(expected);
});
