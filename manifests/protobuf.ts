/**
 * Reads the protobuf form of objects, which stock kubectl sends when it creates what it knows
 * (`kubectl create configmap …`). The field numbers are in the generated table.
 *
 * An object travels in an envelope: four magic bytes, then runtime.Unknown with its type and raw
 * bytes (k8s:apimachinery/pkg/runtime/serializer/protobuf). What comes out is a plain value, to
 * be decoded like JSON.
 */
import { schemaPackage } from "./kinds/kind.ts";
import { SCHEMA, typeSchema } from "./schema/schema.ts";
import type { FieldSchema } from "./schema/table.ts";

export class ProtobufError extends Error {
  override name = "ProtobufError";
}

const MAGIC = [0x6b, 0x38, 0x73, 0x00];

type Fields = Record<string, unknown>;
/** How one field of a message gets into the object that is built. */
type Setter = (out: Fields, reader: Reader, wireType: number) => void;
type Plan = ReadonlyMap<number, Setter>;

/** The object in an envelope, with its apiVersion and kind. Throws ProtobufError. */
export function parseProtobuf(bytes: Uint8Array): Fields {
  if (!MAGIC.every((byte, at) => bytes[at] === byte)) {
    throw new ProtobufError("provided data does not appear to be a protobuf message");
  }
  const unknown = readMessage(UNKNOWN, new Reader(bytes.subarray(MAGIC.length)));
  const { apiVersion = "", kind = "" } = (unknown.typeMeta ?? {}) as Record<string, string>;
  const raw = (unknown.raw as Uint8Array | undefined) ?? new Uint8Array();
  const object = readMessage(planOf(typeNameOf(apiVersion, kind)), new Reader(raw));
  return { ...object, apiVersion, kind };
}

function typeNameOf(apiVersion: string, kind: string): string {
  const [version = "", group = ""] = apiVersion.split("/").reverse();
  const own = `${schemaPackage(group, version)}.${kind}`;
  // Options and Status are of every group.
  const typeName = [own, `meta.v1.${kind}`].find((name) => SCHEMA.types[name] !== undefined);
  if (typeName) return typeName;
  throw new ProtobufError(`no kind "${kind}" is registered for version "${apiVersion}"`);
}

const plans = new Map<string, Plan>();

function planOf(typeName: string): Plan {
  const known = plans.get(typeName);
  if (known) return known;
  const plan = new Map<number, Setter>();
  plans.set(typeName, plan);
  const fields = Object.entries(typeSchema(typeName).fields).flatMap(([name, field]) =>
    field.num ? [{ name, field, numbers: field.num }] : [],
  );
  addFields(plan, fields);
  return plan;
}

interface NumberedField {
  name: string;
  field: FieldSchema;
  numbers: readonly number[];
}

/** A field of an inlined struct has a number for each message that it lies in. */
function addFields(plan: Map<number, Setter>, fields: readonly NumberedField[]): void {
  const inlined = new Map<number, NumberedField[]>();
  for (const { name, field, numbers } of fields) {
    const [first = 0, ...rest] = numbers;
    if (rest.length === 0) plan.set(first, setterOf(name, field));
    else inlined.set(first, [...(inlined.get(first) ?? []), { name, field, numbers: rest }]);
  }
  for (const [number, inner] of inlined) {
    const below = new Map<number, Setter>();
    addFields(below, inner);
    plan.set(number, (out, reader) => {
      readInto(out, below, new Reader(reader.bytes()));
    });
  }
}

function setterOf(name: string, { type, of }: FieldSchema): Setter {
  const read = valueReader(type);
  switch (of) {
    case "list":
      return (out, reader, wireType) => {
        out[name] ??= [];
        const list = out[name] as unknown[];
        if (wireType === 2 && isVarint(type)) {
          const packed = new Reader(reader.bytes());
          while (!packed.done) list.push(read(packed));
        } else list.push(read(reader));
      };
    case "map":
      return mapSetter(name, read);
    case "listMap":
      return mapSetter(name, (reader) => {
        const inner = new Reader(reader.bytes());
        const items: unknown[] = [];
        while (!inner.done) {
          const { number, wireType } = inner.tag();
          if (number === 1) items.push(read(inner));
          else inner.skip(wireType);
        }
        return items;
      });
    default:
      return (out, reader) => {
        out[name] = read(reader);
      };
  }
}

