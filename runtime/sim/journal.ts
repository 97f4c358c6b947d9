/**
 * The simulated twin of a JetStream stream: an ordered log in memory, on the world's clock, with
 * the faults that the real server was seen to have: `test/integration/journal-faults.test.ts`
 * provokes those of one server on a real one, `store-cluster.test.ts` those that it takes three for.
 *
 * A `SimStream` is the server's side; `connect` makes a client of it. Messages of one client keep
 * their order, as on one NATS connection. What was acknowledged is never lost.
 */

import type { Clock } from "../clock.ts";
import type { Random } from "../random.ts";
import type {
  AppendRecord,
  ConsumeOptions,
  Consumption,
  Journal,
  JournalInfo,
  JournalRecord,
  StreamFacts,
} from "../store/journal.ts";
import { JournalError } from "../store/journal.ts";
import { SimConsumption } from "./journal-consumer.ts";
import { SimLogFile } from "./journal-log.ts";
import type { SimJournalFaults, SimServer } from "./journal-server.ts";

export interface SimStreamOptions {
  clock: Clock;
  random: Random;
  facts?: Partial<StreamFacts>;
  faults?: Partial<SimJournalFaults>;
  /** One way, between client and server: uniform in [minimum, maximum]. */
  latencyMs?: readonly [number, number];
  /** How long a client waits for an answer. */
  timeoutMs?: number;
}

export interface SimJournal extends Journal {
  /**
   * For `forMs` this client talks to a deposed leader: `info` and `last` answer from the past,
   * its consumers hear nothing new, and its appends are never committed: what would not have held
   * in the past is refused as a conflict, the rest gets no answer. It takes three servers.
   */
  depose(forMs: number): void;
}

export interface SimStream {
  readonly faults: SimJournalFaults;
  connect(): SimJournal;
  /** No leader for `forMs` (4 to 9 s after a kill): whatever is asked is answered with a 503. */
  leaderless(forMs: number): void;
  /**
   * The server is killed and back after `downMs`. Acknowledgements on their way are lost, so are
   * requests; consumers end or, just as often, fall silent. The log survives.
   */
  restart(downMs: number): void;
  /** Every consumer falls silent, as those of the v3 client did after a kill. */
  stallConsumers(): void;
  /** What the log holds from a sequence on, for a test's verdict. */
  records(fromSequence?: number): JournalRecord[];
  readonly lastSequence: number;
}

export function createSimStream(options: SimStreamOptions): SimStream {
  const { clock, random, latencyMs = [0.1, 0.5], timeoutMs = 5_000 } = options;
  const facts: StreamFacts = {
    name: "KV_wherry",
    prefix: "$KV.wherry.",
    replicated: false,
    maxAgeMs: 0,
    ...options.facts,
  };
  const faults: SimJournalFaults = {
    acknowledgementLost: 0,
    lateCommit: 0,
    batchRefused: 0,
    consumerStalls: 0,
    consumerCut: 0,
    ...options.faults,
  };
  const server: SimServer = {
    clock,
    random,
    faults,
    log: new SimLogFile(clock, facts.maxAgeMs),
    consumers: new Set(),
    timeoutMs,
    leaderlessUntil: 0,
    downUntil: 0,
    incarnation: 0,
    chance: (probability) => probability > 0 && random.next() < probability,
    latency: () => latencyMs[0] + random.next() * (latencyMs[1] - latencyMs[0]),
  };
  return {
    faults,
    connect: () => new SimClient(server, facts),
    leaderless(forMs) {
      server.leaderlessUntil = clock.monotonic() + forMs;
    },
    restart(downMs) {
      server.incarnation++;
      server.downUntil = clock.monotonic() + downMs;
      for (const consumer of [...server.consumers]) {
        if (random.next() < 0.5) consumer.stall();
        else consumer.end(new Error("Heartbeats missed"));
      }
    },
    stallConsumers() {
      for (const consumer of server.consumers) consumer.stall();
    },
    records: (fromSequence = 0) => server.log.read(fromSequence, Number.MAX_SAFE_INTEGER)[0],
    get lastSequence() {
      return server.log.lastSequence;
    },
  };
}

/**
 * What becomes of a question: `lost` is answered but never heard, and `late` arrives once nobody
 * waits any more.
 */
type Fate = "normal" | "lost" | "late";

const noAnswer = Symbol("no answer");

