/**
 * Formats of strings that schemas name (k8s: kube-openapi/pkg/validation/strfmt). A format that is not here says
 * nothing, as upstream.
 */
import { isIPv4, isIPv6 } from "../validation/formats.ts";

type Check = (text: string) => boolean;

const UUID = "[0-9a-f]{8}-?[0-9a-f]{4}-?";
const HOSTNAME = /^(?=.{1,253}\.?$)(?:[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?\.?)+$/;

const CHECKS: Readonly<Record<string, Check>> = {
  bsonobjectid: whole("[0-9a-fA-F]{24}"),
  byte: (text) => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text),
  cidr: isCidr,
  creditcard: isCreditCard,
  date: isDate,
  "date-time": isDateTime,
  datetime: isDateTime,
  duration: isDuration,
  email: (text) =>
    text.length <= 320 && /^[^\s@<>()[\]\\,;:"]+@[^\s@.]+(?:\.[^\s@.]+)*$/.test(text),
  hexcolor: whole("#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
  hostname: (text) => HOSTNAME.test(text),
  ipv4: isIPv4,
  ipv6: isIPv6,
  isbn: (text) => isIsbn10(text) || isIsbn13(text),
  isbn10: isIsbn10,
  isbn13: isIsbn13,
  mac: whole(
    "(?:[0-9a-fA-F]{2}([:-]))(?:[0-9a-fA-F]{2}\\1){4}(?:[0-9a-fA-F]{2}\\1){0,2}[0-9a-fA-F]{2}",
  ),
  password: () => true,
  rgbcolor: isRgb,
  ssn: whole("\\d{3}[- ]?\\d{2}[- ]?\\d{4}"),
  uri: (text) => URL.canParse(text) || (text.startsWith("/") && URL.canParse(`http://x${text}`)),
  uuid: uuid("[0-9a-f]{4}-?[0-9a-f]{4}"),
  uuid3: uuid("3[0-9a-f]{3}-?[0-9a-f]{4}"),
  uuid4: uuid("4[0-9a-f]{3}-?[89ab][0-9a-f]{3}"),
  uuid5: uuid("5[0-9a-f]{3}-?[89ab][0-9a-f]{3}"),
};

export function hasFormat(format: string, text: string): boolean {
  const name = format.replaceAll("-", "");
  return (CHECKS[format] ?? CHECKS[name])?.(text) ?? true;
}

function whole(pattern: string): Check {
  const expression = new RegExp(`^${pattern}$`);
  return (text) => expression.test(text);
}

function uuid(middle: string): Check {
  const expression = new RegExp(`^${UUID}${middle}-?[0-9a-f]{12}$`, "i");
  return (text) => expression.test(text);
}

function isCidr(text: string): boolean {
  const [address = "", length = "", ...rest] = text.split("/");
  if (rest.length > 0 || !/^\d{1,3}$/.test(length)) return false;
  if (isIPv4(address)) return Number(length) <= 32;
  return isIPv6(address) && Number(length) <= 128;
}

function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const ms = Date.parse(`${text}T00:00:00Z`);
  // What rolls over into the next month is no day.
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(text);
}

function isDateTime(text: string): boolean {
  const match =
    /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.\d+)?([Zz]|[+-]\d{2}:?\d{2})?$/.exec(
      text,
    );
  if (!match) return false;
  const [, date = "", hours, minutes, seconds] = match;
  return isDate(date) && Number(hours) < 24 && Number(minutes) < 60 && Number(seconds) < 61;
}

/** `1h30m` as Go writes it, or `2 days` in words. */
function isDuration(text: string): boolean {
  const unit =
    "ns|nano(?:second)?s?|us|µs|μs|micro(?:second)?s?|ms|milli(?:second)?s?|s|sec(?:ond)?s?|m|min(?:ute)?s?|h|hr?s?|hours?|d|days?|w|weeks?|wk";
  return new RegExp(`^[+-]?(?:0|(?:\\d+(?:\\.\\d*)?|\\.\\d+)\\s*(?:${unit})\\s*)+$`).test(text);
}

function isRgb(text: string): boolean {
  const match = /^rgb\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)$/.exec(text);
  return match?.slice(1).every((part) => Number(part) <= 255) ?? false;
}

function isCreditCard(text: string): boolean {
  const digits = text.replace(/[- ]/g, "");
  if (!/^\d{13,19}$/.test(digits)) return false;
  const sum = [...digits].reverse().reduce((total, digit, at) => {
    const value = Number(digit) * (at % 2 === 1 ? 2 : 1);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}

function isIsbn10(text: string): boolean {
  const digits = text.replace(/[- ]/g, "");
  if (!/^\d{9}[\dX]$/.test(digits)) return false;
  const value = (digit: string) => (digit === "X" ? 10 : Number(digit));
  return [...digits].reduce((sum, digit, at) => sum + value(digit) * (10 - at), 0) % 11 === 0;
}

function isIsbn13(text: string): boolean {
  const digits = text.replace(/[- ]/g, "");
  if (!/^\d{13}$/.test(digits)) return false;
  const sum = [...digits].reduce((total, digit, at) => total + Number(digit) * (at % 2 ? 3 : 1), 0);
  return sum % 10 === 0;
}
