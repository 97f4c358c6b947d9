/**
 * Submissions: manifests that JetStream keeps until they are applied. Every API actor takes from
 * one durable consumer; what one of them dropped unfinished comes to another.
 *
 * A driver at the edge: it speaks JetStream's own request/reply API over the bus.
 */

import { type Bus, BusError, type BusMessage } from "../../../runtime/bus.ts";
import type { Clock, Timer } from "../../../runtime/clock.ts";
import { errorMessage } from "../../../runtime/errors.ts";
import type { Log } from "../../../runtime/log.ts";
import { askApi } from "../../../runtime/store/jetstream-api.ts";
import {
  manifestsResultSubject,
  manifestsSubjects,
  parseManifestsSubject,
} from "../../subjects.ts";
import { queryHeader, statusHeader, submissionIdHeader } from "../messages.ts";
import type { Pipeline } from "../pipeline.ts";
import { applyManifests } from "./manifests.ts";

const stream = "wherry-submits";
const consumer = "apiserver";
const nanosecondsPerMs = 1e6;
/** A submission that nobody could apply for a day is given up. */
const keptMs = 24 * 3_600_000;
/** Longer than the API tries a commit; then another API actor gets it. */
const ackWaitMs = 60_000;
const pullMs = 30_000;
const retryMs = 2_000;
const batch = 16;

export interface SubmitsContext {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Log;
  readonly pipeline: Pipeline;
}

/** Starts at once and goes on until closed, whatever happens to the server. */
export function takeSubmits(context: SubmitsContext): { close(): void } {
  const taker = new Taker(context);
  taker.start();
  return taker;
}

class Taker {
  readonly #context: SubmitsContext;
  readonly #inbox: string;
  readonly #subscription: { unsubscribe(): void };
  #timer: Timer | undefined;
  #closed = false;
  /** Messages that the pull under way may still bring. */
  #awaited = 0;

  constructor(context: SubmitsContext) {
    this.#context = context;
    this.#inbox = context.bus.inbox();
    this.#subscription = context.bus.subscribe(this.#inbox, (message) => this.#receive(message));
  }

  start(): void {
    if (this.#closed) return;
    this.#ensure().then(
      () => this.#pull(),
      (error: unknown) => {
        this.#context.log.debug("Could not open submissions yet", { error: errorMessage(error) });
        this.#again(retryMs, () => this.start());
      },
    );
  }

  close(): void {
    this.#closed = true;
    this.#timer?.dispose();
    this.#subscription.unsubscribe();
  }

  /** Both are idempotent: made again with the same configuration they are left as they are. */
  async #ensure(): Promise<void> {
    const { bus } = this.#context;
    await askApi(bus, `STREAM.CREATE.${stream}`, {
      name: stream,
      subjects: [manifestsSubjects.submit],
      retention: "workqueue",
      storage: "file",
      num_replicas: 1,
      max_age: keptMs * nanosecondsPerMs,
    });
    await askApi(bus, `CONSUMER.DURABLE.CREATE.${stream}.${consumer}`, {
      stream_name: stream,
      config: {
        durable_name: consumer,
        ack_policy: "explicit",
        ack_wait: ackWaitMs * nanosecondsPerMs,
        max_waiting: 512,
      },
    });
  }

  #pull(): void {
    if (this.#closed) return;
    this.#awaited = batch;
    const ask = JSON.stringify({ batch, expires: pullMs * nanosecondsPerMs });
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`;
    this.#context.bus.publish(subject, ask, { reply: this.#inbox });
    // A server that was restarted has forgotten the pull, and says nothing.
    this.#again(pullMs + retryMs, () => this.start());
  }

  #again(delayMs: number, act: () => void): void {
    this.#timer?.dispose();
    if (!this.#closed) this.#timer = this.#context.clock.setTimer(delayMs, act);
  }

  #receive(message: BusMessage): void {
    if (this.#closed) return;
    if (!message.reply?.startsWith("$JS.ACK.")) {
      // The pull ended: expired, or refused because the consumer is gone.
      this.#again(message.headers.Status === "408" ? 0 : retryMs, () => this.start());
      return;
    }
    const { subject, headers, data, reply } = message;
    this.#apply({ subject, headers, data: data.slice() }, reply)
      // Not acknowledged, it is delivered again after a while.
      .catch((error: unknown) => {
        this.#context.log.error("Could not finish a submission", { error: errorMessage(error) });
      })
      .finally(() => {
        this.#awaited--;
        if (this.#awaited === 0) this.#pull();
      });
  }

  async #apply({ subject, headers, data }: Taken, acknowledge: string): Promise<void> {
    const { bus, pipeline, log } = this.#context;
    const principal = parseManifestsSubject(subject);
    if (principal === undefined) {
      bus.publish(acknowledge, "+TERM");
      return;
    }
    const query = new URLSearchParams(headers[queryHeader] ?? "");
    const applied = await applyManifests(pipeline, principal, data, query);
    if (applied.code >= 500) {
      const delay = retryMs * nanosecondsPerMs;
      bus.publish(acknowledge, `-NAK ${JSON.stringify({ delay })}`);
      return;
    }
    const id = headers[submissionIdHeader] ?? sequenceOf(acknowledge);
    log.debug("Applied a submission", { principal, id, code: applied.code });
    const result = { headers: { [statusHeader]: String(applied.code) } };
    bus.publish(manifestsResultSubject(principal, id), applied.body, result);
    await this.#acknowledge(acknowledge);
  }

  /** Acknowledged when the work is done; a second delivery finds everything unchanged. */
  async #acknowledge(subject: string): Promise<void> {
    try {
      await this.#context.bus.request(subject, "+ACK");
    } catch (error) {
      if (!(error instanceof BusError)) throw error;
    }
  }
}

type Taken = Pick<BusMessage, "subject" | "headers" | "data">;

/** `$JS.ACK.<stream>.<consumer>.<tries>.<stream sequence>.…`; two tokens more with a domain. */
function sequenceOf(acknowledge: string): string {
  const tokens = acknowledge.split(".");
  return tokens[tokens.length > 9 ? 7 : 5] ?? "";
}
