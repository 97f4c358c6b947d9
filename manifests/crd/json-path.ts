/**
 * JSONPath as printer columns write it: `.spec.replicas`, `.spec.hosts[0]`,
 * `.status.conditions[?(@.type=="Ready")].status`. https://kubernetes.io/docs/reference/kubectl/jsonpath/
 */
import { isFields } from "./schema.ts";

/** The path cannot be read; the message says where. */
export class JsonPathError extends Error {
  override readonly name = "JsonPathError";
}

/** What is found, in order; empty when there is nothing. */
export type JsonPath = (value: unknown) => unknown[];

type Step = (value: unknown) => unknown[];

/** Throws JsonPathError. */
export function compileJsonPath(path: string): JsonPath {
  const steps = parse(path);
  return (value) => steps.reduce((found, step) => found.flatMap(step), [value]);
}

/** The names of a path that is nothing but names: `.spec.replicas`; undefined for any other. */
export function simplePath(path: string): string[] | undefined {
  if (!/^(?:\.[^.[\]{}()*?@\s]+)+$/.test(path.replace(/\\\./g, "x"))) return undefined;
  return path
    .slice(1)
    .split(/(?<!\\)\./)
    .map((name) => name.replaceAll("\\.", "."));
}

const STEP =
  /^(?:\.\.([^.[\]]+)|\.\*|\.((?:\\.|[^.[\]\\])+)|\[\*\]|\[(['"])(.*?)\3\]|\[(-?\d+)\]|\[(-?\d*):(-?\d*)\]|\[\?\((.*?)\)\])/;

function parse(path: string): Step[] {
  const steps: Step[] = [];
  for (let rest = path === "." ? "" : path; rest !== ""; ) {
    const match = STEP.exec(rest);
    if (!match)
      throw new JsonPathError(`unrecognized character in path at ${JSON.stringify(rest)}`);
    steps.push(stepOf(match));
    rest = rest.slice(match[0].length);
  }
  return steps;
}

function stepOf([text, below, name, , quoted, index, from, to, filter]: RegExpExecArray): Step {
  if (below !== undefined) return descend(below);
  if (name !== undefined) return field(name.replace(/\\(.)/g, "$1"));
  if (quoted !== undefined) return field(quoted);
  if (index !== undefined) return element(Number(index));
  if (from !== undefined) return slice(from, to ?? "");
  if (filter !== undefined) return filtered(filter);
  if (text === ".*" || text === "[*]") return children;
  throw new JsonPathError(`cannot read ${JSON.stringify(text)}`);
}

function children(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  return isFields(value) ? Object.values(value) : [];
}

function field(name: string): Step {
  return (value) =>
    isFields(value) && Object.hasOwn(value, name) && value[name] !== undefined ? [value[name]] : [];
}

function element(index: number): Step {
  return (value) => {
    if (!Array.isArray(value)) return [];
    const at = index < 0 ? value.length + index : index;
    return at in value ? [value[at]] : [];
  };
}

function slice(from: string, to: string): Step {
  const bound = (text: string) => (text === "" ? undefined : Number(text));
  return (value) => (Array.isArray(value) ? value.slice(bound(from), bound(to)) : []);
}

function descend(name: string): Step {
  const own = field(name);
  const walk: Step = (value) => [...own(value), ...children(value).flatMap(walk)];
  return walk;
}

const COMPARISONS: Readonly<Record<string, (a: unknown, b: unknown) => boolean>> = {
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
  "<": (a, b) => (a as number) < (b as number),
  "<=": (a, b) => (a as number) <= (b as number),
  ">": (a, b) => (a as number) > (b as number),
  ">=": (a, b) => (a as number) >= (b as number),
};

/** `@.type=="Ready"`, or `@.type` alone: it is there. */
function filtered(filter: string): Step {
  const match = /^\s*@(.*?)\s*(?:(==|!=|<=|>=|<|>)\s*(.+?))?\s*$/.exec(filter);
  if (!match) throw new JsonPathError(`cannot read the filter ${JSON.stringify(filter)}`);
  const [, path = "", operator, right] = match;
  const left = compileJsonPath(path);
  const compare = COMPARISONS[operator ?? ""];
  if (!compare) return (value) => children(value).filter((item) => left(item).length > 0);
  const operand = operandOf(right ?? "");
  return (value) =>
    children(value).filter((item) => {
      const found = left(item);
      return found.length > 0 && compare(found[0], operand);
    });
}

function operandOf(text: string): unknown {
  const quoted = /^(['"])(.*)\1$/.exec(text);
  if (quoted) return quoted[2];
  try {
    return JSON.parse(text);
  } catch {
    throw new JsonPathError(`cannot read ${JSON.stringify(text)} in a filter`);
  }
}
