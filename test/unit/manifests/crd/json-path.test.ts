import { expect, test } from "vitest";
import { compileJsonPath, JsonPathError, simplePath } from "../../../../manifests/crd/json-path.ts";
import { customPrinter } from "../../../../manifests/crd/printer.ts";

const object = {
  metadata: {
    name: "x",
    annotations: { "example.com/a": "b" },
    creationTimestamp: "2026-01-01T00:00:00Z",
  },
  spec: { replicas: 2, hosts: ["a", "b", "c"], nested: { host: "d" } },
  status: {
    conditions: [
      { type: "Ready", status: "True", n: 1 },
      { type: "Synced", status: "False", n: 5 },
    ],
  },
};

test.each<[string, unknown[]]>([
  [".spec.replicas", [2]],
  [".spec['replicas']", [2]],
  [".spec.absent", []],
  [".spec.hosts[0]", ["a"]],
  [".spec.hosts[-1]", ["c"]],
  [".spec.hosts[9]", []],
  [".spec.hosts[*]", ["a", "b", "c"]],
  [".spec.hosts[1:]", ["b", "c"]],
  [".metadata.annotations.example\\.com/a", ["b"]],
  ['.status.conditions[?(@.type=="Ready")].status', ["True"]],
  [".status.conditions[?(@.n>2)].type", ["Synced"]],
  [".status.conditions[?(@.absent)].type", []],
  ["..host", ["d"]],
  [".spec.nested.*", ["d"]],
])("json path: %s", (path, expected) => {
  expect(compileJsonPath(path)(object)).toEqual(expected);
});

test.each(["spec", ".spec[", ".spec.hosts[?(1)]", ".a b[(]"])(
  "json path: %s cannot be read",
  (path) => {
    expect(() => compileJsonPath(path)).toThrow(JsonPathError);
  },
);

test("json path: a simple one is nothing but names", () => {
  expect(simplePath(".spec.replicas")).toEqual(["spec", "replicas"]);
  expect(simplePath(".metadata.annotations.a\\.b")).toEqual(["metadata", "annotations", "a.b"]);
  expect(simplePath(".spec.hosts[0]")).toBeUndefined();
  expect(simplePath("spec")).toBeUndefined();
});

test("columns: show what is of their type, and leave the rest blank", () => {
  const column = (type: string, jsonPath: string) => ({ name: type, type, jsonPath });
  const printer = customPrinter([
    column("integer", ".spec.replicas"),
    column("integer", ".metadata.name"),
    column("string", ".spec.nested"),
    column("boolean", ".spec.absent"),
    column("date", ".metadata.creationTimestamp"),
    column("date", ".metadata.name"),
  ]);
  const nowMs = Date.parse("2026-01-01T00:05:00Z");
  expect(printer.cells(object, nowMs)).toEqual([
    "x",
    2,
    null,
    '{"host":"d"}',
    null,
    "5m",
    "<invalid>",
  ]);
  expect(customPrinter(undefined).columns.map(({ name }) => name)).toEqual(["Name", "Age"]);
});
