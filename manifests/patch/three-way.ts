/**
 * The patch of `apply`: what the manifest says now, less what it said last time, against what is there.
 *
 * What the manifest never spoke of stays as others made it (k8s:strategicpatch CreateThreeWayMergePatch). The last
 * manifest travels in an annotation, as kubectl keeps it, so that both tools may apply the same objects.
 */
import type { Kind, KubeObject } from "../kinds/kind.ts";
import { elementKey, isPrimitiveList } from "./element-order.ts";
import { type Fields, fieldRule, isFields, type Json, type TypeName } from "./patch-schema.ts";

export const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

type Which = "deletions" | "changes";

/** The manifest with itself in its annotation, as it should be sent to be created or compared. */
export function withLastApplied<T extends object>(manifest: T): T {
  const { status: _status, ...rest } = manifest as Fields;
  const metadata = isFields(rest.metadata) ? { ...rest.metadata } : {};
  const annotations = isFields(metadata.annotations) ? { ...metadata.annotations } : {};
  delete annotations[LAST_APPLIED];
  const bare = { ...rest, metadata: { ...metadata, annotations } };
  const applied = `${goJson(sortKeys(bare))}\n`;
  const annotated = { ...annotations, [LAST_APPLIED]: applied };
  return { ...(manifest as Fields), metadata: { ...metadata, annotations: annotated } } as T;
}

