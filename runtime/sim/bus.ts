/**
 * The simulated twin of a NATS connection: the client's half, over a wire of `sim/network.ts`.
 *
 * Time-outs run on the clock that is handed in, the one of the simulated process, so that they
 * die with it.
 */

import type {
  Bus,
  BusErrorCode,
  BusMessage,
  Headers,
  RequestOptions,
  SubscribeOptions,
  Subscription,
} from "../bus.ts";
import { BusError, defaultRequestTimeoutMs, maxPayloadBytes } from "../bus.ts";
import type { Clock, Timer } from "../clock.ts";
import { assertNever } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Random } from "../random.ts";
import { assertSubject, assertSubjectPattern } from "../subject.ts";
import type { DownFrame, Permissions, Published, SimNetwork } from "./network.ts";

export interface SimBus extends Bus {
  readonly name: string;
  /** As the process dies: no frame, no answer, no rejection ever comes out of it again. */
  kill(): void;
}

export interface SimBusOptions {
  /** Of the connection, for faults and traces. Several may share one and suffer together. */
  name: string;
  /** Default `_INBOX.<name>`. */
  inboxPrefix?: string;
  permissions?: Permissions;
  clock?: Clock;
  random?: Random;
  log?: Log;
}

interface Listener {
  readonly subject: string;
  readonly queue: string | undefined;
  readonly handler: (message: BusMessage) => void;
  readonly onError: ((error: BusError) => void) | undefined;
}

interface Awaited {
  readonly subject: string;
  readonly timer: Timer;
  resolve(message: BusMessage): void;
  reject(error: BusError): void;
}