function mapSetter(name: string, read: (reader: Reader) => unknown): Setter {
  return (out, reader) => {
    out[name] ??= {};
    const map = out[name] as Fields;
    const entry = new Reader(reader.bytes());
    let key = "";
    let value: unknown = "";
    while (!entry.done) {
      const { number, wireType } = entry.tag();
      if (number === 1) key = entry.text();
      else if (number === 2) value = read(entry);
      else entry.skip(wireType);
    }
    map[key] = value;
  };
}

function isVarint(type: string): boolean {
  return type === "int32" || type === "int64" || type === "boolean";
}

function valueReader(type: string): (reader: Reader) => unknown {
  const scalar = SCALARS[type];
  if (scalar) return scalar;
  return (reader) => readMessage(planOf(type), new Reader(reader.bytes()));
}

const SCALARS: Readonly<Record<string, (reader: Reader) => unknown>> = {
  string: (reader) => reader.text(),
  boolean: (reader) => reader.varint() !== 0,
  int32: (reader) => reader.varint(),
  int64: (reader) => reader.varint(),
  double: (reader) => reader.double(),
  bytes: (reader) => base64(reader.bytes()),
  Time: (reader) => readTime(reader, ""),
  MicroTime: (reader) => readTime(reader, ".000000"),
  Duration: (reader) => `${Number(fieldsOf(reader).get(1) ?? 0) / 1e9}s`,
  Quantity: (reader) => fieldsOf(reader).get(1) ?? "0",
  IntOrString: (reader) => {
    const fields = fieldsOf(reader);
    return fields.get(1) === 1 ? (fields.get(3) ?? "") : (fields.get(2) ?? 0);
  },
  Object: readJson,
  FieldsV1: readJson,
  JSON: readJson,
};

/** A message without its zero time is no time at all. */
function readTime(reader: Reader, fraction: string): string | null {
  const fields = fieldsOf(reader);
  const seconds = fields.get(1);
  if (typeof seconds !== "number") return null;
  const text = new Date(seconds * 1000).toISOString().slice(0, "2006-01-02T15:04:05".length);
  const micros = Math.floor(Number(fields.get(2) ?? 0) / 1000);
  return `${text}${fraction && `.${String(micros).padStart(6, "0")}`}Z`;
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
function fieldsOf(reader: Reader): Map<number, number | string> {
  const inner = new Reader(reader.bytes());
  const fields = new Map<number, number | string>();
  while (!inner.done) {
    const { number, wireType } = inner.tag();
    if (wireType === 0) fields.set(number, inner.varint());
    else if (wireType === 2) fields.set(number, inner.text());
    else inner.skip(wireType);
  }
  return fields;
}

const UNKNOWN: Plan = new Map<number, Setter>([
  [
    1,
    (out, reader) => {
      const type = fieldsOf(reader);
      out.typeMeta = { apiVersion: type.get(1), kind: type.get(2) };
    },
  ],
  [
    2,
    (out, reader) => {
      out.raw = reader.bytes();
    },
  ],
]);

function readMessage(plan: Plan, reader: Reader): Fields {
  const out: Fields = {};
  readInto(out, plan, reader);
  return out;
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

function base64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

const utf8 = new TextDecoder("utf-8", { fatal: false });

/** Protobuf's wire format: varints, fixed widths, and length-delimited bytes. */
class Reader {
  readonly #data: Uint8Array;
  #at = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  get done(): boolean {
    return this.#at >= this.#data.length;
  }

  tag(): { number: number; wireType: number } {
    const tag = this.varint();
    return { number: Math.floor(tag / 8), wireType: tag % 8 };
  }

  /** As a signed 64-bit number, which int32 is written as too. */
  varint(): number {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#data[this.#at++];
      if (byte === undefined) throw truncated();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(BigInt.asIntN(64, value));
    }
    throw new ProtobufError("proto: integer overflow");
  }

  bytes(): Uint8Array {
    const length = this.varint();
    return this.#take(length);
  }

  text(): string {
    return utf8.decode(this.bytes());
  }

  double(): number {
    const bytes = this.#take(8);
    return new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0, true);
  }

  skip(wireType: number): void {
    if (wireType === 0) this.varint();
    else if (wireType === 1) this.#take(8);
    else if (wireType === 2) this.bytes();
    else if (wireType === 5) this.#take(4);
    else throw new ProtobufError(`proto: illegal wireType ${wireType}`);
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length;
    if (length < 0 || end > this.#data.length) throw truncated();
    const bytes = this.#data.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }
}

function truncated(): ProtobufError {
  return new ProtobufError("unexpected EOF");
}
