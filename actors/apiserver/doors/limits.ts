/**
 * How long a client may take to say what it wants, and how much of it. A driver at the edge: timers
 * of sockets. As upstream's server has them (k8s: apiserver/pkg/server/secure_serving.go), or Go's.
 */

import type { Http2SecureServer, SecureServerOptions, ServerHttp2Session } from "node:http2";
import type { Duplex } from "node:stream";
import type { ApiStatus } from "../../../manifests/api-error.ts";

export interface Patience {
  /** From a connection to the end of its TLS handshake. */
  readonly handshakeMs: number;
  /** From there, or from the last answer, to the end of a request's head. */
  readonly headMs: number;
  /** From there to the end of its body. */
  readonly bodyMs: number;
  /** For a connection on which nothing is asked. */
  readonly idleMs: number;
}

export const patience: Patience = {
  handshakeMs: 10_000,
  headMs: 32_000,
  bodyMs: 60_000,
  idleMs: 90_000,
};

const maxHeadBytes = 1024 * 1024;

export function limitsOf({ handshakeMs }: Patience): SecureServerOptions {
  return {
    handshakeTimeout: handshakeMs,
    maxSessionMemory: 64,
    settings: { maxConcurrentStreams: 1_000, maxHeaderListSize: maxHeadBytes },
  };
}

/** Node has them for HTTP/1.1 on a server of both versions too, but does not say so in its types. */
interface Http1Limits {
  maxHeaderSize: number;
  connectionsCheckingInterval: number;
  headersTimeout: number;
  requestTimeout: number;
  keepAliveTimeout: number;
}

export function applyLimits(server: Http2SecureServer, given: Patience): void {
  const { headMs, bodyMs, idleMs } = given;
  Object.assign(server, {
    maxHeaderSize: maxHeadBytes,
    connectionsCheckingInterval: Math.ceil(headMs / 8),
    headersTimeout: headMs,
    // Who was told that the body came too slowly, and goes on, is cut off.
    requestTimeout: headMs + 2 * bodyMs,
    keepAliveTimeout: idleMs,
  } satisfies Http1Limits);
  // Also of a handshake that takes too long, after which Node would wait on.
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  server.on("session", (session) => closeWhenIdle(session, idleMs));
  server.on("clientError", refuseMalformed);
}

/** A session on which something is under way is not idle, however long nothing is said. */
function closeWhenIdle(session: ServerHttp2Session, idleMs: number): void {
  let streams = 0;
  session.on("stream", (stream) => {
    streams++;
    stream.once("close", () => {
      streams--;
    });
  });
  const wait = () =>
    session.setTimeout(idleMs, () => {
      if (streams === 0) session.close();
      else wait();
    });
  wait();
}

/** Of what is no HTTP there is no exchange: the answer is written by hand. */
function refuseMalformed(error: Error & { code?: string }, socket: Duplex): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const [code, message] = faults[error.code ?? ""] ?? [400, "the request is not HTTP"];
  const status: ApiStatus = {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason: code === 408 ? "Timeout" : "BadRequest",
    code,
  };
  const body = JSON.stringify(status);
  socket.end(
    `HTTP/1.1 ${code} ${code}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

const faults: Readonly<Record<string, [code: number, message: string]>> = {
  HPE_HEADER_OVERFLOW: [431, `the head of the request is too large: limit is ${maxHeadBytes}`],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "the request did not come in time"],
};
