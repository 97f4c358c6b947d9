/** The errors that are not anybody's business but ours; those of the API are in `manifests/api-error.ts`. */

/** A broken promise of our own code. The actor dies and its supervisor restarts it. */
export class BugError extends Error {
  override name = "BugError";
}

/** Work that must never be tried again: recorded and dropped by the workqueue. */
export class TerminalError extends Error {
  override name = "TerminalError";
}

export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new BugError(message);
}

/** Ends a switch over a union: a type error when a case is missing. */
export function assertNever(value: never): never {
  throw new BugError(`Unexpected value ${JSON.stringify(value)}`);
}

export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
