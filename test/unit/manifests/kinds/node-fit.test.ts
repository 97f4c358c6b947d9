import { expect, test } from "vitest";
import {
  isUnschedulable,
  matchesNodeAffinity,
  type Node,
  type NodeSelectorRequirement,
  nodeAffinityScore,
  type PodSpec,
  type Taint,
  type Toleration,
  untoleratedTaint,
} from "../../../../manifests/index.ts";

const node: Node = {
  metadata: { name: "n1", labels: { zone: "a", cores: "8" } },
  spec: { unschedulable: true },
};
const taint: Taint = { key: "k", value: "v", effect: "NoSchedule" };

test.each<[string, Toleration[], boolean]>([
  ["nothing", [], false],
  ["the same", [{ key: "k", operator: "Equal", value: "v", effect: "NoSchedule" }], true],
  ["any effect", [{ key: "k", value: "v" }], true],
  ["another value", [{ key: "k", value: "w" }], false],
  ["any value", [{ key: "k", operator: "Exists" }], true],
  ["everything", [{ operator: "Exists" }], true],
  ["another effect", [{ key: "k", operator: "Exists", effect: "NoExecute" }], false],
])("taints: tolerating %s", (_name, tolerations, expected) => {
  expect(untoleratedTaint([taint], tolerations) === undefined).toBe(expected);
});

test("taints: a preference keeps nobody away", () => {
  expect(untoleratedTaint([{ ...taint, effect: "PreferNoSchedule" }], [])).toBeUndefined();
});

test("cordoned nodes take only who tolerates it", () => {
  expect(isUnschedulable(node, undefined)).toBe(true);
  expect(isUnschedulable(node, [{ operator: "Exists" }])).toBe(false);
});

function affinity(...terms: NodeSelectorRequirement[][]): PodSpec {
  const nodeSelectorTerms = terms.map((matchExpressions) => ({ matchExpressions }));
  const required = { nodeSelectorTerms };
  return {
    containers: [],
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required } },
  };
}

test.each<[NodeSelectorRequirement, boolean]>([
  [{ key: "zone", operator: "In", values: ["a", "b"] }, true],
  [{ key: "zone", operator: "NotIn", values: ["a"] }, false],
  [{ key: "none", operator: "NotIn", values: ["a"] }, true],
  [{ key: "zone", operator: "Exists" }, true],
  [{ key: "zone", operator: "DoesNotExist" }, false],
  [{ key: "cores", operator: "Gt", values: ["7"] }, true],
  [{ key: "cores", operator: "Lt", values: ["8"] }, false],
  [{ key: "zone", operator: "Gt", values: ["1"] }, false],
])("node affinity: %j", (requirement, expected) => {
  expect(matchesNodeAffinity(affinity([requirement]), node)).toBe(expected);
});

test("node affinity: one term of several is enough, an empty one is not", () => {
  const good: NodeSelectorRequirement = { key: "zone", operator: "In", values: ["a"] };
  const bad: NodeSelectorRequirement = { key: "zone", operator: "In", values: ["b"] };
  expect(matchesNodeAffinity(affinity([bad], [good]), node)).toBe(true);
  expect(matchesNodeAffinity(affinity([good, bad]), node)).toBe(false);
  expect(matchesNodeAffinity(affinity([]), node)).toBe(false);
  expect(matchesNodeAffinity({ containers: [], nodeSelector: { zone: "a" } }, node)).toBe(true);
  expect(matchesNodeAffinity({ containers: [], nodeSelector: { zone: "b" } }, node)).toBe(false);
});

test("node affinity: preferences add up", () => {
  const prefer = (weight: number, value: string) => ({
    weight,
    preference: { matchExpressions: [{ key: "zone", operator: "In" as const, values: [value] }] },
  });
  const preferred = [prefer(3, "a"), prefer(5, "b"), prefer(7, "a")];
  const nodeAffinity = { preferredDuringSchedulingIgnoredDuringExecution: preferred };
  expect(nodeAffinityScore({ containers: [], affinity: { nodeAffinity } }, node)).toBe(10);
});
