/**
 * Exec and attach over WebSocket, subprotocols `v5.channel.k8s.io` and `v4.channel.k8s.io`: each
 * message begins with the number of its channel, and those are the stream's own channels.
 * SPDY, which older clients speak, is answered by refusing the upgrade.
 */

import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { apiError } from "../../../manifests/api-error.ts";
import { errorMessage } from "../../../runtime/errors.ts";
import type { ByteStream } from "../../../runtime/stream.ts";
import { channels } from "../../kubelet/messages.ts";

const protocols = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
/** In v5, a message on this channel says that the one named in its second byte has ended. */
const closeChannel = 255;

const server = new WebSocketServer({
  noServer: true,
  clientTracking: false,
  handleProtocols: (offered) => protocols.find((protocol) => offered.has(protocol)) ?? false,
});

/** Throws unless the client offers what we speak. */
export function assertTerminalProtocol(request: IncomingMessage): void {
  const upgrade = (request.headers.upgrade ?? "").toLowerCase();
  const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",");
  if (upgrade === "websocket" && offered.some((one) => protocols.includes(one.trim()))) return;
  throw apiError("BadRequest", `unable to upgrade: only ${protocols.join(" and ")} are served`);
}

export function serveTerminal(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  stream: ByteStream,
): void {
  server.handleUpgrade(request, socket, head, (client) => connect(client, stream));
}

function connect(client: WebSocket, stream: ByteStream): void {
  let told = false;
  let open: number = up.length;

  function send(channel: number, data: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      // A peer that has gone away is noticed by its close, not by each chunk.
      client.send(Buffer.concat([Uint8Array.of(channel), data]), () => resolve());
    });
  }

  function ended(): void {
    open--;
    if (open === 0) client.close(1000);
  }

  for (const channel of up) {
    const isStatus = channel === channels.status;
    stream.onData(
      channel,
      async (data) => {
        told ||= isStatus;
        await send(channel, data);
      },
      () => {
        // The status is the last word: what is still unread of the outputs has arrived before it.
        if (isStatus) stream.close();
        ended();
      },
    );
  }

  client.on("message", (message: Buffer) => {
    const channel = message[0];
    const data = message.subarray(1);
    if (channel === closeChannel) {
      if (data[0] === channels.stdin) stream.end(channels.stdin);
      return;
    }
    if (channel !== channels.stdin && channel !== channels.resize) return;
    // A container that does not read holds the client back, and nobody else.
    client.pause();
    stream
      .write(channel, data)
      .catch(() => {})
      .finally(() => client.resume());
  });
  client.on("close", () => stream.close());
  client.on("error", () => stream.close());
  stream.closed.then(async (error) => {
    if (!error) return;
    if (!told) await send(channels.status, Buffer.from(JSON.stringify(failure(error))));
    client.close(1000);
  });
}

const up = [channels.stdout, channels.stderr, channels.status];

function failure(error: Error): object {
  const message = `the stream to the node broke: ${errorMessage(error)}`;
  return apiError("InternalError", message).status;
}
