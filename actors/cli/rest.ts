/** The REST API over HTTPS: one request, or a body that goes on. Errors are ApiErrors. */
import { Agent, request } from "node:https";
import { ApiError, type ApiStatus } from "../../manifests/api-error.ts";
import { CommandError } from "./errors.ts";
import type { Connection } from "./kubeconfig.ts";

export interface RestRequest {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Below the server's address: `/api/v1/namespaces/default/pods`. */
  path: string;
  /** Undefined and empty values are left out. */
  query?: Record<string, string | undefined>;
  body?: unknown;
  contentType?: string;
  accept?: string;
  signal?: AbortSignal;
}

export interface Rest {
  /** The parsed JSON of a successful answer. */
  json<T>(options: RestRequest): Promise<T>;
  /** The body of a successful answer, as it arrives. */
  stream(options: RestRequest): Promise<AsyncIterable<Uint8Array>>;
  close(): void;
}

/** Told of the warnings that the server sends along with an answer. */
export type WarningHandler = (warning: string) => void;

export function createRest(connection: Connection, onWarning: WarningHandler = () => {}): Rest {
  const { ca, cert, key } = connection;
  const agent = new Agent({ keepAlive: true, ca, cert, key });

  function send(options: RestRequest): Promise<AsyncIterable<Uint8Array>> {
    const url = new URL(options.path, connection.server);
    for (const [name, value] of Object.entries(options.query ?? {})) {
      if (value) url.searchParams.set(name, value);
    }
    const body = options.body === undefined ? undefined : JSON.stringify(options.body);
    const headers: Record<string, string> = { accept: options.accept ?? "application/json" };
    if (body !== undefined) {
      headers["content-type"] = options.contentType ?? "application/json";
      headers["content-length"] = String(Buffer.byteLength(body));
    }
    if (connection.token) headers.authorization = `Bearer ${connection.token}`;
    return new Promise((resolve, reject) => {
      const { method = "GET", signal } = options;
      const sent = request(url, { method, headers, agent, signal }, (answer) => {
        for (const text of warningsOf(answer.headers.warning)) onWarning(text);
        if ((answer.statusCode ?? 500) < 400) resolve(answer);
        else {
          collect(answer).then((text) => reject(asError(answer.statusCode ?? 500, text)), reject);
        }
      });
      sent.on("error", (error) => reject(connectionError(connection.server, error)));
      sent.end(body);
    });
  }

  return {
    stream: send,
    json: async <T>(options: RestRequest) => JSON.parse(await collect(await send(options))) as T,
    close: () => agent.destroy(),
  };
}

async function collect(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

function asError(code: number, text: string): Error {
  try {
    const status = JSON.parse(text) as ApiStatus;
    if (status.kind === "Status") return new ApiError(status);
  } catch {
    // Not one of the API's own answers: something else listens there.
  }
  return new CommandError(`The server answered ${code}: ${text.slice(0, 500)}`);
}

function connectionError(server: URL, error: NodeJS.ErrnoException): Error {
  if (error.name === "AbortError") return error;
  const why =
    error.code === "ECONNREFUSED"
      ? "nothing listens there; is the cluster running?"
      : error.message;
  return new CommandError(`Cannot reach ${server.host}: ${why}`, { cause: error });
}

/** `299 - "text"`, several of them with commas between (RFC 7234 section 5.5). */
function warningsOf(header: string | undefined): string[] {
  return [...(header ?? "").matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map((match) =>
    (match[1] ?? "").replace(/\\(.)/g, "$1"),
  );
}
