import { describe, expect, test } from "vitest";
import { compileDefaults } from "../../../../manifests/crd/defaults.ts";
import { pruneObject } from "../../../../manifests/crd/prune.ts";
import type { Schema } from "../../../../manifests/crd/schema.ts";
import { validateListTypes, validateValue } from "../../../../manifests/crd/validate-value.ts";
import { FieldErrors, fieldErrorMessage } from "../../../../manifests/validation/field-error.ts";

function faults(schema: Schema, value: unknown, old?: unknown): string[] {
  const errors = new FieldErrors();
  const root: Schema = { type: "object", properties: { f: schema } };
  const before = old === undefined ? undefined : { f: old };
  validateValue(errors, root, { f: value }, before);
  validateListTypes(errors, root, { f: value }, before);
  return errors.list.map(fieldErrorMessage);
}

const text: Schema = { type: "string" };
const number: Schema = { type: "number" };
const integer: Schema = { type: "integer" };
const named: Schema = {
  type: "object",
  required: ["name"],
  properties: { name: text, port: { type: "integer", default: 80 } },
};
const listMap: Schema = {
  type: "array",
  items: named,
  "x-kubernetes-list-type": "map",
  "x-kubernetes-list-map-keys": ["name", "port"],
};

describe("values", () => {
  const wrongType = (type: string, actual: string) =>
    `f: Invalid value: "${actual}": f in body must be of type ${type}: "${actual}"`;
  const cases: [Schema, unknown, string[]][] = [
    [text, "a", []],
    [text, 1, [wrongType("string", "integer")]],
    [text, null, [wrongType("string", "null")]],
    [{ ...text, nullable: true }, null, []],
    [integer, 1.5, [wrongType("integer", "number")]],
    [number, 1, []],
    [{ type: "boolean" }, "true", [wrongType("boolean", "string")]],
    [{ type: "object" }, [], [wrongType("object", "array")]],
    [{ "x-kubernetes-int-or-string": true }, "25%", []],
    [{ "x-kubernetes-int-or-string": true }, true, [wrongType("integer,string", "boolean")]],
    [
      { ...integer, minimum: 1 },
      0,
      ["f: Invalid value: 0: f in body should be greater than or equal to 1"],
    ],
    [
      { ...integer, minimum: 1, exclusiveMinimum: true },
      1,
      ["f: Invalid value: 1: f in body should be greater than 1"],
    ],
    [
      { ...integer, maximum: 9 },
      10,
      ["f: Invalid value: 10: f in body should be less than or equal to 9"],
    ],
    [
      { ...integer, maximum: 9, exclusiveMaximum: true },
      9,
      ["f: Invalid value: 9: f in body should be less than 9"],
    ],
    [{ ...number, multipleOf: 0.1 }, 0.3, []],
    [{ ...number, multipleOf: 2 }, 3, ["f: Invalid value: 3: f in body should be a multiple of 2"]],
    [{ ...text, maxLength: 2 }, "abc", ["f: Too long: may not be more than 2 bytes"]],
    [{ ...text, maxLength: 2 }, "👍👍", []],
    [
      { ...text, minLength: 2 },
      "👍",
      ['f: Invalid value: "👍": f in body should be at least 2 chars long'],
    ],
    [
      { ...text, pattern: "^a+$" },
      "ab",
      ["f: Invalid value: \"ab\": f in body should match '^a+$'"],
    ],
    [{ ...text, pattern: "b" }, "abc", []],
    [{ ...text, enum: ["a", "b"] }, "x", ['f: Unsupported value: "x": supported values: "a", "b"']],
    [{ ...integer, enum: [1, 2] }, 3, ['f: Unsupported value: 3: supported values: "1", "2"']],
    [
      { ...text, format: "date" },
      "2026-02-30",
      ['f: Invalid value: "2026-02-30": f in body must be of type date: "2026-02-30"'],
    ],
    [{ ...text, format: "of-their-own" }, "anything", []],
    [
      { type: "array", items: text, maxItems: 1 },
      ["a", "b"],
      ["f: Too many: 2: must have at most 1 item"],
    ],
    [
      { type: "array", items: text, minItems: 1 },
      [],
      ["f: Invalid value: 0: f in body should have at least 1 items"],
    ],
    [
      { type: "array", items: text },
      ["a", 1],
      [wrongType("string", "integer").replaceAll("f", "f[1]").replaceAll("of[1]", "of")],
    ],
    [
      { type: "object", additionalProperties: text, maxProperties: 1 },
      { a: "1", b: "2" },
      ["f: Invalid value: 2: f in body should have at most 1 properties"],
    ],
    [
      { type: "object", additionalProperties: text, minProperties: 1 },
      {},
      ["f: Invalid value: 0: f in body should have at least 1 properties"],
    ],
    [named, {}, ["f.name: Required value"]],
    [
      {
        type: "object",
        "x-kubernetes-embedded-resource": true,
        "x-kubernetes-preserve-unknown-fields": true,
      },
      { kind: "Pod" },
      ["f.apiVersion: Required value: must not be empty"],
    ],
    [
      { type: "array", items: text, "x-kubernetes-list-type": "set" },
      ["a", "b", "a"],
      ['f[2]: Duplicate value: "a"'],
    ],
    [
      listMap,
      [{ name: "a", port: 80 }, { name: "a" }, { name: "a", port: 81 }],
      ['f[1]: Duplicate value: map[string]interface {}{"name":"a"}'],
    ],
    [
      { ...text, anyOf: [{ minLength: 2 }, { pattern: "^x" }] },
      "a",
      [
        '<nil>: Invalid value: "": "f" must validate at least one schema (anyOf)',
        'f: Invalid value: "a": f in body should be at least 2 chars long',
      ],
    ],
    [
      { ...text, oneOf: [{ minLength: 1 }, { pattern: "^x" }] },
      "x",
      [
        '<nil>: Invalid value: "": "f" must validate one and only one schema (oneOf). Found 2 valid alternatives',
      ],
    ],
    [
      { ...text, not: { pattern: "^x" } },
      "x",
      ['<nil>: Invalid value: "": "f" must not validate the schema (not)'],
    ],
  ];
  test.each(cases)("values: %j takes %j or says why not", (schema, value, expected) => {
    expect(faults(schema, value)).toEqual(expected);
  });

  test("values: a pattern that would explode ends at once", () => {
    const [said] = faults({ ...text, pattern: "^(a+)+$" }, `${"a".repeat(50_000)}!`);
    expect(said).toContain("should match '^(a+)+$'");
  });

  test("values: what an update leaves as it was is not judged again", () => {
    const strict: Schema = {
      type: "object",
      properties: { a: { ...integer, maximum: 3 }, b: text },
    };
    expect(faults(strict, { a: 9, b: "new" }, { a: 9, b: "old" })).toEqual([]);
    expect(faults(strict, { a: 8 }, { a: 9 })).toHaveLength(1);
    const elements = {
      ...listMap,
      items: { ...named, properties: { ...named.properties, n: { ...integer, maximum: 3 } } },
    };
    const [a, b] = [
      { name: "a", port: 1, n: 9 },
      { name: "b", port: 1, n: 1 },
    ];
    expect(faults(elements, [b, a], [a, b])).toEqual([]);
    expect(faults(elements, [{ ...a, n: 8 }], [a])).toHaveLength(1);
  });
});

