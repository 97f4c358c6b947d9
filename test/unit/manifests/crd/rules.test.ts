import { describe, expect, test } from "vitest";
import { compileRules } from "../../../../manifests/crd/rules.ts";
import type { Schema } from "../../../../manifests/crd/schema.ts";
import { validateStructural } from "../../../../manifests/crd/structural.ts";
import type { ValidationRule } from "../../../../manifests/schema/types.generated.ts";
import { FieldErrors, fieldErrorMessage } from "../../../../manifests/validation/field-error.ts";

function schemaOf(rules: Record<string, ValidationRule[]>): Schema {
  const at = (place: string) => ({ "x-kubernetes-validations": rules[place] ?? [] });
  return {
    type: "object",
    ...at(""),
    properties: {
      spec: {
        type: "object",
        ...at("spec"),
        properties: {
          replicas: { type: "integer", ...at("replicas") },
          most: { type: "integer" },
          ratio: { type: "number" },
          "max-age": { type: "string", format: "duration" },
          namespace: { type: "string" },
          since: { type: "string", format: "date-time" },
          labels: { type: "object", additionalProperties: { type: "string", ...at("label") } },
          ports: {
            type: "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            items: {
              type: "object",
              required: ["name"],
              ...at("port"),
              properties: { name: { type: "string" }, number: { type: "integer" } },
            },
          },
          tags: { type: "array", items: { type: "string", ...at("tag") } },
        },
      },
    },
  };
}

function judge(rules: Record<string, ValidationRule[]>, spec: object, old?: object): string[] {
  const errors = new FieldErrors();
  const whole = (inner: object) => ({ metadata: { name: "web" }, spec: inner });
  compileRules(schemaOf(rules))?.(errors, whole(spec), old && whole(old));
  return errors.list.map(fieldErrorMessage);
}

describe("rules", () => {
  const cases: [string, string, ValidationRule, object, string[]][] = [
    ["holds", "spec", { rule: "self.replicas <= self.most" }, { replicas: 1, most: 2 }, []],
    [
      "fails with its own text",
      "spec",
      { rule: "self.replicas <= self.most" },
      { replicas: 3, most: 2 },
      ['spec: Invalid value: "object": failed rule: self.replicas <= self.most'],
    ],
    [
      "fails with its message",
      "replicas",
      { rule: "self > 1", message: "more than one" },
      { replicas: 1 },
      ['spec.replicas: Invalid value: "integer": more than one'],
    ],
    [
      "words its message by an expression",
      "spec",
      {
        rule: "self.replicas <= self.most",
        messageExpression: "'at most ' + string(self.most)",
        fieldPath: ".replicas",
        reason: "FieldValueForbidden",
      },
      { replicas: 3, most: 2 },
      ["spec.replicas: Forbidden: at most 2"],
    ],
    [
      "falls back when the expression fails",
      "spec",
      { rule: "false", messageExpression: "self.nowhere", message: "no" },
      {},
      ['spec: Invalid value: "object": no'],
    ],
    [
      "comes to no result",
      "spec",
      { rule: "self.replicas > 1" },
      {},
      ['spec: Invalid value: "object": no such key: replicas evaluating rule: self.replicas > 1'],
    ],
    ["sees numbers as doubles", "spec", { rule: "self.ratio * 2.0 == 3.0" }, { ratio: 1.5 }, []],
    ["sees whole numbers too", "spec", { rule: "self.ratio / 2.0 == 0.5" }, { ratio: 1 }, []],
    [
      "spells names that CEL cannot",
      "spec",
      { rule: "self.max__dash__age < duration('2h') && self.__namespace__ == 'a'" },
      { "max-age": "1h30m", namespace: "a" },
      [],
    ],
    [
      "reads times",
      "spec",
      { rule: "self.since < timestamp('2026-01-01T00:00:00Z')" },
      { since: "2025-12-31T23:59:59Z" },
      [],
    ],
    ["sees the name", "", { rule: "self.metadata.name == 'web'" }, {}, []],
    [
      "looks at every entry of a map",
      "label",
      { rule: "self != 'no'" },
      { labels: { a: "yes", b: "no" } },
      ["spec.labels[b]: Invalid value: \"string\": failed rule: self != 'no'"],
    ],
    [
      "looks at every element of a list",
      "tag",
      { rule: "self.startsWith('a')" },
      { tags: ["a", "b"] },
      ["spec.tags[1]: Invalid value: \"string\": failed rule: self.startsWith('a')"],
    ],
  ];
  test.each(cases)("rules: a rule %s", (_what, place, rule, spec, expected) => {
    expect(judge({ [place]: [rule] }, spec)).toEqual(expected);
  });
});

