/**
 * The server's end of one SPDY/3.1 connection: streams that the client opens, over a socket or a
 * WebSocket. A driver at the edge.
 *
 * INVARIANTS
 * - Frames are handled one after another, and the next bytes are read when the last handler is
 *   done: a reader that is slow holds the client back, as upstream's does, which keeps no windows.
 * - A client that has gone is found out even while nothing is read of it: each ping is a write.
 * - Every stream learns of its end: by FIN, by reset, or by the end of the connection.
 */

import type { Duplex } from "node:stream";
import { constants, createDeflate, createInflate, type Deflate, type Inflate } from "node:zlib";
import type { Clock, Timer } from "../../../runtime/clock.ts";
import { errorMessage } from "../../../runtime/errors.ts";
import {
  decodeHeaders,
  dictionary,
  encodeFrame,
  encodeHeaders,
  FrameReader,
  resetStatus,
  SpdyError,
  type SpdyFrame,
} from "./spdy-frame.ts";

export interface SpdyStream {
  readonly headers: Readonly<Record<string, string>>;
  /** Set before the handler of new streams returns. What it awaits holds the connection back. */
  onData: (data: Uint8Array) => void | Promise<void>;
  /** The client sends nothing more. */
  onEnd: () => void;
  /** The client wants nothing more of it, or is gone. */
  onReset: () => void;
  /** Resolves when there is room for more, or nobody to take it. */
  write(data: Uint8Array | string): Promise<void>;
  end(): void;
  reset(): void;
}

export interface SpdyConnection {
  readonly closed: Promise<void>;
  /** Sends what was written, then closes. */
  close(): void;
}

const pingEveryMs = 10_000;
const mostStreams = 1_000;
const mostHeaderBytes = 64 * 1024;

/** `onStream` throws to refuse a stream. */
export function serveSpdy(
  socket: Duplex,
  clock: Clock,
  onStream: (stream: SpdyStream) => void,
): SpdyConnection {
  return new Connection(socket, clock, onStream);
}

interface Entry {
  readonly stream: SpdyStream;
  isReadable: boolean;
  isWritable: boolean;
}

class Connection implements SpdyConnection {
  readonly closed: Promise<void>;
  readonly #socket: Duplex;
  readonly #clock: Clock;
  readonly #onStream: (stream: SpdyStream) => void;
  readonly #streams = new Map<number, Entry>();
  readonly #inflate = createInflate({ dictionary, flush: constants.Z_SYNC_FLUSH });
  readonly #deflate = createDeflate({ dictionary, flush: constants.Z_SYNC_FLUSH });
  readonly #wakers = new Set<() => void>();
  #lastStream = 0;
  #pings = 0;
  #ping: Timer;

