/**
 * Decoding an object of a custom kind: fields that the schema does not know go, and are told; metadata is what it is
 * everywhere. Fields come out sorted, so that equal objects have equal texts.
 */
import { DecodeContext, DecodeError } from "../schema/decode-context.ts";
import { decoderFor } from "../schema/decoder.ts";
import {
  type Fields,
  hasAdditional,
  isFields,
  itemsOf,
  joined,
  propertyOf,
  type Schema,
  schemaUnder,
  setField,
} from "./schema.ts";

const META = ["apiVersion", "kind", "metadata"];

/** Throws DecodeError; adds to `unknown` what strict decoding refuses. */
export function pruneObject(schema: Schema, value: unknown, unknown: string[]): Fields {
  if (!isFields(value)) throw new DecodeError("the object provided is not a mapping");
  const context = { unknown, keeps: keepsUnknown(schema) };
  return pruneResource(schema, value, "", context);
}

interface Pruning {
  readonly unknown: string[];
  /** Inside something that keeps what nobody described. */
  readonly keeps: boolean;
}

function keepsUnknown(schema: Schema | undefined): boolean {
  return schema?.["x-kubernetes-preserve-unknown-fields"] === true;
}

/** An object with a type and metadata: the root, or one embedded in it. */
function pruneResource(schema: Schema, value: Fields, path: string, context: Pruning): Fields {
  const out: Fields = {};
  for (const name of ["apiVersion", "kind"]) {
    const text = value[name];
    if (text === undefined || text === null) continue;
    if (typeof text !== "string") throw wrongType(joined(path, name), text, "string");
    out[name] = text;
  }
  if (value.metadata !== undefined || path === "") {
    out.metadata = pruneMetadata(value.metadata ?? {}, joined(path, "metadata"), context);
  }
  return pruneFields(schema, value, path, context, out);
}

function pruneMetadata(value: unknown, path: string, { unknown }: Pruning): unknown {
  const decoding = new DecodeContext();
  decoding.owner = "ObjectMeta";
  decoding.stack.push(...path.split("."));
  const metadata = decoderFor("meta.v1.ObjectMeta")(value, decoding);
  unknown.push(...decoding.strictErrors);
  return metadata;
}

function pruneFields(
  schema: Schema | undefined,
  value: Fields,
  path: string,
  context: Pruning,
  out: Fields = {},
): Fields {
  const isResource = path === "" || schema?.["x-kubernetes-embedded-resource"] === true;
  for (const key of Object.keys(value).sort()) {
    if (value[key] === undefined || (isResource && META.includes(key))) continue;
    const at = joined(path, key);
    const known = propertyOf(schema, key) !== undefined || (schema && hasAdditional(schema));
    if (!known && !context.keeps) context.unknown.push(`unknown field ${JSON.stringify(at)}`);
    else setField(out, key, pruneValue(schemaUnder(schema, key), value[key], at, context));
  }
  return out;
}

function pruneValue(
  schema: Schema | undefined,
  value: unknown,
  path: string,
  outer: Pruning,
): unknown {
  // What is described inside something that keeps all is pruned as described; the rest of it stays.
  const keeps = schema ? keepsUnknown(schema) : outer.keeps;
  const context = keeps === outer.keeps ? outer : { ...outer, keeps };
  if (Array.isArray(value)) {
    // A list that keeps all does so in its elements.
    const items =
      keeps && !keepsUnknown(itemsOf(schema)) ? keeping(itemsOf(schema)) : itemsOf(schema);
    return value.map((item, at) => pruneValue(items, item, `${path}[${at}]`, context));
  }
  if (!isFields(value)) return value;
  if (schema?.["x-kubernetes-embedded-resource"])
    return pruneResource(schema, value, path, context);
  return pruneFields(schema, value, path, context);
}

function keeping(schema: Schema | undefined): Schema {
  return { ...schema, "x-kubernetes-preserve-unknown-fields": true };
}

function wrongType(path: string, value: unknown, type: string): DecodeError {
  const shown = Array.isArray(value) ? "array" : typeof value;
  return new DecodeError(`${path}: Invalid value: "${shown}": must be of type ${type}`);
}

/** What is left of a value that stands where the schema does. */
export function pruneValueOf(schema: Schema, value: unknown): unknown {
  return pruneValue(schema, value, "value", { unknown: [], keeps: false });
}
