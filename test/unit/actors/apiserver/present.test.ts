/** What is sent to whom, and how often it is made: one encoding of a change for all who want it alike. */

import { describe, expect, test } from "vitest";
import { Objects } from "../../../../actors/apiserver/objects.ts";
import {
  presentBookmark,
  presentChange,
  presentList,
  presentObject,
  type Wanted,
} from "../../../../actors/apiserver/present.ts";
import type { Resource } from "../../../../actors/apiserver/registry/registry.ts";
import { ConfigMap, encodeStored } from "../../../../manifests/index.ts";
import { encodeProtobuf, parseProtobuf } from "../../../../manifests/protobuf/index.ts";
import { createWorld } from "../../../../runtime/sim/world.ts";
import type { Change, Entry } from "../../../../runtime/store/store.ts";

const { clock } = createWorld({ seed: 1 });
// What stores it and what is special to it is nobody's business here.
const resource = { kind: ConfigMap, stored: ConfigMap } as unknown as Resource;
const query = new URLSearchParams();
const json: Wanted = { form: "object", query };
const protobuf: Wanted = { ...json, encoding: "protobuf" };

function entryOf(name: string, sequence: number): Entry {
  const metadata = { namespace: "default", name, labels: { a: "b" } };
  const object = { apiVersion: "v1", kind: "ConfigMap", metadata, data: { name } };
  const value = new TextEncoder().encode(encodeStored(object));
  return { key: `core.configmaps.default.${name}`, value, sequence } as Entry;
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

describe("present: protobuf", () => {
  test("present: an object says the same in both encodings", () => {
    const objects = new Objects(clock);
    const entry = entryOf("one", 7);
    const object = JSON.parse(text(presentObject(objects, resource, entry, json)));
    const bytes = presentObject(objects, resource, entry, protobuf);
    expect(Buffer.from(bytes).equals(encodeProtobuf(object) ?? Buffer.alloc(0))).toBe(true);
    expect(object.metadata.resourceVersion).toBe("7");
  });

  test("present: a thousand watchers of a change cost one reading and one encoding", () => {
    const objects = new Objects(clock);
    const change: Change = { ...entryOf("seen", 9), type: "added", previous: undefined };
    const frames = Array.from({ length: 1_000 }, () =>
      presentChange(objects, resource, "ADDED", change, protobuf),
    );
    expect(new Set(frames).size).toBe(1);
    expect(objects.parses).toBe(1);
    expect(presentChange(objects, resource, "ADDED", change, json)).not.toBe(frames[0]);
  });

  test("present: a list that is asked for again is encoded once", () => {
    const objects = new Objects(clock);
    const entries = Array.from({ length: 50 }, (_, at) => entryOf(`o${at}`, at + 1));
    const list = () =>
      Buffer.concat([
        ...presentList(objects, resource, entries, { resourceVersion: "50" }, protobuf),
      ]);
    const first = list();
    expect(objects.parses).toBe(50);
    expect(list().equals(first)).toBe(true);
    expect(objects.parses).toBe(50);
    const { items, metadata } = parseProtobuf(first) as {
      items: { metadata: { name: string; resourceVersion: string } }[];
      metadata: object;
    };
    expect(items.map((item) => item.metadata.resourceVersion)).toEqual(
      entries.map(({ sequence }) => String(sequence)),
    );
    expect(metadata).toMatchObject({ resourceVersion: "50" });
  });

  test("present: a list longer than what is kept says beforehand how long it is all the same", () => {
    const objects = new Objects(clock);
    const long = "x".repeat(512 * 1024);
    const entries = Array.from({ length: 80 }, (_, at) => entryOf(`o${at}${long}`, at + 1));
    const list = presentList(objects, resource, entries, { resourceVersion: "80" }, protobuf);
    const { items } = parseProtobuf(Buffer.concat([...list])) as { items: unknown[] };
    expect(items).toHaveLength(80);
  });

  test("present: bookmarks are of the form that was asked for", () => {
    const metadata = { resourceVersion: "5", creationTimestamp: null };
    const of = (wanted: Wanted) =>
      JSON.parse(text(presentBookmark(resource, metadata, wanted))).object;
    expect(of(json)).toEqual({ kind: "ConfigMap", apiVersion: "v1", metadata });
    expect(of({ ...json, form: "partial" })).toMatchObject({ kind: "PartialObjectMetadata" });
    expect(of({ ...json, form: "table" })).toMatchObject({ kind: "Table", rows: [] });
  });
});