  constructor(socket: Duplex, clock: Clock, onStream: (stream: SpdyStream) => void) {
    this.#socket = socket;
    this.#clock = clock;
    this.#onStream = onStream;
    this.#ping = this.#pingLater();
    socket.on("error", () => socket.destroy());
    socket.on("drain", () => this.#wake());
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        this.#finish();
        resolve();
      });
    });
    void this.#serve();
  }

  close(): void {
    if (this.#socket.writable) {
      this.#send({ type: "goaway", lastStream: this.#lastStream, status: 0 });
      this.#socket.end();
    }
    // Who answers with an end of its own is gone at once; who does not is not waited for.
    this.#clock.setTimer(1_000, () => this.#socket.destroy());
    this.#socket.resume();
  }

  async #serve(): Promise<void> {
    const reader = new FrameReader();
    try {
      for await (const chunk of this.#socket) {
        for (const frame of reader.take(chunk as Buffer)) await this.#handle(frame);
      }
    } catch (error) {
      const status = error instanceof SpdyError ? resetStatus.protocolError : 0;
      this.#send({ type: "goaway", lastStream: this.#lastStream, status });
    }
    this.#socket.destroy();
  }

  async #handle(frame: SpdyFrame): Promise<void> {
    switch (frame.type) {
      case "syn-stream":
        return await this.#open(frame.stream, frame.fin, frame.block);
      case "data": {
        const entry = this.#streams.get(frame.stream);
        // What was sent before the client heard of our reset has nobody to take it.
        if (!entry?.isReadable) return;
        if (frame.data.length > 0) await entry.stream.onData(frame.data);
        if (frame.fin) this.#endOfInput(frame.stream, entry);
        return;
      }
      case "headers":
      case "syn-reply":
        // Each block goes through the decompressor, or the next would not be understood.
        await transform(this.#inflate, frame.block);
        return;
      case "reset":
        return this.#drop(frame.stream);
      case "ping":
        // An even number is the answer to one of ours.
        if (frame.id % 2 === 1) this.#send(frame);
        return;
      case "goaway":
        this.#socket.end();
        return;
      case "ignored":
        return;
    }
  }

  async #open(id: number, fin: boolean, block: Uint8Array): Promise<void> {
    const headers = decodeHeaders(await transform(this.#inflate, block));
    if (id % 2 === 0 || id <= this.#lastStream) {
      throw new SpdyError(`a client may not open stream ${id} now`);
    }
    this.#lastStream = id;
    const stream = this.#makeStream(id, headers);
    try {
      if (this.#streams.size >= mostStreams) throw new SpdyError("too many streams");
      const entry = { stream, isReadable: true, isWritable: true };
      this.#streams.set(id, entry);
      this.#onStream(stream);
      const reply = await transform(this.#deflate, encodeHeaders({}));
      this.#send({ type: "syn-reply", stream: id, block: reply });
      if (fin) this.#endOfInput(id, entry);
    } catch {
      this.#streams.delete(id);
      this.#send({ type: "reset", stream: id, status: resetStatus.refused });
    }
  }

  #makeStream(id: number, headers: Record<string, string>): SpdyStream {
    const write = async (data: Uint8Array, fin: boolean): Promise<void> => {
      const entry = this.#streams.get(id);
      if (!entry?.isWritable) return;
      if (fin) entry.isWritable = false;
      this.#forget(id, entry);
      const hasRoom = this.#send({ type: "data", stream: id, fin, data });
      if (!hasRoom) await this.#drained();
    };
    return {
      headers,
      onData: () => {},
      onEnd: () => {},
      onReset: () => {},
      write: (data) => write(typeof data === "string" ? Buffer.from(data) : data, false),
      end: () => void write(new Uint8Array(), true),
      reset: () => {
        if (!this.#streams.delete(id)) return;
        this.#send({ type: "reset", stream: id, status: resetStatus.cancel });
      },
    };
  }

  #endOfInput(id: number, entry: Entry): void {
    entry.isReadable = false;
    this.#forget(id, entry);
    entry.stream.onEnd();
  }

  /** Once it has ended both ways. */
  #forget(id: number, { isReadable, isWritable }: Entry): void {
    if (!isReadable && !isWritable) this.#streams.delete(id);
  }

  #drop(id: number): void {
    const entry = this.#streams.get(id);
    this.#streams.delete(id);
    entry?.stream.onReset();
  }

  #send(frame: Parameters<typeof encodeFrame>[0]): boolean {
    if (!this.#socket.writable) return true;
    return this.#socket.write(encodeFrame(frame));
  }

  #drained(): Promise<void> {
    if (!this.#socket.writable) return Promise.resolve();
    return new Promise((resolve) => this.#wakers.add(resolve));
  }

  #wake(): void {
    for (const wake of this.#wakers) wake();
    this.#wakers.clear();
  }

  #pingLater(): Timer {
    return this.#clock.setTimer(pingEveryMs, () => {
      this.#pings += 2;
      this.#send({ type: "ping", id: this.#pings });
      this.#ping = this.#pingLater();
    });
  }

  #finish(): void {
    this.#ping.dispose();
    this.#inflate.close();
    this.#deflate.close();
    for (const id of [...this.#streams.keys()]) this.#drop(id);
    this.#wake();
  }
}

/** What comes out of one of the two zlib streams for what goes in now. */
function transform(zlib: Inflate | Deflate, block: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    const take = (): void => {
      for (let part = zlib.read(); part !== null; part = zlib.read()) {
        parts.push(part);
        bytes += part.length;
      }
      if (bytes > mostHeaderBytes) fail(new SpdyError("a block of headers is too large"));
    };
    const fail = (error: Error): void => {
      zlib.off("readable", take);
      zlib.on("error", () => {}).destroy();
      reject(new SpdyError(`a block of headers is not readable: ${errorMessage(error)}`));
    };
    zlib.on("readable", take).once("error", fail);
    zlib.write(block, () => {
      take();
      zlib.off("readable", take).off("error", fail);
      resolve(Buffer.concat(parts));
    });
  });
}
