/** NATS subjects: tokens between dots, `*` for any one token, `>` at the end for one or more. */

import { assert } from "./errors.ts";

const literal = /^[^\s.*>]+(?:\.[^\s.*>]+)*$/;
const pattern = /^(?:(?:\*|[^\s.*>]+)\.)*(?:\*|>|[^\s.*>]+)$/;

/** White space in a subject would be read as protocol, so both kinds are a bug of the caller. */
export function assertSubject(subject: string): void {
  assert(literal.test(subject), `Not a subject to publish to: ${JSON.stringify(subject)}`);
}

export function assertSubjectPattern(subject: string): void {
  assert(pattern.test(subject), `Not a subject to subscribe to: ${JSON.stringify(subject)}`);
}

/** `subject` may itself be a pattern: then all that it can match must be covered. */
export function subjectMatches(covering: string, subject: string): boolean {
  const wanted = covering.split(".");
  const tokens = subject.split(".");
  for (const [at, want] of wanted.entries()) {
    const token = tokens[at];
    if (token === undefined) return false;
    if (want === ">") return true;
    if (token === ">") return false;
    if (want !== "*" && want !== token) return false;
  }
  return wanted.length === tokens.length;
}
