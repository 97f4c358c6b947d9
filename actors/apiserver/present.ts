/** The forms of an answer: the object's own bytes, a Table, or its metadata alone. */

import { type KubeObject, tableOf } from "../../manifests/index.ts";
import type { Change, Entry } from "../../runtime/store/store.ts";
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
    return table(objects, resource, object, metadata, wanted);
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
  const { head, items } = listHead(objects, resource, metadata, wanted);
  yield encoder.encode(`${JSON.stringify(head).slice(0, -1)},"${items}":[`);
  let first = true;
  for (const entry of entries) {
    if (!first) yield comma;
    first = false;
    yield presentItem(objects, resource, entry, wanted);
  }
  yield encoder.encode("]}");
}

function listHead(objects: Objects, { kind }: Resource, metadata: ListMeta, { form }: Wanted) {
  if (form === "table") {
    const { columnDefinitions } = tableOf(kind, [], objects.nowMs);
    const head = { kind: "Table", apiVersion: metaVersion, metadata, columnDefinitions };
    return { head, items: "rows" };
  }
  const { listKind, apiVersion } = kind;
  const head =
    form === "partial"
      ? { kind: "PartialObjectMetadataList", apiVersion: metaVersion, metadata }
      : { kind: listKind, apiVersion, metadata };
  return { head, items: "items" };
}

function presentItem(
  objects: Objects,
  resource: Resource,
  entry: Entry,
  wanted: Wanted,
): Uint8Array {
  if (wanted.form !== "table") return presentObject(objects, resource, entry, wanted);
  const row = rowOf(objects, resource, objects.shown(resource, entry), wanted);
  return encoder.encode(JSON.stringify(row));
}

/** A frame of its own: for what one watcher alone is told. */
export function presentFrame(
  objects: Objects,
  resource: Resource,
  type: FrameType,
  stored: Stored,
  wanted: Wanted,
): Uint8Array {
  return framed(type, presentObject(objects, resource, stored, wanted));
}

/** By change and form: made once for all who watch, and kept as long as the change is. */
const changeFrames = new WeakMap<Change, Map<string, Uint8Array>>();

/** The frame that all watchers of a change share who want it in one form. */
export function presentChange(
  objects: Objects,
  resource: Resource,
  type: FrameType,
  change: Change,
  wanted: Wanted,
): Uint8Array {
  let frames = changeFrames.get(change);
  if (!frames) {
    frames = new Map();
    changeFrames.set(change, frames);
  }
  const read = resource.custom?.form.id ?? resource.kind.apiVersion;
  const id = `${type} ${read} ${formId(objects, wanted)}`;
  let bytes = frames.get(id);
  if (!bytes) {
    bytes = presentFrame(objects, resource, type, change, wanted);
    frames.set(id, bytes);
  }
  return bytes;
}

/** Ages in a table are right for a second. */
function formId(objects: Objects, wanted: Wanted): string {
  if (wanted.form !== "table") return wanted.form;
  return `table ${includeOf(wanted)} ${Math.floor(objects.nowMs / 1000)}`;
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

function table(
  objects: Objects,
  resource: Resource,
  object: KubeObject,
  metadata: object,
  wanted: Wanted,
): unknown {
  const { columnDefinitions } = tableOf(resource.kind, [], objects.nowMs);
  const rows = [rowOf(objects, resource, object, wanted)];
  return { kind: "Table", apiVersion: metaVersion, metadata, columnDefinitions, rows };
}

function rowOf(objects: Objects, { kind }: Resource, object: KubeObject, wanted: Wanted): unknown {
  const [cells = []] = tableOf(kind, [object], objects.nowMs).cells;
  const include = includeOf(wanted);
  if (include === "None") return { cells };
  return { cells, object: include === "Object" ? object : partial(object) };
}

/** What each row carries: by default the object's metadata. */
function includeOf({ query }: Wanted): string {
  return query.get("includeObject") ?? "Metadata";
}
