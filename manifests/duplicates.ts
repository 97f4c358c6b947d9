/**
 * Finds fields that a JSON text gives twice: JSON.parse keeps the last one and says nothing, strict decoding tells.
 *
 * One pass over a text that JSON.parse has already accepted, so the grammar itself need not be checked again.
 */
import { SyntaxFault } from "./yaml.ts";

interface Level {
  /** The keys met, or undefined in a list. */
  keys: Set<string> | undefined;
  /** Where in the enclosing level this one stands. */
  prefix: string;
  key: string;
  index: number;
  expectKey: boolean;
}

/** As deep as Go reads JSON. */
const maxDepth = 10_000;

/** One entry for each, such as `duplicate field "spec.replicas"`. Throws SyntaxFault for a text that is too deep. */
export function findDuplicateFields(json: string): string[] {
  const found: string[] = [];
  const levels: Level[] = [];
  for (let at = 0; at < json.length; at++) {
    const level = levels.at(-1);
    switch (json[at]) {
      case "{":
        levels.push(open(level, new Set()));
        assertDepth(levels);
        break;
      case "[":
        levels.push(open(level, undefined));
        assertDepth(levels);
        break;
      case "}":
      case "]":
        levels.pop();
        break;
      case ",":
        if (level?.keys) level.expectKey = true;
        else if (level) level.index++;
        break;
      case '"': {
        const end = endOfString(json, at);
        if (level?.keys && level.expectKey) noteKey(level, json.slice(at, end + 1), found);
        at = end;
        break;
      }
    }
  }
  return found;
}

function assertDepth(levels: readonly Level[]): void {
  if (levels.length > maxDepth) throw new SyntaxFault("exceeded max depth");
}

function open(parent: Level | undefined, keys: Set<string> | undefined): Level {
  return { keys, prefix: parent ? pathOf(parent) : "", key: "", index: 0, expectKey: true };
}

function pathOf(level: Level): string {
  if (!level.keys) return `${level.prefix}[${level.index}]`;
  return level.prefix === "" ? level.key : `${level.prefix}.${level.key}`;
}

function noteKey(level: Level, quoted: string, found: string[]): void {
  const key = quoted.includes("\\") ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
  level.key = key;
  level.expectKey = false;
  if (level.keys?.has(key)) found.push(`duplicate field ${JSON.stringify(pathOf(level))}`);
  level.keys?.add(key);
}

function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (at < json.length && json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
  return at;
}
