/**
 * The protobuf form of objects, which every client in Go speaks by default. The field numbers are in
 * the generated table.
 *
 * An object travels in an envelope: four magic bytes, then runtime.Unknown with its type and raw
 * bytes (k8s:apimachinery/pkg/runtime/serializer/protobuf).
 */

import { schemaPackage } from "../kinds/kind.ts";
import { SCHEMA } from "../schema/schema.ts";
import type { Fields } from "./fields.ts";
import { readMessage } from "./read.ts";
import { fieldsOf } from "./scalars.ts";
import { lengthType, ProtobufError, Reader, Writer } from "./wire.ts";
import { writeMessage } from "./write.ts";

export { ProtobufError } from "./wire.ts";

export interface TypeMeta {
  readonly apiVersion: string;
  readonly kind: string;
}

const magic = Buffer.from("k8s\0", "latin1");

/**
 * The object in an envelope, with its apiVersion and kind; `fallback` stands in for those when the
 * envelope names none. Throws ProtobufError.
 */
export function parseProtobuf(bytes: Uint8Array, fallback?: TypeMeta): Fields {
  if (!magic.every((byte, at) => bytes[at] === byte)) {
    throw new ProtobufError("provided data does not appear to be a protobuf message");
  }
  const { apiVersion, kind, raw } = readUnknown(new Reader(bytes.subarray(magic.length)));
  const type = { apiVersion: apiVersion || fallback?.apiVersion, kind: kind || fallback?.kind };
  const typeName = protobufTypeName(type.apiVersion ?? "", type.kind ?? "");
  if (typeName === undefined) {
    const why = `no kind "${type.kind ?? ""}" is registered for version "${type.apiVersion ?? ""}"`;
    throw new ProtobufError(why);
  }
  return { ...readMessage(typeName, new Reader(raw)), ...type };
}

/** The table's name for a type that has a protobuf form. Options and Status are of every group. */
export function protobufTypeName(apiVersion: string, kind: string): string | undefined {
  const [version = "", group = ""] = apiVersion.split("/").reverse();
  const own = `${schemaPackage(group, version)}.${kind}`;
  return [own, `meta.v1.${kind}`].find(hasProtobuf);
}

/** Not all have: a Table, say, has no numbers, and a custom resource is not in the table. */
export function hasProtobuf(typeName: string): boolean {
  const fields = SCHEMA.types[typeName]?.fields;
  return fields !== undefined && Object.values(fields).every(({ num }) => num !== undefined);
}

interface Unknown extends TypeMeta {
  readonly raw: Uint8Array;
}

function readUnknown(reader: Reader): Unknown {
  const unknown: { -readonly [Key in keyof Unknown]: Unknown[Key] } = {
    apiVersion: "",
    kind: "",
    raw: new Uint8Array(),
  };
  while (!reader.done) {
    const { number, wireType } = reader.tag();
    if (number === 1) {
      const type = fieldsOf(reader);
      unknown.apiVersion = String(type.get(1) ?? "");
      unknown.kind = String(type.get(2) ?? "");
    } else if (number === 2) unknown.raw = reader.bytes();
    else reader.skip(wireType);
  }
  return unknown;
}

/** One for all: nothing is awaited while it is in use. */
const writer = new Writer(64 * 1024);

/** A message alone, as it stands in a list or an envelope. */
export function encodeMessage(typeName: string, value: unknown): Uint8Array {
  return written(() => writeMessage(typeName, writer, value));
}

/** An object in its envelope. Undefined when its type has no protobuf form. */
export function encodeProtobuf(object: object): Uint8Array | undefined {
  const { apiVersion = "", kind = "" } = object as Partial<TypeMeta>;
  const typeName = protobufTypeName(apiVersion, kind);
  if (typeName === undefined) return undefined;
  return envelope({ apiVersion, kind }, encodeMessage(typeName, object));
}

export function envelope(type: TypeMeta, message: Uint8Array): Uint8Array {
  const { head, tail } = envelopeAround(type, message.length);
  return Buffer.concat([head, message, tail]);
}

/** What stands before and after a message of so many bytes: who sends a long one need not have it whole. */
export function envelopeAround(
  { apiVersion, kind }: TypeMeta,
  messageBytes: number,
): { head: Uint8Array; tail: Uint8Array } {
  const head = written(() => {
    writer.varint(messageBytes);
    writer.tag(2, lengthType);
    const end = writer.size;
    writer.text(kind);
    writer.tag(2, lengthType);
    writer.text(apiVersion);
    writer.tag(1, lengthType);
    writer.length(end);
    writer.tag(1, lengthType);
    writer.raw(magic);
  });
  return { head, tail: unknownTail };
}

/** An empty contentEncoding and contentType, which Go writes too. */
const unknownTail = Uint8Array.of(0x1a, 0, 0x22, 0);

/** What stands before a field that is a message of so many bytes. */
export function fieldHead(number: number, messageBytes: number): Uint8Array {
  return written(() => {
    writer.varint(messageBytes);
    writer.tag(number, lengthType);
  });
}

/** A frame of a watch: its length in four bytes, then a WatchEvent around an object in its envelope. */
export function encodeWatchFrame(type: string, object: Uint8Array): Uint8Array {
  return written(() => {
    const end = writer.size;
    writer.raw(object);
    writer.varint(object.length);
    writer.tag(1, lengthType);
    writer.length(end);
    writer.tag(2, lengthType);
    writer.text(type);
    writer.tag(1, lengthType);
    const { size } = writer;
    writer.raw(Uint8Array.of(size >>> 24, size >>> 16, size >>> 8, size));
  });
}

function written(write: () => void): Uint8Array {
  try {
    write();
    return writer.take();
  } finally {
    // What broke off must not stand in the next one.
    writer.clear();
  }
}
