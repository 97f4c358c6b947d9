/** Compiles the table into decoders, one per type, when a type is first met. */
import { DecodeContext } from "./decode-context.ts";
import { type Decoder, SCALAR_CODECS } from "./scalars.ts";
import { goTypeName, typeSchema } from "./schema.ts";
import type { FieldSchema, Scalar } from "./table.ts";

type Fields = Record<string, unknown>;

interface FieldPlan {
  name: string;
  decode: Decoder;
  dropEmpty: boolean;
  /** Makes what is written when the field is absent; undefined: nothing is. */
  zero: (() => unknown) | undefined;
}

const decoders = new Map<string, Decoder>();

/** The walk over a type named in the table. Types may hold themselves, so compiling waits for the first value. */
export function decoderFor(typeName: string): Decoder {
  const known = decoders.get(typeName);
  if (known) return known;
  let compiled: Decoder | undefined;
  const decoder: Decoder = (value, context) => {
    compiled ??= compileType(typeName);
    return compiled(value, context);
  };
  decoders.set(typeName, decoder);
  return decoder;
}

function compileType(typeName: string): Decoder {
  const schema = typeSchema(typeName);
  const plans = Object.entries(schema.fields).map(([name, field]) => planField(name, field));
  if (schema.object) plans.unshift(planTypeMeta("apiVersion"), planTypeMeta("kind"));
  const names = new Set(plans.map((plan) => plan.name));
  const owner = typeName.slice(typeName.lastIndexOf(".") + 1);
  const goType = goTypeName(typeName);
  return (value, context) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw context.typeError(value, goType);
    }
    const out: Fields = {};
    const seen = decodeFields(plans, value as Fields, out, context, owner);
    if (seen < Object.keys(value).length) {
      for (const key of Object.keys(value)) if (!names.has(key)) context.reportUnknown(key);
    }
    return out;
  };
}

/** Returns how many keys of the source were fields, so that the common case need not look for others. */
function decodeFields(
  plans: FieldPlan[],
  from: Fields,
  out: Fields,
  context: DecodeContext,
  owner: string,
): number {
  let seen = 0;
  for (const plan of plans) {
    const raw = from[plan.name];
    if (raw === undefined || raw === null) {
      if (raw === null || Object.hasOwn(from, plan.name)) seen++;
      if (plan.zero) out[plan.name] = plan.zero();
      continue;
    }
    seen++;
    context.stack.push(plan.name);
    // Set for each field anew, for the struct inside the previous field has left its own name here.
    context.owner = owner;
    const value = plan.decode(raw, context);
    context.stack.pop();
    if (!plan.dropEmpty || !isEmpty(value)) out[plan.name] = value;
  }
  return seen;
}

function isEmpty(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return !value;
  if (Array.isArray(value)) return value.length === 0;
  for (const _key in value) return false;
  return true;
}

function planTypeMeta(name: string): FieldPlan {
  return { name, decode: SCALAR_CODECS.string.decode, dropEmpty: true, zero: undefined };
}

function planField(name: string, field: FieldSchema): FieldPlan {
  const isStruct = !field.of && !(field.type in SCALAR_CODECS);
  return {
    name,
    decode: decoderOf(field),
    dropEmpty: field.omitEmpty === true && !field.pointer && !isStruct,
    zero: zeroOf(field, isStruct),
  };
}

/** Go writes a struct that is not behind a pointer even when it is empty, `omitempty` or not. */
function zeroOf(field: FieldSchema, isStruct: boolean): (() => unknown) | undefined {
  if (field.pointer) return undefined;
  if (isStruct) return zeroStruct(field.type);
  // A struct too, though its JSON is a text.
  if (field.type === "Quantity" && !field.of) return () => SCALAR_CODECS.Quantity.zero;
  if (field.omitEmpty) return undefined;
  if (field.of === "list") return () => [];
  if (field.of) return undefined;
  const zero = SCALAR_CODECS[field.type as Scalar].zero;
  return zero === undefined ? undefined : () => zero;
}

function zeroStruct(typeName: string): () => unknown {
  const decode = decoderFor(typeName);
  return () => decode({}, new DecodeContext());
}

function decoderOf(field: FieldSchema): Decoder {
  const codec = SCALAR_CODECS[field.type as Scalar];
  const element = codec?.decode ?? decoderFor(field.type);
  // Null inside a list or a map stands for the zero value.
  const zero = codec ? () => codec.zero ?? null : zeroStruct(field.type);
  const goType = goTypeName(field.enum ?? "") || codec?.goType || goTypeName(field.type);
  if (field.of === "list") return listDecoder(element, zero, `[]${goType}`);
  if (field.of === "map") return mapDecoder(element, zero, `map[string]${goType}`);
  if (field.of === "listMap") {
    const list = listDecoder(element, zero, `[]${goType}`);
    return mapDecoder(list, () => [], `map[string][]${goType}`);
  }
  return element;
}

function listDecoder(element: Decoder, zero: () => unknown, goType: string): Decoder {
  return (value, context) => {
    if (!Array.isArray(value)) throw context.typeError(value, goType);
    const out: unknown[] = [];
    for (let index = 0; index < value.length; index++) {
      const item: unknown = value[index];
      context.stack.push(index);
      out.push(item === null || item === undefined ? zero() : element(item, context));
      context.stack.pop();
    }
    return out;
  };
}

/** Keys come out sorted, as Go writes them. */
function mapDecoder(element: Decoder, zero: () => unknown, goType: string): Decoder {
  return (value, context) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw context.typeError(value, goType);
    }
    const out: Fields = {};
    for (const key of Object.keys(value).sort()) {
      const item = (value as Fields)[key];
      context.enterKey(key);
      const decoded = item === null || item === undefined ? zero() : element(item, context);
      context.stack.pop();
      if (key === "__proto__") setOwn(out, key, decoded);
      else out[key] = decoded;
    }
    return out;
  };
}

/** A label may be called `__proto__`; plain assignment would change the object's prototype instead. */
function setOwn(target: Fields, key: string, value: unknown): void {
  const attributes = { enumerable: true, configurable: true, writable: true };
  Object.defineProperty(target, key, { value, ...attributes });
}
