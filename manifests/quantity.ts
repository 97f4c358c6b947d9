/**
 * Quantities such as `500m`, `1.5Gi` and `2e3`: exact arithmetic and the canonical form.
 *
 * A quantity is kept in billionths as a bigint, for a billionth is the finest that upstream keeps; what is finer is
 * rounded away from zero (k8s:apimachinery/pkg/api/resource/quantity.go). Differs from Kubernetes: values are not
 * capped at 2^63-1.
 */
export type QuantityFormat = "BinarySI" | "DecimalSI" | "DecimalExponent";

export interface Quantity {
  readonly nano: bigint;
  readonly format: QuantityFormat;
}

export class QuantityError extends Error {
  override name = "QuantityError";
}

const NANO = 1_000_000_000n;
const SYNTAX = /^([+-]?)(\d+\.?\d*|\.\d+)(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)$/;
const BINARY = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/** By power of a thousand, from billionths up. */
const DECIMAL = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
const BAD_SYNTAX =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
/** Beyond this no real quantity lies, and 10 ** n would take the process with it. */
const MAX_EXPONENT = 60;

export const ZERO: Quantity = { nano: 0n, format: "DecimalSI" };

/** Throws QuantityError, with upstream's words, when the text is not a quantity. */
export function parseQuantity(text: string | number): Quantity {
  const match = SYNTAX.exec(String(text));
  if (!match) throw new QuantityError(BAD_SYNTAX);
  const [, sign, digits = "", exponent, suffix = ""] = match;
  const scale = scaleOf(exponent, suffix);
  const point = digits.indexOf(".");
  const fraction = point < 0 ? "" : digits.slice(point + 1);
  const mantissa = BigInt(point < 0 ? digits : digits.slice(0, point) + fraction);
  const numerator = mantissa * scale.numerator * NANO;
  const denominator = 10n ** BigInt(fraction.length) * scale.denominator;
  const nano = divideUp(numerator, denominator);
  return { nano: sign === "-" ? -nano : nano, format: scale.format };
}

interface Scale {
  numerator: bigint;
  denominator: bigint;
  format: QuantityFormat;
}

function scaleOf(exponent: string | undefined, suffix: string): Scale {
  if (exponent) {
    const power = Number(exponent.slice(1));
    if (Math.abs(power) > MAX_EXPONENT) throw new QuantityError(BAD_SYNTAX);
    return powerOfTen(power, "DecimalExponent");
  }
  const binary = suffix.length === 2 ? BINARY.indexOf(suffix) : 0;
  if (binary > 0) {
    return { numerator: 1n << BigInt(10 * binary), denominator: 1n, format: "BinarySI" };
  }
  return powerOfTen((DECIMAL.indexOf(suffix) - 3) * 3, "DecimalSI");
}

function powerOfTen(power: number, format: QuantityFormat): Scale {
  const value = 10n ** BigInt(Math.abs(power));
  return power < 0
    ? { numerator: 1n, denominator: value, format }
    : { numerator: value, denominator: 1n, format };
}

function divideUp(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator;
  return numerator % denominator === 0n ? quotient : quotient + 1n;
}

/** The canonical text: no fraction, the largest suffix that allows that. */
export function formatQuantity(quantity: Quantity): string {
  const negative = quantity.nano < 0n;
  const magnitude = negative ? -quantity.nano : quantity.nano;
  if (magnitude === 0n) return "0";
  const sign = negative ? "-" : "";
  if (quantity.format === "BinarySI" && magnitude >= 1024n * NANO) {
    const [value, power] = reduce(divideUp(magnitude, NANO), 1024n, BINARY.length - 1);
    return `${sign}${value}${BINARY[power]}`;
  }
  const [value, power] = reduce(magnitude, 1000n, DECIMAL.length - 1);
  if (quantity.format !== "DecimalExponent") return `${sign}${value}${DECIMAL[power]}`;
  return power === 3 ? `${sign}${value}` : `${sign}${value}e${(power - 3) * 3}`;
}

function reduce(value: bigint, base: bigint, most: number): [bigint, number] {
  let power = 0;
  while (power < most && value % base === 0n) {
    value /= base;
    power++;
  }
  return [value, power];
}

/** A few texts (`100m`, `128Mi`) are nearly all that a cluster uses, so the canonical form is remembered. */
const remembered = new Map<string, string>();
const REMEMBER = 4096;

export function canonicalQuantity(text: string | number): string {
  const key = String(text);
  const known = remembered.get(key);
  if (known !== undefined) return known;
  const canonical = formatQuantity(parseQuantity(key));
  if (remembered.size >= REMEMBER) remembered.clear();
  remembered.set(key, canonical);
  return canonical;
}

export function isQuantity(text: string | number): boolean {
  return SYNTAX.test(String(text));
}

export function compareQuantity(a: string, b: string): -1 | 0 | 1 {
  const [left, right] = [parseQuantity(a).nano, parseQuantity(b).nano];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The result keeps the first operand's format, unless that one is zero. */
export function addQuantity(a: string, b: string): string {
  return combine(parseQuantity(a), parseQuantity(b), 1n);
}

export function subQuantity(a: string, b: string): string {
  return combine(parseQuantity(a), parseQuantity(b), -1n);
}

function combine(a: Quantity, b: Quantity, sign: bigint): string {
  const format = a.nano === 0n ? b.format : a.format;
  return formatQuantity({ nano: a.nano + sign * b.nano, format });
}

/** Whole units, rounded up: bytes of memory. */
export function quantityValue(text: string): number {
  return scaled(parseQuantity(text).nano, NANO);
}

/** Thousandths, rounded up: millicores. */
export function quantityMilliValue(text: string): number {
  return scaled(parseQuantity(text).nano, 1_000_000n);
}

function scaled(nano: bigint, unit: bigint): number {
  return Number(nano < 0n ? -divideUp(-nano, unit) : divideUp(nano, unit));
}
