/** CEL and what Kubernetes adds to it, by examples of the documentation. */

import { expect, test } from "vitest";
import { CelError, compileCel } from "../../../manifests/cel/cel.ts";
import { toCel } from "../../../manifests/cel/values.ts";

const object = toCel({
  spec: {
    replicas: 5,
    ratio: 2.5,
    list: [1, 2, 3],
    names: ["a", "b"],
    labels: { a: "b" },
    constructor: "odd",
    memory: "1500Mi",
  },
});

function run(expression: string): unknown {
  return compileCel(expression, ["object"]).evaluate({ object });
}

test.each([
  "object.spec.replicas <= 5 && object.spec.replicas < 5.5 && object.spec.ratio > 2",
  "!has(object.spec.missing) && object.?spec.?missing.orValue(3) == 3",
  'object.spec.constructor == "odd"',
  'object.spec.list.all(x, x > 0) && "a" in object.spec.labels',
  'object.spec.labels.all(k, object.spec.labels[k] == "b")',
  'quantity(object.spec.memory).isGreaterThan(quantity("1Gi"))',
  'quantity("50M").add(quantity("10M")).sub(10000000).compareTo(quantity("50000k")) == 0',
  'quantity("1.5Gi").asInteger() == 1610612736 && isQuantity("5e3") && !isQuantity("five")',
  'url("https://user@example.com:8080/a%20b?q=1&q=2").getHost() == "example.com:8080"',
  'url("/path?x=1").getScheme() == "" && url("/path?x=1").getQuery()["x"] == ["1"]',
  'isURL("https://example.com") && !isURL("example")',
  'ip("127.0.0.1").isLoopback() && ip("fe80::1").family() == 6 && !isIP("127.0.0.256")',
  'cidr("192.168.0.0/24").containsIP("192.168.0.7") && !cidr("::1/64").containsIP("10.0.0.1")',
  'cidr("10.0.0.0/8").containsCIDR("10.2.0.0/16") && cidr("10.1.2.3/8").masked().ip() == ip("10.0.0.0")',
  '"abc123def".find("[0-9]+") == "123" && "a1b22".findAll("[0-9]+") == ["1", "22"]',
  '"registry.local/app:1".matches("^registry[.]local/.*:[0-9]+$")',
  "object.spec.list.sum() == 6 && object.spec.list.max() == 3 && object.spec.list.isSorted()",
  'object.spec.names.indexOf("b") == 1 && sets.contains(object.spec.names, ["a"])',
  '"%s has %d".format(["web", object.spec.replicas]) == "web has 5"',
  '"abc".charAt(1) == "b" && "a-b".replace("-", "+") == "a+b"',
  '!format.dns1123Label().validate("good").hasValue() && format.dns1123Label().validate("Bad").hasValue()',
])("cel: %s", (expression) => {
  expect(run(expression)).toBe(true);
});

test.each([
  ["object.spec.absent == 1", "no such key: absent"],
  ["1 + 'a'", "no such overload: int + string"],
  ["undeclared", "Unknown variable: undeclared"],
  ["object.spec.", "Expected IDENTIFIER, got EOF"],
])("cel: %s fails with its reason", (expression, why) => {
  expect(() => run(expression)).toThrow(why);
});

test("cel: a pattern that would explode ends at once", () => {
  const text = toCel(`${"a".repeat(50_000)}!`);
  const program = compileCel('object.matches("^(a+)+$")', ["object"]);
  const inside = compileCel('[object].exists(x, x.matches("^(a+)+$"))', ["object"]);
  expect(inside.evaluate({ object: text })).toBe(false);
  expect(program.evaluate({ object: text })).toBe(false);
});

test("cel: a rule that could run for ever is refused before it runs", () => {
  const wide = toCel(Array.from({ length: 1_000 }, (_, at) => at));
  const nested = "object.all(a, object.all(b, object.all(c, object.all(d, a+b+c+d >= 0))))";
  expect(() => compileCel(nested, ["object"]).evaluate({ object: wide })).toThrow(
    new CelError("operation cancelled: actual cost limit exceeded"),
  );
});