describe("transition rules", () => {
  const only: ValidationRule = { rule: "self >= oldSelf", message: "must not shrink" };
  const shrunk = ['spec.replicas: Invalid value: "integer": must not shrink'];

  test("transition rules: compare with what was, and rest when nothing was", () => {
    expect(judge({ replicas: [only] }, { replicas: 1 })).toEqual([]);
    expect(judge({ replicas: [only] }, { replicas: 1 }, {})).toEqual([]);
    expect(judge({ replicas: [only] }, { replicas: 1 }, { replicas: 2 })).toEqual(shrunk);
    expect(judge({ replicas: [only] }, { replicas: 2 }, { replicas: 2 })).toEqual([]);
  });

  test("transition rules: with an optional past are asked of what is new too", () => {
    const rule = {
      rule: "oldSelf.hasValue() ? oldSelf.value() == self : self == 1",
      optionalOldSelf: true,
    };
    expect(judge({ replicas: [rule] }, { replicas: 1 })).toEqual([]);
    expect(judge({ replicas: [rule] }, { replicas: 2 })).toHaveLength(1);
    expect(judge({ replicas: [rule] }, { replicas: 2 }, { replicas: 1 })).toHaveLength(1);
  });

  test("transition rules: elements of a list of type map are found again by their keys", () => {
    const rule = { rule: "self.number == oldSelf.number", message: "stays" };
    const [a, b] = [
      { name: "a", number: 1 },
      { name: "b", number: 2 },
    ];
    expect(judge({ port: [rule] }, { ports: [b, a] }, { ports: [a, b] })).toEqual([]);
    const moved = { ports: [{ name: "b", number: 3 }, a] };
    expect(judge({ port: [rule] }, moved, { ports: [a, b] })).toEqual([
      'spec.ports[0]: Invalid value: "object": stays',
    ]);
  });
});

test("rules: what an update leaves as it was is not judged again", () => {
  const rules = { replicas: [{ rule: "self > 5" }], spec: [{ rule: "self.most < 9" }] };
  expect(judge(rules, { replicas: 1, most: 3 }, { replicas: 1, most: 2 })).toEqual([]);
  expect(judge(rules, { replicas: 2, most: 3 }, { replicas: 1, most: 2 })).toHaveLength(1);
});

test("rules: a rule that costs too much ends the judging, and harms nobody", () => {
  const tags = Array.from({ length: 3_000 }, (_, at) => `t${at}`);
  const rule = "self.tags.all(a, self.tags.all(b, self.tags.all(c, a + b != c)))";
  const rules = { spec: [{ rule }, { rule: "false" }] };
  expect(judge(rules, { tags })).toEqual([
    'spec: Invalid value: "object": validation failed due to running out of cost budget, ' +
      "no further validation rules will be run",
  ]);
});

describe("rules of a definition", () => {
  const cases: [string, string, ValidationRule, string][] = [
    ["an empty rule", "spec", { rule: " " }, "rule: Required value: rule is not specified"],
    ["a rule that does not parse", "spec", { rule: "self." }, "compilation failed: ERROR: "],
    [
      "an unknown reason",
      "spec",
      { rule: "true", reason: "Whim" },
      'reason: Unsupported value: "Whim": supported values: "FieldValueInvalid"',
    ],
    ["a path that is none", "spec", { rule: "true", fieldPath: "x y" }, "must be a valid path"],
    [
      "a past where there can be none",
      "tag",
      { rule: "self == oldSelf" },
      "oldSelf cannot be used on the uncorrelatable portion of the schema within schema.properties[spec].properties[tags]",
    ],
    [
      "an optional past that is not asked",
      "spec",
      { rule: "true", optionalOldSelf: true },
      "may not be set",
    ],
  ];
  test.each(cases)("rules: a definition with %s is refused", (_what, place, rule, words) => {
    const errors = new FieldErrors();
    validateStructural(errors, schemaOf({ [place]: [rule] }), "schema");
    expect(errors.list.map(fieldErrorMessage).join("\n")).toContain(words);
  });

  test("rules: a definition with good rules is accepted", () => {
    const errors = new FieldErrors();
    const rules = { spec: [{ rule: "self == oldSelf" }], port: [{ rule: "self == oldSelf" }] };
    validateStructural(errors, schemaOf(rules), "schema");
    expect(errors.list).toEqual([]);
  });
});