class SimClient implements SimJournal {
  readonly stream: StreamFacts;
  readonly #server: SimServer;
  #lastArrival = 0;
  #lastAnswer = 0;
  #deposedUntil = 0;
  #deposedAt = 0;

  constructor(server: SimServer, facts: StreamFacts) {
    this.#server = server;
    this.stream = facts;
  }

  append(records: readonly AppendRecord[]): Promise<{ firstSequence: number }> {
    const { log, faults, consumers, chance } = this.#server;
    if (records.length === 0 || records.length > 1_000) {
      return Promise.reject(new JournalError("refused", `A batch of ${records.length} records`));
    }
    // What is written is what was asked for, whatever the caller does to its buffers later.
    const copies = records.map((record) => ({ ...record, data: record.data.slice() }));
    return this.#ask("an append", this.#fateOfAppend(), () => {
      if (this.#deposedForMs() > 0) {
        log.judge(copies, this.#deposedAt);
        return noAnswer;
      }
      const firstSequence = log.append(
        copies,
        () => records.length > 1 && chance(faults.batchRefused),
      );
      for (const consumer of consumers) consumer.wake();
      return { firstSequence };
    });
  }

  info(): Promise<JournalInfo> {
    return this.#ask("info", "normal", () => this.#server.log.info(this.#asOf()));
  }

  last(subject: string): Promise<JournalRecord | undefined> {
    return this.#ask("last", "normal", () => this.#server.log.last(subject, this.#asOf()));
  }

  at(sequence: number): Promise<JournalRecord | undefined> {
    return this.#ask("at", "normal", () => this.#server.log.at(sequence));
  }

  purge(subject: string, belowSequence?: number): Promise<void> {
    return this.#ask("purge", "normal", () => this.#server.log.purge(subject, belowSequence));
  }

  consume(options: ConsumeOptions): Consumption {
    const consumer = new SimConsumption(this.#server, options, () => this.#deposedForMs());
    this.#server.consumers.add(consumer);
    consumer.wake();
    return { stop: async () => consumer.stop() };
  }

  depose(forMs: number): void {
    this.#deposedUntil = this.#server.clock.monotonic() + forMs;
    this.#deposedAt = this.#server.log.lastSequence;
  }

  #deposedForMs(): number {
    return Math.max(0, this.#deposedUntil - this.#server.clock.monotonic());
  }

  #asOf(): number {
    return this.#deposedForMs() > 0 ? this.#deposedAt : Number.MAX_SAFE_INTEGER;
  }

  #fateOfAppend(): Fate {
    const { faults, chance } = this.#server;
    if (chance(faults.lateCommit)) return "late";
    return chance(faults.acknowledgementLost) ? "lost" : "normal";
  }

  /** Carries a question to the server and its answer back, or times out. */
  #ask<T>(what: string, fate: Fate, answer: () => T | typeof noAnswer): Promise<T> {
    const server = this.#server;
    const { clock, timeoutMs } = server;
    return new Promise((resolve, reject) => {
      const timer = clock.setTimer(timeoutMs, () =>
        reject(new JournalError("unknown", `No answer to ${what} within ${timeoutMs} ms`)),
      );
      const hear = (act: () => void): void => {
        const heard = server.incarnation;
        clock.setTimer(this.#answerDelay(), () => {
          if (heard !== server.incarnation) return;
          timer.dispose();
          act();
        });
      };
      const sent = server.incarnation;
      const arrive = (): void => {
        const now = clock.monotonic();
        if (sent !== server.incarnation || now < server.downUntil) return;
        if (now < server.leaderlessUntil) {
          hear(() => reject(new JournalError("unknown", "No leader (503)")));
          return;
        }
        try {
          const result = answer();
          if (result !== noAnswer && fate === "normal") hear(() => resolve(result));
        } catch (error) {
          if (fate === "normal") hear(() => reject(error));
        }
      };
      if (fate === "late") clock.setTimer(timeoutMs + server.random.next() * 2_000, arrive);
      else clock.setTimer(this.#arrivalDelay(), arrive);
    });
  }

  /** Nothing overtakes what was sent before. */
  #arrivalDelay(): number {
    const now = this.#server.clock.monotonic();
    this.#lastArrival = Math.max(now + this.#server.latency(), this.#lastArrival);
    return this.#lastArrival - now;
  }

  #answerDelay(): number {
    const now = this.#server.clock.monotonic();
    this.#lastAnswer = Math.max(now + this.#server.latency(), this.#lastAnswer);
    return this.#lastAnswer - now;
  }
}
