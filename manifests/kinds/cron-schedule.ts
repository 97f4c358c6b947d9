/**
 * When a CronJob runs, as text: five fields, or a name such as `@daily`. Its faults are told in the words of the
 * parser that upstream uses (robfig/cron, ParseStandard).
 */
interface Field {
  low: number;
  high: number;
  /** Names that stand for numbers, from `low` on. */
  names?: readonly string[];
}

const MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");
const DAYS = "sun mon tue wed thu fri sat".split(" ");
const FIELDS: readonly Field[] = [
  { low: 0, high: 59 },
  { low: 0, high: 23 },
  { low: 1, high: 31 },
  { low: 1, high: 12, names: MONTHS },
  { low: 0, high: 6, names: DAYS },
];
const DESCRIPTORS = new Set([
  "@yearly",
  "@annually",
  "@monthly",
  "@weekly",
  "@daily",
  "@midnight",
  "@hourly",
]);
const EVERY = "@every ";
const DURATION = /^[+-]?(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+$/;

class CronError extends Error {}

/** Undefined when the text says when to run. */
export function cronFault(schedule: string): string | undefined {
  try {
    check(schedule.replace(/^(?:CRON_)?TZ=\S+ /, "").trim());
    return undefined;
  } catch (error) {
    if (error instanceof CronError) return error.message;
    throw error;
  }
}

function check(schedule: string): void {
  if (schedule.startsWith("@")) {
    if (DESCRIPTORS.has(schedule)) return;
    if (!schedule.startsWith(EVERY)) throw new CronError(`unrecognized descriptor: ${schedule}`);
    const text = schedule.slice(EVERY.length);
    if (DURATION.test(text)) return;
    const why = `time: invalid duration ${JSON.stringify(text)}`;
    throw new CronError(`failed to parse duration ${schedule}: ${why}`);
  }
  const fields = schedule.split(/\s+/).filter((field) => field !== "");
  if (fields.length !== FIELDS.length) {
    const shown = `[${fields.join(" ")}]`;
    throw new CronError(`expected exactly 5 fields, found ${fields.length}: ${shown}`);
  }
  fields.forEach((field, i) => {
    for (const range of field.split(",")) if (range !== "") checkRange(range, FIELDS[i] as Field);
  });
}

function checkRange(text: string, field: Field): void {
  const [span = "", step, ...moreSteps] = text.split("/");
  const [from = "", to, ...moreHyphens] = span.split("-");
  const isAny = from === "*" || from === "?";
  const start = isAny ? field.low : numberOf(from, field);
  if (moreHyphens.length > 0) throw new CronError(`too many hyphens: ${text}`);
  let end = isAny ? field.high : start;
  if (!isAny && to !== undefined) end = numberOf(to, field);
  if (moreSteps.length > 0) throw new CronError(`too many slashes: ${text}`);
  const every = step === undefined ? 1 : integer(step);
  if (step !== undefined && to === undefined) end = field.high;
  if (start < field.low) {
    throw new CronError(`beginning of range (${start}) below minimum (${field.low}): ${text}`);
  }
  if (end > field.high) {
    throw new CronError(`end of range (${end}) above maximum (${field.high}): ${text}`);
  }
  if (start > end) {
    throw new CronError(`beginning of range (${start}) beyond end of range (${end}): ${text}`);
  }
  if (every === 0) throw new CronError(`step of range should be a positive number: ${text}`);
}

function numberOf(text: string, { low, names }: Field): number {
  const index = names?.indexOf(text.toLowerCase()) ?? -1;
  return index < 0 ? integer(text) : low + index;
}

function integer(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) {
    const why = `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`;
    throw new CronError(`failed to parse int from ${text}: ${why}`);
  }
  const value = Number(text);
  if (value < 0) throw new CronError(`negative number (${value}) not allowed: ${text}`);
  return value;
}

/** Undefined when the machine knows the zone. */
export function timeZoneFault(zone: string): string | undefined {
  if (zone === "") return "timeZone must be nil or non-empty string";
  if (zone.toLowerCase() === "local") {
    return "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
  }
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    // An offset such as +01:00 is a zone for JavaScript alone.
    return /^[A-Za-z]/.test(zone) ? undefined : `unknown time zone ${zone}`;
  } catch {
    return `unknown time zone ${zone}`;
  }
}
