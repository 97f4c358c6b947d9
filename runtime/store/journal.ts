import type { Headers } from "../bus.ts";

/**
 * One JetStream stream, as the store needs it: an ordered log with compare-and-set per subject.
 *
 * Implemented over the real server (`runtime/store/jetstream.ts`) and by the simulated twin
 * (`runtime/sim/journal.ts`). `test/integration/journal-contract.ts` holds both to the same
 * behaviour, faults included: an append may fail as `unknown` and yet be, or become, committed.
 */
export interface Journal {
  readonly stream: StreamFacts;
  /**
   * Appends all records or none, in order, after fsync. One record is a plain publish; more are
   * an atomic batch (1,000 at most) that is refused when a record expects something of a subject
   * that an earlier record of the same batch writes. Rejects with a JournalError.
   */
  append(records: readonly AppendRecord[]): Promise<{ firstSequence: number }>;
  /** As the stream's leader says it; a deposed leader may still answer. */
  info(): Promise<JournalInfo>;
  /** The newest record of a subject from the leader, or undefined. */
  last(subject: string): Promise<JournalRecord | undefined>;
  /** The record at a sequence, or undefined when it was removed. */
  at(sequence: number): Promise<JournalRecord | undefined>;
  /**
   * Delivers records from a sequence on, in order, without gaps of its own making. Asked for
   * a sequence below the first one it starts at the first: compare `info()` yourself.
   */
  consume(options: ConsumeOptions): Consumption;
  /** Removes the records of a subject below `belowSequence` (all of them when it is absent). */
  purge(subject: string, belowSequence?: number): Promise<void>;
}

export interface StreamFacts {
  readonly name: string;
  /** What every subject of the stream begins with, such as `$KV.wherry.`. */
  readonly prefix: string;
  /** More than one server: a deposed leader may answer `info` and `last` from the past. */
  readonly replicated: boolean;
  /** Records older than this vanish from the stream without a word; 0: never. */
  readonly maxAgeMs: number;
}

export interface AppendRecord {
  subject: string;
  data: Uint8Array;
  headers?: Headers;
  /** The sequence of the subject's newest record that must still hold; 0: there is none. */
  expected?: number;
  /**
   * Judges `expected` on another subject than the one written (a guard). Measured on 2.15.1: it
   * holds within atomic batches too, and several records may name the same one.
   */
  expectedSubject?: string;
}

export interface JournalRecord {
  sequence: number;
  subject: string;
  data: Uint8Array;
  headers: Headers;
  /** When the server stored it, milliseconds since the epoch. */
  timestamp: number;
}

export interface JournalInfo {
  firstSequence: number;
  /** Keeps its value when everything is purged. */
  lastSequence: number;
  messages: number;
  bytes: number;
}

export interface ConsumeOptions {
  fromSequence: number;
  /** Only subjects that match; default all of the stream. */
  filter?: string;
  /** Leaves the data out. */
  headersOnly?: boolean;
  onRecord(record: JournalRecord): void;
  /** Called whenever everything that the stream held has been delivered, at once if nothing. */
  onCaughtUp?(): void;
  /** The consumption is dead and will deliver nothing more; start another. */
  onEnd(error: Error): void;
}

export interface Consumption {
  stop(): Promise<void>;
}

/**
 * `conflict`: an expected sequence did not hold, nothing was written.
 * `refused`: the server refused for another reason, nothing was written.
 * `unknown`: no answer in time, or no leader; the records may be written now or later.
 */
export type JournalErrorCode = "conflict" | "refused" | "unknown";

export class JournalError extends Error {
  readonly code: JournalErrorCode;
  constructor(code: JournalErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "JournalError";
    this.code = code;
  }
}