/** As Go writes JSON, for kubectl compares the annotation's text with what it would write itself. */
function goJson(value: Json): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** What was applied last time, or undefined when nobody did or the annotation is broken. */
export function lastApplied(current: KubeObject): Json {
  const text = current.metadata.annotations?.[LAST_APPLIED];
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** How the patch for objects of a kind has to be sent: custom kinds, and those not known, know no strategies. */
export function threeWayPatchType(kind: Kind | undefined): string {
  const strategy = kind && !kind.model ? "strategic-merge-patch" : "merge-patch";
  return `application/${strategy}+json`;
}

/** A patch of `threeWayPatchType`; undefined when there is nothing to change. `modified` comes from withLastApplied. */
export function createThreeWayPatch(
  kind: Kind | undefined,
  original: Json,
  modified: Fields,
  current: Fields,
): Fields | undefined {
  const type = kind?.model ? undefined : kind?.typeName;
  const changes = diffFields(type, current, modified, "changes");
  const before = isFields(original) ? original : {};
  const deletions = diffFields(type, before, modified, "deletions");
  const patch = combine(type, deletions, changes);
  return Object.keys(patch).length > 0 ? patch : undefined;
}

function diffFields(type: TypeName, from: Fields, to: Fields, which: Which): Fields {
  const patch: Fields = {};
  for (const key of Object.keys(from)) {
    // What is already null or absent in the old manifest was never asked for.
    if (which === "deletions" && !(key in to) && from[key] !== null) patch[key] = null;
  }
  for (const [key, value] of Object.entries(to)) {
    if (value === null || value === undefined) continue;
    const old = from[key];
    if (old === undefined || old === null) {
      if (which === "changes") patch[key] = value;
    } else diffValue(patch, type, key, old, value, which);
  }
  return patch;
}

function diffValue(
  patch: Fields,
  type: TypeName,
  key: string,
  from: Json,
  to: Json,
  which: Which,
): void {
  const rule = fieldRule(type, key);
  if (isFields(from) && isFields(to) && !rule.replaces) {
    const inner = diffFields(rule.type, from, to, which);
    if (Object.keys(inner).length === 0) return;
    if (rule.retainsKeys && which === "changes") inner.$retainKeys = Object.keys(to).sort();
    patch[key] = inner;
  } else if (Array.isArray(from) && Array.isArray(to) && rule.mergesList) {
    if (isPrimitiveList([...from, ...to])) diffPrimitives(patch, key, from, to, which);
    else diffElements(patch, type, key, from, to, which);
  } else if (which === "changes" && !equal(from, to)) {
    patch[key] = isFields(to) && rule.replaces ? { ...to, $patch: "replace" } : to;
  }
}

function diffPrimitives(patch: Fields, key: string, from: Json[], to: Json[], which: Which): void {
  const added = to.filter((item) => !from.includes(item));
  const removed = from.filter((item) => !to.includes(item));
  if (which === "deletions" && removed.length > 0) {
    patch[`$deleteFromPrimitiveList/${key}`] = removed;
  }
  if (which !== "changes") return;
  if (added.length > 0) patch[key] = added;
  if (added.length > 0 || isReordered(from, to)) patch[`$setElementOrder/${key}`] = to;
}

function diffElements(
  patch: Fields,
  type: TypeName,
  key: string,
  from: Json[],
  to: Json[],
  which: Which,
): void {
  const rule = fieldRule(type, key);
  const mergeKey = rule.mergeKey ?? "";
  const find = (list: Json[], item: Json) =>
    list.find((other) => elementKey(other, mergeKey) === elementKey(item, mergeKey));
  const changes: Fields[] = [];
  for (const item of to) {
    const old = find(from, item);
    if (old === undefined) {
      if (which === "changes") changes.push(item as Fields);
      continue;
    }
    const inner = diffFields(rule.type, old as Fields, item as Fields, which);
    if (Object.keys(inner).length === 0) continue;
    if (rule.retainsKeys && which === "changes") {
      inner.$retainKeys = Object.keys(item as Fields).sort();
    }
    changes.push({ ...inner, [mergeKey]: elementKey(item, mergeKey) });
  }
  if (which === "deletions") {
    for (const item of from) {
      if (find(to, item)) continue;
      changes.push({ $patch: "delete", [mergeKey]: elementKey(item, mergeKey) });
    }
  }
  if (changes.length > 0) patch[key] = changes;
  const keysOf = (list: Json[]) => list.map((item) => elementKey(item, mergeKey));
  if (which === "changes" && (changes.length > 0 || isReordered(keysOf(from), keysOf(to)))) {
    patch[`$setElementOrder/${key}`] = keysOf(to).map((value) => ({ [mergeKey]: value }));
  }
}

/** Whether what both lists have follows another order in the second. */
function isReordered(from: Json[], to: Json[]): boolean {
  const common = to.filter((item) => from.includes(item));
  return !equal(
    from.filter((item) => to.includes(item)),
    common,
  );
}

/** One patch that does what both do; where they meet, the change wins over the deletion. */
function combine(type: TypeName, deletions: Fields, changes: Fields): Fields {
  const patch: Fields = { ...deletions };
  for (const [key, value] of Object.entries(changes)) {
    const other = patch[key];
    const { type: inner, mergeKey } = fieldRule(type, key);
    if (isFields(other) && isFields(value)) patch[key] = combine(inner, other, value);
    else if (Array.isArray(other) && Array.isArray(value) && mergeKey && !key.startsWith("$")) {
      patch[key] = combineElements(inner, mergeKey, other, value);
    } else patch[key] = value;
  }
  for (const key of Object.keys(patch)) {
    const list = patch[key];
    const order = patch[`$setElementOrder/${key}`];
    if (!Array.isArray(list) || !Array.isArray(order)) continue;
    patch[key] = inOrder(list, order, fieldRule(type, key).mergeKey);
  }
  return patch;
}

/** A patch names elements in the order that it asks for; those that go come first. */
function inOrder(list: Json[], order: Json[], mergeKey: string | undefined): Json[] {
  const keys = order.map((item) => elementKey(item, mergeKey));
  const place = (item: Json) => keys.indexOf(elementKey(item, mergeKey));
  return [...list].sort((a, b) => place(a) - place(b));
}

function combineElements(type: TypeName, mergeKey: string, first: Json[], second: Json[]): Json[] {
  const result = [...first];
  for (const item of second) {
    const key = elementKey(item, mergeKey);
    const at = result.findIndex((other) => elementKey(other, mergeKey) === key);
    if (at < 0) result.push(item);
    else result[at] = combine(type, result[at] as Fields, item as Fields);
  }
  return result;
}

function equal(a: Json, b: Json): boolean {
  return JSON.stringify(sortKeys(a)) === JSON.stringify(sortKeys(b));
}

/** With the fields in the order of their names, as kubectl prints and annotates. */
export function sortKeys(value: Json): Json {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (!isFields(value)) return value;
  const sorted = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(sorted.map(([key, item]) => [key, sortKeys(item)]));
}
