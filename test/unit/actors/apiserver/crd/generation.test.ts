import { expect, test } from "vitest";
import { withGeneration } from "../../../../../actors/apiserver/metadata.ts";
import type { Resource } from "../../../../../actors/apiserver/registry/registry.ts";
import { defineKind, type KubeObject } from "../../../../../manifests/index.ts";

const resource = (subresources: string[]): Resource => {
  const kind = defineKind("example.com/v1", "Widget", { subresources });
  return { kind, stored: kind, hooks: { generation: true } } as unknown as Resource;
};

const widget = (fields: object): KubeObject => ({
  metadata: { name: "a", generation: 1 },
  ...fields,
});

test.each<[string, string[], object, object, number]>([
  ["a new spec", ["status"], { spec: 1 }, { spec: 2 }, 2],
  ["a new status beside the spec", ["status"], { status: 1 }, { status: 2 }, 1],
  ["a new status that is written with the spec", [], { status: 1 }, { status: 2 }, 2],
  [
    "new labels",
    [],
    { spec: 1 },
    { spec: 1, metadata: { name: "a", generation: 1, labels: {} } },
    1,
  ],
])("generation: after %s", (_what, subresources, before, after, expected) => {
  const made = withGeneration(resource(subresources), widget(after), widget(before));
  expect(made.metadata.generation).toBe(expected);
});
