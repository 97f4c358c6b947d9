/** What is different between two objects, as sets of fields. */
import {
  EMPTY_SET,
  type FieldSet,
  type FieldSetDraft,
  isEmptySet,
  withoutBelow,
} from "./field-set.ts";
import {
  LEAF,
  type ListType,
  type MapType,
  namedField,
  type SetType,
  type TypeRef,
} from "./type-ref.ts";
import { type Fields, fieldsOf, isFields, itemElement, itemsOf, resolved } from "./values.ts";

export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

type Change = keyof Comparison;

/**
 * What appears or goes with everything in it is named with everything in it. Values that are the same JavaScript
 * object are not looked into, so a change of one part costs that part.
 */
export function compare(type: TypeRef, before: unknown, after: unknown): Comparison {
  const walk = new Walk();
  walk.value(type, before, after);
  return walk.result();
}

export function isSame({ added, modified, removed }: Comparison): boolean {
  return isEmptySet(added) && isEmptySet(modified) && isEmptySet(removed);
}

/** The comparison as somebody sees it to whom these fields, and all below them, do not count. */
export function ignoring(comparison: Comparison, fields: FieldSet): Comparison {
  return {
    added: withoutBelow(comparison.added, fields),
    modified: withoutBelow(comparison.modified, fields),
    removed: withoutBelow(comparison.removed, fields),
  };
}

/** One for each element on the way down; its drafts are made when something is to be said in them. */
interface Frame {
  readonly element: string;
  added: FieldSetDraft | undefined;
  modified: FieldSetDraft | undefined;
  removed: FieldSetDraft | undefined;
}

function frame(element: string): Frame {
  return { element, added: undefined, modified: undefined, removed: undefined };
}

class Walk {
  readonly #frames: Frame[] = [frame("")];

  result(): Comparison {
    const { added, modified, removed } = this.#frames[0] as Frame;
    return {
      added: (added ?? EMPTY_SET) as FieldSet,
      modified: (modified ?? EMPTY_SET) as FieldSet,
      removed: (removed ?? EMPTY_SET) as FieldSet,
    };
  }

  value(type: TypeRef, before: unknown, after: unknown): void {
    if (before === after) return;
    const shape = resolved(type, before, after);
    switch (shape.shape) {
      case "leaf":
        this.#leaf(before, after);
        break;
      case "map":
        this.#map(shape, before, after);
        break;
      case "set":
      case "list":
        this.#list(shape, before, after);
        break;
      default:
        shape satisfies never;
    }
  }

  #leaf(before: unknown, after: unknown): void {
    if (sameValue(before, after)) return;
    const top = this.#frames[this.#frames.length - 1] as Frame;
    top.modified = {};
  }

  #map(type: MapType, before: unknown, after: unknown): void {
    const [old, now] = [fieldsOf(before), fieldsOf(after)];
    if (isEmpty(old) && isEmpty(now)) {
      this.#leaf(before, after);
      return;
    }
    for (const name in now) {
      const [left, right] = [old?.[name], now[name]];
      if (left !== right) this.#field(type, name, left, right);
    }
    for (const name in old) {
      if (now?.[name] === undefined) this.#field(type, name, old[name], undefined);
    }
  }

  #field(type: MapType, name: string, before: unknown, after: unknown): void {
    const field = type.field(name) ?? namedField(name, LEAF);
    this.#inside(field.element, field.type, before, after);
  }

  #list(type: SetType | ListType, before: unknown, after: unknown): void {
    const [old, now] = [itemsOf(before), itemsOf(after)];
    if (old.length === 0 && now.length === 0) {
      this.#leaf(before, after);
      return;
    }
    const element = type.shape === "list" ? type.element : LEAF;
    if (areInStep(type, old, now)) {
      old.forEach((item, at) => {
        // Most items are as they were, and an item's name in a set costs more than the look at it.
        if (!sameValue(item, now[at])) {
          this.#inside(itemElement(type, item), element, item, now[at]);
        }
      });
      return;
    }
    const left = byElement(type, old);
    const right = byElement(type, now);
    for (const [key, item] of right) this.#inside(key, element, left.get(key), item);
    for (const [key, item] of left) {
      if (!right.has(key)) this.#inside(key, element, item, undefined);
    }
  }

  #inside(element: string, type: TypeRef, before: unknown, after: unknown): void {
    const outer = this.#frames[this.#frames.length - 1] as Frame;
    if (before === undefined) {
      attach(outer, "added", element, everything(type, after));
      return;
    }
    if (after === undefined) {
      attach(outer, "removed", element, everything(type, before));
      return;
    }
    const own = frame(element);
    this.#frames.push(own);
    this.value(type, before, after);
    this.#frames.pop();
    if (own.added) attach(outer, "added", element, own.added);
    if (own.modified) attach(outer, "modified", element, own.modified);
    if (own.removed) attach(outer, "removed", element, own.removed);
  }
}

/** A node that is there with all that is in it. */
function everything(type: TypeRef, value: unknown): FieldSetDraft {
  const shape = resolved(type, value);
  const node: FieldSetDraft = {};
  if (shape.shape === "leaf") return node;
  if (shape.shape === "map") {
    const fields = fieldsOf(value);
    if (isEmpty(fields)) return node;
    node["."] = EMPTY_SET;
    for (const name in fields) {
      const field = shape.field(name) ?? namedField(name, LEAF);
      node[field.element] =
        field.type.shape === "leaf" ? EMPTY_SET : everything(field.type, fields[name]);
    }
    return node;
  }
  const items = itemsOf(value);
  if (items.length > 0) node["."] = EMPTY_SET;
  const element = shape.shape === "list" ? shape.element : LEAF;
  for (const item of items) node[itemElement(shape, item)] = everything(element, item);
  return node;
}

function attach(outer: Frame, change: Change, element: string, draft: FieldSetDraft): void {
  const into = outer[change];
  if (into) into[element] = draft;
  else outer[change] = { [element]: draft };
}

function isEmpty(fields: Fields | undefined): boolean {
  for (const _name in fields) return false;
  return true;
}

/** Whether both lists have the same items in the same places, whatever is in them. */
function areInStep(
  type: SetType | ListType,
  a: readonly unknown[],
  b: readonly unknown[],
): boolean {
  if (a.length !== b.length) return false;
  return a.every((item, at) => {
    const other = b[at];
    if (type.shape === "set" || !isFields(item) || !isFields(other)) return sameValue(item, other);
    return type.keys.every(
      (key) => (item[key.name] ?? key.default) === (other[key.name] ?? key.default),
    );
  });
}

/** What was stored may hold an item twice; the last one counts. */
function byElement(type: SetType | ListType, items: readonly unknown[]): Map<string, unknown> {
  return new Map(items.map((item) => [itemElement(type, item), item]));
}

function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, at) => sameValue(item, b[at]));
  }
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(b)) return false;
  let names = 0;
  for (const name in a) {
    if (!Object.hasOwn(b, name)) return false;
    if (!sameValue((a as Fields)[name], (b as Fields)[name])) return false;
    names++;
  }
  for (const _name in b) names--;
  return names === 0;
}
