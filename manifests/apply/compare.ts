/** What is different between two objects, as sets of fields. */
import {
  EMPTY_SET,
  type FieldSet,
  type FieldSetDraft,
  fieldElement,
  isEmptySet,
  withoutBelow,
} from "./field-set.ts";
import type { ListType, MapType, SetType, TypeRef } from "./type-ref.ts";
import { type Fields, fieldsOf, itemElement, itemsOf, resolved } from "./values.ts";

export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

type Change = keyof Comparison;

export const NO_CHANGE: Comparison = { added: EMPTY_SET, modified: EMPTY_SET, removed: EMPTY_SET };

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

/** One frame for each element on the way down; its drafts are made when something is to be said in them. */
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
    if (before === undefined) this.#say("added");
    else if (after === undefined) this.#say("removed");
    else if (!sameValue(before, after)) this.#say("modified");
  }

  #map(type: MapType, before: unknown, after: unknown): void {
    const [old, now] = [fieldsOf(before), fieldsOf(after)];
    if (isEmpty(old) && isEmpty(now)) {
      this.#leaf(before, after);
      return;
    }
    for (const name in now) {
      const [left, right] = [old?.[name], now[name]];
      if (left !== right) this.#inside(fieldElement(name), type.field(name) ?? LEAF, left, right);
    }
    for (const name in old) {
      if (now?.[name] !== undefined) continue;
      this.#inside(fieldElement(name), type.field(name) ?? LEAF, old[name], undefined);
    }
    this.#whole(before, after);
  }

  #list(type: SetType | ListType, before: unknown, after: unknown): void {
    const [old, now] = [itemsOf(before), itemsOf(after)];
    if (old.length === 0 && now.length === 0) {
      this.#leaf(before, after);
      return;
    }
    const element = type.shape === "list" ? type.element : LEAF;
    const left = byElement(type, old);
    const right = byElement(type, now);
    for (const [key, item] of right) this.#inside(key, element, left.get(key), item);
    for (const [key, item] of left) {
      if (!right.has(key)) this.#inside(key, element, item, undefined);
    }
    this.#whole(before, after);
  }

  #whole(before: unknown, after: unknown): void {
    if (before === undefined) this.#say("added");
    else if (after === undefined) this.#say("removed");
  }

  #inside(element: string, type: TypeRef, before: unknown, after: unknown): void {
    const own = frame(element);
    this.#frames.push(own);
    this.value(type, before, after);
    this.#frames.pop();
    const outer = this.#frames[this.#frames.length - 1] as Frame;
    if (own.added) attach(outer, "added", element, own.added);
    if (own.modified) attach(outer, "modified", element, own.modified);
    if (own.removed) attach(outer, "removed", element, own.removed);
  }

  /** The element on top of the stack has changed; with others below it, it says so of itself. */
  #say(change: Change): void {
    const top = this.#frames[this.#frames.length - 1] as Frame;
    const draft = top[change];
    if (draft) top[change] = { ".": EMPTY_SET, ...draft };
    else top[change] = {};
  }
}

const LEAF: TypeRef = { shape: "leaf" };

function attach(outer: Frame, change: Change, element: string, draft: FieldSetDraft): void {
  const into = outer[change];
  if (into) into[element] = draft;
  else outer[change] = { [element]: draft };
}

function isEmpty(fields: Fields | undefined): boolean {
  for (const _name in fields) return false;
  return true;
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
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every(
    (name) => Object.hasOwn(b, name) && sameValue((a as Fields)[name], (b as Fields)[name]),
  );
}
