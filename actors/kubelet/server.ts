/**
 * The read-only endpoint, on loopback: /pods, /healthz, /metrics, /stats/summary. A driver at the
 * edge; what it serves is handed in.
 */

import { createServer, type ServerResponse } from "node:http";

export interface EndpointContent {
  pods(): object;
  /** Undefined: healthy. */
  problem(): string | undefined;
  metrics(): string;
  summary(): Promise<object>;
}

export interface Endpoint {
  readonly port: number;
  close(): Promise<void>;
}

export type OpenEndpoint = (content: EndpointContent) => Promise<Endpoint>;

/** As upstream's --read-only-port. Further nodes on the same machine take the next free one. */
const firstPort = 10255;
const mostPortsTried = 100;

export function endpointOn(host = "127.0.0.1", port = firstPort): OpenEndpoint {
  return async (content) => {
    for (let tried = port; ; tried++) {
      try {
        return await listen(host, tried, content);
      } catch (error) {
        const isTaken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
        if (!isTaken || port === 0 || tried - port >= mostPortsTried) throw error;
      }
    }
  };
}

function listen(host: string, port: number, content: EndpointContent): Promise<Endpoint> {
  const server = createServer((request, response) => {
    const path = (request.url ?? "/").split("?")[0] ?? "/";
    answer(path.replace(/(.)\/$/, "$1"), content, response).catch((error: Error) => {
      response.writeHead(500, { "Content-Type": "text/plain" }).end(`${error.message}\n`);
    });
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      const address = server.address();
      resolve({
        port: typeof address === "object" && address ? address.port : port,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            server.closeAllConnections();
          }),
      });
    });
  });
}

async function answer(
  path: string,
  content: EndpointContent,
  response: ServerResponse,
): Promise<void> {
  const send = (code: number, type: string, body: string): void => {
    response.writeHead(code, { "Content-Type": type }).end(body);
  };
  switch (path) {
    case "/pods":
      return send(200, "application/json", JSON.stringify(content.pods()));
    case "/healthz": {
      const problem = content.problem();
      const text = "text/plain; charset=utf-8";
      return problem
        ? send(500, text, `container runtime is down: ${problem}\n`)
        : send(200, text, "ok");
    }
    case "/metrics":
      return send(200, "text/plain; version=0.0.4; charset=utf-8", content.metrics());
    case "/stats/summary":
      return send(200, "application/json", JSON.stringify(await content.summary()));
    default:
      return send(404, "text/plain; charset=utf-8", "404 page not found\n");
  }
}
