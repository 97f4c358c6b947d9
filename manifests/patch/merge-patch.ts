/** JSON merge patch, RFC 7386: objects merge, null removes, everything else replaces. */
import { type Fields, isFields, type Json } from "./patch-schema.ts";

/** Leaves both arguments as they are. */
export function applyMergePatch(target: Json, patch: Json): Json {
  if (!isFields(patch)) return patch;
  const result: Fields = isFields(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = applyMergePatch(result[key], value);
  }
  return result;
}

/** The smallest patch that makes `after` of `before`; undefined when they are equal. */
export function createMergePatch(before: Json, after: Json): Json {
  if (!isFields(before) || !isFields(after)) {
    return JSON.stringify(before) === JSON.stringify(after) ? undefined : after;
  }
  const patch: Fields = {};
  for (const key of Object.keys(before)) if (!(key in after)) patch[key] = null;
  for (const [key, value] of Object.entries(after)) {
    const change = key in before ? createMergePatch(before[key], value) : value;
    if (change !== undefined) patch[key] = change;
  }
  return Object.keys(patch).length > 0 ? patch : undefined;
}
