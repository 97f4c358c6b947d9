/** The dialer over real sockets: a driver at the edge. */

import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect, type Socket } from "node:net";
import type { Connection, Dialer, HttpProbe } from "./dialer.ts";

/** As upstream: the rest of a body is of no interest to a probe. */
const mostBodyBytes = 10 * 1024;

export const netDialer: Dialer = { httpGet, connect: dial };

function httpGet(probe: HttpProbe, timeoutMs: number): Promise<{ status: number; body: string }> {
  const url = `${probe.scheme}://${probe.host}:${probe.port}${probe.path}`;
  return new Promise((resolve, reject) => {
    const headers: Record<string, string> = { "User-Agent": "kube-probe/1.32", Accept: "*/*" };
    for (const [name, value] of probe.headers) headers[name] = value;
    const options = { headers, agent: false, rejectUnauthorized: false };
    const send = probe.scheme === "https" ? httpsRequest : httpRequest;
    const request = send(url, options, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        body += chunk;
        if (body.length > mostBodyBytes) response.destroy();
      });
      response.on("close", () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, body: body.slice(0, mostBodyBytes) });
      });
      response.on("error", () => {});
    });
    const timer = setTimeout(() => {
      request.destroy(new Error("context deadline exceeded (no answer in time)"));
    }, timeoutMs);
    request.on("error", (error) => {
      clearTimeout(timer);
      reject(new Error(`Get "${url}": ${dialMessage(error, probe.host, probe.port)}`));
    });
    request.end();
  });
}

/** In the words that users of Kubernetes know. */
function dialMessage(error: Error, host: string, port: number): string {
  const code = (error as NodeJS.ErrnoException).code;
  const known: Record<string, string> = {
    ECONNREFUSED: "connect: connection refused",
    EHOSTUNREACH: "connect: no route to host",
    ENETUNREACH: "connect: network is unreachable",
    ETIMEDOUT: "i/o timeout",
  };
  const words = known[code ?? ""];
  return words ? `dial tcp ${host}:${port}: ${words}` : error.message;
}

function dial(host: string, port: number, timeoutMs: number): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true });
    const timer = setTimeout(() => {
      socket.destroy(new Error(`dial tcp ${host}:${port}: i/o timeout`));
    }, timeoutMs);
    const fail = (error: Error): void => {
      clearTimeout(timer);
      reject(new Error(dialMessage(error, host, port), { cause: error }));
    };
    socket.once("error", fail);
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.off("error", fail);
      resolve(connectionOf(socket));
    });
  });
}

function connectionOf(socket: Socket): Connection {
  // A reset shows as the end of the output; without a listener it would end the process.
  socket.on("error", () => {});
  return {
    output: readAll(socket),
    write: (data) =>
      new Promise((resolve, reject) => {
        socket.write(data, (error) => (error ? reject(error) : resolve()));
      }),
    end: () => void socket.end(),
    close: () => void socket.destroy(),
  };
}

async function* readAll(socket: Socket): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of socket) yield chunk as Buffer;
  } catch {
    // The other side broke off; there is no more to read.
  }
}
