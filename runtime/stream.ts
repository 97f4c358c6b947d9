/**
 * A stream of bytes in both directions over the bus, with many numbered channels: what logs,
 * exec, attach and port-forward are made of.
 *
 * INVARIANTS
 * - Bytes of a channel arrive whole and in order, or the stream fails: frames are numbered for
 *   each direction, and a gap, which at-most-once delivery allows, is fatal.
 * - At most `windowBytes` of a channel are under way or unread, so that a slow reader holds its
 *   writer back and not the connection that it shares with everybody.
 * - Both ends learn of the end: by a close, by the loss of their own connection, or because
 *   nothing came for `vanishedMs` although the peer sends heartbeats.
 *
 * Neither end needs to be first. Both say hello until they have heard each other, and what is
 * written before that waits.
 */

import type { Bus } from "./bus.ts";
import type { Clock, Timer } from "./clock.ts";
import { assert, assertNever, errorMessage } from "./errors.ts";
import type { Frame, WireError } from "./stream-frame.ts";
import { decodeFrame, encodeFrame } from "./stream-frame.ts";

export interface ByteStream {
  /** Fulfilled when the peer said hello. */
  readonly opened: Promise<void>;
  /** Fulfilled at the end, with what it failed of, if so; never rejected. */
  readonly closed: Promise<Error | undefined>;
  /**
   * Fulfilled when everything was sent, which the peer's credit may delay; rejected with a
   * StreamError when the stream ends before.
   */
  write(channel: number, data: Uint8Array | string): Promise<void>;
  /** Half-close: after what was written before, nothing more comes on the channel from here. */
  end(channel: number): void;
  /** What comes on a channel; one reader each. Throws when the stream fails. */
  read(channel: number): AsyncIterable<Uint8Array>;
  /** Instead of `read`. Credit is given when the handler is done; its throw fails the stream. */
  onData(
    channel: number,
    onChunk: (data: Uint8Array) => void | Promise<void>,
    onEnd?: () => void,
  ): void;
  /** Ends both directions at once, also what waits to be sent; the peer is told the error. */
  close(error?: unknown): void;
}

export interface StreamOptions {
  send: string;
  receive: string;
  /** For each channel and direction. Default 256 KiB. */
  windowBytes?: number;
  heartbeatMs?: number;
  vanishedMs?: number;
  /** How long to wait for the peer's hello. Default 10,000. */
  openTimeoutMs?: number;
}

/**
 * `closed`: it was closed, here or by the peer without an error. `vanished`: nothing was heard.
 * `broken`: bytes were lost. `disconnected`: our own connection was. Other codes are the peer's.
 */
export class StreamError extends Error {
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StreamError";
    this.code = code;
  }
}

/** One frame is no larger, so that other traffic of the connection gets between two. */
const maxDataBytes = 64 * 1024;
const helloEveryMs = 250;

interface Outgoing {
  /** Undefined: the end of the channel. */
  data: Uint8Array | undefined;
  resolve: () => void;
  reject: (error: Error) => void;
}

interface Channel {
  readonly number: number;
  readonly outgoing: Outgoing[];
  /** How much the peer takes now. */
  credit: number;
  ended: boolean;
  readonly incoming: Uint8Array[];
  /** How much of what we let the peer send has not arrived. */
  allowance: number;
  /** Read, but not yet given back as credit. */
  owed: number;
  peerEnded: boolean;
  hasReader: boolean;
  wakeReader: (() => void) | undefined;
}

