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

/** How many elements the largest list or map in a value has, or characters the longest text. */
export function widthOf(value: unknown, ofTexts: boolean): number {
  if (typeof value === "string") return ofTexts ? value.length : 1;
  if (!(value instanceof Map) && !Array.isArray(value)) return 1;
  let most = Math.max(1, value instanceof Map ? value.size : value.length);
  for (const inner of value.values()) most = Math.max(most, widthOf(inner, ofTexts));
  return most;
}
