/**
 * One HTTP request and its answer, the same for HTTP/1.1 and HTTP/2. A driver at the edge: with
 * `https.ts` and the upgrades the only file of the API actor that touches sockets.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { Readable } from "node:stream";
import type { TLSSocket } from "node:tls";
import { ApiError, apiError } from "../../../manifests/api-error.ts";
import { maxBodyBytes, tooLarge } from "../decode.ts";

export interface Exchange {
  readonly method: string;
  /** Path and query, as sent. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly socket: TLSSocket;
  /** Throws RequestEntityTooLarge, and Timeout when it does not come. */
  body(): Promise<Uint8Array>;
  head(code: number, headers: Record<string, string | string[]>): void;
  /** False when the peer reads slower than we write: see `drained`. */
  write(bytes: Uint8Array): boolean;
  /** Resolves when there is room again, or the peer is gone. */
  drained(): Promise<void>;
  end(): void;
  /** Breaks it off when nothing moves for so long; 0: never, as it is at first. */
  limitStall(delayMs: number): void;
  /** Breaks it off, so that nobody takes what was sent for all of it. */
  abort(): void;
  onClose(handler: () => void): void;
  readonly closed: boolean;
}

export function http1Exchange(
  request: IncomingMessage,
  response: ServerResponse,
  bodyMs: number,
): Exchange {
  return {
    method: request.method ?? "GET",
    target: request.url ?? "/",
    headers: request.headers,
    socket: request.socket as TLSSocket,
    body: () => collect(request, bodyMs),
    head: (code, headers) => {
      response.writeHead(code, headers);
      // A watch on which nothing happens yet must still be seen to have begun.
      response.flushHeaders();
    },
    write: (bytes) => response.write(bytes),
    drained: () => drained(response, () => response.closed),
    end: () => response.end(),
    limitStall: (delayMs) => {
      response.removeAllListeners("timeout");
      response.setTimeout(delayMs, () => response.destroy());
    },
    abort: () => response.destroy(),
    onClose: (handler) => response.once("close", handler),
    get closed() {
      return response.closed || response.destroyed;
    },
  };
}

export function http2Exchange(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  bodyMs: number,
): Exchange {
  let isLate = false;
  // A reset by the peer is how most watches end.
  stream.on("error", () => stream.close(constants.NGHTTP2_CANCEL));
  return {
    method: headers[":method"] ?? "GET",
    target: headers[":path"] ?? "/",
    headers,
    socket: stream.session?.socket as TLSSocket,
    body: () =>
      collect(stream, bodyMs).catch((error: unknown) => {
        isLate = error instanceof ApiError && error.reason === "Timeout";
        throw error;
      }),
    head: (code, answer) => {
      if (!stream.destroyed && !stream.closed) stream.respond({ ":status": code, ...answer });
    },
    write: (bytes) => (stream.destroyed || stream.closed ? true : stream.write(bytes)),
    drained: () => drained(stream, () => stream.closed || stream.destroyed),
    end: () => {
      if (stream.destroyed) return;
      stream.end();
      // A stream stays open for as long as the peer is sending. Not at once: the answer is on its way.
      if (isLate) setTimeout(() => stream.close(), lingerMs).unref();
    },
    limitStall: (delayMs) => {
      stream.removeAllListeners("timeout");
      if (stream.destroyed) return;
      // With an error: without one the peer would take what was sent for all of it.
      stream.setTimeout(delayMs, () => stream.destroy(new Error("the peer takes nothing")));
    },
    abort: () => stream.close(constants.NGHTTP2_INTERNAL_ERROR),
    onClose: (handler) => stream.once("close", handler),
    get closed() {
      return stream.closed || stream.destroyed;
    },
  };
}

const lingerMs = 1_000;

/** What is too much is read to its end and dropped: who still sends would not hear our answer. */
function collect(source: Readable, bodyMs: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const late = "request did not complete within the allotted timeout";
    const timer = setTimeout(() => reject(apiError("Timeout", late)), bodyMs);
    source.once("close", () => clearTimeout(timer));
    source.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBodyBytes) {
        chunks.push(chunk);
        return;
      }
      chunks.length = 0;
      reject(tooLarge());
    });
    source.once("end", () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks));
    });
    source.once("error", reject);
    source.once("close", () => reject(apiError("BadRequest", "the body of the request broke off")));
  });
}

function drained(
  stream: {
    once(event: string, handler: () => void): unknown;
    removeListener(event: string, handler: () => void): unknown;
  },
  isClosed: () => boolean,
): Promise<void> {
  if (isClosed()) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      stream.removeListener("drain", done);
      stream.removeListener("close", done);
      resolve();
    };
    stream.once("drain", done);
    stream.once("close", done);
  });
}
