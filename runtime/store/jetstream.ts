/**
 * The real journal: one JetStream stream in the layout of a key-value bucket.
 *
 * Everything goes through the bus by JetStream's own request/reply API (`jetstream-api.ts`).
 */

import { JetStreamApiCodes, type StreamInfo } from "@nats-io/jetstream";
import type { Bus } from "../bus.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Random } from "../random.ts";
import {
  ApiError,
  askApi,
  parseAnswer,
  type StoredMessage,
  toJournalError,
} from "./jetstream-api.ts";
import { JetStreamConsumption } from "./jetstream-consumer.ts";
import { assertServerVersion, ensureStream, type StreamWish } from "./jetstream-stream.ts";
import type {
  AppendRecord,
  ConsumeOptions,
  Consumption,
  Journal,
  JournalInfo,
  JournalRecord,
  StreamFacts,
} from "./journal.ts";
import { JournalError } from "./journal.ts";

export interface JetStreamOptions {
  bus: Bus;
  /** As the server introduced itself: `NatsBus.serverVersion`. */
  serverVersion: string;
  clock: Clock;
  random: Random;
  log: Log;
  /** How long an append waits for its acknowledgement. Default 5 s. */
  appendTimeoutMs?: number;
  /** Of consumers; three missed ones end one. Default 1 s. */
  heartbeatMs?: number;
}

/** Makes the stream if need be. Rejects with a reason when it cannot serve us. */
export async function openJournal(options: JetStreamOptions, wish: StreamWish): Promise<Journal> {
  assertServerVersion(options.serverVersion);
  try {
    const config = await ensureStream(options.bus, wish);
    return new JetStreamJournal(options, {
      name: config.name,
      prefix: `$KV.${wish.bucket}.`,
      replicated: config.num_replicas > 1,
      maxAgeMs: config.max_age / 1e6,
    });
  } catch (error) {
    throw toJournalError(error);
  }
}

class JetStreamJournal implements Journal {
  readonly stream: StreamFacts;
  readonly #options: JetStreamOptions;

  constructor(options: JetStreamOptions, stream: StreamFacts) {
    this.#options = options;
    this.stream = stream;
  }

  async append(records: readonly AppendRecord[]): Promise<{ firstSequence: number }> {
    const last = records.at(-1);
    if (!last || records.length > 1_000) {
      throw new JournalError("refused", `A batch of ${records.length} records`);
    }
    const { bus, random, appendTimeoutMs: timeoutMs = 5_000 } = this.#options;
    const batch = records.length > 1 ? random.uuid() : undefined;
    try {
      for (const [at, record] of records.entries()) {
        if (record === last) break;
        const headers = headersOf(record, batch, at + 1);
        bus.publish(record.subject, record.data, { headers });
      }
      const headers = headersOf(last, batch, records.length);
      if (batch !== undefined) headers["Nats-Batch-Commit"] = "1";
      const answer = await bus.request(last.subject, last.data, { headers, timeoutMs });
      const acknowledged = parseAnswer<{ seq: number }>(answer.data);
      if (acknowledged.error) throw new ApiError(acknowledged.error);
      return { firstSequence: acknowledged.seq - records.length + 1 };
    } catch (error) {
      throw toJournalError(error);
    }
  }

  async info(): Promise<JournalInfo> {
    const { state } = await this.#ask<StreamInfo>("STREAM.INFO", {});
    return {
      firstSequence: state.first_seq,
      lastSequence: state.last_seq,
      messages: state.messages,
      bytes: state.bytes,
    };
  }

  last(subject: string): Promise<JournalRecord | undefined> {
    return this.#get({ last_by_subj: subject });
  }

  at(sequence: number): Promise<JournalRecord | undefined> {
    return this.#get({ seq: sequence });
  }

  async purge(subject: string, belowSequence?: number): Promise<void> {
    await this.#ask("STREAM.PURGE", { filter: subject, seq: belowSequence });
  }

  consume(options: ConsumeOptions): Consumption {
    const { bus, clock, random, heartbeatMs = 1_000 } = this.#options;
    const name = `wherry-${random.suffix(12)}`;
    const stream = this.stream.name;
    return new JetStreamConsumption({ ...options, bus, clock, stream, name, heartbeatMs });
  }

  async #get(query: object): Promise<JournalRecord | undefined> {
    try {
      const { message } = await askApi<StoredMessage>(
        this.#options.bus,
        `STREAM.MSG.GET.${this.stream.name}`,
        query,
      );
      return {
        sequence: message.seq,
        subject: message.subject,
        data: Buffer.from(message.data ?? "", "base64"),
        headers: parseHeaders(Buffer.from(message.hdrs ?? "", "base64").toString()),
        timestamp: Date.parse(message.time),
      };
    } catch (error) {
      const missing =
        error instanceof ApiError && error.failure.err_code === JetStreamApiCodes.NoMessageFound;
      if (missing) return undefined;
      throw toJournalError(error);
    }
  }

  async #ask<T>(what: string, question: object): Promise<T> {
    try {
      return await askApi<T>(this.#options.bus, `${what}.${this.stream.name}`, question);
    } catch (error) {
      throw toJournalError(error);
    }
  }
}

function headersOf(
  { headers, expected, expectedSubject }: AppendRecord,
  batch: string | undefined,
  position: number,
): Record<string, string> {
  const all: Record<string, string> = { ...headers };
  if (expected !== undefined) all["Nats-Expected-Last-Subject-Sequence"] = String(expected);
  if (expectedSubject !== undefined) {
    all["Nats-Expected-Last-Subject-Sequence-Subject"] = expectedSubject;
  }
  if (batch !== undefined) {
    all["Nats-Batch-Id"] = batch;
    all["Nats-Batch-Sequence"] = String(position);
  }
  return all;
}

/** `NATS/1.0`, then a line for each header. */
function parseHeaders(text: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of text.split("\r\n").slice(1)) {
    const colon = line.indexOf(":");
    if (colon > 0) headers[line.slice(0, colon)] = line.slice(colon + 1).trim();
  }
  return headers;
}
