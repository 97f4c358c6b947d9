/**
 * An ordered consumer of our own making: a push consumer without acknowledgements, which ends as
 * soon as anything is odd. A number that was skipped, heartbeats that stay away, a word from the
 * server that it is gone: each is an end, and whoever consumes starts another.
 */

import type { ConsumerInfo } from "@nats-io/jetstream";
import type { Bus, BusMessage, Subscription } from "../bus.ts";
import type { Clock, Timer } from "../clock.ts";
import { askApi, toJournalError } from "./jetstream-api.ts";
import type { ConsumeOptions, Consumption } from "./journal.ts";

export interface JetStreamConsumeOptions extends ConsumeOptions {
  bus: Bus;
  clock: Clock;
  stream: string;
  name: string;
  heartbeatMs: number;
}

const missedHeartbeats = 3;
const nanosecondsPerMs = 1e6;

export class JetStreamConsumption implements Consumption {
  readonly #options: JetStreamConsumeOptions;
  readonly #subscription: Subscription;
  /** How many records this consumer has delivered. */
  #delivered = 0;
  #heard = true;
  #quietChecks = 0;
  #timer: Timer | undefined;
  #ended = false;

  constructor(options: JetStreamConsumeOptions) {
    this.#options = options;
    const { bus } = options;
    const deliverSubject = bus.inbox();
    this.#subscription = bus.subscribe(deliverSubject, (message) => this.#receive(message), {
      onError: (error) => this.#end(error),
    });
    this.#create(deliverSubject).catch((error: unknown) => this.#end(toJournalError(error)));
    this.#check();
  }

  async stop(): Promise<void> {
    if (this.#ended) return;
    this.#close();
    const { bus, stream, name } = this.#options;
    // One that cannot be deleted now is by the server, a moment after nobody listens to it.
    await askApi(bus, `CONSUMER.DELETE.${stream}.${name}`).catch(() => undefined);
  }

  async #create(deliverSubject: string): Promise<void> {
    const { bus, stream, name, fromSequence, filter, headersOnly, heartbeatMs } = this.#options;
    const config = {
      name,
      deliver_subject: deliverSubject,
      deliver_policy: "by_start_sequence",
      opt_start_seq: Math.max(1, fromSequence),
      ack_policy: "none",
      max_deliver: 1,
      replay_policy: "instant",
      filter_subject: filter,
      headers_only: headersOnly,
      flow_control: true,
      idle_heartbeat: heartbeatMs * nanosecondsPerMs,
      mem_storage: true,
      num_replicas: 1,
    };
    const what = `CONSUMER.CREATE.${stream}.${name}`;
    const info = await askApi<ConsumerInfo>(bus, what, { stream_name: stream, config });
    this.#heard = true;
    const nothing = info.num_pending === 0 && info.delivered.consumer_seq === 0;
    if (nothing && !this.#ended && this.#delivered === 0) this.#options.onCaughtUp?.();
  }

  #receive(message: BusMessage): void {
    if (this.#ended) return;
    this.#heard = true;
    if (!message.reply?.startsWith("$JS.ACK.")) {
      this.#hearServer(message);
      return;
    }
    const { sequence, position, timestamp, pending } = parseDelivery(message.reply);
    if (position !== this.#delivered + 1) {
      this.#end(new Error(`Delivery ${this.#delivered + 1} was lost before ${position}`));
      return;
    }
    this.#delivered = position;
    const { subject, headers, data } = message;
    this.#options.onRecord({ sequence, subject, headers, data, timestamp });
    if (pending === 0 && !this.#ended) this.#options.onCaughtUp?.();
  }

  /** Heartbeats, flow control, and the news that the consumer is gone. */
  #hearServer(message: BusMessage): void {
    const { Status: status, Description: description = "" } = message.headers;
    if (status !== "100") {
      this.#end(new Error(`The server ended the consumer: ${status} ${description}`));
      return;
    }
    if (message.reply) {
      message.respond("");
      return;
    }
    const stalled = message.headers["Nats-Consumer-Stalled"];
    if (stalled) this.#options.bus.publish(stalled);
    const sent = message.headers["Nats-Last-Consumer"];
    if (sent !== undefined && Number(sent) > this.#delivered) {
      this.#end(new Error(`Deliveries up to ${sent} were lost after ${this.#delivered}`));
    }
  }

  #check(): void {
    this.#timer = this.#options.clock.setTimer(this.#options.heartbeatMs, () => {
      this.#quietChecks = this.#heard ? 0 : this.#quietChecks + 1;
      this.#heard = false;
      if (this.#quietChecks >= missedHeartbeats) this.#end(new Error("Heartbeats missed"));
      else this.#check();
    });
  }

  #end(error: Error): void {
    if (this.#ended) return;
    this.#close();
    this.#options.onEnd(error);
  }

  #close(): void {
    this.#ended = true;
    this.#timer?.dispose();
    this.#subscription.unsubscribe();
  }
}

/**
 * `$JS.ACK.<stream>.<consumer>.<tries>.<stream sequence>.<consumer sequence>.<time>.<pending>`,
 * with a domain and an account's hash after `ACK` when there are more tokens.
 */
function parseDelivery(reply: string): {
  sequence: number;
  position: number;
  timestamp: number;
  pending: number;
} {
  const tokens = reply.split(".");
  const at = tokens.length > 9 ? 7 : 5;
  return {
    sequence: Number(tokens[at]),
    position: Number(tokens[at + 1]),
    timestamp: Math.floor(Number(tokens[at + 2]) / nanosecondsPerMs),
    pending: Number(tokens[at + 3]),
  };
}
