/** Compiles the table into readers of messages. What comes out is a plain value, to be decoded like JSON. */

import { isScalar, typeSchema } from "../schema/schema.ts";
import type { FieldSchema, Scalar } from "../schema/table.ts";
import { type Fields, fieldTree, type NumberedField } from "./fields.ts";
import { scalarCodecs } from "./scalars.ts";
import { type Read, schemaType, specialOf } from "./specials.ts";
import { lengthType, type Reader, varintType } from "./wire.ts";

/** How one field of a message gets into the object that is built. */
type Setter = (out: Fields, reader: Reader, wireType: number) => void;
type Plan = ReadonlyMap<number, Setter>;

export function readMessage(typeName: string, reader: Reader): Fields {
  const out: Fields = {};
  readInto(out, planOf(typeName), reader);
  return out;
}

const plans = new Map<string, Plan>();

function planOf(typeName: string): Plan {
  const known = plans.get(typeName);
  if (known) return known;
  const plan = new Map<number, Setter>();
  plans.set(typeName, plan);
  addFields(plan, typeName, fieldTree(typeSchema(typeName)));
  return plan;
}

function addFields(
  plan: Map<number, Setter>,
  typeName: string,
  fields: readonly NumberedField[],
): void {
  for (const { number, name, field, inlined } of fields) {
    if (field) plan.set(number, setterOf(typeName, name, field));
    const below = new Map<number, Setter>();
    if (!inlined) continue;
    addFields(below, typeName, inlined);
    plan.set(number, (out, reader) => readInto(out, below, reader.message()));
  }
}

/** Fields that the table does not know are skipped, as everywhere in protobuf. */
function readInto(out: Fields, plan: Plan, reader: Reader): void {
  while (!reader.done) {
    const { number, wireType } = reader.tag();
    const setter = plan.get(number);
    if (setter) setter(out, reader, wireType);
    else reader.skip(wireType);
  }
}

function setterOf(typeName: string, name: string, field: FieldSchema): Setter {
  const { type, of } = field;
  const special = specialOf(typeName, name);
  const read = special?.reader(valueReader(schemaType)) ?? valueReader(type);
  if (special?.whole) return setter(name, read);
  switch (of) {
    case "list":
      return listSetter(name, type, read);
    case "map":
      return mapSetter(name, read);
    case "listMap":
      return mapSetter(name, (reader) => readItems(reader, read));
    default:
      return setter(name, read);
  }
}

function setter(name: string, read: Read): Setter {
  return (out, reader) => {
    out[name] = read(reader);
  };
}

/** Numbers may come packed, all in one field. */
function listSetter(name: string, type: string, read: Read): Setter {
  const isVarint = isScalar(type) && scalarCodecs[type as Scalar].wireType === varintType;
  return (out, reader, wireType) => {
    out[name] ??= [];
    const list = out[name] as unknown[];
    if (wireType === lengthType && isVarint) {
      const packed = reader.message();
      while (!packed.done) list.push(read(packed));
    } else list.push(read(reader));
  };
}

/** A list within a map is a message with one field, `items`. */
function readItems(reader: Reader, read: Read): unknown[] {
  const inner = reader.message();
  const items: unknown[] = [];
  while (!inner.done) {
    const { number, wireType } = inner.tag();
    if (number === 1) items.push(read(inner));
    else inner.skip(wireType);
  }
  return items;
}

function mapSetter(name: string, read: Read): Setter {
  return (out, reader) => {
    out[name] ??= {};
    const map = out[name] as Fields;
    const entry = reader.message();
    let key = "";
    let value: unknown = "";
    while (!entry.done) {
      const { number, wireType } = entry.tag();
      if (number === 1) key = entry.text();
      else if (number === 2) value = read(entry);
      else entry.skip(wireType);
    }
    // A label may be called `__proto__`; plain assignment would change the object's prototype instead.
    const attributes = { enumerable: true, configurable: true, writable: true };
    Object.defineProperty(map, key, { value, ...attributes });
  };
}

function valueReader(type: string): Read {
  if (isScalar(type)) return scalarCodecs[type as Scalar].read;
  return (reader) => readMessage(type, reader.message());
}
