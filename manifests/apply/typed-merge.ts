/** The merge of an applied configuration into an object, and the removal of what nobody owns any more. */
import { below, type FieldSet, isEmptySet } from "./field-set.ts";
import {
  LEAF,
  type ListType,
  type MapType,
  namedField,
  type SetType,
  type TypeRef,
} from "./type-ref.ts";
import { type Fields, fieldsOf, isFields, itemElement, itemsOf, resolved } from "./values.ts";

/** Leaves both arguments as they are. What the configuration says wins; what it leaves out stays. */
export function typedMerge(type: TypeRef, live: unknown, config: unknown): unknown {
  if (config === undefined) return live;
  if (live === undefined) return config;
  const shape = resolved(type, live, config);
  if (shape.shape === "map") return mergeMaps(shape, live, config);
  if (shape.shape === "leaf") return config;
  return mergeLists(shape, live, config);
}

function mergeMaps(type: MapType, live: unknown, config: unknown): unknown {
  const [old, now] = [fieldsOf(live), fieldsOf(config)];
  if (!old || Object.keys(old).length === 0) return now ?? config;
  const merged = new Map(Object.entries(old));
  for (const [name, value] of Object.entries(now ?? {})) {
    const field = type.field(name);
    merged.set(name, field ? typedMerge(field.type, old[name], value) : value);
  }
  // Made of entries, so that a field that is called __proto__ is a field.
  return Object.fromEntries(merged);
}

/**
 * Items that both have follow the configuration's order; those that only the object has keep their place among them,
 * and stand before new ones where either would do.
 */
function mergeLists(type: SetType | ListType, live: unknown, config: unknown): unknown {
  const old = itemsOf(live).map((item) => [itemElement(type, item), item] as const);
  const now = itemsOf(config).map((item) => [itemElement(type, item), item] as const);
  if (old.length === 0) return config;
  const oldItems = new Map(old);
  const given = new Set(now.map(([element]) => element));
  const done = new Set<string>();
  const result: unknown[] = [];
  let at = 0;
  function takeWaiting(): void {
    for (; at < old.length; at++) {
      const [element, item] = old[at] as (typeof old)[number];
      if (!given.has(element)) result.push(item);
      else if (!done.has(element)) return;
    }
  }
  for (const [element, item] of now) {
    if (done.has(element)) continue;
    takeWaiting();
    const before = oldItems.get(element);
    result.push(type.shape === "list" ? typedMerge(type.element, before, item) : item);
    done.add(element);
  }
  takeWaiting();
  return result;
}

/** Leaves the value as it is. What is emptied stays, unless it is in the set itself. */
export function removeFields(type: TypeRef, value: unknown, set: FieldSet): unknown {
  if (isEmptySet(set)) return value;
  const shape = resolved(type, value);
  if (shape.shape === "leaf") return value;
  if (shape.shape === "map") return isFields(value) ? removeFromMap(shape, value, set) : value;
  const kept: unknown[] = [];
  for (const item of itemsOf(value)) {
    const { member, set: inner } = below(set, itemElement(shape, item));
    if (member) continue;
    kept.push(shape.shape === "list" ? removeFields(shape.element, item, inner) : item);
  }
  return kept;
}

function removeFromMap(type: MapType, value: Fields, set: FieldSet): unknown {
  const kept: [string, unknown][] = [];
  for (const [name, item] of Object.entries(value)) {
    const field = type.field(name) ?? namedField(name, LEAF);
    const { member, set: inner } = below(set, field.element);
    if (!member) kept.push([name, removeFields(field.type, item, inner)]);
  }
  return Object.fromEntries(kept);
}
