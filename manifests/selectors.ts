/**
 * Selectors: by label (as text and as objects) and by field.
 *
 * The grammar, and the words in which a bad selector is refused, are upstream's
 * (k8s:apimachinery/pkg/labels/selector.go, pkg/fields/selector.go).
 */
import type { LabelSelector } from "./schema/types.generated.ts";
import { labelValue, qualifiedName } from "./validation/formats.ts";

export class SelectorError extends Error {
  override name = "SelectorError";
}

export type Operator = "=" | "!=" | "in" | "notin" | "exists" | "!" | "gt" | "lt";

export interface Requirement {
  key: string;
  operator: Operator;
  values: readonly string[];
}

/** All requirements must hold; none selects everything. */
export type Selector = readonly Requirement[];

type Labels = Readonly<Record<string, string>>;

const TOKEN = /\s*(,|\(|\)|!=|==|=|!|>|<|[^\s,()!=<>]+)/y;

/** Reads `app=x,tier in (a,b),!old`. Throws SelectorError. */
export function parseSelector(text: string): Selector {
  const reader = new TokenReader(text);
  const requirements: Requirement[] = [];
  while (reader.peek() !== undefined) {
    requirements.push(readRequirement(reader));
    const next = reader.next();
    if (next === undefined) break;
    if (next !== ",") {
      throw unparsable(`found '${next}', expected: ',' or 'end of string'`);
    }
    if (reader.peek() === undefined) throw unparsable("found '', expected: identifier after ','");
  }
  return requirements.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

class TokenReader {
  readonly #tokens: string[] = [];
  #at = 0;

  constructor(text: string) {
    TOKEN.lastIndex = 0;
    for (let match = TOKEN.exec(text); match; match = TOKEN.exec(text)) {
      this.#tokens.push(match[1] ?? "");
    }
  }

  peek(): string | undefined {
    return this.#tokens[this.#at];
  }

  next(): string | undefined {
    return this.#tokens[this.#at++];
  }
}

function unparsable(reason: string): SelectorError {
  return new SelectorError(`unable to parse requirement: ${reason}`);
}

function readRequirement(reader: TokenReader): Requirement {
  const isNegated = reader.peek() === "!";
  if (isNegated) reader.next();
  const key = readKey(reader);
  const operator = reader.peek();
  if (isNegated || operator === undefined || operator === ",") {
    return { key, operator: isNegated ? "!" : "exists", values: [] };
  }
  reader.next();
  switch (operator) {
    case "=":
    case "==":
      return exact(reader, key, "=");
    case "!=":
      return exact(reader, key, "!=");
    case "in":
    case "notin":
      return { key, operator, values: readValues(reader, key) };
    case ">":
    case "<":
      return readBound(reader, key, operator === ">" ? "gt" : "lt");
    default:
      throw unparsable(`found '${operator}', expected: in, notin, =, ==, !=, gt, lt`);
  }
}

function readKey(reader: TokenReader): string {
  const key = reader.next() ?? "";
  if (/^(?:[,()=<>]|!=|==|!)?$/.test(key)) {
    throw unparsable(`found '${key}', expected: !, identifier, or 'end of string'`);
  }
  const fault = qualifiedName(key)[0];
  if (fault) throw unparsable(`key: Invalid value: ${JSON.stringify(key)}: ${fault}`);
  return key;
}

function exact(reader: TokenReader, key: string, operator: "=" | "!="): Requirement {
  const next = reader.peek();
  if (next === undefined || next === ",") return { key, operator, values: [""] };
  reader.next();
  return { key, operator, values: [checkValue(key, next)] };
}

function readBound(reader: TokenReader, key: string, operator: "gt" | "lt"): Requirement {
  const value = reader.next() ?? "";
  if (!/^-?\d+$/.test(value)) {
    const rule = "for 'Gt', 'Lt' operators, the value must be an integer";
    throw unparsable(`values[0][${key}]: Invalid value: ${JSON.stringify(value)}: ${rule}`);
  }
  return { key, operator, values: [value] };
}

function readValues(reader: TokenReader, key: string): string[] {
  const open = reader.next() ?? "";
  if (open !== "(") throw unparsable(`found '${open}' expected: '('`);
  const values: string[] = [];
  let wantsValue = true;
  for (;;) {
    const token = reader.next();
    if (token === undefined) throw unparsable("found '', expected: ',', or ')'");
    if (token === ")") break;
    if (token === ",") {
      if (wantsValue) values.push("");
      wantsValue = true;
    } else if (wantsValue) {
      values.push(checkValue(key, token));
      wantsValue = false;
    } else throw unparsable(`found '${token}', expected: ',', or ')'`);
  }
  if (wantsValue) values.push("");
  return [...new Set(values)].sort();
}

function checkValue(key: string, value: string): string {
  const fault = labelValue(value)[0];
  if (!fault) return value;
  throw unparsable(`values[0][${key}]: Invalid value: ${JSON.stringify(value)}: ${fault}`);
}

export function formatSelector(selector: Selector): string {
  return selector.map(formatRequirement).join(",");
}

function formatRequirement({ key, operator, values }: Requirement): string {
  switch (operator) {
    case "exists":
      return key;
    case "!":
      return `!${key}`;
    case "in":
    case "notin":
      return `${key} ${operator} (${values.join(",")})`;
    case "gt":
      return `${key}>${values[0]}`;
    case "lt":
      return `${key}<${values[0]}`;
    default:
      return `${key}${operator}${values[0]}`;
  }
}

export function matchesSelector(selector: Selector, labels: Labels): boolean {
  return selector.every((requirement) => matchesRequirement(requirement, labels));
}

function matchesRequirement({ key, operator, values }: Requirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case "exists":
      return value !== undefined;
    case "!":
      return value === undefined;
    case "=":
    case "in":
      return value !== undefined && values.includes(value);
    case "!=":
    case "notin":
      return value === undefined || !values.includes(value);
    case "gt":
      return isInteger(value) && Number(value) > Number(values[0]);
    case "lt":
      return isInteger(value) && Number(value) < Number(values[0]);
  }
}

function isInteger(value: string | undefined): boolean {
  return value !== undefined && /^-?\d+$/.test(value);
}

const OPERATORS: Record<string, Operator> = {
  In: "in",
  NotIn: "notin",
  Exists: "exists",
  DoesNotExist: "!",
  Gt: "gt",
  Lt: "lt",
};

/** A selector as it stands in an object's spec. An operator that does not exist throws SelectorError. */
export function fromLabelSelector(selector: LabelSelector): Selector {
  const requirements: Requirement[] = Object.entries(selector.matchLabels ?? {}).map(
    ([key, value]) => ({ key, operator: "=", values: [value] }),
  );
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const known = OPERATORS[operator];
    if (!known) {
      throw new SelectorError(`${JSON.stringify(operator)} is not a valid label selector operator`);
    }
    requirements.push({ key, operator: known, values: [...values].sort() });
  }
  return requirements.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}
