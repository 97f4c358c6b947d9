/**
 * Compiles the table into writers of messages, to the byte what Go's generated code writes: fields in
 * the order of their numbers, keys of maps sorted, and a field that is not behind a pointer even when
 * it is zero.
 */

import { isScalar, typeSchema } from "../schema/schema.ts";
import type { FieldSchema, Scalar } from "../schema/table.ts";
import { type Fields, fieldTree, type NumberedField } from "./fields.ts";
import { type Codec, scalarCodecs } from "./scalars.ts";
import { schemaType, specialOf } from "./specials.ts";
import { lengthType, type Writer } from "./wire.ts";

type Encoding = Omit<Codec, "read">;
/** Writes a field of a struct, or nothing. */
type Put = (writer: Writer, from: Fields) => void;
/** The last field first, for a writer goes backwards. */
type Plan = readonly Put[];

const nothing: Fields = {};

/** Without its length. A value that is no struct is written as an empty one. */
export function writeMessage(typeName: string, writer: Writer, value: unknown): void {
  const from = typeof value === "object" && value !== null ? (value as Fields) : nothing;
  for (const put of planOf(typeName)) put(writer, from);
}

const plans = new Map<string, Plan>();

function planOf(typeName: string): Plan {
  let plan = plans.get(typeName);
  if (!plan) {
    plan = compile(typeName, fieldTree(typeSchema(typeName)));
    plans.set(typeName, plan);
  }
  return plan;
}

function compile(typeName: string, fields: readonly NumberedField[]): Plan {
  return fields
    .map(({ number, name, field, inlined }) =>
      field
        ? putField(typeName, number, name, field)
        : putInlined(number, compile(typeName, inlined ?? [])),
    )
    .reverse();
}

function putInlined(number: number, plan: Plan): Put {
  return (writer, from) => {
    const end = writer.size;
    for (const put of plan) put(writer, from);
    writer.length(end);
    writer.tag(number, lengthType);
  };
}

function putField(typeName: string, number: number, name: string, field: FieldSchema): Put {
  const special = specialOf(typeName, name);
  const codec: Encoding = special
    ? { wireType: lengthType, write: special.writer(codecOf(schemaType).write) }
    : codecOf(field.type);
  if (field.of && !special?.whole) {
    const put =
      field.of === "list" ? putList(number, codec) : putMap(number, mapValue(field, codec));
    return (writer, from) => {
      const value = from[name];
      if (value !== undefined && value !== null) put(writer, value);
    };
  }
  const { zero } = codec;
  const absent = field.pointer ? undefined : zero;
  return (writer, from) => {
    const value = from[name] ?? absent;
    if (value === undefined) return;
    codec.write(writer, value);
    writer.tag(number, codec.wireType);
  };
}

type PutAll = (writer: Writer, value: unknown) => void;

/** Null in a list or a map stands for zero. */
function putList(number: number, { write, wireType, zero }: Encoding): PutAll {
  return (writer, value) => {
    const list = value as unknown[];
    for (let at = list.length - 1; at >= 0; at--) {
      write(writer, list[at] ?? zero);
      writer.tag(number, wireType);
    }
  };
}

function putMap(number: number, { write, wireType, zero }: Encoding): PutAll {
  return (writer, value) => {
    const map = value as Fields;
    const keys = Object.keys(map).sort();
    for (let at = keys.length - 1; at >= 0; at--) {
      const key = keys[at] ?? "";
      const item = map[key] ?? zero;
      const end = writer.size;
      if (item !== undefined) {
        write(writer, item);
        writer.tag(2, wireType);
      }
      writer.text(key);
      writer.tag(1, lengthType);
      writer.length(end);
      writer.tag(number, lengthType);
    }
  };
}

/** A list within a map is a message with one field, `items`. */
function mapValue({ of }: FieldSchema, codec: Encoding): Encoding {
  if (of !== "listMap") return codec;
  const put = putList(1, codec);
  return {
    wireType: lengthType,
    write(writer, value) {
      const end = writer.size;
      put(writer, value);
      writer.length(end);
    },
    zero: [],
  };
}

function codecOf(type: string): Encoding {
  if (isScalar(type)) return scalarCodecs[type as Scalar];
  return {
    wireType: lengthType,
    write(writer, value) {
      const end = writer.size;
      writeMessage(type, writer, value);
      writer.length(end);
    },
    zero: nothing,
  };
}
