/**
 * Port-forward: each connection that a client opens is one stream to the node, and one TCP
 * connection to the pod. Over SPDY a connection is a pair of streams, `data` and `error`, with the
 * same `requestID`; over a WebSocket (`v4.channel.k8s.io`) the n-th port of the query has the
 * channels 2n and 2n+1. Words as k8s: kubelet/pkg/cri/streaming/portforward.
 */

import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { apiError } from "../../../manifests/api-error.ts";
import type { Clock, Timer } from "../../../runtime/clock.ts";
import { errorMessage } from "../../../runtime/errors.ts";
import type { ByteStream } from "../../../runtime/stream.ts";
import { type SpdyStream, serveSpdy } from "./spdy.ts";
import { keepAsking } from "./terminal.ts";
import type { Spoken } from "./upgrade.ts";

export const portForwardProtocols: Spoken = {
  webSocket: ["v4.channel.k8s.io"],
  spdy: "portforward.k8s.io",
  tunnel: true,
};

/** The pod whose ports are meant. Rejects when its node, or the pod, cannot be reached. */
export interface PortTarget {
  readonly pod: string;
  readonly uid: string;
  open(port: number): Promise<ByteStream>;
}

type PortStream = Pick<SpdyStream, "onData" | "onEnd" | "onReset" | "write" | "end">;

const pairTimeoutMs = 30_000;

export function forwardOverSpdy(socket: Duplex, clock: Clock, target: PortTarget): void {
  const waiting = new Map<string, { first: SpdyStream; timer: Timer }>();
  const connection = serveSpdy(socket, clock, (stream) => {
    const { requestid = "" } = stream.headers;
    const port = portOf(stream.headers.port, "port");
    const type = typeOf(stream.headers.streamtype);
    const other = waiting.get(requestid);
    if (!other) {
      const timer = clock.setTimer(pairTimeoutMs, () => {
        waiting.delete(requestid);
        stream.reset();
      });
      waiting.set(requestid, { first: stream, timer });
      return;
    }
    if (typeOf(other.first.headers.streamtype) === type) throw new Error(`two ${type} streams`);
    waiting.delete(requestid);
    other.timer.dispose();
    const [data, error] = type === "data" ? [stream, other.first] : [other.first, stream];
    void forward(target, port, data, error);
  });
  void connection.closed.then(() => {
    for (const { timer } of waiting.values()) timer.dispose();
  });
}

function typeOf(value: string | undefined): "data" | "error" {
  if (value === "data" || value === "error") return value;
  throw apiError("BadRequest", `invalid stream type ${JSON.stringify(value ?? "")}`);
}

function portOf(value: string | undefined, name: string): number {
  if (!value) throw apiError("BadRequest", `"${name}" header is required`);
  const port = /^\d{1,5}$/.test(value) ? Number(value) : Number.NaN;
  if (port > 0 && port < 65536) return port;
  throw apiError("BadRequest", `unable to parse "${value}" as a port: it must be 1 to 65535`);
}

/** Resolves when the pod has sent all, or could not be reached; never rejects. */
async function forward(
  { pod, uid, open }: PortTarget,
  port: number,
  data: PortStream,
  error: PortStream,
): Promise<void> {
  const opening = open(port);
  const whenOpen = (act: (stream: ByteStream) => unknown) => opening.then(act).catch(() => {});
  data.onData = async (bytes) => void (await whenOpen((stream) => stream.write(0, bytes)));
  data.onEnd = () => void whenOpen((stream) => stream.end(0));
  data.onReset = () => void whenOpen((stream) => stream.close());
  try {
    const stream = await opening;
    for await (const bytes of stream.read(0)) await data.write(bytes);
  } catch (cause) {
    const why = errorMessage(cause);
    await error.write(`error forwarding port ${port} to pod ${pod}, uid ${uid}: ${why}`);
  }
  data.end();
  error.end();
}

/** The ports that a WebSocket's client names before. Throws an ApiError. */
export function portsOf(query: URLSearchParams): number[] {
  const values = query.getAll("ports").flatMap((value) => value.split(","));
  if (values.length === 0) {
    throw apiError("BadRequest", 'query parameter "ports" is required');
  }
  return values.map((value) => portOf(value.trim(), "ports"));
}

export function forwardOverWebSocket(
  client: WebSocket,
  clock: Clock,
  target: PortTarget,
  ports: readonly number[],
): void {
  const streams = ports.flatMap((_, at) =>
    [0, 1].map((odd) => channelStream(client, 2 * at + odd)),
  );
  client.on("message", (message: Buffer) => {
    const stream = streams[message[0] ?? -1];
    if (!stream || message.length < 2) return;
    client.pause();
    void Promise.resolve(stream.onData(message.subarray(1))).finally(() => client.resume());
  });
  client.on("error", () => client.terminate());
  client.on("close", () => {
    for (const stream of streams) stream.onReset();
  });
  keepAsking(client, clock);
  const all = ports.map(async (port, at) => {
    const [data, error] = [streams[2 * at], streams[2 * at + 1]];
    if (!data || !error) return;
    const forwarded = forward(target, port, data, error);
    // What each channel says first is which port it is.
    const number = Uint8Array.of(port & 0xff, port >> 8);
    await Promise.all([data.write(number), error.write(number)]);
    await forwarded;
  });
  void Promise.all(all).then(() => client.close(1000));
}

function channelStream(client: WebSocket, channel: number): PortStream {
  return {
    onData: () => {},
    onEnd: () => {},
    onReset: () => {},
    write: (data) =>
      new Promise((resolve) => {
        const bytes = typeof data === "string" ? Buffer.from(data) : data;
        // Who has gone is noticed by the close, not by each chunk.
        client.send(Buffer.concat([Uint8Array.of(channel), bytes]), () => resolve());
      }),
    // A channel of this protocol has no end of its own.
    end: () => {},
  };
}
