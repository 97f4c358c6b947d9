/**
 * Protobuf against the golden objects that Debian's package of the API ships: one of each kind with
 * every field set, as JSON and as the bytes that upstream's code wrote. Fetched, never committed;
 * where no package can be fetched, the test says so and is skipped.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { fetchGoSources } from "../../deploy/schema/fetch.ts";
import { decodeType } from "../../manifests/index.ts";
import {
  encodeMessage,
  encodeProtobuf,
  parseProtobuf,
  protobufTypeName,
} from "../../manifests/protobuf/index.ts";

const work = mkdtempSync(join(tmpdir(), "wherry-golden-"));
const golden = fetchGolden();

afterAll(() => rmSync(work, { recursive: true }));

interface Golden {
  name: string;
  json: Record<string, unknown> & { apiVersion: string; kind: string };
  bytes: Buffer;
}

function fetchGolden(): Golden[] {
  let dir: string;
  try {
    dir = join(fetchGoSources(work), "api/testdata/HEAD");
  } catch (error) {
    process.stderr.write(`The golden objects cannot be fetched here: ${error}\n`);
    return [];
  }
  return readdirSync(dir)
    .filter((file) => file.endsWith(".pb"))
    .map((file) => ({
      name: file.slice(0, -".pb".length),
      json: JSON.parse(readFileSync(join(dir, file.replace(/pb$/, "json")), "utf8")),
      bytes: readFileSync(join(dir, file)),
    }));
}

/** Versions that are not served have no types in the table; a WatchEvent has no apiVersion. */
const served = golden.filter(
  ({ name, json }) => name !== "core.v1.WatchEvent" && protobufTypeName(json.apiVersion, json.kind),
);

describe.skipIf(golden.length === 0)("protobuf: golden objects", () => {
  test.each(served)("protobuf: $name both ways, byte for byte", ({ json, bytes }) => {
    expect(Buffer.from(encodeProtobuf(json) ?? []).equals(bytes)).toBe(true);
    const object = parseProtobuf(bytes);
    expect(Buffer.from(encodeProtobuf(object) ?? []).equals(bytes)).toBe(true);
    const typeName = protobufTypeName(json.apiVersion, json.kind) ?? "";
    expect(decodeType(typeName, object)).toEqual(decodeType(typeName, json));
  });

  test("protobuf: a WatchEvent", () => {
    const event = golden.find(({ name }) => name === "core.v1.WatchEvent");
    const message = Buffer.from(encodeMessage("meta.v1.WatchEvent", event?.json));
    expect(event?.bytes.includes(message)).toBe(true);
  });

  test("protobuf: every kind of a stable version was there, and no other was left out", () => {
    const stable = golden.filter(({ name }) => /\.v\d+\.\w+$/.test(name));
    expect(stable.length).toBeGreaterThan(80);
    expect(new Set(served.map(({ name }) => name))).toEqual(
      new Set(stable.map(({ name }) => name).filter((name) => name !== "core.v1.WatchEvent")),
    );
  });
});
