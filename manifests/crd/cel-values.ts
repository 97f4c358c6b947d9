/**
 * Objects as validation rules see them: typed by their schema, with names that CEL can spell
 * (https://kubernetes.io/docs/reference/using-api/cel/#escaping).
 */
import { CelError, compileCel } from "../cel/cel.ts";
import { toCel } from "../cel/values.ts";
import { additionalOf, type Fields, isFields, itemsOf, propertyOf, type Schema } from "./schema.ts";

/** CEL's own words, which no field can be called there. */
const RESERVED = new Set(
  (
    "true false null in as break const continue else for function if import let loop package namespace return var " +
    "void while"
  ).split(" "),
);

const SYMBOLS: Readonly<Record<string, string>> = {
  __: "__underscores__",
  ".": "__dot__",
  "-": "__dash__",
  "/": "__slash__",
};

export function celName(name: string): string {
  if (RESERVED.has(name)) return `__${name}__`;
  return name.replace(/__|[./-]/g, (found) => SYMBOLS[found] ?? found);
}

/** `isRoot`: of metadata only the names can be seen. */
export function celValue(schema: Schema | undefined, value: unknown, isRoot = false): unknown {
  if (value === null || value === undefined) return null;
  if (!schema) return toCel(value);
  if (Array.isArray(value)) return value.map((item) => celValue(itemsOf(schema), item));
  if (isFields(value)) return celMap(schema, value, isRoot);
  if (typeof value === "number") return celNumber(schema, value);
  return typeof value === "string" ? celText(schema.format, value) : value;
}

function celMap(schema: Schema, value: Fields, isRoot: boolean): Map<string, unknown> {
  const map = new Map<string, unknown>();
  const isResource = isRoot || schema["x-kubernetes-embedded-resource"] === true;
  for (const [key, item] of Object.entries(value)) {
    const property = propertyOf(schema, key);
    if (isResource && key === "metadata") map.set(key, namesOf(item));
    else if (property) map.set(celName(key), celValue(property, item));
    else map.set(key, celValue(additionalOf(schema), item));
  }
  return map;
}

function namesOf(metadata: unknown): Map<string, unknown> {
  const { name, generateName } = isFields(metadata) ? metadata : ({} as Fields);
  return toCel({ name, generateName }) as Map<string, unknown>;
}

function celNumber({ type }: Schema, value: number): unknown {
  if (type === "number") return value;
  return Number.isSafeInteger(value) ? BigInt(value) : value;
}

function celText(format: string | undefined, value: string): unknown {
  switch (format) {
    case "date":
    case "date-time":
    case "datetime":
      return new Date(value);
    case "duration":
      return durationOf(value) ?? value;
    case "byte":
      return Uint8Array.from(atob(value), (character) => character.charCodeAt(0));
    default:
      return value;
  }
}

const toDuration = compileCel("duration(self)", ["self"]);

/** Undefined for one in words, such as `2 days`, which CEL cannot read. */
function durationOf(text: string): unknown {
  try {
    return toDuration.evaluate({ self: text });
  } catch (error) {
    if (error instanceof CelError) return undefined;
    throw error;
  }
}
