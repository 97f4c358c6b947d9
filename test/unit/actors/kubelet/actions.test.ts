import { describe, expect, test } from "vitest";
import {
  computePodActions,
  definitionAnnotation,
  type PodAction,
} from "../../../../actors/kubelet/actions.ts";
import type { ContainerState, SandboxState } from "../../../../actors/kubelet/engine.ts";
import type { Pod } from "../../../../manifests/index.ts";
import { containerWith, exited, podWith, runtimeWith, sandboxWith } from "./fixtures.ts";

interface Case {
  does: string;
  pod?: Pod;
  sandboxes?: SandboxState[];
  containers?: ContainerState[];
  unhealthy?: [string, string][];
  actions: PodAction[];
}

const start = (name: string, attempt: number, init = false): PodAction => ({
  type: "start-container",
  name,
  attempt,
  init,
});
const stopped = sandboxWith({ running: false, ip: "" });
const never = podWith({ restartPolicy: "Never" });
const onFailure = podWith({ restartPolicy: "OnFailure" });
const withInits = podWith({ initContainers: [{ name: "one" }, { name: "two" }] });
const two = podWith({ containers: [{ name: "app" }, { name: "side" }] });

const cases: Case[] = [
  { does: "makes a sandbox first", actions: [{ type: "run-sandbox", attempt: 0 }] },
  { does: "starts what never was", sandboxes: [sandboxWith()], actions: [start("app", 0)] },
  {
    does: "leaves alone what runs",
    sandboxes: [sandboxWith()],
    containers: [containerWith()],
    actions: [],
  },
  {
    does: "starts again what ended, counting one up",
    sandboxes: [sandboxWith()],
    containers: [exited(0, { attempt: 4 })],
    actions: [start("app", 5)],
  },
  {
    does: "makes again under the same number what was created and never started",
    sandboxes: [sandboxWith()],
    containers: [containerWith({ status: "created", attempt: 2 })],
    actions: [start("app", 2)],
  },
  {
    does: "counts on from the API when the container was removed behind its back",
    pod: podWith(
      {},
      {
        containerStatuses: [
          {
            name: "app",
            ready: true,
            restartCount: 3,
            image: "",
            imageID: "",
            containerID: "sim://1",
          },
        ],
      },
    ),
    sandboxes: [sandboxWith()],
    actions: [start("app", 4)],
  },
  {
    does: "ends a pod that never restarts",
    pod: never,
    sandboxes: [sandboxWith()],
    containers: [exited(1)],
    actions: [{ type: "stop-pod", changed: false }],
  },
  {
    does: "ends a pod that restarts on failure and did not fail",
    pod: onFailure,
    sandboxes: [sandboxWith()],
    containers: [exited(0)],
    actions: [{ type: "stop-pod", changed: false }],
  },
  {
    does: "restarts on failure",
    pod: onFailure,
    sandboxes: [sandboxWith()],
    containers: [exited(2)],
    actions: [start("app", 1)],
  },
  {
    does: "keeps a pod whose other container runs",
    pod: podWith({ restartPolicy: "Never", containers: [{ name: "app" }, { name: "side" }] }),
    sandboxes: [sandboxWith()],
    containers: [exited(1), containerWith({ id: "c", name: "side" })],
    actions: [],
  },
  {
    does: "replaces a sandbox that died, and restarts its containers in the new one",
    sandboxes: [stopped],
    containers: [exited(137)],
    actions: [
      { type: "stop-pod", changed: true },
      { type: "run-sandbox", attempt: 1 },
    ],
  },
  {
    does: "starts containers again in a new sandbox, counting on",
    sandboxes: [sandboxWith({ id: "sandbox-1", attempt: 1 }), stopped],
    containers: [exited(137, { attempt: 2 })],
    actions: [start("app", 3)],
  },
  {
    does: "does not replace the sandbox of a pod that has come to its end",
    pod: never,
    sandboxes: [stopped],
    containers: [exited(137)],
    actions: [],
  },
  {
    does: "runs the first init container alone",
    pod: withInits,
    sandboxes: [sandboxWith()],
    actions: [start("one", 0, true)],
  },
  {
    does: "waits for an init container",
    pod: withInits,
    sandboxes: [sandboxWith()],
    containers: [containerWith({ name: "one" })],
    actions: [],
  },
  {
    does: "goes on to the second init container",
    pod: withInits,
    sandboxes: [sandboxWith()],
    containers: [exited(0, { name: "one" })],
    actions: [start("two", 0, true)],
  },
  {
    does: "repeats a failed init container",
    pod: withInits,
    sandboxes: [sandboxWith()],
    containers: [exited(1, { name: "one" })],
    actions: [start("one", 1, true)],
  },
  {
    does: "starts the rest when all init containers are done",
    pod: withInits,
    sandboxes: [sandboxWith()],
    containers: [exited(0, { id: "b", name: "two" }), exited(0, { id: "a", name: "one" })],
    actions: [start("app", 0)],
  },
  {
    does: "does not look at init containers again once the rest has begun",
    pod: withInits,
    sandboxes: [sandboxWith()],
    containers: [containerWith()],
    actions: [],
  },
  {
    does: "ends a pod that never restarts when an init container fails",
    pod: { ...withInits, spec: { ...withInits.spec, restartPolicy: "Never" } },
    sandboxes: [sandboxWith()],
    containers: [exited(1, { name: "one" })],
    actions: [{ type: "stop-pod", changed: false }],
  },
  {
    does: "kills what failed its probe",
    pod: two,
    sandboxes: [sandboxWith()],
    containers: [containerWith(), containerWith({ id: "c", name: "side" })],
    unhealthy: [["c", "it is ill"]],
    actions: [{ type: "kill-container", id: "c", name: "side", message: "it is ill" }],
  },
  {
    does: "kills a container whose image was changed",
    sandboxes: [sandboxWith()],
    containers: [containerWith({ annotations: { [definitionAnnotation]: '["app","old"]' } })],
    actions: [
      {
        type: "kill-container",
        id: "container-0",
        name: "app",
        message: "Container app definition changed, will be restarted",
      },
    ],
  },
  {
    does: "keeps one dead container beside the newest",
    sandboxes: [sandboxWith()],
    containers: [
      containerWith({ id: "c", attempt: 2 }),
      exited(1, { id: "b", attempt: 1 }),
      exited(1, { id: "a" }),
    ],
    actions: [{ type: "remove-container", id: "a" }],
  },
  {
    does: "stops all of a pod that is being deleted",
    pod: {
      ...podWith(),
      metadata: { ...podWith().metadata, deletionTimestamp: "2026-01-01T00:00:00Z" },
    },
    sandboxes: [sandboxWith()],
    containers: [containerWith()],
    actions: [{ type: "stop-pod", changed: false }],
  },
  {
    does: "stops what still runs of a pod that has ended",
    pod: podWith({}, { phase: "Failed" }),
    sandboxes: [sandboxWith()],
    containers: [containerWith()],
    actions: [{ type: "stop-pod", changed: false }],
  },
  {
    does: "does nothing for a pod that has ended and stopped",
    pod: podWith({}, { phase: "Succeeded" }),
    sandboxes: [stopped],
    containers: [exited(0)],
    actions: [],
  },
];

describe("pod actions", () => {
  test.each(cases)("pod actions: $does", (it) => {
    const runtime = runtimeWith(it.sandboxes, it.containers);
    const observed = { unhealthy: new Map(it.unhealthy) };
    expect(computePodActions(it.pod ?? podWith(), runtime, observed)).toEqual(it.actions);
  });
});
