/**
 * Sets of field paths, in the very form in which managedFields carry them (FieldsV1).
 *
 * A set is a tree of path elements: `f:<field>`, `k:<keys as JSON>`, `v:<value as JSON>`, `i:<index>`. A node with
 * nothing in it is a member; one with others below it is a member when it also has `.`. Nothing has to be decoded
 * before it is worked with, nor encoded after. Sets are shared: no function here changes one that it was given.
 */

export interface FieldSet {
  readonly [element: string]: FieldSet;
}

/** A set while it is being made. */
export interface FieldSetDraft {
  [element: string]: FieldSetDraft | FieldSet;
}

export const EMPTY_SET: FieldSet = Object.freeze({});
const SELF = ".";

export function fieldElement(name: string): string {
  return `f:${name}`;
}

/** Keys in the order of their names, so that equal keys are equal texts. */
export function keyElement(keys: readonly (readonly [string, unknown])[]): string {
  const parts = keys.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  return `k:{${parts.join(",")}}`;
}

export function valueElement(value: unknown): string {
  return `v:${JSON.stringify(value)}`;
}

export function isEmptySet(set: FieldSet): boolean {
  for (const _element in set) return false;
  return true;
}

/** Of a node inside a set; the root is never a member. */
function isMember(node: FieldSet): boolean {
  return SELF in node || isEmptySet(node);
}

/** The node with its membership as told; undefined when nothing is left of it. */
function nodeOf(member: boolean, children: FieldSet): FieldSet | undefined {
  if (isEmptySet(children)) return member ? EMPTY_SET : undefined;
  return member ? { [SELF]: EMPTY_SET, ...children } : children;
}

function childrenOf(node: FieldSet): FieldSet {
  if (!(SELF in node)) return node;
  const { [SELF]: _self, ...children } = node;
  return children;
}

/** A set of these paths, each a list of elements. */
export function fieldSet(...paths: readonly (readonly string[])[]): FieldSet {
  let set = EMPTY_SET;
  for (const path of paths) {
    const single = path.reduceRight<FieldSet>((below, element) => ({ [element]: below }), {});
    set = union(set, single);
  }
  return set;
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmptySet(b)) return a;
  if (isEmptySet(a)) return b;
  const result: FieldSetDraft = { ...a };
  for (const element of Object.keys(b)) {
    const [mine, theirs] = [a[element], b[element] as FieldSet];
    if (element === SELF || mine === undefined) result[element] = theirs;
    else {
      const member = isMember(mine) || isMember(theirs);
      const children = union(childrenOf(mine), childrenOf(theirs));
      result[element] = nodeOf(member, children) as FieldSet;
    }
  }
  return result;
}

/** Without exactly these paths: what lies below one of them stays. Gives `a` itself when they share nothing. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  let result: FieldSetDraft | undefined;
  for (const element of Object.keys(b)) {
    const [mine, theirs] = [a[element], b[element] as FieldSet];
    if (element === SELF || mine === undefined) continue;
    const member = isMember(mine) && !isMember(theirs);
    const below = childrenOf(mine);
    const children = difference(below, childrenOf(theirs));
    if (children === below && member === isMember(mine)) continue;
    result ??= { ...a };
    const left = nodeOf(member, children);
    if (left) result[element] = left;
    else delete result[element];
  }
  return (result as FieldSet | undefined) ?? a;
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const result: FieldSetDraft = {};
  for (const element of Object.keys(a)) {
    const [mine, theirs] = [a[element] as FieldSet, b[element]];
    if (element === SELF || theirs === undefined) continue;
    const member = isMember(mine) && isMember(theirs);
    const node = nodeOf(member, intersection(childrenOf(mine), childrenOf(theirs)));
    if (node) result[element] = node;
  }
  return result as FieldSet;
}

/** Also everything below the paths: `status` takes `status.replicas` with it. */
export function withoutBelow(a: FieldSet, b: FieldSet): FieldSet {
  let result: FieldSetDraft | undefined;
  for (const element of Object.keys(b)) {
    const [mine, theirs] = [a[element], b[element] as FieldSet];
    if (element === SELF || mine === undefined) continue;
    const left = isMember(theirs) ? undefined : withoutBelow(mine, theirs);
    if (left === mine) continue;
    result ??= { ...a };
    if (left && !isEmptySet(left)) result[element] = left;
    else delete result[element];
  }
  return (result as FieldSet | undefined) ?? a;
}

/** Whether two sets share a path. */
export function intersects(a: FieldSet, b: FieldSet): boolean {
  for (const element of Object.keys(a)) {
    const [mine, theirs] = [a[element] as FieldSet, b[element]];
    if (element === SELF || theirs === undefined) continue;
    if (isMember(mine) && isMember(theirs)) return true;
    if (intersects(mine, theirs)) return true;
  }
  return false;
}

/** Whether `element` itself is in the set, and what the set holds below it. */
export function below(set: FieldSet, element: string): { member: boolean; set: FieldSet } {
  const node = set[element];
  if (node === undefined) return { member: false, set: EMPTY_SET };
  return { member: isMember(node), set: childrenOf(node) };
}

/** Every path as messages spell it, such as `.spec.containers[name="a"].image`, parents first. */
export function pathsOf(set: FieldSet, prefix = ""): string[] {
  const paths: string[] = [];
  const elements = Object.keys(set).filter((element) => element !== SELF);
  // Fields of a node come before what is below them, as upstream iterates.
  const members = elements.filter((element) => isMember(set[element] as FieldSet));
  for (const element of members.sort()) paths.push(prefix + elementText(element));
  for (const element of elements.sort()) {
    paths.push(...pathsOf(set[element] as FieldSet, prefix + elementText(element)));
  }
  return paths;
}

export function elementText(element: string): string {
  const rest = element.slice(2);
  switch (element.slice(0, 2)) {
    case "f:":
      return `.${rest}`;
    case "k:": {
      const keys = Object.entries(JSON.parse(rest) as Record<string, unknown>);
      return `[${keys.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(",")}]`;
    }
    case "v:":
      return `[=${rest}]`;
    default:
      return `[${rest}]`;
  }
}

/** Deeper than any type; what somebody sends may be deeper than the stack. */
const DEEPEST = 500;

/** A set that somebody sent, with its keys in our spelling; undefined when it is none. */
export function parseFieldSet(value: unknown, depth = 0): FieldSet | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  if (depth > DEEPEST) return undefined;
  const result: FieldSetDraft = {};
  for (const [given, child] of Object.entries(value)) {
    const element = given === SELF ? SELF : parseElement(given);
    const node = parseFieldSet(child, depth + 1);
    if (element === undefined || node === undefined) return undefined;
    result[element] = node;
  }
  return result as FieldSet;
}

function parseElement(text: string): string | undefined {
  const rest = text.slice(2);
  try {
    switch (text.slice(0, 2)) {
      case "f:":
        return text;
      case "i:":
        return /^-?\d+$/.test(rest) ? text : undefined;
      case "v:":
        return valueElement(JSON.parse(rest));
      case "k:": {
        const keys: unknown = JSON.parse(rest);
        if (typeof keys !== "object" || keys === null || Array.isArray(keys)) return undefined;
        return keyElement(Object.entries(keys).sort(([a], [b]) => (a < b ? -1 : 1)));
      }
      default:
        return undefined;
    }
  } catch {
    return undefined;
  }
}
