import { describe, expect, test } from "vitest";
import type { ClusterEvent } from "../../../../actors/scheduler/framework.ts";
import {
  backoffMs,
  SchedulingQueue,
  unschedulableFlushMs,
} from "../../../../actors/scheduler/queue.ts";
import { podInfo } from "./builders.ts";

const fit = new Set(["NodeResourcesFit"]);
const helps = (rejectedBy: ReadonlySet<string>, event: ClusterEvent) =>
  rejectedBy.has("NodeResourcesFit") && event === "pod-freed";

function names(queue: SchedulingQueue): string[] {
  const popped: string[] = [];
  for (let pod = queue.pop(); pod; pod = queue.pop()) popped.push(pod.name);
  return popped;
}

describe("scheduling queue", () => {
  test("queue: higher priority first, then the one that came first", () => {
    const queue = new SchedulingQueue(helps);
    queue.put(podInfo("first"), 1);
    queue.put(podInfo("second"), 2);
    queue.put(podInfo("urgent", { priority: 10 }), 3);
    expect(names(queue)).toEqual(["urgent", "first", "second"]);
  });

  test("queue: backoff is 1 s after the first attempt, doubles, and stops at 10 s", () => {
    expect([1, 2, 3, 4, 5, 100].map(backoffMs)).toEqual([
      1_000, 2_000, 4_000, 8_000, 10_000, 10_000,
    ]);
  });

  test("queue: a pod without a node that fits waits until an event could help it", () => {
    const queue = new SchedulingQueue(helps);
    queue.put(podInfo("big"), 0);
    queue.pop();
    queue.park("uid-big", fit, 0);
    queue.happened("node-labels", 2_000);
    expect(names(queue)).toEqual([]);
    queue.happened("pod-freed", 2_000);
    expect(names(queue)).toEqual(["big"]);
  });

  test("queue: an event during the backoff moves the pod to the end of its backoff", () => {
    const queue = new SchedulingQueue(helps);
    queue.put(podInfo("big"), 0);
    queue.pop();
    queue.park("uid-big", fit, 0);
    queue.happened("pod-freed", 10);
    expect(names(queue)).toEqual([]);
    expect(queue.flush(10)).toBe(1_000);
    expect(queue.flush(1_000)).toBeUndefined();
    expect(names(queue)).toEqual(["big"]);
  });

  test("queue: an event while the pod is being tried is not lost", () => {
    const queue = new SchedulingQueue(helps);
    queue.put(podInfo("big"), 0);
    queue.pop();
    queue.happened("pod-freed", 1);
    queue.park("uid-big", fit, 2);
    expect(queue.counts()).toMatchObject({ backoff: 1, unschedulable: 0 });
    expect(queue.flush(2)).toBe(1_002);
  });

  test("queue: an event before the pod was popped does not count as help", () => {
    const queue = new SchedulingQueue(helps);
    queue.put(podInfo("other"), 0);
    queue.pop();
    queue.happened("pod-freed", 1);
    queue.put(podInfo("big"), 2);
    queue.pop();
    queue.park("uid-big", fit, 3);
    expect(queue.counts()).toMatchObject({ unschedulable: 1, inFlight: 1 });
  });

  test("queue: after five minutes an unschedulable pod is tried anyway", () => {
    const queue = new SchedulingQueue(helps);
    queue.put(podInfo("big"), 0);
    queue.pop();
    queue.park("uid-big", fit, 0);
    expect(queue.flush(unschedulableFlushMs - 1)).toBe(unschedulableFlushMs);
    queue.flush(unschedulableFlushMs);
    expect(names(queue)).toEqual(["big"]);
  });

  test("queue: a change of what scheduling looks at wakes the pod, a change of status does not", () => {
    const queue = new SchedulingQueue(helps);
    queue.put(podInfo("big", { cpu: 8_000 }), 0);
    queue.pop();
    queue.park("uid-big", fit, 0);
    queue.put(podInfo("big", { cpu: 8_000 }), 5_000);
    expect(names(queue)).toEqual([]);
    queue.put(podInfo("big", { cpu: 1_000 }), 5_000);
    expect(queue.pop()?.requests.get("cpu")).toBe(1_000);
  });

  test("queue: a removed pod does not come back, wherever it was", () => {
    const queue = new SchedulingQueue(helps);
    for (const name of ["active", "backing-off", "parked", "in-flight"])
      queue.put(podInfo(name, { priority: name === "active" ? -1 : 0 }), 0);
    for (let popped = 0; popped < 3; popped++) queue.pop();
    queue.backOff("uid-backing-off", 0);
    queue.park("uid-parked", fit, 0);
    for (const name of ["active", "backing-off", "parked", "in-flight"])
      queue.remove(`uid-${name}`);
    queue.park("uid-in-flight", fit, 0);
    queue.happened("pod-freed", 20_000);
    expect(queue.flush(1e9)).toBeUndefined();
    expect(names(queue)).toEqual([]);
    expect(queue.size).toBe(0);
  });
});
