/** The forms of an answer: the object's own bytes, a Table, or its metadata alone. */

import { type KubeObject, tableOf } from "../../manifests/index.ts";
import type { Entry } from "../../runtime/store/store.ts";
import type { Objects } from "./objects.ts";
import type { ListMeta } from "./read.ts";
import type { Resource } from "./registry/registry.ts";
import type { ApiRequest } from "./request.ts";

export type FrameType = "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
type Stored = Pick<Entry, "key" | "value" | "sequence">;
type Wanted = Pick<ApiRequest, "form" | "query">;

const encoder = new TextEncoder();
const comma = encoder.encode(",");
const frameEnd = encoder.encode("}\n");
const frameHeads = new Map<FrameType, Uint8Array>(
  (["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"] as const).map((type) => [
    type,
    encoder.encode(`{"type":"${type}","object":`),
  ]),
);
const metaVersion = "meta.k8s.io/v1";

export function presentObject(
  objects: Objects,
  resource: Resource,
  stored: Stored,
  wanted: Wanted,
): Uint8Array {
  if (wanted.form === "object") return objects.bytes(resource, stored);
  return encoder.encode(
    JSON.stringify(formOf(objects, resource, objects.shown(resource, stored), wanted)),
  );
}

/** The answer to a write, or to anything that has a parsed object in hand. */
export function formOf(
  objects: Objects,
  resource: Resource,
  object: KubeObject,
  wanted: Wanted,
): unknown {
  if (wanted.form === "table") {
    const metadata = { resourceVersion: object.metadata.resourceVersion };
    return table(objects, resource, [object], metadata, wanted);
  }
  if (wanted.form === "partial") return partial(object);
  return object;
}

/** Byte for byte what JSON.stringify of the whole list would give, without the whole list. */
export function* presentList(
  objects: Objects,
  resource: Resource,
  entries: readonly Entry[],
  metadata: ListMeta,
  wanted: Wanted,
): Generator<Uint8Array> {
  if (wanted.form === "table") {
    const rows = entries.map((entry) => objects.shown(resource, entry));
    yield encoder.encode(JSON.stringify(table(objects, resource, rows, metadata, wanted)));
    return;
  }
  const { listKind, apiVersion } = resource.kind;
  const head =
    wanted.form === "partial"
      ? { kind: "PartialObjectMetadataList", apiVersion: metaVersion, metadata }
      : { kind: listKind, apiVersion, metadata };
  yield encoder.encode(`${JSON.stringify(head).slice(0, -1)},"items":[`);
  let first = true;
  for (const entry of entries) {
    if (!first) yield comma;
    first = false;
    yield presentObject(objects, resource, entry, wanted);
  }
  yield encoder.encode("]}");
}

/** Shared by all watchers who want the plain object: most of them. */
const plainFrames = new WeakMap<object, Map<string, Uint8Array>>();

export function presentFrame(
  objects: Objects,
  resource: Resource,
  type: FrameType,
  stored: Stored,
  wanted: Wanted,
): Uint8Array {
  if (wanted.form !== "object") {
    return framed(type, presentObject(objects, resource, stored, wanted));
  }
  let frames = plainFrames.get(stored);
  if (!frames) {
    frames = new Map();
    plainFrames.set(stored, frames);
  }
  const id = `${type} ${resource.kind.apiVersion}`;
  let bytes = frames.get(id);
  if (!bytes) {
    bytes = framed(type, objects.bytes(resource, stored));
    frames.set(id, bytes);
  }
  return bytes;
}

export function frame(type: FrameType, object: unknown): Uint8Array {
  return framed(type, encoder.encode(JSON.stringify(object)));
}

function framed(type: FrameType, object: Uint8Array): Uint8Array {
  const head = frameHeads.get(type) ?? comma;
  return Buffer.concat([head, object, frameEnd]);
}

function partial(object: KubeObject): unknown {
  return { kind: "PartialObjectMetadata", apiVersion: metaVersion, metadata: object.metadata };
}

/** `includeObject` says what each row carries: by default the object's metadata. */
function table(
  objects: Objects,
  resource: Resource,
  rows: readonly KubeObject[],
  metadata: object,
  wanted: Wanted,
): unknown {
  const include = wanted.query.get("includeObject") ?? "Metadata";
  const { columnDefinitions, cells } = tableOf(resource.kind, rows, objects.nowMs);
  return {
    kind: "Table",
    apiVersion: metaVersion,
    metadata,
    columnDefinitions,
    rows: rows.map((object, at) => ({
      cells: cells[at] ?? [],
      ...(include === "None" ? {} : { object: include === "Object" ? object : partial(object) }),
    })),
  };
}