describe("formats", () => {
  const cases: [string, string[], string[]][] = [
    ["uuid", ["123e4567-e89b-12d3-a456-426614174000"], ["123e4567"]],
    ["uuid4", ["123e4567-e89b-42d3-a456-426614174000"], ["123e4567-e89b-12d3-a456-426614174000"]],
    ["ipv4", ["10.0.0.1"], ["10.0.0.256", "::1"]],
    ["ipv6", ["fe80::1"], ["10.0.0.1"]],
    ["cidr", ["10.0.0.0/8", "fe80::/10"], ["10.0.0.0/33", "10.0.0.0"]],
    ["mac", ["00:1B:44:11:3A:B7"], ["00:1B:44"]],
    ["hostname", ["example.com"], ["-a.com", "a b"]],
    ["email", ["a@example.com"], ["a", "a@"]],
    ["uri", ["https://example.com/x", "/x"], ["x y"]],
    ["byte", ["aGk="], ["aGk", "!"]],
    ["duration", ["1h30m", "2 days", "0"], ["1x", "soon"]],
    [
      "date-time",
      ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.1+02:00"],
      ["2026-01-02", "2026-13-02T03:04:05Z"],
    ],
    ["hexcolor", ["#fff", "00ff00"], ["#ff"]],
    ["rgbcolor", ["rgb(1, 2, 255)"], ["rgb(1,2,256)"]],
    ["creditcard", ["4111 1111 1111 1111"], ["4111 1111 1111 1112"]],
    ["isbn", ["978-3-16-148410-0", "0-306-40615-2"], ["0-306-40615-3"]],
    ["ssn", ["111-22-3333"], ["1112-3333"]],
    ["bsonobjectid", ["507f1f77bcf86cd799439011"], ["507f"]],
  ];
  test.each(cases)("formats: %s", (format, good, bad) => {
    for (const value of good) expect(faults({ ...text, format }, value)).toEqual([]);
    for (const value of bad) expect(faults({ ...text, format }, value)).toHaveLength(1);
  });
});

