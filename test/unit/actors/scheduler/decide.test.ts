import { describe, expect, test } from "vitest";
import { type Decision, decide, helps } from "../../../../actors/scheduler/decide.ts";
import type { NodeInfo } from "../../../../actors/scheduler/node-info.ts";
import { nodeEvents } from "../../../../actors/scheduler/node-info.ts";
import { NodeTable } from "../../../../actors/scheduler/node-table.ts";
import type { PodInfo } from "../../../../actors/scheduler/pod-info.ts";
import { createSeededRandom } from "../../../../runtime/sim/random.ts";
import { nodeInfo, podInfo } from "./builders.ts";

function tableOf(...nodes: NodeInfo[]): NodeTable {
  const table = new NodeTable();
  for (const node of nodes) table.setNode(node);
  return table;
}

function decideOn(pod: PodInfo, table: NodeTable): Decision {
  return decide(pod, table, createSeededRandom("decide"));
}

function messageOf(decision: Decision): string {
  return decision.type === "unschedulable" ? decision.message : `placed on ${decision.node}`;
}

const taint = { key: "dedicated", value: "gpu", effect: "NoSchedule" } as const;

describe("decide: filters", () => {
  test("decide: counts the reasons of all nodes, in the words of upstream", () => {
    const table = tableOf(
      nodeInfo("small", { cpu: 100 }),
      nodeInfo("t1", { taints: [taint] }),
      nodeInfo("t2", { taints: [taint] }),
    );
    expect(messageOf(decideOn(podInfo("web", { cpu: 500 }), table))).toBe(
      "0/3 nodes are available: 1 Insufficient cpu, " +
        "2 node(s) had untolerated taint {dedicated: gpu}.",
    );
  });

  test("decide: a node says everything that it has too little of", () => {
    const table = tableOf(nodeInfo("small", { cpu: 100, memory: 100, pods: 0 }));
    expect(messageOf(decideOn(podInfo("web", { cpu: 500, memory: 500 }), table))).toBe(
      "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 Too many pods.",
    );
  });

  test("decide: without any node it says so", () => {
    expect(messageOf(decideOn(podInfo("web"), tableOf()))).toBe(
      "no nodes available to schedule pods",
    );
  });

  test("decide: a cordoned node is refused, unless the pod tolerates it", () => {
    const table = tableOf(nodeInfo("a", { unschedulable: true }));
    expect(messageOf(decideOn(podInfo("web"), table))).toBe(
      "0/1 nodes are available: 1 node(s) were unschedulable.",
    );
    const tolerations = [{ key: "node.kubernetes.io/unschedulable", operator: "Exists" }] as const;
    expect(decideOn(podInfo("ds", { tolerations }), table)).toEqual({ type: "node", node: "a" });
  });

  test("decide: nodeSelector and required affinity must both match", () => {
    const table = tableOf(
      nodeInfo("a", { labels: { zone: "a", disk: "ssd" } }),
      nodeInfo("b", { labels: { zone: "b", disk: "ssd" } }),
    );
    const nodeAffinity = {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [
          { matchExpressions: [{ key: "zone", operator: "In" as const, values: ["b"] }] },
        ],
      },
    };
    const wants = { nodeSelector: { disk: "ssd" }, nodeAffinity };
    expect(decideOn(podInfo("web", wants), table)).toEqual({ type: "node", node: "b" });
    expect(messageOf(decideOn(podInfo("web", { nodeSelector: { disk: "hdd" } }), table))).toBe(
      "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
    );
  });

  test("decide: a host port is taken by address and protocol", () => {
    const table = tableOf(nodeInfo("a"));
    const port = (ip: string, protocol = "TCP") => [{ ip, protocol, port: 80 }];
    table.addPod(podInfo("first", { hostPorts: port("10.0.0.1") }), "a");
    expect(messageOf(decideOn(podInfo("p", { hostPorts: port("0.0.0.0") }), table))).toBe(
      "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
    );
    for (const hostPorts of [port("10.0.0.2"), port("10.0.0.1", "UDP")])
      expect(decideOn(podInfo("p", { hostPorts }), table)).toEqual({ type: "node", node: "a" });
  });

  test("decide: a constraint that no plugin honours keeps the pod waiting and is named", () => {
    const unsupportedFields = ["spec.affinity.podAntiAffinity"];
    const decision = decideOn(podInfo("web", { unsupportedFields }), tableOf(nodeInfo("a")));
    expect(messageOf(decision)).toBe(
      "0/1 nodes are available: spec.affinity.podAntiAffinity not supported yet.",
    );
  });
});

describe("decide: scores", () => {
  test("decide: the emptiest node wins, also for pods that request nothing", () => {
    const table = tableOf(nodeInfo("a"), nodeInfo("b"), nodeInfo("c"));
    for (const name of ["one", "two", "three"]) {
      const decision = decideOn(podInfo(name), table);
      if (decision.type === "node") table.addPod(podInfo(name), decision.node);
    }
    expect([0, 1, 2].map((row) => table.podCount(row))).toEqual([1, 1, 1]);
  });

  test("decide: a PreferNoSchedule taint deters, preferred affinity attracts", () => {
    const deterring = { ...taint, effect: "PreferNoSchedule" } as const;
    const table = tableOf(nodeInfo("a", { taints: [deterring] }), nodeInfo("b"));
    expect(decideOn(podInfo("web"), table)).toEqual({ type: "node", node: "b" });
    const zones = tableOf(nodeInfo("a"), nodeInfo("b", { labels: { zone: "b" } }));
    const preference = { matchExpressions: [{ key: "zone", operator: "Exists" as const }] };
    const nodeAffinity = {
      preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 10, preference }],
    };
    expect(decideOn(podInfo("web", { nodeAffinity }), zones)).toEqual({ type: "node", node: "b" });
  });

  test("decide: equals are drawn by lot", () => {
    const table = tableOf(nodeInfo("a"), nodeInfo("b"), nodeInfo("c"));
    const random = createSeededRandom("lots");
    const chosen = new Set<string>();
    for (let draw = 0; draw < 60; draw++) {
      const decision = decide(podInfo("web"), table, random);
      if (decision.type === "node") chosen.add(decision.node);
    }
    expect([...chosen].sort()).toEqual(["a", "b", "c"]);
  });
});

describe("decide: what helps", () => {
  test("decide: a pod is woken only by what its plugins hope for", () => {
    const rejectedBy = new Set(["NodeResourcesFit"]);
    expect(helps(rejectedBy, "pod-freed")).toBe(true);
    expect(helps(rejectedBy, "node-labels")).toBe(false);
    expect(helps(new Set(["UnsupportedFields"]), "node-added")).toBe(false);
  });

  test("decide: a heartbeat is no event, a change of taints is one", () => {
    const before = nodeInfo("a");
    expect(nodeEvents(undefined, before)).toEqual(["node-added"]);
    expect(nodeEvents(before, nodeInfo("a"))).toEqual([]);
    expect(nodeEvents(before, nodeInfo("a", { taints: [taint] }))).toEqual(["node-taints"]);
    expect(nodeEvents(before, nodeInfo("a", { cpu: 1 }))).toEqual(["node-allocatable"]);
  });
});
