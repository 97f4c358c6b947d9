/** The server's side of a simulated stream: what its clients and consumers share. */

import type { Clock } from "../clock.ts";
import type { Random } from "../random.ts";
import type { SimLogFile } from "./journal-log.ts";

/** Chances between 0 and 1. All are 0 until a test or a simulation turns them on. */
export interface SimJournalFaults {
  /** For each append: committed, but the acknowledgement never arrives. */
  acknowledgementLost: number;
  /** For each append: the client's time-out passes first, then the commit lands. */
  lateCommit: number;
  /** For each batch: refused whole as `wrong last sequence` although every expectation held. */
  batchRefused: number;
  /** For each delivery: the consumer falls silent, without an error. */
  consumerStalls: number;
  /** For each delivery: the server cuts the consumer off for being slow. */
  consumerCut: number;
}

export interface SimServer {
  readonly clock: Clock;
  readonly faults: SimJournalFaults;
  readonly log: SimLogFile;
  readonly consumers: Set<SimConsumer>;
  readonly timeoutMs: number;
  /** On the monotonic clock. */
  leaderlessUntil: number;
  downUntil: number;
  /** Counts restarts: an answer from before the last one is never heard. */
  incarnation: number;
  chance(probability: number): boolean;
  latency(): number;
  random: Random;
}

export interface SimConsumer {
  /** Something was appended. */
  wake(): void;
  /** Falls silent without an error. */
  stall(): void;
  end(error: Error): void;
}
