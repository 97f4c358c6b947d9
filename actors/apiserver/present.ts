/**
 * The forms of an answer: the object itself, a Table, or its metadata alone; as JSON, which an
 * object is stored in, or as protobuf.
 */

import { type KubeObject, tableOf } from "../../manifests/index.ts";
import {
  encodeMessage,
  encodeProtobuf,
  encodeWatchFrame,
  envelope,
} from "../../manifests/protobuf/index.ts";
import type { Change, Entry } from "../../runtime/store/store.ts";
import { listMessage } from "./list-message.ts";
import type { Objects } from "./objects.ts";
import type { ListMeta } from "./read.ts";
import type { Resource } from "./registry/registry.ts";
import type { ApiReply, ApiRequest } from "./request.ts";

export type FrameType = "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
type Stored = Pick<Entry, "key" | "value" | "sequence">;
export type Wanted = Pick<ApiRequest, "form" | "query" | "encoding">;

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
  if (wanted.form === "object") {
    if (wanted.encoding !== "protobuf") return objects.bytes(resource, stored);
    return envelope(resource.kind, objects.message(resource, stored));
  }
  return encoded(formOf(objects, resource, objects.shown(resource, stored), wanted), wanted);
}

/** The answer that is one stored object. */
export function presentReply(
  code: number,
  objects: Objects,
  resource: Resource,
  stored: Stored,
  wanted: Wanted,
  warnings: readonly string[] = [],
): ApiReply {
  const { encoding } = wanted;
  return { code, parts: [presentObject(objects, resource, stored, wanted)], warnings, encoding };
}

function encoded(object: object, { encoding }: Wanted): Uint8Array {
  if (encoding !== "protobuf") return encoder.encode(JSON.stringify(object));
  const bytes = encodeProtobuf(object);
  // Nobody is promised a form that there is not: see `negotiate`.
  if (!bytes) throw new Error("an object without a protobuf form was to be written as such");
  return bytes;
}

/** The answer to a write, or to anything that has a parsed object in hand. */
export function formOf(
  objects: Objects,
  resource: Resource,
  object: KubeObject,
  wanted: Wanted,
): object {
  if (wanted.form === "table") {
    const metadata = { resourceVersion: object.metadata.resourceVersion };
    return table(objects, resource, object, metadata, wanted);
  }
  if (wanted.form === "partial") return partial(object);
  return object;
}

/** Byte for byte what encoding the whole list would give, without the whole list. */
export function presentList(
  objects: Objects,
  resource: Resource,
  entries: readonly Entry[],
  metadata: ListMeta,
  wanted: Wanted,
): Generator<Uint8Array> {
  const present = wanted.encoding === "protobuf" ? presentMessages : presentJson;
  return present(objects, resource, entries, metadata, wanted);
}

function* presentMessages(
  objects: Objects,
  resource: Resource,
  entries: readonly Entry[],
  metadata: ListMeta,
  wanted: Wanted,
): Generator<Uint8Array> {
  const { head } = listHead(objects, resource, metadata, wanted);
  const item = (entry: Entry) => {
    if (wanted.form === "object") return objects.message(resource, entry);
    return encodeMessage(partialType, partial(objects.shown(resource, entry)));
  };
  yield* listMessage(head, entries, item);
}

function* presentJson(
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
    const head = { ...tableMeta, metadata, columnDefinitions };
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
  return encoded(row, wanted);
}

/** A frame of its own: for what one watcher alone is told. */
export function presentFrame(
  objects: Objects,
  resource: Resource,
  type: FrameType,
  stored: Stored,
  wanted: Wanted,
): Uint8Array {
  return framed(type, presentObject(objects, resource, stored, wanted), wanted);
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
  if (wanted.form !== "table") return `${wanted.form} ${wanted.encoding ?? ""}`;
  return `table ${includeOf(wanted)} ${Math.floor(objects.nowMs / 1000)}`;
}

/** Everything up to a revision has been told. */
export function presentBookmark(
  { kind: { kind, apiVersion } }: Resource,
  metadata: object,
  wanted: Wanted,
): Uint8Array {
  const type = { object: { kind, apiVersion }, partial: partialMeta, table: tableMeta };
  const rows = wanted.form === "table" ? { columnDefinitions: [], rows: [] } : {};
  return frame("BOOKMARK", { ...type[wanted.form], metadata, ...rows }, wanted);
}

export function frame(type: FrameType, object: object, wanted: Wanted): Uint8Array {
  return framed(type, encoded(object, wanted), wanted);
}

function framed(type: FrameType, object: Uint8Array, { encoding }: Wanted): Uint8Array {
  if (encoding === "protobuf") return encodeWatchFrame(type, object);
  const head = frameHeads.get(type) ?? comma;
  return Buffer.concat([head, object, frameEnd]);
}

const partialType = "meta.v1.PartialObjectMetadata";
const partialMeta = { kind: "PartialObjectMetadata", apiVersion: metaVersion };
const tableMeta = { kind: "Table", apiVersion: metaVersion };

function partial(object: KubeObject): object {
  return { ...partialMeta, metadata: object.metadata };
}

function table(
  objects: Objects,
  resource: Resource,
  object: KubeObject,
  metadata: object,
  wanted: Wanted,
): object {
  const { columnDefinitions } = tableOf(resource.kind, [], objects.nowMs);
  const rows = [rowOf(objects, resource, object, wanted)];
  return { ...tableMeta, metadata, columnDefinitions, rows };
}

function rowOf(objects: Objects, { kind }: Resource, object: KubeObject, wanted: Wanted): object {
  const [cells = []] = tableOf(kind, [object], objects.nowMs).cells;
  const include = includeOf(wanted);
  if (include === "None") return { cells };
  return { cells, object: include === "Object" ? object : partial(object) };
}

/** What each row carries: by default the object's metadata. */
function includeOf({ query }: Wanted): string {
  return query.get("includeObject") ?? "Metadata";
}
