/**
 * From an HTTP request to what streams are made of: a WebSocket whose messages begin with their
 * channel, or SPDY/3.1, plain or inside a WebSocket (`SPDY/3.1+<protocol>`), as kubectl 1.31 and
 * later forward ports. A driver at the edge.
 */

import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { createWebSocketStream, type WebSocket, WebSocketServer } from "ws";
import { apiError } from "../../../manifests/api-error.ts";

export interface Spoken {
  /** Subprotocols of a WebSocket, the best first. */
  readonly webSocket: readonly string[];
  /** What SPDY carries; in a WebSocket too when `tunnel` is set. */
  readonly spdy: string;
  readonly tunnel: boolean;
}

export type Chosen =
  | { readonly type: "webSocket"; readonly protocol: string }
  | { readonly type: "tunnel"; readonly protocol: string }
  | { readonly type: "spdy"; readonly protocol: string };

const spdyUpgrade = "spdy/3.1";
const tunnelPrefix = "SPDY/3.1+";

/** Throws unless the client offers what is spoken. */
export function chooseProtocol({ headers }: IncomingMessage, spoken: Spoken): Chosen {
  const upgrade = (headers.upgrade ?? "").toLowerCase();
  if (upgrade === spdyUpgrade) {
    const offered = listOf(headers["x-stream-protocol-version"]);
    if (offered.includes(spoken.spdy)) return { type: "spdy", protocol: spoken.spdy };
    const why = `client supports [${offered.join(" ")}], server accepts [${spoken.spdy}]`;
    throw apiError("Forbidden", `unable to upgrade: unable to negotiate protocol: ${why}`);
  }
  if (upgrade !== "websocket") throw apiError("BadRequest", "Upgrade request required");
  const offered = listOf(headers["sec-websocket-protocol"]);
  const tunnel = `${tunnelPrefix}${spoken.spdy}`;
  if (spoken.tunnel && offered.includes(tunnel)) return { type: "tunnel", protocol: tunnel };
  const protocol = spoken.webSocket.find((one) => offered.includes(one));
  if (protocol) return { type: "webSocket", protocol };
  const served = [...(spoken.tunnel ? [tunnel] : []), ...spoken.webSocket].join(", ");
  throw apiError("BadRequest", `unable to upgrade: only ${served} are served`);
}

function listOf(header: string | string[] | undefined): string[] {
  return [header ?? []].flat().flatMap((value) => value.split(",").map((one) => one.trim()));
}

const server = new WebSocketServer({ noServer: true, clientTracking: false });
const chosenOf = new WeakMap<IncomingMessage, string>();

// `ws` lets no slash be part of a subprotocol's name: it is taken off before, and put back here.
server.on("headers", (headers, request) => {
  const chosen = chosenOf.get(request);
  if (chosen) headers.push(`Sec-WebSocket-Protocol: ${chosen}`);
});

/** `then` is called unless the handshake fails, which the client has then been told. */
export function upgradeWebSocket(
  { request, socket, head }: Upgrade,
  protocol: string,
  then: (client: WebSocket) => void,
): void {
  chosenOf.set(request, protocol);
  delete request.headers["sec-websocket-protocol"];
  keepAlive(socket);
  server.handleUpgrade(request, socket, head, then);
}

/** The bytes of SPDY, in whichever of its two wrappings. */
export function upgradeSpdy(
  upgrade: Upgrade,
  { type, protocol }: Chosen,
  then: (socket: Duplex) => void,
): void {
  if (type === "tunnel") {
    upgradeWebSocket(upgrade, protocol, (client) => then(createWebSocketStream(client)));
    return;
  }
  const { socket, head } = upgrade;
  keepAlive(socket);
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n" +
      `X-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  );
  if (head.length > 0) socket.unshift(head);
  then(socket);
}

export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** A client whose machine is gone says nothing. */
function keepAlive(socket: Duplex): void {
  if ("setKeepAlive" in socket && typeof socket.setKeepAlive === "function") {
    socket.setKeepAlive(true, 30_000);
  }
}
