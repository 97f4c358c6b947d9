/** JSON as CEL sees it, and back: maps without a prototype, integers as `int`. */

/** Objects become Maps, so that a key such as `constructor` is a key and nothing else. */
export function toCel(value: unknown): unknown {
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(toCel);
  if (typeof value !== "object" || value === null) return value ?? null;
  const map = new Map<string, unknown>();
  for (const [key, field] of Object.entries(value)) {
    if (field !== undefined) map.set(key, toCel(field));
  }
  return map;
}

/** How many elements the largest list, map or text in a value has: what a comprehension may walk. */
export function widthOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 1;
  if (!(value instanceof Map) && !Array.isArray(value)) return 1;
  let most = Math.max(1, value instanceof Map ? value.size : value.length);
  for (const inner of value.values()) most = Math.max(most, widthOf(inner));
  return most;
}
