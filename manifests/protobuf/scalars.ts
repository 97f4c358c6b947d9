/** How each scalar of the table travels: a number, a text, or a small message of its own. */

import type { Scalar } from "../schema/table.ts";
import {
  doubleType,
  lengthType,
  ProtobufError,
  type Reader,
  varintType,
  type WireType,
  type Writer,
} from "./wire.ts";

export interface Codec {
  readonly wireType: WireType;
  read(reader: Reader): unknown;
  /** What is length-delimited writes its length too. */
  write(writer: Writer, value: unknown): void;
  /**
   * What Go writes for a value that is absent and not behind a pointer. Undefined: nothing, not even
   * the field's number.
   */
  readonly zero?: unknown;
}

/** A message without a field, such as a time that is zero. */
const empty = Symbol("empty");

const number: Codec = {
  wireType: varintType,
  read: (reader) => reader.varint(),
  write: (writer, value) => writer.varint(value as number),
  zero: 0,
};

const time = timeCodec(0);

const json: Codec = {
  wireType: lengthType,
  read: readJson,
  write(writer, value) {
    const end = writer.size;
    if (value !== empty) {
      writer.text(JSON.stringify(value));
      writer.tag(1, lengthType);
    }
    writer.length(end);
  },
  zero: empty,
};

export const scalarCodecs: Readonly<Record<Scalar, Codec>> = {
  string: {
    wireType: lengthType,
    read: (reader) => reader.text(),
    write: (writer, value) => writer.text(value as string),
    zero: "",
  },
  boolean: {
    wireType: varintType,
    read: (reader) => reader.varint() !== 0,
    write: (writer, value) => writer.varint(value ? 1 : 0),
    zero: false,
  },
  int32: number,
  int64: number,
  double: {
    wireType: doubleType,
    read: (reader) => reader.double(),
    write: (writer, value) => writer.double(value as number),
    zero: 0,
  },
  bytes: {
    wireType: lengthType,
    read: (reader) => base64(reader.bytes()),
    write(writer, value) {
      const bytes = Buffer.from(value as string, "base64");
      writer.raw(bytes);
      writer.varint(bytes.length);
    },
  },
  Time: time,
  MicroTime: timeCodec(6),
  Duration: {
    wireType: lengthType,
    read: (reader) => `${Number(fieldsOf(reader).get(1) ?? 0) / 1e9}s`,
    write(writer, value) {
      const end = writer.size;
      writer.varint(Math.round(Number.parseFloat(value as string) * 1e9));
      writer.tag(1, varintType);
      writer.length(end);
    },
    zero: "0s",
  },
  Quantity: {
    wireType: lengthType,
    read: (reader) => fieldsOf(reader).get(1) ?? "0",
    write(writer, value) {
      const end = writer.size;
      writer.text(String(value));
      writer.tag(1, lengthType);
      writer.length(end);
    },
    zero: "0",
  },
  IntOrString: {
    wireType: lengthType,
    read(reader) {
      const fields = fieldsOf(reader);
      return fields.get(1) === 1 ? (fields.get(3) ?? "") : (fields.get(2) ?? 0);
    },
    write(writer, value) {
      const end = writer.size;
      const isText = typeof value === "string";
      writer.text(isText ? value : "");
      writer.tag(3, lengthType);
      writer.varint(isText ? 0 : (value as number));
      writer.tag(2, varintType);
      writer.varint(isText ? 1 : 0);
      writer.tag(1, varintType);
      writer.length(end);
    },
    zero: 0,
  },
  Object: json,
  FieldsV1: json,
  JSON: json,
};

/** Seconds since 1970 and the rest in billionths; a message without them is the zero time. */
function timeCodec(fractionDigits: 0 | 6): Codec {
  return {
    wireType: lengthType,
    read(reader) {
      const fields = fieldsOf(reader);
      const seconds = fields.get(1);
      if (typeof seconds !== "number") return null;
      const date = new Date(seconds * 1000);
      if (Number.isNaN(date.getTime())) throw new ProtobufError("a time is out of range");
      const text = date.toISOString().slice(0, -".000Z".length);
      const micros = Math.floor(Number(fields.get(2) ?? 0) / 1000);
      return `${text}${fractionDigits ? `.${String(micros).padStart(6, "0")}` : ""}Z`;
    },
    write(writer, value) {
      const end = writer.size;
      if (value !== empty) writeTime(writer, value as string, fractionDigits);
      writer.length(end);
    },
    zero: empty,
  };
}

const zeroTime = "0001-01-01T00:00:00";

/** Texts are UTC, to the second or to the millionth, as they are decoded. */
function writeTime(writer: Writer, text: string, fractionDigits: 0 | 6): void {
  if (text.startsWith(zeroTime)) return;
  const dot = text.indexOf(".");
  const fraction = dot < 0 || !fractionDigits ? "" : text.slice(dot + 1, -1).slice(0, 6);
  writer.varint(Number(fraction.padEnd(6, "0")) * 1000);
  writer.tag(2, varintType);
  writer.varint(Math.floor(Date.parse(text) / 1000));
  writer.tag(1, varintType);
}

/** A message around bytes that are JSON. */
function readJson(reader: Reader): unknown {
  const raw = fieldsOf(reader).get(1);
  if (typeof raw !== "string" || raw === "") return null;
  try {
    return JSON.parse(raw);
  } catch (error) {
    throw new ProtobufError("an embedded object is not JSON", { cause: error });
  }
}

/** The scalars of a small message by number: numbers, or texts. */
export function fieldsOf(reader: Reader): Map<number, number | string> {
  const inner = reader.message();
  const fields = new Map<number, number | string>();
  while (!inner.done) {
    const { number, wireType } = inner.tag();
    if (wireType === varintType) fields.set(number, inner.varint());
    else if (wireType === lengthType) fields.set(number, inner.text());
    else inner.skip(wireType);
  }
  return fields;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}
