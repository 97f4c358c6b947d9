/** Waiting in tests: for a condition, with a deadline, and an error that says what was seen last. */
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Asks until the answer is neither undefined nor false, and returns it. A throw counts as "not
 * yet"; the last one is the cause of the error when the deadline passes.
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  options: { timeoutMs?: number; everyMs?: number } = {},
): Promise<T> {
  const timeoutMs = options.timeoutMs ?? 30_000;
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const answer = await condition();
      if (answer !== undefined && answer !== false) return answer;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${timeoutMs} ms in vain for ${what}`, { cause });
    }
    await sleep(options.everyMs ?? 50);
  }
}