export function createSimBus(network: SimNetwork, options: SimBusOptions): SimBus {
  const { world } = network;
  const { name, inboxPrefix = `_INBOX.${name}`, clock = world.clock, log = world.log } = options;
  const random = options.random ?? world.random.fork(`bus-${name}-${network.wires.length}`);
  const listeners = new Map<number, Listener>();
  const awaited = new Map<string, Awaited>();
  const flushes: { resolve: () => void; reject: (error: BusError) => void }[] = [];
  const statusHandlers = new Set<(connected: boolean) => void>();
  let state: "live" | "closed" | "killed" = "live";
  let nextSid = 1;
  let nextRequest = 1;
  /** Below this come the answers to requests, under one subscription made with the first. */
  let answers: { root: string; sid: number } | undefined;

  const wire = network.attach({
    name,
    permissions: options.permissions,
    onFrame: (frame) => state === "live" && onFrame(frame),
    onLost: () => state === "live" && onLost(),
  });

  function onFrame(frame: DownFrame): void {
    switch (frame.type) {
      case "message":
        world.trace.record(`${name} < ${frame.message.subject}`, frame.message.data);
        guarded(() => listeners.get(frame.sid)?.handler(toMessage(frame.message)));
        break;
      case "pong":
        flushes.shift()?.resolve();
        break;
      case "refused":
        if (frame.operation === "publish") onPublishRefused(frame.subject);
        else onSubscribeRefused(frame.sid, frame.subject);
        break;
      default:
        assertNever(frame);
    }
  }

  function onLost(): void {
    rejectAll("disconnected", "The connection was lost");
    tellStatus(false);
    reconnect();
  }

  function reconnect(): void {
    clock.setTimer(50 + random.next() * 250, () => {
      if (state !== "live" || wire.up) return;
      if (!wire.open()) {
        reconnect();
        return;
      }
      for (const [sid, { subject, queue }] of listeners) {
        wire.send({ type: "subscribe", sid, subject, queue });
      }
      tellStatus(true);
    });
  }

  /** Of several requests to one subject the server does not say which one it refused. */
  function onPublishRefused(subject: string): void {
    log.error("Lacked the permission to publish", { connection: name, subject });
    const refused = [...awaited].find(([, request]) => request.subject === subject);
    if (!refused) return;
    settle(refused[0])?.reject(new BusError("forbidden", `May not publish to ${subject}`));
  }

  function onSubscribeRefused(sid: number, subject: string): void {
    log.error("Lacked the permission to subscribe", { connection: name, subject });
    const error = new BusError("forbidden", `May not subscribe to ${subject}`);
    const listener = listeners.get(sid);
    listeners.delete(sid);
    if (sid === answers?.sid) {
      answers = undefined;
      for (const token of [...awaited.keys()]) settle(token)?.reject(error);
    }
    guarded(() => listener?.onError?.(error));
  }

  function settle(token: string): Awaited | undefined {
    const request = awaited.get(token);
    request?.timer.dispose();
    awaited.delete(token);
    return request;
  }

  function rejectAll(code: BusErrorCode, message: string): void {
    for (const token of [...awaited.keys()]) settle(token)?.reject(new BusError(code, message));
    for (const flush of flushes.splice(0)) flush.reject(new BusError(code, message));
  }

  function tellStatus(connected: boolean): void {
    for (const handler of [...statusHandlers]) guarded(() => handler(connected));
  }

  function guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      log.error("A bus handler threw", { connection: name, error });
    }
  }

  function toMessage({ subject, reply, headers, data }: Published): BusMessage {
    return {
      subject,
      reply,
      headers,
      data,
      respond: (answer, answerHeaders) => {
        if (reply) bus.publish(reply, answer, { headers: answerHeaders });
      },
    };
  }

  function onAnswer(message: BusMessage): void {
    const request = settle(message.subject.slice(message.subject.lastIndexOf(".") + 1));
    if (message.headers.Status !== "503") request?.resolve(message);
    else request?.reject(new BusError("no-responders", `Nobody answers ${request.subject}`));
  }

  function answersRoot(): string {
    if (!answers) {
      const root = bus.inbox();
      answers = { root, sid: nextSid };
      bus.subscribe(`${root}.*`, onAnswer);
    }
    return answers.root;
  }

  /** What a request or flush cannot be made for now, if anything. */
  function unusable(): BusError | undefined {
    if (state !== "live") return new BusError("closed", "The bus is closed");
    return wire.up ? undefined : new BusError("disconnected", "Not connected");
  }

  function request(
    subject: string,
    data: Uint8Array | string = "",
    { headers = {}, timeoutMs = defaultRequestTimeoutMs }: RequestOptions = {},
  ): Promise<BusMessage> {
    if (state === "killed") return new Promise(() => {});
    return new Promise((resolve, reject) => {
      const obstacle = unusable();
      if (obstacle) {
        reject(obstacle);
        return;
      }
      const token = `${nextRequest++}`;
      bus.publish(subject, data, { headers, reply: `${answersRoot()}.${token}` });
      const timer = clock.setTimer(timeoutMs, () => {
        settle(token)?.reject(new BusError("timeout", `No answer from ${subject} in time`));
      });
      awaited.set(token, { subject, timer, resolve, reject });
    });
  }

  const bus: SimBus = {
    name,
    get connected() {
      return state === "live" && wire.up;
    },
    publish(subject, data = "", { headers = {}, reply } = {}) {
      assertSubject(subject);
      const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data.slice();
      if (bytes.length + headersLength(headers) > maxPayloadBytes) {
        throw new BusError("too-large", `${bytes.length} bytes for ${subject}`);
      }
      if (state !== "live") return;
      wire.send({ type: "publish", message: { subject, reply, headers, data: bytes } });
    },
    subscribe(subject, handler, { queue, onError }: SubscribeOptions = {}): Subscription {
      assertSubjectPattern(subject);
      if (state !== "live") return { unsubscribe: () => {} };
      const sid = nextSid++;
      listeners.set(sid, { subject, queue, handler, onError });
      wire.send({ type: "subscribe", sid, subject, queue });
      return {
        unsubscribe() {
          if (listeners.delete(sid)) wire.send({ type: "unsubscribe", sid });
        },
      };
    },
    request,
    inbox: () => `${inboxPrefix}.${random.suffix(16)}`,
    flush() {
      if (state === "killed") return new Promise(() => {});
      const obstacle = unusable();
      if (obstacle) return Promise.reject(obstacle);
      wire.send({ type: "ping" });
      return new Promise((resolve, reject) => flushes.push({ resolve, reject }));
    },
    onStatus(handler) {
      const told = (connected: boolean): void => handler(connected);
      statusHandlers.add(told);
      return { unsubscribe: () => statusHandlers.delete(told) };
    },
    async close() {
      if (state !== "live") return;
      state = "closed";
      rejectAll("closed", "The bus was closed");
      listeners.clear();
      wire.detach();
    },
    kill() {
      state = "killed";
      for (const { timer } of awaited.values()) timer.dispose();
      wire.detach({ abrupt: true });
    },
  };

  if (!wire.open()) reconnect();
  return bus;
}

function headersLength(headers: Headers): number {
  let length = 0;
  for (const [name, value] of Object.entries(headers)) length += name.length + value.length + 4;
  return length === 0 ? 0 : length + "NATS/1.0\r\n\r\n".length;
}
