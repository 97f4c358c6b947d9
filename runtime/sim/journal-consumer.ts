/** The simulated server's consumer: delivers a stream in order until a fault ends or stills it. */

import type { Timer } from "../clock.ts";
import type { ConsumeOptions } from "../store/journal.ts";
import { JournalError } from "../store/journal.ts";
import type { SimConsumer, SimServer } from "./journal-server.ts";

/** Records handed over in one go. */
const deliveryBatch = 256;

export class SimConsumption implements SimConsumer {
  readonly #server: SimServer;
  readonly #options: ConsumeOptions;
  readonly #deposedForMs: () => number;
  #next: number;
  #timer: Timer | undefined;
  #state: "starting" | "running" | "silent" | "stopped" = "starting";

  constructor(server: SimServer, options: ConsumeOptions, deposedForMs: () => number) {
    this.#server = server;
    this.#options = options;
    this.#deposedForMs = deposedForMs;
    this.#next = options.fromSequence;
  }

  wake(): void {
    if (this.#state === "silent" || this.#state === "stopped" || this.#timer) return;
    this.#timer = this.#server.clock.setTimer(this.#server.latency(), () => this.#deliver());
  }

  stall(): void {
    if (this.#state === "stopped") return;
    this.#state = "silent";
    this.#timer?.dispose();
    this.#timer = undefined;
  }

  end(error: Error): void {
    if (this.#state === "stopped") return;
    this.stop();
    this.#options.onEnd(error);
  }

  stop(): void {
    this.#state = "stopped";
    this.#timer?.dispose();
    this.#server.consumers.delete(this);
  }

  #deliver(): void {
    const { clock, chance, faults, downUntil, leaderlessUntil } = this.#server;
    this.#timer = undefined;
    const waitMs = this.#deposedForMs();
    if (waitMs > 0) {
      this.#timer = clock.setTimer(waitMs + 1, () => this.#deliver());
      return;
    }
    const starting = this.#state === "starting";
    if (starting && clock.monotonic() < Math.max(downUntil, leaderlessUntil)) {
      this.end(new JournalError("unknown", "No consumer could be created (503)"));
      return;
    }
    this.#state = "running";
    if (!starting && chance(faults.consumerStalls)) this.stall();
    else if (!starting && chance(faults.consumerCut)) this.end(new Error("Slow consumer"));
    else this.#handOver(starting);
  }

  #handOver(starting: boolean): void {
    const { log } = this.#server;
    const { filter, headersOnly, onRecord, onCaughtUp } = this.#options;
    const [records, next] = log.read(this.#next, deliveryBatch, filter);
    for (const record of records) {
      this.#next = record.sequence + 1;
      onRecord(headersOnly ? { ...record, data: new Uint8Array(0) } : record);
      if (!this.#alive()) return;
    }
    this.#next = next;
    if (next <= log.lastSequence) this.wake();
    else if (starting || records.length > 0) onCaughtUp?.();
  }

  /** False once a callback has stopped us. */
  #alive(): boolean {
    return this.#state !== "stopped";
  }
}
