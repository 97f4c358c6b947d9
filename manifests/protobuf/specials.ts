/**
 * Fields whose message is not what their JSON looks like: the unions of CRD schemas, which are any
 * JSON to the table, and the verbs of discovery, a message around a list.
 */

import { readMessage } from "./read.ts";
import { type Codec, scalarCodecs } from "./scalars.ts";
import { lengthType, type Reader, varintType, type Writer } from "./wire.ts";
import { writeMessage } from "./write.ts";

interface Special extends Codec {
  /** Stands for the whole field, though that is a list or map. */
  readonly whole?: true;
}

const schemaType = "apiextensions.v1.JSONSchemaProps";

/** By type and field. */
export function specialCodec(typeName: string, field: string): Special | undefined {
  return specials[`${typeName}.${field}`];
}

const orArray: Special = union({
  1: { fits: (value) => !Array.isArray(value), read: readSchema, write: writeSchema },
  2: { fits: Array.isArray, read: readSchema, write: writeSchema, list: true },
});

const orBool: Special = {
  wireType: lengthType,
  read(reader) {
    const inner = reader.message();
    let allows = false;
    let schema: unknown;
    while (!inner.done) {
      const { number, wireType } = inner.tag();
      if (number === 1) allows = inner.varint() !== 0;
      else if (number === 2) schema = readSchema(inner);
      else inner.skip(wireType);
    }
    return schema ?? allows;
  },
  write(writer, value) {
    const end = writer.size;
    if (typeof value !== "boolean") {
      writeSchema(writer, value);
      writer.tag(2, lengthType);
    }
    // A schema allows, whatever else it says.
    writer.varint(value === false ? 0 : 1);
    writer.tag(1, varintType);
    writer.length(end);
  },
};

const orStrings: Special = union({
  1: { fits: (value) => !Array.isArray(value), read: readSchema, write: writeSchema },
  2: {
    fits: Array.isArray,
    read: scalarCodecs.string.read,
    write: scalarCodecs.string.write,
    list: true,
  },
});

const strings: Special = {
  ...union({ 1: { fits: () => true, ...scalarCodecs.string, list: true } }),
  whole: true,
};

const specials: Readonly<Record<string, Special>> = {
  [`${schemaType}.items`]: orArray,
  [`${schemaType}.additionalProperties`]: orBool,
  [`${schemaType}.additionalItems`]: orBool,
  [`${schemaType}.dependencies`]: orStrings,
  "meta.v1.APIResource.verbs": strings,
};

interface Arm {
  fits(value: unknown): boolean;
  read(reader: Reader): unknown;
  write(writer: Writer, value: unknown): void;
  readonly list?: true;
}

/** A message of which one field is set, by number. */
function union(arms: Readonly<Record<number, Arm>>): Special {
  return {
    wireType: lengthType,
    read(reader) {
      const inner = reader.message();
      let found: unknown = null;
      while (!inner.done) {
        const { number, wireType } = inner.tag();
        const arm = arms[number];
        if (!arm) inner.skip(wireType);
        else if (arm.list) found = [...(Array.isArray(found) ? found : []), arm.read(inner)];
        else found = arm.read(inner);
      }
      return found;
    },
    write(writer, value) {
      const end = writer.size;
      for (const [number, arm] of Object.entries(arms)) {
        if (!arm.fits(value)) continue;
        const items = arm.list ? (value as unknown[]) : [value];
        for (let at = items.length - 1; at >= 0; at--) {
          arm.write(writer, items[at]);
          writer.tag(Number(number), lengthType);
        }
        break;
      }
      writer.length(end);
    },
  };
}

function readSchema(reader: Reader): unknown {
  return readMessage(schemaType, reader.message());
}

function writeSchema(writer: Writer, value: unknown): void {
  const end = writer.size;
  writeMessage(schemaType, writer, value);
  writer.length(end);
}
