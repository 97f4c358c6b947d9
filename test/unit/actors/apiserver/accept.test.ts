import { describe, expect, test } from "vitest";
import {
  negotiate,
  type Offer,
  objectOffer,
  watchOffer,
} from "../../../../actors/apiserver/doors/accept.ts";
import { indented } from "../../../../actors/apiserver/doors/pretty.ts";

const builtin = objectOffer({ protobuf: true });
const custom = objectOffer({ protobuf: false });
const json = "application/json";
const protobuf = "application/vnd.kubernetes.protobuf";
const as = (kind: string, type = json) => `${type};as=${kind};v=v1;g=meta.k8s.io`;

describe("accept", () => {
  const cases: [string, Offer, string | undefined, object][] = [
    ["nothing asked", builtin, undefined, { type: "json", form: "object" }],
    ["anything", builtin, "*/*", { type: "json", form: "object" }],
    ["any application", builtin, "application/*", { type: "json" }],
    ["client-go's own", builtin, `${protobuf},${json}`, { type: "protobuf" }],
    ["client-go's own for what has no protobuf", custom, `${protobuf},${json}`, { type: "json" }],
    ["protobuf or whatever", custom, `${protobuf}, */*`, { type: "json" }],
    ["the better first", builtin, `${json};q=0.5, ${protobuf};q=0.9`, { type: "protobuf" }],
    ["the less vague first", builtin, `*/*, ${protobuf}`, { type: "protobuf" }],
    ["yaml", builtin, "application/yaml", { type: "yaml" }],
    ["CBOR, which nobody speaks", builtin, `application/cbor, ${json}`, { type: "json" }],
    ["a table", builtin, `${as("Table")},${json}`, { type: "json", form: "table" }],
    [
      "a table in protobuf, else in JSON",
      builtin,
      `${as("Table", protobuf)},${as("Table")}`,
      { type: "json", form: "table" },
    ],
    ["an unknown form, else the object", builtin, `${as("Nonsense")},${json}`, { form: "object" }],
    [
      "metadata in protobuf",
      builtin,
      as("PartialObjectMetadataList", protobuf),
      { type: "protobuf", form: "partial" },
    ],
    [
      "metadata in protobuf of what else has none",
      custom,
      as("PartialObjectMetadata", protobuf),
      { type: "protobuf", form: "partial" },
    ],
    [
      "blanks and quotes",
      builtin,
      'application/json; as=Table; v="v1"; g=meta.k8s.io',
      { form: "table" },
    ],
  ];
  test.each(cases)("accept: %s", (_, offer, header, expected) => {
    expect(negotiate(header, offer)).toMatchObject(expected);
  });

  const all = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
  const streams = "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";
  const refused: [string, Offer, string, string][] = [
    ["a type of somebody else", builtin, "text/html", all],
    ["CBOR", builtin, "application/cbor", all],
    ["protobuf of a custom resource", custom, protobuf, all],
    ["a table in protobuf", builtin, as("Table", protobuf), all],
    ["a watch in YAML", watchOffer({ protobuf: true }), "application/yaml", streams],
  ];
  test.each(refused)("accept: %s is refused with what there is", (_, offer, header, named) => {
    expect(() => negotiate(header, offer)).toThrow(
      `only the following media types are accepted: ${named}`,
    );
  });
});

test("pretty: JSON cut anywhere is what JSON.stringify would indent", () => {
  const value = { a: [], b: {}, c: [1, { d: 'x"{,:\\' }], "é,": { e: null, f: [[]] }, g: "" };
  const bytes = Buffer.from(JSON.stringify(value));
  for (let size = 1; size < bytes.length; size += 3) {
    const parts: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += size) parts.push(bytes.subarray(at, at + size));
    const text = Buffer.concat([...indented(parts)]).toString();
    expect(text).toBe(`${JSON.stringify(value, null, 2)}\n`);
  }
});
