/** What patches ask of the schema: which lists merge, and by what key. */
import { isScalar, SCHEMA } from "../schema/schema.ts";
import type { FieldSchema } from "../schema/table.ts";

export type Json = unknown;
export type Fields = Record<string, Json>;

/** The type of a value being patched; undefined where the table knows nothing, and lists are replaced whole. */
export type TypeName = string | undefined;

export function isFields(value: Json): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export interface FieldRule {
  /** The type of the value, or of the elements of a list. */
  type: TypeName;
  /** A list whose elements merge; with a key when they are objects. */
  mergesList: boolean;
  mergeKey: string | undefined;
  /** An object that replaces the old one instead of merging with it. */
  replaces: boolean;
  /** What the patch does not name goes away: for unions, where one member rules out the others. */
  retainsKeys: boolean;
}

const UNKNOWN: FieldRule = {
  type: undefined,
  mergesList: false,
  mergeKey: undefined,
  replaces: false,
  retainsKeys: false,
};

/** A map of structs is known by its element type with `{}` in front. */
const MAP_OF = "{}";

export function fieldRule(type: TypeName, field: string): FieldRule {
  if (type === undefined) return UNKNOWN;
  if (type.startsWith(MAP_OF)) return { ...UNKNOWN, type: type.slice(MAP_OF.length) };
  const schema = SCHEMA.types[type]?.fields[field];
  return schema ? ruleOf(schema) : UNKNOWN;
}

function ruleOf(schema: FieldSchema): FieldRule {
  const strategies = schema.strategy?.split(",") ?? [];
  const element = isScalar(schema.type) ? undefined : schema.type;
  return {
    type: schema.of === "map" && element ? MAP_OF + element : element,
    mergesList: schema.of === "list" && strategies.includes("merge"),
    mergeKey: schema.mergeKey,
    replaces: strategies.includes("replace"),
    retainsKeys: strategies.includes("retainKeys"),
  };
}
