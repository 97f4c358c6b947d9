/** How each scalar of the table is decoded, what its zero is, and what Go calls it. */
import { canonicalQuantity, QuantityError } from "../quantity.ts";
import { type DecodeContext, DecodeError } from "./decode-context.ts";
import type { Scalar } from "./table.ts";

export type Decoder = (value: unknown, context: DecodeContext) => unknown;

interface ScalarCodec {
  decode: Decoder;
  /** Undefined: Go's zero is null, and nothing is written for it. */
  zero?: unknown;
  goType: string;
}

function integer(low: number, high: number, goType: string): Decoder {
  return (value, context) => {
    if (typeof value !== "number") throw context.typeError(value, goType);
    if (Number.isInteger(value) && value >= low && value <= high) return value;
    throw context.typeError(value, goType, `number ${value}`);
  };
}

function decodeString(value: unknown, context: DecodeContext): string {
  if (typeof value !== "string") throw context.typeError(value, "string");
  return value;
}

function decodeBoolean(value: unknown, context: DecodeContext): boolean {
  if (typeof value !== "boolean") throw context.typeError(value, "bool");
  return value;
}

function decodeDouble(value: unknown, context: DecodeContext): number {
  if (typeof value !== "number") throw context.typeError(value, "float64");
  return value;
}

function decodeQuantity(value: unknown, context: DecodeContext): string {
  if (typeof value !== "string" && typeof value !== "number") {
    throw context.typeError(value, "string");
  }
  try {
    return canonicalQuantity(value);
  } catch (error) {
    if (error instanceof QuantityError) throw new DecodeError(error.message, { cause: error });
    throw error;
  }
}

const decodeInt32 = integer(-(2 ** 31), 2 ** 31 - 1, "int32");

function decodeIntOrString(value: unknown, context: DecodeContext): unknown {
  return typeof value === "string" ? value : decodeInt32(value, context);
}

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}([.,]\d+)?(?:Z|[+-]\d{2}:\d{2})$/;

/** Times are kept in UTC: to the second, or for MicroTime to the millionth. */
function time(fractionDigits: number): Decoder {
  const layout = `"2006-01-02T15:04:05${fractionDigits > 0 ? ".000000" : ""}Z07:00"`;
  return (value, context) => {
    if (typeof value !== "string") throw context.typeError(value, "string");
    const match = TIME.exec(value);
    const ms = match ? Date.parse(value.replace(/[.,]\d+/, "")) : Number.NaN;
    if (!match || Number.isNaN(ms)) {
      const quoted = JSON.stringify(value);
      throw new DecodeError(
        `parsing time ${quoted} as ${layout}: cannot parse ${quoted} as "2006"`,
      );
    }
    const seconds = new Date(ms).toISOString().slice(0, "2006-01-02T15:04:05".length);
    if (fractionDigits === 0) return `${seconds}Z`;
    const fraction = (match[1] ?? ".").slice(1, 1 + fractionDigits);
    return `${seconds}.${fraction.padEnd(fractionDigits, "0")}Z`;
  };
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function decodeBytes(value: unknown, context: DecodeContext): string {
  if (typeof value !== "string") throw context.typeError(value, "[]uint8");
  const text = value.replace(/[\r\n]/g, "");
  if (BASE64.test(text)) return text;
  const bad = /[^A-Za-z0-9+/]/.exec(text);
  throw new DecodeError(`illegal base64 data at input byte ${bad?.index ?? text.length}`);
}

function decodeObject(value: unknown, context: DecodeContext): unknown {
  if (typeof value === "object" && !Array.isArray(value)) return value;
  throw context.typeError(value, "map[string]interface {}");
}

function decodeAny(value: unknown): unknown {
  return value;
}

const INT64 = 2 ** 63;

export const SCALAR_CODECS: Record<Scalar, ScalarCodec> = {
  string: { decode: decodeString, zero: "", goType: "string" },
  boolean: { decode: decodeBoolean, zero: false, goType: "bool" },
  int32: { decode: decodeInt32, zero: 0, goType: "int32" },
  int64: { decode: integer(-INT64, INT64, "int64"), zero: 0, goType: "int64" },
  double: { decode: decodeDouble, zero: 0, goType: "float64" },
  bytes: { decode: decodeBytes, goType: "[]uint8" },
  Time: { decode: time(0), goType: "string" },
  MicroTime: { decode: time(6), goType: "string" },
  Duration: { decode: decodeString, zero: "0s", goType: "string" },
  Quantity: { decode: decodeQuantity, zero: "0", goType: "resource.Quantity" },
  IntOrString: { decode: decodeIntOrString, zero: 0, goType: "intstr.IntOrString" },
  Object: { decode: decodeObject, goType: "runtime.RawExtension" },
  FieldsV1: { decode: decodeObject, goType: "v1.FieldsV1" },
  JSON: { decode: decodeAny, goType: "interface {}" },
};
