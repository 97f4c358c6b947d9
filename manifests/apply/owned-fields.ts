/** The set of fields that a configuration speaks of: what its applier will own. */
import { below, elementText, type FieldSet, type FieldSetDraft, isEmptySet } from "./field-set.ts";
import type { ListType, MapType, SetType, TypeRef } from "./type-ref.ts";
import { ApplyError, fieldsOf, givenItemElement, isFields, itemsOf, resolved } from "./values.ts";

/**
 * Structs and lists are owned through what is in them, list items and leaves themselves. Throws ApplyError for lists
 * whose items cannot be told apart.
 */
export function ownedFields(type: TypeRef, value: unknown): FieldSet {
  return setOf(type, value, "").set;
}

interface Owned {
  readonly set: FieldSet;
  /** Whether the value has an owner itself, beside what is in it. */
  readonly self: boolean;
}

const SELF = { set: {}, self: true } as const;

function setOf(type: TypeRef, value: unknown, path: string): Owned {
  const shape = resolved(type, value);
  switch (shape.shape) {
    case "leaf":
      return SELF;
    case "map":
      return setOfMap(shape, value, path);
    case "set":
    case "list":
      return setOfList(shape, value, path);
    default:
      return shape satisfies never;
  }
}

function setOfMap(type: MapType, value: unknown, path: string): Owned {
  const set: FieldSetDraft = {};
  for (const [name, item] of Object.entries(fieldsOf(value) ?? {})) {
    const field = type.field(name);
    if (!field) throw new ApplyError(`${path}.${name}: field not declared in schema`);
    const owned = setOf(field.type, item, `${path}.${name}`);
    const nothing = item === null || (isFields(item) && Object.keys(item).length === 0);
    add(set, field.element, owned.set, owned.self || nothing || !type.struct);
  }
  return { set: set as FieldSet, self: false };
}

function setOfList(type: SetType | ListType, value: unknown, path: string): Owned {
  const set: FieldSetDraft = {};
  for (const item of itemsOf(value)) {
    const element = givenItemElement(type, item, path);
    const where = path + elementText(element);
    if (element in set) {
      throw new ApplyError(`${path}: duplicate entries for key ${elementText(element)}`);
    }
    const inner = type.shape === "list" ? setOf(type.element, item, where).set : {};
    add(set, element, inner, true);
  }
  return { set: set as FieldSet, self: false };
}

/** Nothing is said of a struct or list in which nothing is owned. */
function add(set: FieldSetDraft, element: string, inner: FieldSet, self: boolean): void {
  if (isEmptySet(inner)) {
    if (self) set[element] = {};
  } else set[element] = self ? { ".": {}, ...inner } : inner;
}

/**
 * The set and every struct that it owns something in: a struct goes when nobody owns anything in it any more, while an
 * item of a list or map goes only when it is itself no longer owned.
 */
export function withStructs(type: TypeRef, set: FieldSet): FieldSet {
  const result: FieldSetDraft = {};
  for (const element of Object.keys(set)) {
    if (element === ".") continue;
    const inner = innerType(type, element);
    const { member, set: children } = below(set, element);
    const isStructField = type.shape === "map" && type.struct && inner !== undefined;
    add(
      result,
      element,
      withStructs(inner ?? { shape: "deduced" }, children),
      member || isStructField,
    );
  }
  return result as FieldSet;
}

function innerType(type: TypeRef, element: string): TypeRef | undefined {
  if (element.startsWith("f:")) {
    return type.shape === "map" ? type.field(element.slice(2))?.type : undefined;
  }
  return type.shape === "list" ? type.element : undefined;
}
