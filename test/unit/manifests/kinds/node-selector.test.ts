import { expect, test } from "vitest";
import {
  matchesNodeSelector,
  matchesNodeSelectorTerm,
} from "../../../../manifests/kinds/node-selector.ts";
import type { NodeSelectorRequirement } from "../../../../manifests/schema/types.generated.ts";

const node = { name: "n1", labels: { zone: "a", cores: "8", empty: "" } };

function matches(key: string, operator: string, values?: string[]): boolean {
  const requirement = { key, operator, values } as NodeSelectorRequirement;
  return matchesNodeSelectorTerm({ matchExpressions: [requirement] }, node);
}

test("node selector: each operator, where the label is there and where it is not", () => {
  expect(matches("zone", "In", ["a", "b"])).toBe(true);
  expect(matches("zone", "In", ["b"])).toBe(false);
  expect(matches("zone", "NotIn", ["b"])).toBe(true);
  expect(matches("absent", "NotIn", ["b"])).toBe(true);
  expect(matches("empty", "Exists")).toBe(true);
  expect(matches("toString", "Exists")).toBe(false);
  expect(matches("absent", "DoesNotExist")).toBe(true);
  expect(matches("cores", "Gt", ["7"])).toBe(true);
  expect(matches("cores", "Gt", ["8"])).toBe(false);
  expect(matches("cores", "Lt", ["10"])).toBe(true);
  expect(matches("zone", "Lt", ["10"])).toBe(false);
});

test("node selector: terms are alternatives, an empty term is none, fields see the name", () => {
  const byName = { matchFields: [{ key: "metadata.name", operator: "In", values: ["n1"] }] };
  const other = { matchExpressions: [{ key: "zone", operator: "In", values: ["b"] }] };
  const selector = (...terms: object[]) =>
    matchesNodeSelector({ nodeSelectorTerms: terms } as never, node);
  expect(selector(other, byName)).toBe(true);
  expect(selector(other)).toBe(false);
  expect(selector({})).toBe(false);
  expect(selector()).toBe(false);
});
