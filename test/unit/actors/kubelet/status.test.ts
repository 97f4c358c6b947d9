import { describe, expect, test } from "vitest";
import type { ContainerState, SandboxState } from "../../../../actors/kubelet/engine.ts";
import { computePodStatus, type PodFacts } from "../../../../actors/kubelet/status.ts";
import { mergePatch } from "../../../../actors/kubelet/status-writer.ts";
import type { Pod } from "../../../../manifests/index.ts";
import { containerWith, exited, podWith, runtimeWith, sandboxWith } from "./fixtures.ts";

const now = Date.parse("2026-01-01T00:00:10Z");
const time = "2026-01-01T00:00:10Z";

function statusOf(
  pod: Pod,
  containers: ContainerState[] = [],
  more: Partial<PodFacts> = {},
  sandboxes: SandboxState[] = [sandboxWith()],
) {
  return computePodStatus(pod, runtimeWith(sandboxes, containers), {
    now,
    runtimePrefix: "docker://",
    nodeIP: "192.0.2.1",
    waiting: new Map(),
    probes: new Map(),
    terminationMessages: new Map(),
    ...more,
  });
}

const two = { containers: [{ name: "app" }, { name: "side" }] };
const side = (state: ContainerState): ContainerState => ({ ...state, id: "s", name: "side" });

