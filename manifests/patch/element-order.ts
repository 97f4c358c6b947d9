/** The order of a merged list: the patch says how its own elements follow each other, the rest keep their places. */
import { PatchError } from "./patch-error.ts";
import { isFields, type Json } from "./patch-schema.ts";

/** What tells one element of a list from another: its key, or itself. */
export function elementKey(item: Json, mergeKey: string | undefined): Json {
  if (!isFields(item) || mergeKey === undefined) return item;
  const key = item[mergeKey];
  if (key === undefined) {
    const shown = JSON.stringify(item);
    throw new PatchError(`map: ${shown} does not contain declared merge key: ${mergeKey}`);
  }
  return key;
}

export function isPrimitiveList(list: readonly Json[]): boolean {
  return !list.some((item) => typeof item === "object" && item !== null);
}

/**
 * Elements named in `order` follow it. Each other one stays in front of the first ordered element that it stood in
 * front of before, else comes last (k8s:strategicpatch mergeSortedSlice).
 */
export function orderElements(
  list: readonly Json[],
  before: readonly Json[],
  order: readonly Json[],
  mergeKey: string | undefined,
): Json[] {
  const keyOf = (item: Json) => elementKey(item, mergeKey);
  const positions = (items: readonly Json[]) => new Map(items.map((item, i) => [keyOf(item), i]));
  const [wanted, old] = [positions(order), positions(before)];
  const place = (at: Map<Json, number>, item: Json) => at.get(keyOf(item)) ?? -1;
  const ordered = list
    .filter((item) => wanted.has(keyOf(item)))
    .sort((a, b) => place(wanted, a) - place(wanted, b));
  const others = list.filter((item) => !wanted.has(keyOf(item)));
  const result: Json[] = [];
  for (const item of ordered) {
    while (others.length > 0) {
      const [other, mine] = [place(old, others[0]), place(old, item)];
      if (other < 0 || mine < 0 || other > mine) break;
      result.push(others.shift());
    }
    result.push(item);
  }
  return [...result, ...others];
}
