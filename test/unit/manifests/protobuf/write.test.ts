/** Writing protobuf: a property over every type of the table, and what Go's code writes of zero values. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeType } from "../../../../manifests/index.ts";
import {
  encodeMessage,
  encodeProtobuf,
  hasProtobuf,
  parseProtobuf,
} from "../../../../manifests/protobuf/index.ts";
import { readMessage } from "../../../../manifests/protobuf/read.ts";
import { ProtobufError, Reader, Writer } from "../../../../manifests/protobuf/wire.ts";
import { isScalar, SCHEMA, typeSchema } from "../../../../manifests/schema/schema.ts";
import type { FieldSchema, Scalar } from "../../../../manifests/schema/table.ts";

const text = fc.oneof(fc.string({ unit: "binary", maxLength: 40 }), fc.constant("__proto__"));
const second = fc
  .date({ min: new Date("1970-01-01"), max: new Date("2100-01-01"), noInvalidDate: true })
  .map((date) => date.toISOString().slice(0, 19));

const scalars: Record<Scalar, fc.Arbitrary<unknown>> = {
  string: text,
  boolean: fc.boolean(),
  int32: fc.integer(),
  int64: fc.maxSafeInteger(),
  double: fc.double({ noNaN: true, noDefaultInfinity: true }),
  bytes: fc.uint8Array().map((bytes) => Buffer.from(bytes).toString("base64")),
  Time: second.map((time) => `${time}Z`),
  MicroTime: fc
    .tuple(second, fc.nat(999_999))
    .map(([time, micros]) => `${time}.${String(micros).padStart(6, "0")}Z`),
  Duration: fc.nat(3600).map((seconds) => `${seconds}s`),
  Quantity: fc.nat(1_000_000).map(String),
  IntOrString: fc.oneof(fc.integer(), text),
  Object: fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 1 })),
  FieldsV1: fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 1 })),
  JSON: fc.jsonValue({ maxDepth: 1 }).filter((value) => value !== null),
};

/** What their JSON looks like is not any JSON. */
const unions: Record<string, (depth: number) => fc.Arbitrary<unknown>> = {
  items: (depth) =>
    fc.oneof(schema(depth), fc.array(schema(depth), { minLength: 1, maxLength: 2 })),
  additionalProperties: (depth) => fc.oneof(schema(depth), fc.boolean()),
  additionalItems: (depth) => fc.oneof(schema(depth), fc.boolean()),
  dependencies: (depth) =>
    fc.dictionary(text, fc.oneof(schema(depth), fc.array(text, { minLength: 1, maxLength: 2 }))),
};
const schemaType = "apiextensions.v1.JSONSchemaProps";
const schema = (depth: number) =>
  valuesOf(schemaType, depth - 1).map((value) => decodeType(schemaType, value).object);

/** Values of a type: each field there or not, structs to a depth. */
function valuesOf(typeName: string, depth: number): fc.Arbitrary<unknown> {
  const fields = Object.entries(typeSchema(typeName).fields)
    .filter(([, { type }]) => isScalar(type) || depth > 0)
    .map(([name, field]): [string, fc.Arbitrary<unknown>] => [
      name,
      (typeName === schemaType && depth > 0 ? unions[name]?.(depth) : undefined) ??
        fieldOf(field, depth),
    ])
    .filter(([name]) => typeName !== schemaType || depth > 0 || !unions[name]);
  return fc.record(Object.fromEntries(fields), { requiredKeys: [] });
}

function fieldOf({ type, of }: FieldSchema, depth: number): fc.Arbitrary<unknown> {
  const one = isScalar(type) ? scalars[type as Scalar] : valuesOf(type, depth - 1);
  if (of === "list") return fc.array(one, { maxLength: 2 });
  if (of === "map") return fc.dictionary(text, one, { maxKeys: 2 });
  if (of === "listMap") return fc.dictionary(text, fc.array(one, { maxLength: 2 }), { maxKeys: 2 });
  return one;
}

describe("protobuf: what is written is read again, of every type", () => {
  const types = Object.keys(SCHEMA.types).filter(hasProtobuf);

  test.each(types)("protobuf: %s", (typeName) => {
    fc.assert(
      fc.property(valuesOf(typeName, 2), (value) => {
        const canonical = (raw: unknown) => JSON.stringify(decodeType(typeName, raw).object);
        const bytes = encodeMessage(typeName, value);
        const again = readMessage(typeName, new Reader(bytes));
        expect(canonical(again)).toBe(canonical(value));
        expect(Buffer.from(encodeMessage(typeName, again)).equals(bytes)).toBe(true);
      }),
      { numRuns: 15 },
    );
  });
});

test("protobuf: a byte order mark is a character like any other", () => {
  const bytes = encodeMessage("core.v1.Taint", { key: "\ufeffa", effect: "" });
  expect(readMessage("core.v1.Taint", new Reader(bytes))).toMatchObject({ key: "\ufeffa" });
});

describe("protobuf: zero values as Go writes them", () => {
  const hex = (typeName: string, value: object) =>
    Buffer.from(encodeMessage(typeName, value)).toString("hex");

  const cases: [string, string, object, string][] = [
    ["texts and numbers that are not pointers are written", "core.v1.Taint", {}, "0a0012001a00"],
    ["pointers are not", "core.v1.PodDNSConfigOption", {}, "0a00"],
    ["a pointer to zero is", "core.v1.PodDNSConfigOption", { value: "" }, "0a001200"],
    ["null is absent", "core.v1.PodDNSConfigOption", { name: null, value: null }, "0a00"],
    ["empty lists are not", "core.v1.Lifecycle", {}, ""],
    [
      "numbers below zero have ten bytes",
      "core.v1.ClientIPConfig",
      { timeoutSeconds: -1 },
      "08ffffffffffffffffff01",
    ],
  ];
  test.each(cases)("protobuf: %s", (_, type, value, bytes) => {
    expect(hex(type, value)).toBe(bytes);
  });

  test("protobuf: keys of maps are sorted, whatever order they were given in", () => {
    const of = (data: object) => hex("core.v1.ConfigMap", { metadata: {}, data });
    expect(of({ b: "1", a: "2", "10": "x" })).toBe(of({ "10": "x", a: "2", b: "1" }));
    expect(of({ b: "1", a: "2" })).toContain("12060a016112013212060a0162120131");
  });

  test("protobuf: the zero time is a message without fields", () => {
    const time = { firstTimestamp: "0001-01-01T00:00:00Z" };
    expect(hex("core.v1.Event", time)).toBe(hex("core.v1.Event", {}));
  });
});

describe("protobuf: what is malformed", () => {
  test("protobuf: any bytes are an object or a ProtobufError", () => {
    const good = encodeProtobuf({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p", labels: { a: "b" }, creationTimestamp: "2026-01-01T00:00:00Z" },
      spec: { containers: [{ name: "c", resources: { limits: { cpu: "1" } } }] },
    });
    if (!good) throw new Error("pods have a protobuf form");
    const change = fc.tuple(fc.nat(good.length - 5), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 5 }), (changes) => {
        const bytes = Buffer.from(good);
        for (const [at, byte] of changes) bytes[at + 4] = byte;
        try {
          parseProtobuf(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtobufError);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test("protobuf: what nests without end is refused before the stack is", () => {
    const writer = new Writer();
    for (let depth = 0; depth < 100_000; depth++) {
      writer.length(0);
      writer.tag(28, 2);
    }
    const bytes = writer.take();
    expect(() => readMessage(schemaType, new Reader(bytes))).toThrow("nested too deeply");
  });
});
