/**
 * Where audit events go: a JetStream stream of their own, `wherry-audit`, oldest out first.
 *
 * Requests never wait for it. While the stream cannot be written events are kept, up to a number;
 * what is lost beyond that is said in the log. A driver at the edge, as `doors/submits.ts` is.
 */

import { type Bus, isBusError } from "../../../runtime/bus.ts";
import type { Clock } from "../../../runtime/clock.ts";
import { errorMessage } from "../../../runtime/errors.ts";
import type { Log } from "../../../runtime/log.ts";
import { askApi, parseAnswer } from "../../../runtime/store/jetstream-api.ts";
import { auditSubject, auditSubjects } from "../../subjects.ts";
import type { AuditEvent } from "./auditor.ts";

export interface AuditStreamOptions {
  readonly maxAgeMs: number;
  /** Of the whole stream; -1: as much as there is. */
  readonly maxBytes: number;
}

export interface AuditStream {
  emit(event: AuditEvent): void;
  /** Sends what waits, for a moment. */
  close(): Promise<void>;
}

const stream = "wherry-audit";
const mostWaiting = 10_000;
const atOnce = 64;
const retryMs = 1_000;
const lastWordsMs = 2_000;
const nanosecondsPerMs = 1e6;

interface StreamContext {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Log;
}

export function openAuditStream(context: StreamContext, options: AuditStreamOptions): AuditStream {
  return new Sender(context, options);
}

class Sender implements AuditStream {
  readonly #context: StreamContext;
  readonly #options: AuditStreamOptions;
  #waiting: { subject: string; data: string }[] = [];
  #lost = 0;
  #isMade = false;
  #sending: Promise<void> | undefined;
  #closed = false;

  constructor(context: StreamContext, options: AuditStreamOptions) {
    this.#context = context;
    this.#options = options;
  }

  emit({ subject, event }: AuditEvent): void {
    if (this.#waiting.length >= mostWaiting) {
      this.#lost++;
      return;
    }
    const { verb, object } = subject;
    const { group = "", resource = "", namespace = "" } = object ?? {};
    const to = auditSubject({ verb, group, resource, namespace });
    this.#waiting.push({ subject: to, data: JSON.stringify(event) });
    this.#sending ??= this.#send();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.race([this.#sending, this.#context.clock.sleep(lastWordsMs)]);
  }

  async #send(): Promise<void> {
    const { clock, log } = this.#context;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, atOnce);
      try {
        if (!this.#isMade) await this.#make();
        await Promise.all(batch.map((one) => this.#put(one)));
        this.#waiting.splice(0, batch.length);
        if (this.#lost > 0) log.error("Lost audit events", { events: this.#lost });
        this.#lost = 0;
      } catch (error) {
        // Sent again as a whole: an event may be there twice, and says so by its auditID and stage.
        log.debug("Could not write audit events yet", { error: errorMessage(error) });
        this.#isMade = false;
        if (this.#closed) break;
        await clock.sleep(retryMs);
      }
    }
    this.#sending = undefined;
  }

  async #make(): Promise<void> {
    const { maxAgeMs, maxBytes } = this.#options;
    const config = {
      name: stream,
      subjects: [auditSubjects],
      storage: "file",
      discard: "old",
      num_replicas: 1,
      max_age: maxAgeMs * nanosecondsPerMs,
      max_bytes: maxBytes,
    };
    const { bus } = this.#context;
    // The options of this start count, not those of the one that made it.
    await askApi(bus, `STREAM.CREATE.${stream}`, config).catch(() =>
      askApi(bus, `STREAM.UPDATE.${stream}`, config),
    );
    this.#isMade = true;
  }

  async #put({ subject, data }: { subject: string; data: string }): Promise<void> {
    try {
      const answer = await this.#context.bus.request(subject, data);
      const { error } = parseAnswer(answer.data);
      if (error) throw new Error(error.description);
    } catch (error) {
      // However often it is sent: it must not keep back those behind it.
      if (!isBusError(error, "too-large")) throw error;
      this.#lost++;
    }
  }
}