describe("pod status", () => {
  test.each([
    { policy: "Always", app: undefined, phase: "Pending" },
    { policy: "Always", app: containerWith(), phase: "Running" },
    { policy: "Always", app: exited(0), phase: "Running" },
    { policy: "OnFailure", app: exited(0), phase: "Succeeded" },
    { policy: "OnFailure", app: exited(1), phase: "Running" },
    { policy: "Never", app: exited(0), phase: "Succeeded" },
    { policy: "Never", app: exited(1), phase: "Failed" },
    { policy: "Never", app: containerWith({ status: "created" }), phase: "Pending" },
  ] as const)("pod status: $policy and $app.status $app.exitCode is $phase", (it) => {
    const pod = podWith({ restartPolicy: it.policy });
    expect(statusOf(pod, it.app ? [it.app] : []).phase).toBe(it.phase);
  });

  test.each([
    { containers: [containerWith(), side(exited(1))], policy: "Never", phase: "Running" },
    { containers: [exited(0), side(exited(1))], policy: "Never", phase: "Failed" },
    { containers: [exited(0), side(exited(0))], policy: "Never", phase: "Succeeded" },
    { containers: [containerWith()], policy: "Always", phase: "Pending" },
  ] as const)("pod status: of two containers the phase is $phase", (it) => {
    const pod = podWith({ ...two, restartPolicy: it.policy });
    expect(statusOf(pod, [...it.containers]).phase).toBe(it.phase);
  });

  test("pod status: a phase that is an end is never left", () => {
    expect(statusOf(podWith({}, { phase: "Succeeded" }), [containerWith()]).phase).toBe(
      "Succeeded",
    );
    expect(statusOf(podWith({}, { phase: "Failed" })).phase).toBe("Failed");
  });

  test("pod status: a running pod in full", () => {
    expect(statusOf(podWith(), [containerWith()])).toEqual({
      phase: "Running",
      conditions: [
        { type: "PodReadyToStartContainers", status: "True", lastTransitionTime: time },
        { type: "Initialized", status: "True", lastTransitionTime: time },
        { type: "Ready", status: "True", lastTransitionTime: time },
        { type: "ContainersReady", status: "True", lastTransitionTime: time },
        { type: "PodScheduled", status: "True", lastTransitionTime: time },
      ],
      hostIP: "192.0.2.1",
      hostIPs: [{ ip: "192.0.2.1" }],
      podIP: "10.244.0.2",
      podIPs: [{ ip: "10.244.0.2" }],
      startTime: time,
      containerStatuses: [
        {
          name: "app",
          state: { running: { startedAt: "1970-01-01T00:00:03Z" } },
          lastState: {},
          ready: true,
          restartCount: 0,
          image: "busybox:1.35",
          imageID: "sha256:1",
          containerID: "docker://container-0",
          started: true,
        },
      ],
      qosClass: "BestEffort",
    });
  });

  test("pod status: transition times stay while the condition does, others' conditions stay", () => {
    const early = "2025-01-01T00:00:00Z";
    const pod = podWith(
      {},
      {
        conditions: [
          { type: "Ready", status: "True", lastTransitionTime: early },
          { type: "ContainersReady", status: "False", lastTransitionTime: early },
          { type: "example.com/gate", status: "True", lastTransitionTime: early },
        ],
      },
    );
    const { conditions = [] } = statusOf(pod, [containerWith()]);
    const timeOf = (type: string) => conditions.find((it) => it.type === type)?.lastTransitionTime;
    expect(timeOf("Ready")).toBe(early);
    expect(timeOf("ContainersReady")).toBe(time);
    expect(timeOf("example.com/gate")).toBe(early);
  });

  test("pod status: a container that waits shows why, and how it ended before", () => {
    const waiting = { reason: "CrashLoopBackOff", message: "back-off 10s" };
    const status = statusOf(podWith(), [exited(3, { attempt: 2 })], {
      waiting: new Map([["app", waiting]]),
      terminationMessages: new Map([["container-0", "it was the cat"]]),
    });
    expect(status.containerStatuses?.[0]).toMatchObject({
      state: { waiting },
      lastState: { terminated: { exitCode: 3, reason: "Error", message: "it was the cat" } },
      restartCount: 2,
      ready: false,
      started: false,
    });
    expect(status.phase).toBe("Running");
    expect(status.conditions?.find(({ type }) => type === "Ready")).toMatchObject({
      status: "False",
      reason: "ContainersNotReady",
      message: "containers with unready status: [app]",
    });
  });

  test("pod status: a container that will not be started again shows its end, not a wait", () => {
    const failed = exited(127, { message: "exec: /none: no such file or directory" });
    const status = statusOf(podWith({ restartPolicy: "Never" }), [failed], {
      waiting: new Map([["app", { reason: "RunContainerError" }]]),
    });
    expect(status.phase).toBe("Failed");
    expect(status.containerStatuses?.[0]?.state).toMatchObject({
      terminated: { exitCode: 127, message: "exec: /none: no such file or directory" },
    });
  });

  test("pod status: a restarted container shows its last end", () => {
    const before = exited(1, { id: "a" });
    const status = statusOf(podWith(), [containerWith({ id: "b", attempt: 1 }), before]);
    expect(status.containerStatuses?.[0]).toMatchObject({
      state: { running: {} },
      lastState: { terminated: { exitCode: 1, containerID: "docker://a" } },
      restartCount: 1,
    });
  });

  test("pod status: a container that vanished is remembered", () => {
    const running = statusOf(podWith(), [containerWith({ attempt: 2 })]);
    const after = statusOf(podWith({}, running), []);
    expect(after.containerStatuses?.[0]).toMatchObject({
      restartCount: 2,
      lastState: { terminated: { exitCode: 137, reason: "ContainerStatusUnknown" } },
    });
  });

  test("pod status: probes decide about ready and started", () => {
    const probe = { exec: { command: ["true"] } };
    const pod = podWith({
      containers: [{ name: "app", readinessProbe: probe, startupProbe: probe }],
    });
    const app = (ready: boolean, started: boolean) =>
      statusOf(pod, [containerWith()], {
        probes: new Map([["container-0", { ready, started }]]),
      }).containerStatuses?.[0];
    expect(app(true, true)).toMatchObject({ ready: true, started: true });
    expect(app(true, false)).toMatchObject({ ready: false, started: false });
    expect(app(false, true)).toMatchObject({ ready: false, started: true });
    expect(statusOf(pod, [containerWith()]).containerStatuses?.[0]?.ready).toBe(false);
  });

  test("pod status: readiness gates hold a pod back", () => {
    const pod = podWith({ readinessGates: [{ conditionType: "example.com/gate" }] });
    const ready = statusOf(pod, [containerWith()]).conditions?.find(({ type }) => type === "Ready");
    expect(ready).toMatchObject({
      status: "False",
      reason: "ReadinessGatesNotReady",
      message: 'corresponding condition of pod readiness gate "example.com/gate" does not exist.',
    });
  });

  test("pod status: init containers keep a pod pending, by name", () => {
    const pod = podWith({ initContainers: [{ name: "one" }, { name: "two" }] });
    const status = statusOf(pod, [exited(0, { name: "one" })]);
    expect(status.phase).toBe("Pending");
    expect(status.initContainerStatuses?.map(({ ready }) => ready)).toEqual([true, false]);
    expect(status.containerStatuses?.[0]?.state?.waiting?.reason).toBe("PodInitializing");
    expect(status.conditions?.find(({ type }) => type === "Initialized")).toMatchObject({
      status: "False",
      reason: "ContainersNotInitialized",
      message: "containers with incomplete status: [two]",
    });
  });

  test("pod status: a rejected pod has failed, with the reason", () => {
    const rejected = { reason: "OutOfcpu", message: "no" };
    expect(statusOf(podWith(), [], { rejected }, [])).toMatchObject({
      phase: "Failed",
      ...rejected,
    });
  });

  test("pod status: what was computed from itself does not change again", () => {
    const cases = [[], [containerWith()], [exited(0)], [exited(1)]];
    for (const containers of cases) {
      const first = statusOf(podWith(), containers);
      const later = statusOf(podWith({}, first), containers, { now: now + 5_000 });
      // Only a vanished container may still be told, and here none has vanished.
      expect(mergePatch(first, later)).toBeUndefined();
    }
  });
});

describe("status patch", () => {
  test.each([
    { before: { a: 1 }, after: { a: 1 }, patch: undefined },
    { before: { a: 1, b: 2 }, after: { a: 1 }, patch: { b: null } },
    { before: {}, after: { a: { b: 1 } }, patch: { a: { b: 1 } } },
    { before: { a: { b: 1, c: 2 } }, after: { a: { b: 2, c: 2 } }, patch: { a: { b: 2 } } },
    { before: { a: [1, 2] }, after: { a: [1] }, patch: { a: [1] } },
    { before: { a: 1 }, after: { a: undefined }, patch: { a: null } },
    { before: {}, after: { a: undefined }, patch: undefined },
  ])("status patch: $before to $after", ({ before, after, patch }) => {
    expect(mergePatch(before, after)).toEqual(patch);
  });
});
