import { describe, expect, it } from "vitest";
import { computeRollingUpdate } from "../../../../actors/controllers/deployment-replicas.ts";
import type { Deployment, ReplicaSet } from "../../../../manifests/index.ts";

const deployment: Deployment = {
  metadata: { name: "web" },
  spec: {
    replicas: 3,
    selector: { matchLabels: { app: "web" } },
    template: { spec: { containers: [{ name: "a", image: "a" }] } },
    strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
  },
};

const set = (name: string, replicas: number, availableReplicas: number): ReplicaSet => ({
  metadata: {
    name,
    creationTimestamp: name === "old" ? "2026-01-01T00:00:00Z" : "2026-01-02T00:00:00Z",
  },
  spec: { replicas, selector: deployment.spec.selector },
  status: { replicas: availableReplicas, availableReplicas },
});

const step = (newest: ReplicaSet, old: ReplicaSet) =>
  computeRollingUpdate(deployment, newest, [old]).map((it) => [it.set.metadata.name, it.replicas]);

describe("deployment: a rolling update of three, one more at a time", () => {
  it.each([
    ["begins with one new", set("new", 0, 0), set("old", 3, 3), [["new", 1]]],
    ["waits for the new one", set("new", 1, 0), set("old", 3, 3), []],
    ["takes an old one for a new one", set("new", 1, 1), set("old", 3, 3), [["old", 2]]],
    ["goes on once there is room", set("new", 1, 1), set("old", 2, 2), [["new", 2]]],
    // Two available of one wanted: a create was repeated because its answer was lost.
    ["does not count a pod too many", set("new", 1, 2), set("old", 3, 3), [["old", 2]]],
    ["takes away what is broken anyway", set("new", 1, 1), set("old", 3, 1), [["old", 2]]],
    ["ends with the last old one", set("new", 3, 3), set("old", 1, 1), [["old", 0]]],
  ])("%s", (_, newest, old, expected) => {
    expect(step(newest, old)).toEqual(expected);
  });
});
