/** What Kubernetes adds to CEL. k8s: apiserver/pkg/cel/library. */

import type { Environment } from "@marcbachmann/cel-js";
import { Optional } from "@marcbachmann/cel-js";
import { RE2JS } from "re2js";
import { dnsLabel, dnsSubdomain, labelValue, qualifiedName } from "../validation/formats.ts";
import { addAuthorizer } from "./authorizer-library.ts";
import { addNetwork } from "./network-library.ts";
import { addQuantities } from "./quantity-library.ts";

/** What `matches` is called inside: RE2 as in CEL's own definition, which never backtracks. */
export const linearMatch = "matchesRe2";

export function addLibrary(environment: Environment): Environment {
  addQuantities(environment);
  addNetwork(environment);
  addRegex(environment);
  addLists(environment);
  addStrings(environment);
  addFormats(environment);
  addAuthorizer(environment);
  return environment;
}

const patterns = new Map<string, RE2JS>();
const mostPatterns = 1_000;

function patternOf(text: string): RE2JS {
  let pattern = patterns.get(text);
  if (!pattern) {
    pattern = RE2JS.compile(text);
    if (patterns.size >= mostPatterns) patterns.clear();
    patterns.set(text, pattern);
  }
  return pattern;
}

function findAll(text: string, pattern: string, most = Number.POSITIVE_INFINITY): string[] {
  const matcher = patternOf(pattern).matcher(text);
  const found: string[] = [];
  while (found.length < most && matcher.find()) found.push(matcher.group() ?? "");
  return found;
}

function addRegex(environment: Environment): void {
  const matches = (text: string, pattern: string) => patternOf(pattern).matcher(text).find();
  environment
    .registerFunction(`string.${linearMatch}(string): bool`, matches)
    .registerFunction(`${linearMatch}(string, string): bool`, matches)
    .registerFunction("string.find(string): string", (text: string, pattern: string) =>
      findAll(text, pattern, 1).join(""),
    )
    .registerFunction("string.findAll(string): list<string>", (text: string, pattern: string) =>
      findAll(text, pattern),
    )
    .registerFunction(
      "string.findAll(string, int): list<string>",
      (text: string, pattern: string, most: bigint) =>
        findAll(text, pattern, most < 0n ? undefined : Number(most)),
    );
}

type Sortable = bigint | number | string;

class SetsNamespace {}

function addLists(environment: Environment): void {
  const best = (list: Sortable[], better: (a: Sortable, b: Sortable) => boolean) => {
    const [first, ...more] = list;
    if (first === undefined) throw new Error("min or max called on empty list");
    return more.reduce((found, one) => (better(one, found) ? one : found), first);
  };
  environment
    .registerFunction("list.isSorted(): bool", (list: Sortable[]) =>
      list.every((one, at) => at === 0 || (list[at - 1] ?? one) <= one),
    )
    .registerFunction("list.sum(): dyn", (list: Sortable[]) =>
      list.length === 0 ? 0n : list.reduce((a, b) => (a as number) + (b as number)),
    )
    .registerFunction("list.min(): dyn", (list: Sortable[]) => best(list, (a, b) => a < b))
    .registerFunction("list.max(): dyn", (list: Sortable[]) => best(list, (a, b) => a > b))
    .registerFunction("list.indexOf(dyn): int", (list: unknown[], one: unknown) =>
      BigInt(list.indexOf(one)),
    )
    .registerFunction("list.lastIndexOf(dyn): int", (list: unknown[], one: unknown) =>
      BigInt(list.lastIndexOf(one)),
    );
  const contains = (a: unknown[], b: unknown[]) => b.every((one) => a.includes(one));
  environment
    .registerType("Sets", SetsNamespace)
    .registerConstant("sets", "Sets", new SetsNamespace())
    .registerFunction("Sets.contains(list<dyn>, list<dyn>): bool", (_, a, b) => contains(a, b))
    .registerFunction(
      "Sets.equivalent(list<dyn>, list<dyn>): bool",
      (_, a, b) => contains(a, b) && contains(b, a),
    )
    .registerFunction(
      "Sets.intersects(list<dyn>, list<dyn>): bool",
      (_, a: unknown[], b: unknown[]) => b.some((one) => a.includes(one)),
    );
}

function addStrings(environment: Environment): void {
  environment
    .registerFunction("string.charAt(int): string", (text: string, at: bigint) => {
      const characters = [...text];
      if (at < 0n || at > characters.length) throw new Error(`index out of range: ${at}`);
      return characters[Number(at)] ?? "";
    })
    .registerFunction(
      "string.replace(string, string): string",
      (text: string, a: string, b: string) => text.replaceAll(a, () => b),
    )
    .registerFunction("string.format(list<dyn>): string", formatText);
}

/** `%s` and `%d`, `%f` with its precision, `%b`, `%o`, `%x`, `%X`, `%e` and `%%`. */
function formatText(text: string, values: unknown[]): string {
  let next = 0;
  return text.replace(/%(%|(?:\.(\d+))?([sdfbeoxX]))/g, (_all, whole: string, digits, verb) => {
    if (whole === "%") return "%";
    if (next >= values.length) throw new Error(`index ${next} out of range`);
    const value = values[next++];
    const precision = digits === undefined ? 6 : Math.min(Number(digits), 100);
    switch (verb) {
      case "f":
        return Number(value).toFixed(precision);
      case "e":
        return Number(value).toExponential(precision);
      case "b":
        return BigInt(value as bigint).toString(2);
      case "o":
        return BigInt(value as bigint).toString(8);
      case "x":
        return BigInt(value as bigint).toString(16);
      case "X":
        return BigInt(value as bigint)
          .toString(16)
          .toUpperCase();
      default:
        return textOf(value);
    }
  });
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(textOf).join(", ")}]`;
  if (!(value instanceof Map)) return String(value);
  return `{${[...value].map(([key, field]) => `${key}: ${textOf(field)}`).join(", ")}}`;
}

type Check = (text: string) => readonly string[];

class FormatNamespace {}

class Format {
  readonly check: Check;
  constructor(check: Check) {
    this.check = check;
  }
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

const formats: Readonly<Record<string, Check>> = {
  dns1123Label: dnsLabel,
  dns1123Subdomain: dnsSubdomain,
  labelValue,
  qualifiedName,
  uuid: (text) => (uuid.test(text) ? [] : ["does not match the UUID format"]),
};

function addFormats(environment: Environment): void {
  environment
    .registerType("kubernetes.NamedFormat", Format)
    .registerType("FormatNamespace", FormatNamespace)
    .registerConstant("format", "FormatNamespace", new FormatNamespace())
    .registerFunction(
      "kubernetes.NamedFormat.validate(string): optional<list<string>>",
      ({ check }: Format, text: string) => {
        const faults = check(text);
        return faults.length > 0 ? Optional.of([...faults]) : Optional.none();
      },
    );
  for (const [name, check] of Object.entries(formats)) {
    const format = new Format(check);
    environment.registerFunction(`FormatNamespace.${name}(): kubernetes.NamedFormat`, () => format);
  }
}
