/**
 * Watches over NATS: numbered messages to the watcher's inbox, acknowledged by it in turn, so that
 * neither a lost message nor a dead peer goes unnoticed and a slow one cannot fill our memory.
 */

import { apiError } from "../../../manifests/api-error.ts";
import type { Bus, BusMessage, Subscription } from "../../../runtime/bus.ts";
import type { Clock, Timer } from "../../../runtime/clock.ts";
import type { Log } from "../../../runtime/log.ts";
import type { Random } from "../../../runtime/random.ts";
import { sessionSubject, sessionSubjects } from "../../subjects.ts";
import {
  type SessionMessage,
  sequenceHeader,
  sessionHeader,
  type WatchOpened,
  watchHeartbeatMs,
  watchWindowBytes,
} from "../messages.ts";
import type { Pipeline } from "../pipeline.ts";
import { type ApiRequest, concat } from "../request.ts";
import type { OpenedWatch } from "../watch.ts";

/** A watcher that has said nothing for so long is gone. */
const silenceMs = 20_000;
/** Frames of one turn travel together up to this size. */
const messageBytes = 256 * 1024;

export interface Sessions {
  open(request: ApiRequest, inbox: string): Promise<WatchOpened>;
  close(): void;
  readonly count: number;
}

export interface SessionWorld {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export function createSessions(world: SessionWorld, pipeline: Pipeline, replica: string): Sessions {
  const sessions = new Map<string, Session>();
  const listening: Subscription = world.bus.subscribe(sessionSubjects(replica), (message) => {
    sessions.get(message.subject)?.receive(message);
  });

  return {
    get count() {
      return sessions.size;
    },
    async open(request, inbox) {
      const subject = sessionSubject(request.user.name, replica, world.random.suffix(16));
      const session = new Session(world, { inbox, subject }, () => sessions.delete(subject));
      sessions.set(subject, session);
      try {
        session.watching(await pipeline.watch(request, session));
      } catch (error) {
        session.end();
        throw error;
      }
      return { session: subject };
    },
    close() {
      listening.unsubscribe();
      for (const session of sessions.values()) session.close();
    },
  };
}

class Session {
  readonly #world: SessionWorld;
  readonly #inbox: string;
  readonly #subject: string;
  readonly #onEnd: () => void;
  /** Sizes of what was sent and not yet acknowledged, the oldest first. */
  readonly #unacknowledged: { sequence: number; bytes: number }[] = [];
  #unacknowledgedBytes = 0;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #flushing = false;
  #sequence = 0;
  #watch: OpenedWatch | undefined;
  #heartbeat: Timer | undefined;
  #heardAt: number;
  #ended = false;

  constructor(
    world: SessionWorld,
    { inbox, subject }: { inbox: string; subject: string },
    onEnd: () => void,
  ) {
    this.#world = world;
    this.#inbox = inbox;
    this.#subject = subject;
    this.#onEnd = onEnd;
    this.#heardAt = world.clock.monotonic();
  }

  watching(watch: OpenedWatch): void {
    if (this.#ended) {
      watch.close();
      return;
    }
    this.#watch = watch;
    this.#beat();
    this.#judgeWindow();
  }

  frames(bytes: Uint8Array): void {
    if (this.#ended) return;
    if (this.#pendingBytes > 0 && this.#pendingBytes + bytes.length > messageBytes) this.#flush();
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    if (this.#flushing) return;
    this.#flushing = true;
    // Frames of one turn share a message: a commit of many objects is one send to each watcher.
    queueMicrotask(() => {
      this.#flushing = false;
      this.#flush();
      this.#judgeWindow();
    });
  }

  receive(message: BusMessage): void {
    const said = parseSessionMessage(message.data);
    if (!said) return;
    if (said.type === "close") {
      this.close();
      return;
    }
    this.#heardAt = this.#world.clock.monotonic();
    for (;;) {
      const oldest = this.#unacknowledged[0];
      if (!oldest || oldest.sequence > said.sequence) return;
      this.#unacknowledgedBytes -= oldest.bytes;
      this.#unacknowledged.shift();
    }
  }

  close(): void {
    if (this.#watch) this.#watch.close();
    else this.end();
  }

  end(): void {
    if (this.#ended) return;
    this.#flush();
    this.#ended = true;
    this.#heartbeat?.dispose();
    this.#onEnd();
  }

  #flush(): void {
    if (this.#ended || this.#pending.length === 0) return;
    const data = concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#sequence++;
    this.#unacknowledged.push({ sequence: this.#sequence, bytes: data.length });
    this.#unacknowledgedBytes += data.length;
    const headers = {
      [sequenceHeader]: String(this.#sequence),
      [sessionHeader]: this.#subject,
    };
    this.#world.bus.publish(this.#inbox, data, { headers });
  }

  #beat(): void {
    this.#heartbeat = this.#world.clock.setTimer(watchHeartbeatMs, () => {
      if (this.#world.clock.monotonic() - this.#heardAt > silenceMs) {
        this.#world.log.debug("Ended a silent watch", { inbox: this.#inbox });
        this.close();
        return;
      }
      this.#watch?.bookmark();
      this.#beat();
    });
  }

  /** A watcher that falls behind lists again: that costs less than what it would have to catch up. */
  #judgeWindow(): void {
    if (this.#ended || this.#unacknowledgedBytes <= watchWindowBytes) return;
    const why = `the watcher is ${this.#unacknowledgedBytes} bytes behind; list again`;
    this.#watch?.fail(apiError("Expired", why));
  }
}

function parseSessionMessage(data: Uint8Array): SessionMessage | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(data));
    if (typeof value !== "object" || value === null || !("type" in value)) return undefined;
    if (value.type === "close") return { type: "close" };
    if (value.type !== "acknowledge" || !("sequence" in value)) return undefined;
    const { sequence } = value;
    return typeof sequence === "number" ? { type: "acknowledge", sequence } : undefined;
  } catch {
    return undefined;
  }
}