export function openStream(bus: Bus, clock: Clock, options: StreamOptions): ByteStream {
  const { send, receive, windowBytes = 256 * 1024 } = options;
  const { heartbeatMs = 5_000, vanishedMs = 15_000, openTimeoutMs = 10_000 } = options;
  const channels = new Map<number, Channel>();
  const opened = deferred<void>();
  const closed = deferred<Error | undefined>();
  /** Nobody need wait for the opening. */
  opened.promise.catch(() => {});
  let state: "opening" | "open" | "closed" = "opening";
  let failure: Error | undefined;
  let peerWindow = 0;
  let sent = 0;
  let received = 0;
  let heardAt = clock.monotonic();
  let ticking: Timer;

  const subscription = bus.subscribe(receive, ({ data }) => {
    const decoded = decodeFrame(data);
    if (!decoded) fail(new StreamError("broken", "Received what is no frame"));
    else if (state !== "closed") onFrame(decoded.frame, decoded.number);
  });
  const status = bus.onStatus((connected) => {
    if (!connected) fail(new StreamError("disconnected", "The connection was lost"));
  });

  function transmit(frame: Frame): void {
    const numbered = frame.type !== "hello" && frame.type !== "heartbeat";
    if (numbered) sent++;
    bus.publish(send, encodeFrame(frame, frame.type === "hello" ? 0 : sent));
  }

  function onFrame(frame: Frame, number: number): void {
    heardAt = clock.monotonic();
    if (frame.type === "hello") {
      onHello(frame.heard, frame.windowBytes);
      return;
    }
    if (frame.type !== "heartbeat") received++;
    if (number !== received) {
      fail(new StreamError("broken", `Received frame ${number} in the place of ${received}`));
      return;
    }
    switch (frame.type) {
      case "data":
        onBytes(channelOf(frame.channel), frame.data);
        break;
      case "credit":
        channelOf(frame.channel).credit += frame.bytes;
        pump(channelOf(frame.channel));
        break;
      case "end":
        onPeerEnd(channelOf(frame.channel));
        break;
      case "close":
        finish(frame.error && rebuildError(frame.error));
        break;
      case "heartbeat":
        break;
      default:
        assertNever(frame);
    }
  }

  function onHello(heard: boolean, theirWindow: number): void {
    if (!heard) hello(true);
    if (state !== "opening") return;
    state = "open";
    peerWindow = theirWindow;
    for (const channel of channels.values()) channel.credit = theirWindow;
    ticking.dispose();
    tick();
    opened.resolve();
    for (const channel of channels.values()) pump(channel);
  }

  function hello(heard: boolean): void {
    transmit({ type: "hello", heard, windowBytes });
  }

  function sayHello(): void {
    if (clock.monotonic() - heardAt >= openTimeoutMs) {
      fail(new StreamError("vanished", "The peer did not say hello"));
      return;
    }
    hello(false);
    ticking = clock.setTimer(helloEveryMs, sayHello);
  }

  function tick(): void {
    if (clock.monotonic() - heardAt >= vanishedMs) {
      fail(new StreamError("vanished", `Nothing came from the peer for ${vanishedMs} ms`));
      return;
    }
    transmit({ type: "heartbeat" });
    ticking = clock.setTimer(heartbeatMs, tick);
  }

  function channelOf(number: number): Channel {
    let channel = channels.get(number);
    if (!channel) {
      channel = {
        number,
        outgoing: [],
        credit: peerWindow,
        ended: false,
        incoming: [],
        allowance: windowBytes,
        owed: 0,
        peerEnded: false,
        hasReader: false,
        wakeReader: undefined,
      };
      channels.set(number, channel);
    }
    return channel;
  }

  /** Sends what the peer's credit allows. */
  function pump(channel: Channel): void {
    while (state === "open") {
      const next = channel.outgoing[0];
      if (!next) return;
      if (next.data === undefined) {
        transmit({ type: "end", channel: channel.number });
      } else if (next.data.length > 0) {
        if (channel.credit === 0) return;
        const length = Math.min(next.data.length, channel.credit, maxDataBytes);
        transmit({ type: "data", channel: channel.number, data: next.data.subarray(0, length) });
        channel.credit -= length;
        next.data = next.data.subarray(length);
        if (next.data.length > 0) continue;
      }
      channel.outgoing.shift();
      next.resolve();
    }
  }

  function onBytes(channel: Channel, data: Uint8Array): void {
    channel.allowance -= data.length;
    if (channel.peerEnded || channel.allowance < 0) {
      fail(new StreamError("broken", `Received bytes on channel ${channel.number} without leave`));
      return;
    }
    // A view of a few bytes would keep alive the whole buffer that they came in.
    channel.incoming.push(data.slice());
    wake(channel);
  }

  function onPeerEnd(channel: Channel): void {
    channel.peerEnded = true;
    wake(channel);
  }

  function wake(channel: Channel): void {
    const reader = channel.wakeReader;
    channel.wakeReader = undefined;
    reader?.();
  }

  /** Credit is given back in quarters of the window: a frame for each chunk would be waste. */
  function giveBack(channel: Channel, bytes: number): void {
    channel.owed += bytes;
    if (channel.owed < windowBytes / 4 || state !== "open" || channel.peerEnded) return;
    channel.allowance += channel.owed;
    transmit({ type: "credit", channel: channel.number, bytes: channel.owed });
    channel.owed = 0;
  }

  async function* chunks(channel: Channel): AsyncGenerator<Uint8Array, void, void> {
    for (;;) {
      const chunk = channel.incoming.shift();
      if (chunk) {
        yield chunk;
        giveBack(channel, chunk.length);
      } else if (channel.peerEnded) return;
      else if (state === "closed") {
        if (failure) throw failure;
        return;
      } else {
        await new Promise<void>((resolve) => {
          channel.wakeReader = resolve;
        });
      }
    }
  }

  function read(number: number): AsyncIterable<Uint8Array> {
    const channel = channelOf(number);
    assert(!channel.hasReader, `Channel ${number} has a reader already`);
    channel.hasReader = true;
    return chunks(channel);
  }

  /** Our side finds the stream broken: the peer is told, as far as it can hear us. */
  function fail(error: Error): void {
    if (state === "closed") return;
    transmit({ type: "close", error: describeError(error) });
    finish(error);
  }

  function finish(error: Error | undefined): void {
    if (state === "closed") return;
    const reason = error ?? new StreamError("closed", "The stream was closed");
    if (state === "opening") opened.reject(reason);
    state = "closed";
    failure = error;
    ticking?.dispose();
    subscription.unsubscribe();
    status.unsubscribe();
    for (const channel of channels.values()) {
      for (const { reject } of channel.outgoing.splice(0)) reject(reason);
      wake(channel);
    }
    closed.resolve(error);
  }

  function enqueue(number: number, data: Uint8Array | undefined): Promise<void> {
    const channel = channelOf(number);
    if (state === "closed") {
      return Promise.reject(failure ?? new StreamError("closed", "The stream was closed"));
    }
    assert(!channel.ended, `Channel ${number} was ended`);
    if (data === undefined) channel.ended = true;
    return new Promise((resolve, reject) => {
      channel.outgoing.push({ data, resolve, reject });
      pump(channel);
    });
  }

  sayHello();
  return {
    opened: opened.promise,
    closed: closed.promise,
    write: (channel, data) =>
      enqueue(channel, typeof data === "string" ? new TextEncoder().encode(data) : data),
    end(channel) {
      if (!channelOf(channel).ended) enqueue(channel, undefined).catch(() => {});
    },
    read,
    onData(channel, onChunk, onEnd) {
      const consume = async (): Promise<void> => {
        for await (const chunk of read(channel)) await onChunk(chunk);
        onEnd?.();
      };
      consume().catch((error: unknown) => fail(toError(error)));
    },
    close(error) {
      if (state === "closed") return;
      if (error === undefined) transmit({ type: "close", error: undefined });
      if (error === undefined) finish(undefined);
      else fail(toError(error));
    },
  };
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(errorMessage(error), { cause: error });
}

function describeError(error: Error): WireError {
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  return { name: error.name, code, message: error.message };
}

function rebuildError({ name, code, message }: WireError): Error {
  const error = new StreamError(code ?? "failed", message);
  error.name = name;
  return error;
}

function deferred<T>() {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((kept, broken) => {
    resolve = kept;
    reject = broken;
  });
  return { promise, resolve, reject };
}
