/**
 * Exec and attach over WebSocket, subprotocols `v5.channel.k8s.io` and `v4.channel.k8s.io`: each
 * message begins with the number of its channel, and those are the stream's own channels. Over
 * SPDY, which older clients speak, each channel is a stream that names its type.
 */

import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { apiError } from "../../../manifests/api-error.ts";
import type { Clock, Timer } from "../../../runtime/clock.ts";
import { errorMessage } from "../../../runtime/errors.ts";
import type { ByteStream } from "../../../runtime/stream.ts";
import { channels } from "../../kubelet/messages.ts";
import { type ApiRequest, booleanOption } from "../request.ts";
import { type SpdyStream, serveSpdy } from "./spdy.ts";
import type { Spoken } from "./upgrade.ts";

export const terminalProtocols: Spoken = {
  webSocket: ["v5.channel.k8s.io", "v4.channel.k8s.io"],
  spdy: "v4.channel.k8s.io",
  tunnel: false,
};

/** In v5, a message on this channel says that the one named in its second byte has ended. */
const closeChannel = 255;
const streamTimeoutMs = 30_000;
const pingEveryMs = 10_000;

/** Each ping is a write, which finds out a client that has gone even while nothing is read of it. */
export function keepAsking(client: WebSocket, clock: Clock): void {
  let timer: Timer;
  const again = (): void => {
    timer = clock.setTimer(pingEveryMs, () => {
      client.ping(() => {});
      again();
    });
  };
  again();
  client.on("close", () => timer.dispose());
}

/** The stream types that a SPDY client opens for what it asked, by their channel. */
function wantedStreams({ query }: ApiRequest): Map<string, number> {
  const tty = booleanOption(query, "tty");
  const wanted = new Map<string, number>([["error", channels.status]]);
  if (booleanOption(query, "stdin")) wanted.set("stdin", channels.stdin);
  if (booleanOption(query, "stdout")) wanted.set("stdout", channels.stdout);
  if (booleanOption(query, "stderr") && !tty) wanted.set("stderr", channels.stderr);
  if (tty) wanted.set("resize", channels.resize);
  return wanted;
}

export function terminalOverSpdy(
  socket: Duplex,
  clock: Clock,
  request: ApiRequest,
  stream: ByteStream,
): void {
  const wanted = wantedStreams(request);
  const opened = new Map<number, SpdyStream>();
  let open: number = up.length;
  const connection = serveSpdy(socket, clock, (opening) => {
    const type = opening.headers.streamtype ?? "";
    const channel = wanted.get(type);
    if (channel === undefined || opened.has(channel)) {
      throw apiError("BadRequest", `invalid stream type ${JSON.stringify(type)}`);
    }
    opened.set(channel, opening);
    if (channel === channels.stdin || channel === channels.resize) {
      opening.onData = (data) => stream.write(channel, data).catch(() => {});
      opening.onEnd = () => stream.end(channel);
    }
    // A status that overtook the outputs would end all before they are there.
    if (opened.size === wanted.size) start();
  });
  let timer = clock.setTimer(streamTimeoutMs, () => {
    if (opened.size < wanted.size) connection.close();
  });

  function start(): void {
    for (const channel of up) {
      const out = opened.get(channel);
      stream.onData(
        channel,
        (data) => out?.write(data),
        () => {
          out?.end();
          // Outputs may still wait for the client when the status has come.
          open--;
          if (open === 0) stream.close();
        },
      );
    }
  }

  void connection.closed.then(async () => {
    stream.close();
    await ended;
    timer.dispose();
  });
  const ended = stream.closed.then(async (error) => {
    const status = opened.get(channels.status);
    if (error) await status?.write(JSON.stringify(failure(error)));
    // Otherwise what came before the end is still being written, and each channel ends by itself.
    if (error) for (const one of opened.values()) one.end();
    // The client closes when it has read all: kubectl drops what it has not when we are first.
    timer.dispose();
    timer = clock.setTimer(streamTimeoutMs, () => connection.close());
  });
}

export function terminalOverWebSocket(client: WebSocket, clock: Clock, stream: ByteStream): void {
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
  keepAsking(client, clock);
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
