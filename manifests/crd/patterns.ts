/** Patterns as Go reads them, in time linear in the text whatever the pattern. */
import { RE2JS } from "re2js";

/** Compiled once; those who write schemas choose how many there are, and so does the bound. */
const mostPatterns = 1_000;
const patterns = new Map<string, RE2JS>();

/** Throws what `patternFault` says. */
export function matchesPattern(pattern: string, text: string): boolean {
  return compiled(pattern).matcher(text).find();
}

/** Undefined for a pattern that compiles. */
export function patternFault(pattern: string): string | undefined {
  try {
    compiled(pattern);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function compiled(pattern: string): RE2JS {
  let found = patterns.get(pattern);
  if (!found) {
    found = RE2JS.compile(pattern);
    if (patterns.size >= mostPatterns) patterns.clear();
    patterns.set(pattern, found);
  }
  return found;
}
