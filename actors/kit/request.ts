/** One request through the NATS door: encoded, sent, tried again where that is safe, decoded. */

import { ApiError, type ApiStatus, apiError } from "../../manifests/api-error.ts";
import { type Bus, BusError, type BusMessage, type Headers } from "../../runtime/bus.ts";
import type { Clock } from "../../runtime/clock.ts";
import { contentTypeHeader, queryHeader, statusHeader } from "../apiserver/messages.ts";

export interface DoorRequest {
  subject: string;
  query?: Readonly<Record<string, string | number | boolean | undefined>>;
  body?: unknown;
  contentType?: string;
  headers?: Headers;
  /** What may be sent again after an answer that leaves open whether the first one was done. */
  repeatable: boolean;
}

export interface DoorOptions {
  /** For one attempt; the API itself gives up on a commit after less. */
  timeoutMs?: number;
  /** For all attempts together. */
  patienceMs?: number;
  signal?: AbortSignal;
}

const firstPauseMs = 50;
const longestPauseMs = 2_000;

/**
 * Rejects with an ApiError, whatever went wrong: `ServiceUnavailable` or `Timeout` with the
 * BusError as its cause when no API actor answered in time.
 */
export async function requestDoor<T>(
  bus: Bus,
  clock: Clock,
  request: DoorRequest,
  options: DoorOptions = {},
): Promise<T> {
  const { patienceMs = 10_000, signal } = options;
  const deadline = clock.monotonic() + patienceMs;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    signal?.throwIfAborted();
    try {
      return await attempt<T>(bus, request, options.timeoutMs ?? 10_000);
    } catch (error) {
      const waitMs = retryAfter(error, request.repeatable, pauseMs);
      if (waitMs === undefined || clock.monotonic() + waitMs >= deadline) throw asApiError(error);
      await clock.sleep(waitMs, signal);
    }
  }
}

async function attempt<T>(bus: Bus, request: DoorRequest, timeoutMs: number): Promise<T> {
  const query = encodeQuery(request.query ?? {});
  const headers: Record<string, string> = { ...request.headers };
  if (query) headers[queryHeader] = query;
  if (request.contentType) headers[contentTypeHeader] = request.contentType;
  const body = request.body === undefined ? undefined : JSON.stringify(request.body);
  return decodeAnswer<T>(await bus.request(request.subject, body, { headers, timeoutMs }));
}

export function encodeQuery(query: NonNullable<DoorRequest["query"]>): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") given.set(name, String(value));
  }
  return given.toString();
}

function decodeAnswer<T>(answer: BusMessage): T {
  const text = new TextDecoder().decode(answer.data);
  const code = Number(answer.headers[statusHeader]);
  if (code >= 200 && code < 300) return JSON.parse(text) as T;
  if (text.startsWith("{")) throw new ApiError(JSON.parse(text) as ApiStatus);
  throw apiError("InternalError", `API actor answered ${code || "without a status"}: ${text}`);
}

/** How long to wait before the next attempt; undefined: the caller must decide. */
function retryAfter(error: unknown, repeatable: boolean, pauseMs: number): number | undefined {
  if (error instanceof BusError) {
    // Nobody took a request without responders, so that even a create may go again.
    if (error.code === "no-responders") return pauseMs;
    const lost = error.code === "timeout" || error.code === "disconnected";
    return lost && repeatable ? pauseMs : undefined;
  }
  if (!(error instanceof ApiError)) return undefined;
  const asked = (error.status.details?.retryAfterSeconds ?? 0) * 1_000;
  // Too many requests is said before anything is done; the others leave it open.
  if (error.code === 429) return Math.max(pauseMs, asked);
  const transient = error.code === 503 || error.code === 504;
  return transient && repeatable ? Math.max(pauseMs, asked) : undefined;
}

function asApiError(error: unknown): unknown {
  if (!(error instanceof BusError)) return error;
  if (error.code === "forbidden") {
    return apiError("Forbidden", error.message, undefined, { cause: error });
  }
  const reason = error.code === "timeout" ? "Timeout" : "ServiceUnavailable";
  return apiError(reason, `no API actor answered: ${error.message}`, undefined, { cause: error });
}
