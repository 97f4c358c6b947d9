/** What Docker's answers mean, in the words of the Engine interface. */

import { EngineError } from "../../engine.ts";

interface DockerFailure {
  statusCode?: number;
  code?: string;
  message?: string;
  json?: unknown;
}

/** Socket errors that mean: nobody listens, or whoever did has gone. */
const unavailableCodes = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ENOENT",
  "EPIPE",
  "EACCES",
  "EPERM",
  "ETIMEDOUT",
]);

export function statusCodeOf(error: unknown): number | undefined {
  return (error as DockerFailure | undefined)?.statusCode;
}

/** Docker's own sentence, without the wrapping that the client library puts around it. */
export function dockerMessage(error: unknown): string {
  const failure = error as DockerFailure;
  const body = failure.json as { message?: unknown } | undefined;
  if (typeof body?.message === "string") return body.message.trim();
  return (failure.message ?? String(error)).replace(/^\(HTTP code \d+\) [^-]*- /, "").trim();
}

export function toEngineError(error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  const failure = error as DockerFailure;
  const message = dockerMessage(error);
  if (failure.statusCode === undefined && unavailableCodes.has(failure.code ?? "")) {
    return new EngineError("unavailable", `Docker does not answer: ${message}`, { cause: error });
  }
  const code = failure.statusCode === 404 ? "not-found" : "failed";
  return new EngineError(code, message, { cause: error });
}

/** A refused start is the container's fault (400, and 500 from older runtimes), not the engine's. */
export function toStartError(error: unknown): EngineError {
  const status = statusCodeOf(error);
  const message = dockerMessage(error);
  const isContainersFault =
    status === 400 || (status === 500 && /OCI runtime|exec: |no such file/i.test(message));
  if (!isContainersFault) return toEngineError(error);
  const exitCode = /permission denied/i.test(message) ? 126 : 127;
  return new EngineError("start-failed", message, { cause: error, exitCode });
}

export function toPullError(error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  const status = statusCodeOf(error);
  const message = dockerMessage(error);
  if (/invalid reference format|invalid repository name|invalid tag/i.test(message)) {
    return new EngineError("invalid-image", message, { cause: error });
  }
  if (/not found|manifest unknown|does not exist|access denied/i.test(message)) {
    return new EngineError("image-not-found", message, { cause: error });
  }
  const plain = toEngineError(error);
  if (status === undefined && plain.code === "unavailable") return plain;
  return new EngineError("pull-failed", message, { cause: error });
}

/**
 * Docker refuses a removal while another one of the same thing runs (409), and when the kernel
 * still holds a mount for a moment (500). Both pass: try again, a little later each time.
 */
export async function retryRemoval(remove: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await remove();
      return;
    } catch (error) {
      const status = statusCodeOf(error);
      if (status === 404) return;
      if ((status !== 409 && status !== 500) || attempt === 8) throw toEngineError(error);
      await new Promise((resolve) => setTimeout(resolve, 25 * 2 ** attempt));
    }
  }
}

/** Runs one call to Docker; whatever it throws becomes an EngineError. */
export async function call<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toEngineError(error);
  }
}

/** As `call`, but "no such object" is an answer. */
export async function callUnlessGone<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    // 304: already in the state asked for.
    if (statusCodeOf(error) === 404 || statusCodeOf(error) === 304) return undefined;
    throw toEngineError(error);
  }
}
