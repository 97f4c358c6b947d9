import fc from "fast-check";
import { expect, test } from "vitest";
import { findDuplicateFields } from "../../../manifests/duplicates.ts";
import { encodeStored, SPLICE_OFFSET, spliceResourceVersion } from "../../../manifests/encode.ts";
import { parseManifests, parseYaml, SyntaxFault, stringifyYaml } from "../../../manifests/yaml.ts";

test.each<[string, unknown]>([
  ["yes", true],
  ["off", false],
  ["n", false],
  ["y", true],
  ["True", true],
  ["0777", 511],
  ["0o17", 15],
  ["0x1f", 31],
  ["08", 8],
  ["1_000", 1000],
  ["-12", -12],
  ["1.5", 1.5],
  [".5", 0.5],
  ["1e3", 1000],
  ["12:30:45", "12:30:45"],
  ["2020-01-01", "2020-01-01"],
  ["2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"],
  ["1.22", 1.22],
  [".", "."],
  ["~", null],
  ["'yes'", "yes"],
  ['"0777"', "0777"],
  ["100m", "100m"],
])("yaml: reads %s as upstream does", (text, value) => {
  expect(parseYaml(`a: ${text}`)).toEqual({ a: value });
});

test("yaml: reads several documents and skips empty ones", () => {
  expect(parseManifests("a: 1\n---\n---\n# nothing\n---\nb: 2\n")).toEqual([{ a: 1 }, { b: 2 }]);
});

test("yaml: reads JSON", () => {
  expect(parseYaml('{"a":[1,"x"],"b":{"c":null}}')).toEqual({ a: [1, "x"], b: { c: null } });
});

test("yaml: expands anchors and merge keys", () => {
  const text = "base: &b {x: 1, z: 2}\nuse:\n  <<: *b\n  z: 3\n";
  expect(parseYaml(text)).toMatchObject({ use: { x: 1, z: 3 } });
});

test("yaml: names the line of a fault and of a key given twice", () => {
  expect(() => parseManifests("a: 1\nb: [1,\n")).toThrow(SyntaxFault);
  expect(() => parseManifests("a: 1\nb: 2\na: 3\n")).toThrow('line 3: key "a" already set in map');
  expect(() => parseManifests("a: [{b: 1, b: 2}]\n")).toThrow('key "b" already set in map');
  expect(() => parseManifests("a: 1\n b: 2\n")).toThrow(/yaml: line/);
});

test("yaml: refuses an alias bomb", () => {
  const levels = Array.from({ length: 9 }, (_, i) => {
    const refs = Array.from({ length: 9 }, () => `*a${i}`).join(", ");
    return `a${i + 1}: &a${i + 1} [${refs}]`;
  });
  expect(() => parseYaml(`a0: &a0 [x]\n${levels.join("\n")}\n`)).toThrow(/excessive aliasing/);
});

test("yaml: quotes what another reader would take for something else", () => {
  const value = { a: "yes", b: "0777", c: "1.5", d: "null", e: "n", f: "1:30", g: "0o7", h: "~" };
  const text = stringifyYaml(value);
  expect(text).toContain('a: "yes"');
  expect(text).toContain('b: "0777"');
  expect(text).toContain('e: "n"');
  expect(text).toContain('f: "1:30"');
  expect(parseYaml(text)).toEqual(value);
});

test("yaml: what is written reads back the same", () => {
  const scalar = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null));
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      scalar,
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(fc.string({ minLength: 1 }), tie("value"), { maxKeys: 3 }),
    ),
  }));
  fc.assert(
    fc.property(fc.dictionary(fc.string({ minLength: 1 }), value), (object) => {
      const plain = JSON.parse(JSON.stringify(object)) as unknown;
      expect(parseYaml(stringifyYaml(plain))).toEqual(plain);
    }),
    { numRuns: 200 },
  );
});

test.each<[string, string[]]>([
  ['{"a":1,"b":{"a":2},"c":[{"a":1},{"a":2}]}', []],
  ['{"a":1,"a":2}', ['duplicate field "a"']],
  ['{"s":{"c":[{"n":1},{"n":1,"x":"a,\\"n\\"","n":2}]}}', ['duplicate field "s.c[1].n"']],
  ['{"a\\u0062":1,"ab":2}', ['duplicate field "ab"']],
])("duplicates: %s", (json, expected) => {
  expect(findDuplicateFields(json)).toEqual(expected);
});

test("encode: stored JSON begins with an empty resourceVersion, ready to be spliced", () => {
  const object = { kind: "Pod", metadata: { resourceVersion: "7", name: "a" }, spec: {} };
  const stored = encodeStored(object);
  expect(stored.slice(0, SPLICE_OFFSET)).toBe('{"metadata":{"resourceVersion":"');
  expect(JSON.parse(stored)).toEqual({ ...object, metadata: { resourceVersion: "", name: "a" } });
  expect(JSON.parse(spliceResourceVersion(stored, "42"))).toMatchObject({
    metadata: { resourceVersion: "42", name: "a" },
  });
});

test("yaml: what would take the parser long is refused before, and many keys cost no more than many values", () => {
  const keys = Array.from({ length: 60_000 }, (_, at) => `k${at}: v`).join("\n");
  expect(Object.keys(parseYaml(keys) as object)).toHaveLength(60_000);
  for (const text of [`a: [${"x,".repeat(1_000_000)}]`, "[".repeat(1_000_000)]) {
    expect(() => parseYaml(text)).toThrow("too many values");
  }
});
