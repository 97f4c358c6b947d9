/**
 * Strategic merge patch: a merge patch that knows which lists merge by key, and obeys directives.
 *
 * `$patch: delete|replace|merge`, `$retainKeys`, `$deleteFromPrimitiveList/<field>` and `$setElementOrder/<field>`
 * mean what they do upstream (k8s:apimachinery/pkg/util/strategicpatch).
 */
import { elementKey, isPrimitiveList, orderElements } from "./element-order.ts";
import { goValue } from "./go-value.ts";
import { PatchError } from "./patch-error.ts";
import { type Fields, fieldRule, isFields, type Json, type TypeName } from "./patch-schema.ts";

const DIRECTIVE = "$patch";
const RETAIN_KEYS = "$retainKeys";
const DELETE_FROM = "$deleteFromPrimitiveList/";
const SET_ORDER = "$setElementOrder/";

/** Leaves both arguments as they are. Throws PatchError. */
export function applyStrategicMergePatch(type: TypeName, target: Json, patch: Json): Json {
  if (!isFields(patch)) throw new PatchError("invalid JSON document");
  return mergeFields(type, isFields(target) ? target : {}, patch);
}

function mergeFields(type: TypeName, target: Fields, patch: Fields): Fields {
  switch (patch[DIRECTIVE]) {
    case undefined:
    case "merge":
      break;
    case "replace":
      return clean(withoutDirective(patch)) as Fields;
    case "delete":
      return {};
    default:
      throw unknownDirective(patch);
  }
  const result = retainKeys(target, patch);
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith(DELETE_FROM)) deleteFromList(result, key.slice(DELETE_FROM.length), value);
  }
  for (const [key, value] of Object.entries(patch)) {
    if (key === DIRECTIVE || key === RETAIN_KEYS) continue;
    if (key.startsWith(DELETE_FROM) || key.startsWith(SET_ORDER)) continue;
    if (value === null) delete result[key];
    else result[key] = mergeValue(type, key, result[key], value);
  }
  for (const [key, value] of Object.entries(patch)) {
    if (!key.startsWith(SET_ORDER)) continue;
    const field = key.slice(SET_ORDER.length);
    assertInOrder(type, field, patch[field], value);
    setOrder(type, field, result, target[field], value);
  }
  return result;
}

function mergeValue(type: TypeName, key: string, current: Json, value: Json): Json {
  const rule = fieldRule(type, key);
  if (isFields(value)) {
    const replaces = rule.replaces && value[DIRECTIVE] === undefined;
    const base = isFields(current) && !replaces ? current : {};
    return mergeFields(rule.type, base, value);
  }
  if (!Array.isArray(value)) return value;
  if (!rule.mergesList) return clean(value.filter((item) => !isReplaceMark(item)));
  return mergeList(rule.type, rule.mergeKey, Array.isArray(current) ? current : [], value);
}

function mergeList(type: TypeName, mergeKey: string | undefined, current: Json[], patch: Json[]) {
  const directives = patch.filter(hasDirective);
  for (const item of directives) assertDirective(item);
  const plain = patch.filter((item) => !hasDirective(item));
  if (patch.some(isReplaceMark)) return clean(plain);
  if (isPrimitiveList([...current, ...patch]) || mergeKey === undefined) {
    return [...current, ...plain.filter((item) => !current.includes(item))];
  }
  const gone = new Set(directives.map((item) => elementKey(item, mergeKey)));
  const result = current.filter((item) => !gone.has(elementKey(item, mergeKey)));
  for (const item of plain) {
    if (!isFields(item)) {
      throw new PatchError("invalid element in a list that merges by key");
    }
    const key = elementKey(item, mergeKey);
    const at = result.findIndex((other) => elementKey(other, mergeKey) === key);
    const base = at < 0 ? {} : (result[at] as Fields);
    const merged = mergeFields(type, base, item);
    if (at < 0) result.push(merged);
    else result[at] = merged;
  }
  return result;
}

function hasDirective(item: Json): item is Fields {
  return isFields(item) && item[DIRECTIVE] !== undefined;
}

/** `- $patch: replace` in a list: the elements without a directive are the whole new list. */
function isReplaceMark(item: Json): boolean {
  return isFields(item) && item[DIRECTIVE] === "replace";
}

function assertDirective(item: Fields): void {
  switch (item[DIRECTIVE]) {
    case "delete":
    case "replace":
      return;
    case "merge":
      throw new PatchError("merging lists cannot yet be specified in the patch");
    default:
      throw unknownDirective(item);
  }
}

function unknownDirective(item: Fields): PatchError {
  return new PatchError(`unknown patch type: ${item[DIRECTIVE]} in map: ${goValue(item)}`);
}

function retainKeys(target: Fields, patch: Fields): Fields {
  const retained = patch[RETAIN_KEYS];
  if (retained === undefined) return { ...target };
  if (!Array.isArray(retained)) throw new PatchError("invalid patch format of retainKeys");
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith("$") || value === null || retained.includes(key)) continue;
    throw new PatchError("patch content doesn't match retainKeys list", 422);
  }
  return Object.fromEntries(Object.entries(target).filter(([key]) => retained.includes(key)));
}

function deleteFromList(result: Fields, field: string, values: Json): void {
  if (!Array.isArray(values)) throw new PatchError("invalid patch format of primitive list");
  const list = result[field];
  if (!Array.isArray(list)) return;
  result[field] = list.filter((item) => !values.includes(item));
}

/** What the patch changes must be named in the order that it asks for, one after the other. */
function assertInOrder(type: TypeName, field: string, patched: Json, order: Json): void {
  if (!Array.isArray(order)) throw new PatchError("invalid patch format of setElementOrder list");
  if (!Array.isArray(patched)) return;
  const { mergeKey } = fieldRule(type, field);
  const keys = order.map((item) => elementKey(item, mergeKey));
  let at = 0;
  for (const item of patched) {
    if (hasDirective(item)) continue;
    const found = keys.indexOf(elementKey(item, mergeKey), at);
    if (found >= 0) {
      at = found + 1;
      continue;
    }
    const wanted = `$setElementOrder list:\n${goValue(order)}\n`;
    throw new PatchError(`The order in patch list:\n${goValue(patched)}\n doesn't match ${wanted}`);
  }
}

function setOrder(type: TypeName, field: string, result: Fields, before: Json, order: Json): void {
  const list = result[field];
  if (!Array.isArray(list) || !Array.isArray(order)) return;
  const { mergeKey } = fieldRule(type, field);
  result[field] = orderElements(list, Array.isArray(before) ? before : [], order, mergeKey);
}

function withoutDirective(patch: Fields): Fields {
  const { [DIRECTIVE]: _directive, ...rest } = patch;
  return rest;
}

/** A new value may carry nulls and directives, which had nothing to act on. */
function clean(value: Json): Json {
  if (Array.isArray(value)) return value.map(clean);
  if (!isFields(value)) return value;
  const result: Fields = {};
  for (const [key, item] of Object.entries(value)) {
    const isDirective = key === DIRECTIVE || key === RETAIN_KEYS;
    if (item === null || isDirective || /^\$(?:deleteFrom|setElement)/.test(key)) continue;
    result[key] = clean(item);
  }
  return result;
}
