/**
 * JetStream's request/reply API over any bus; its shapes and codes are those of @nats-io/jetstream.
 *
 * The client's own transport is left aside: its consumers were seen to stall for good after the
 * server was killed, and its requests wait out their time when the connection is lost.
 */

import { type ApiError as ApiFailure, JetStreamApiCodes } from "@nats-io/jetstream";
import { type Bus, isBusError } from "../bus.ts";
import { errorMessage } from "../errors.ts";
import { JournalError } from "./journal.ts";

/** An `err_code` that the client has no name for: parts of an atomic batch were lost on the way. */
const batchIncomplete = 10176;

const conflicts: ReadonlySet<number> = new Set([
  JetStreamApiCodes.StreamWrongLastSequence,
  JetStreamApiCodes.StreamWrongLastSequenceUnknown,
]);

export class ApiError extends Error {
  readonly failure: ApiFailure;
  constructor(failure: ApiFailure) {
    super(failure.description ?? `code ${failure.code}`);
    this.name = "ApiError";
    this.failure = failure;
  }
}

/** The answer to STREAM.MSG.GET. */
export interface StoredMessage {
  message: { subject: string; seq: number; hdrs?: string; data?: string; time: string };
}

/** Asks `$JS.API.<what>`; throws an ApiError, or a BusError when there was no answer. */
export async function askApi<T>(bus: Bus, what: string, question: object = {}): Promise<T> {
  const answer = await bus.request(`$JS.API.${what}`, JSON.stringify(question));
  const parsed = parseAnswer<T>(answer.data);
  if (parsed.error) throw new ApiError(parsed.error);
  return parsed;
}

export function parseAnswer<T>(data: Uint8Array): T & { error?: ApiFailure } {
  return JSON.parse(Buffer.from(data.buffer, data.byteOffset, data.length).toString());
}

/** What a failure means for what was asked: see JournalErrorCode. */
export function toJournalError(error: unknown): JournalError {
  if (error instanceof JournalError) return error;
  const message = errorMessage(error);
  if (!(error instanceof ApiError)) {
    const refused = isBusError(error, "too-large") || isBusError(error, "forbidden");
    return new JournalError(refused ? "refused" : "unknown", message, { cause: error });
  }
  const { code, err_code: detail } = error.failure;
  if (conflicts.has(detail)) return new JournalError("conflict", message, { cause: error });
  const passing = code >= 500 || code === 429 || detail === batchIncomplete;
  return new JournalError(passing ? "unknown" : "refused", message, { cause: error });
}
