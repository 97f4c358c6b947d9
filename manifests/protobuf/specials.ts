/**
 * Fields whose message is not what their JSON looks like: the unions of CRD schemas, which are any
 * JSON to the table, and the verbs of discovery, a message around a list.
 */

import { DecodeContext } from "../schema/decode-context.ts";
import { decoderFor } from "../schema/decoder.ts";
import { scalarCodecs } from "./scalars.ts";
import { lengthType, type Reader, varintType, type Writer } from "./wire.ts";

export type Read = (reader: Reader) => unknown;
export type Write = (writer: Writer, value: unknown) => void;

interface Special {
  /** Given how a schema is read, and how one is written. */
  reader(schema: Read): Read;
  writer(schema: Write): Write;
  /** Stands for the whole field, though that is a list. */
  readonly whole?: true;
}

export const schemaType = "apiextensions.v1.JSONSchemaProps";

/** By type and field. */
export function specialOf(typeName: string, field: string): Special | undefined {
  return specials[`${typeName}.${field}`];
}

/** One field of a message of which one is set. */
interface Arm {
  readonly number: number;
  /** Undefined: a schema. */
  readonly codec?: { readonly read: Read; readonly write: Write };
  readonly list?: true;
}

const schemaArm: Arm = { number: 1 };
const strings: Arm = { number: 1, codec: scalarCodecs.string, list: true };

const specials: Readonly<Record<string, Special>> = {
  [`${schemaType}.items`]: union([schemaArm, { number: 2, list: true }]),
  [`${schemaType}.additionalProperties`]: orBool(),
  [`${schemaType}.additionalItems`]: orBool(),
  [`${schemaType}.dependencies`]: union([schemaArm, { ...strings, number: 2 }]),
  "meta.v1.APIResource.verbs": { ...union([strings]), whole: true },
};

/** A list goes into the arm that is one, anything else into the other. */
function union(arms: readonly Arm[]): Special {
  const isList = arms.every(({ list }) => list);
  return {
    reader: (schema) => (reader) => {
      const inner = reader.message();
      let found: unknown = isList ? [] : null;
      while (!inner.done) {
        const { number, wireType } = inner.tag();
        const arm = arms.find((known) => known.number === number);
        const read = arm?.codec?.read ?? canonical(schema);
        if (!arm) inner.skip(wireType);
        else if (arm.list) found = [...(Array.isArray(found) ? found : []), read(inner)];
        else found = read(inner);
      }
      return found;
    },
    writer: (schema) => (writer, value) => {
      const end = writer.size;
      const arm = arms.find(({ list }) => Array.isArray(value) === (list === true));
      const items = arm ? [value].flat() : [];
      for (const item of items.reverse()) {
        (arm?.codec?.write ?? schema)(writer, item);
        writer.tag(arm?.number ?? 1, lengthType);
      }
      writer.length(end);
    },
  };
}

/** True, false, or a schema, which allows whatever else it says. */
function orBool(): Special {
  return {
    reader: (schema) => (reader) => {
      const inner = reader.message();
      let allows: unknown = false;
      let found: unknown;
      while (!inner.done) {
        const { number, wireType } = inner.tag();
        if (number === 1) allows = inner.varint() !== 0;
        else if (number === 2) found = canonical(schema)(inner);
        else inner.skip(wireType);
      }
      return found ?? allows;
    },
    writer: (schema) => (writer, value) => {
      const end = writer.size;
      if (typeof value !== "boolean") {
        schema(writer, value);
        writer.tag(2, lengthType);
      }
      writer.varint(value === false ? 0 : 1);
      writer.tag(1, varintType);
      writer.length(end);
    },
  };
}

/** The table takes it for any JSON, so what is zero in it must be dropped here. */
function canonical(schema: Read): Read {
  return (reader) => decoderFor(schemaType)(schema(reader), new DecodeContext());
}
