/** JetStream's own request/reply API, as far as the store needs it, over any bus. */

import { type Bus, isBusError } from "../bus.ts";
import { errorMessage } from "../errors.ts";
import { JournalError } from "./journal.ts";

export interface ApiFailure {
  code: number;
  err_code?: number;
  description?: string;
}

/** Codes of `err_code` that we treat in a way of their own. */
export const apiCode = {
  messageNotFound: 10037,
  streamNotFound: 10059,
  wrongLastSequence: 10071,
  wrongLastSequenceConstant: 10164,
  /** Parts of an atomic batch were lost on the way; nothing was written. */
  batchIncomplete: 10176,
} as const;

export class ApiError extends Error {
  readonly failure: ApiFailure;
  constructor(failure: ApiFailure) {
    super(failure.description ?? `code ${failure.code}`);
    this.name = "ApiError";
    this.failure = failure;
  }
}

export interface StreamConfig {
  name: string;
  subjects: string[];
  num_replicas: number;
  max_age: number;
  metadata?: Record<string, string>;
  [option: string]: unknown;
}

export interface StreamInfo {
  config: StreamConfig;
  state: { messages: number; bytes: number; first_seq: number; last_seq: number };
}

export interface StoredMessage {
  message: { subject: string; seq: number; hdrs?: string; data?: string; time: string };
}

export interface ConsumerInfo {
  num_pending: number;
  delivered: { consumer_seq: number };
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
  const conflict =
    detail === apiCode.wrongLastSequence || detail === apiCode.wrongLastSequenceConstant;
  if (conflict) return new JournalError("conflict", message, { cause: error });
  const passing = code >= 500 || code === 429 || detail === apiCode.batchIncomplete;
  return new JournalError(passing ? "unknown" : "refused", message, { cause: error });
}
