import { expect, test } from "vitest";
import { tolerates, toleratesTaint } from "../../../../manifests/kinds/tolerations.ts";

const taint = { key: "dedicated", value: "gpu", effect: "NoSchedule" } as const;

test("tolerations: Equal is the default and compares the value", () => {
  expect(toleratesTaint({ key: "dedicated", value: "gpu" }, taint)).toBe(true);
  expect(toleratesTaint({ key: "dedicated", value: "web" }, taint)).toBe(false);
  expect(toleratesTaint({ key: "other", value: "gpu" }, taint)).toBe(false);
});

test("tolerations: Exists asks for no value, and without a key tolerates all", () => {
  expect(toleratesTaint({ key: "dedicated", operator: "Exists" }, taint)).toBe(true);
  expect(toleratesTaint({ operator: "Exists" }, taint)).toBe(true);
});

test("tolerations: an effect narrows, none covers all, and one of several is enough", () => {
  const narrow = { key: "dedicated", value: "gpu", effect: "NoExecute" } as const;
  expect(toleratesTaint(narrow, taint)).toBe(false);
  expect(tolerates([narrow, { operator: "Exists" }], taint)).toBe(true);
  expect(tolerates([], taint)).toBe(false);
});
