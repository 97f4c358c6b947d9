/**
 * Strategic merge patch: a merge patch that knows which lists merge by key, and obeys directives.
 *
 * `$patch: delete|replace|merge`, `$retainKeys`, `$deleteFromPrimitiveList/<field>` and `$setElementOrder/<field>`
 * mean what they do upstream (k8s:apimachinery/pkg/util/strategicpatch).
 */
import { elementKey, isPrimitiveList, orderElements } from "./element-order.ts";
import { PatchError } from "./patch-error.ts";
import { type Fields, fieldRule, isFields, type Json, type TypeName } from "./patch-schema.ts";

const DIRECTIVE = "$patch";
const RETAIN_KEYS = "$retainKeys";
const DELETE_FROM = "$deleteFromPrimitiveList/";
const SET_ORDER = "$setElementOrder/";

/** Leaves both arguments as they are. Throws PatchError. */
export function applyStrategicMergePatch(type: TypeName, target: Json, patch: Json): Json {
  if (!isFields(patch)) throw new PatchError("a strategic merge patch is a mapping");
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
      throw new PatchError(`unknown patch type: ${String(patch[DIRECTIVE])}`);
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
  if (patch.some(isReplaceMark)) return clean(patch.filter((item) => !isReplaceMark(item)));
  if (isPrimitiveList([...current, ...patch]) || mergeKey === undefined) {
    return [...current, ...patch.filter((item) => !current.includes(item))];
  }
  let result = [...current];
  for (const item of patch) {
    if (!isFields(item)) throw new PatchError("invalid element in a list that merges by key");
    const key = elementKey(item, mergeKey);
    if (item[DIRECTIVE] === "delete") {
      result = result.filter((other) => elementKey(other, mergeKey) !== key);
      continue;
    }
    const at = result.findIndex((other) => elementKey(other, mergeKey) === key);
    const base = at < 0 ? {} : (result[at] as Fields);
    const merged = mergeFields(type, base, item);
    if (at < 0) result.push(merged);
    else result[at] = merged;
  }
  return result;
}

/** `- $patch: replace` in a list: the other elements are the whole new list. */
function isReplaceMark(item: Json): boolean {
  return isFields(item) && item[DIRECTIVE] === "replace" && Object.keys(item).length === 1;
}

function retainKeys(target: Fields, patch: Fields): Fields {
  const retained = patch[RETAIN_KEYS];
  if (retained === undefined) return { ...target };
  if (!Array.isArray(retained)) throw new PatchError(`${RETAIN_KEYS} must be a list`);
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith("$") || value === null || retained.includes(key)) continue;
    throw new PatchError(`${RETAIN_KEYS} list doesn't contain all fields present in the patch`);
  }
  return Object.fromEntries(Object.entries(target).filter(([key]) => retained.includes(key)));
}

function deleteFromList(result: Fields, field: string, values: Json): void {
  const list = result[field];
  if (!Array.isArray(values) || !Array.isArray(list)) return;
  result[field] = list.filter((item) => !values.includes(item));
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
