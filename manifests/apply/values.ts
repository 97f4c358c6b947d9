/** Values as the walkers over them see them: what shape one has, and what tells list items apart. */
import { keyElement, valueElement } from "./field-set.ts";
import { DEDUCED, LEAF, type ListType, mapType, type SetType, type TypeRef } from "./type-ref.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** The applied configuration does not fit its type: the fault of who sent it. */
export class ApplyError extends Error {
  override name = "ApplyError";
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Absent, null and empty are one to whoever walks into a value. */
export function fieldsOf(value: unknown): Fields | undefined {
  return isFields(value) ? value : undefined;
}

export function itemsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A deduced type is whatever its values are: a map when one of them is. */
export function resolved(
  type: TypeRef,
  ...values: unknown[]
): Exclude<TypeRef, { shape: "deduced" }> {
  if (type.shape !== "deduced") return type;
  return values.some(isFields) && !values.some(Array.isArray) ? DEDUCED_MAP : LEAF;
}

const DEDUCED_MAP = mapType(DEDUCED);

/** What is stored is taken as it is: a missing key is one more key. */
export function itemElement(type: SetType | ListType, item: unknown): string {
  if (type.shape === "set" || !isFields(item)) return valueElement(item);
  return keyElement(type.keys.map((key) => [key.name, item[key.name] ?? key.default ?? null]));
}

/** Throws ApplyError for an item that lacks what would tell it from others. */
export function givenItemElement(type: SetType | ListType, item: unknown, path: string): string {
  const refuse = (why: string) => new ApplyError(`${path}: associative list ${why}`);
  if (type.shape === "set") {
    if (typeof item !== "object") return itemElement(type, item);
    throw refuse(`without keys has an element that's ${item === null ? "a null" : "not a scalar"}`);
  }
  if (!isFields(item)) throw refuse("with keys may not have non-map elements");
  for (const { name, default: absent } of type.keys) {
    if ((item[name] ?? absent) !== undefined) continue;
    const what = `with keys has an element that omits key field ${JSON.stringify(name)}`;
    throw refuse(`${what} (and doesn't have default value)`);
  }
  return itemElement(type, item);
}