describe("pruning", () => {
  const keep = { "x-kubernetes-preserve-unknown-fields": true };
  const known: Schema = { type: "object", properties: { a: text } };
  const cases: [string, Schema, unknown, unknown, string[]][] = [
    ["drops what nobody described", known, { a: "1", b: 2 }, { a: "1" }, ["f.b"]],
    ["looks into lists", { type: "array", items: known }, [{ b: 1 }], [{}], ["f[0].b"]],
    [
      "looks into maps",
      { type: "object", additionalProperties: known },
      { x: { b: 1 } },
      { x: {} },
      ["f.x.b"],
    ],
    [
      "keeps all where it is told to",
      { type: "object", ...keep },
      { b: { c: [1] } },
      { b: { c: [1] } },
      [],
    ],
    [
      "goes by what is described inside what keeps all",
      { type: "object", ...keep, properties: { in: known } },
      { in: { a: "1", b: 2 }, out: { b: 2 } },
      { in: { a: "1" }, out: { b: 2 } },
      ["f.in.b"],
    ],
    [
      "keeps all in a list that keeps all",
      { type: "array", items: { type: "object" }, ...keep },
      [{ b: 1 }],
      [{ b: 1 }],
      [],
    ],
    [
      "keeps the metadata of an embedded object, and of it what metadata has",
      { type: "object", "x-kubernetes-embedded-resource": true, properties: { spec: known } },
      { apiVersion: "v1", kind: "Pod", metadata: { name: "x", nope: 1 }, spec: { b: 1 } },
      { apiVersion: "v1", kind: "Pod", metadata: { name: "x" }, spec: {} },
      ["f.metadata.nope", "f.spec.b"],
    ],
    [
      "keeps a key that is called as a prototype is",
      { type: "object", ...keep },
      JSON.parse('{"__proto__":1}'),
      JSON.parse('{"__proto__":1}'),
      [],
    ],
  ];
  test.each(cases)("pruning: %s", (_what, schema, value, expected, unknown) => {
    const found: string[] = [];
    const root: Schema = { type: "object", properties: { f: schema } };
    const pruned = pruneObject(root, { metadata: { name: "x" }, f: value }, found);
    expect(JSON.stringify(pruned.f)).toBe(JSON.stringify(expected));
    expect(found).toEqual(unknown.map((field) => `unknown field "${field}"`));
  });

  test("pruning: what metadata cannot be is refused", () => {
    const metadata = { labels: "none" };
    expect(() => pruneObject({ type: "object" }, { metadata }, [])).toThrow(
      "cannot unmarshal string",
    );
  });
});

describe("defaulting", () => {
  const replicas: Schema = { type: "integer", default: 1 };
  const inner: Schema = { type: "object", default: {}, properties: { replicas, note: text } };
  const cases: [string, Schema, object, object][] = [
    ["fills in what is absent", inner, {}, { replicas: 1 }],
    ["leaves what is there", inner, { replicas: 0 }, { replicas: 0 }],
    ["takes null for absent", inner, { replicas: null, note: null }, { replicas: 1 }],
    [
      "leaves null where it may be",
      { type: "object", properties: { replicas: { ...replicas, nullable: true } } },
      { replicas: null },
      { replicas: null },
    ],
    [
      "goes on inside what it has filled in",
      { type: "object", properties: { inner } },
      {},
      { inner: { replicas: 1 } },
    ],
    [
      "goes into lists and maps",
      { type: "object", properties: { list: { type: "array", items: inner } } },
      { list: [{}, { replicas: 2 }] },
      { list: [{ replicas: 1 }, { replicas: 2 }] },
    ],
    [
      "goes into maps",
      { type: "object", additionalProperties: inner },
      { a: {}, b: null },
      { a: { replicas: 1 } },
    ],
  ];
  test.each(cases)("defaulting: %s", (_what, schema, value, expected) => {
    compileDefaults(schema)?.(value);
    expect(value).toEqual(expected);
  });

  test("defaulting: gives each object a copy of its own", () => {
    const fill = compileDefaults({
      type: "object",
      properties: { list: { type: "array", default: [] } },
    });
    const [a, b]: { list?: unknown[] }[] = [{}, {}];
    fill?.(a);
    fill?.(b);
    a?.list?.push(1);
    expect(b?.list).toEqual([]);
  });
});
