/**
 * The HTTPS door: the Kubernetes REST API over HTTP/1.1 and HTTP/2 on one port. A thin adapter:
 * it authenticates by client certificate, routes, negotiates the form of the answer, and leaves
 * the rest to the pipeline that the NATS door uses too.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import type { TLSSocket } from "node:tls";
import { apiError } from "../../../manifests/api-error.ts";
import { stringifyYaml } from "../../../manifests/index.ts";
import { errorMessage } from "../../../runtime/errors.ts";
import type { Log } from "../../../runtime/log.ts";
import { anonymous, userOfCertificate } from "../authn.ts";
import { authorizeImpersonation, type Impersonated } from "../authz/impersonation.ts";
import type { Pipeline } from "../pipeline.ts";
import { type ApiReply, type ApiRequest, jsonReply, type User } from "../request.ts";
import { type Accepted, negotiate } from "./accept.ts";
import { type Exchange, http1Exchange, http2Exchange } from "./exchange.ts";
import { serveWatch } from "./https-watch.ts";
import type { ResourceRoute } from "./routes.ts";
import { routeOf } from "./routes.ts";
import type { Site } from "./site.ts";

export interface HttpsConfig {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly key: string;
  readonly cert: string;
  /** Whose signature on a client certificate we believe. */
  readonly ca: string;
  /** How long a client may take nothing of an answer. Default: a minute. */
  readonly stallMs?: number;
}

export interface HttpsDoor {
  readonly port: number;
  close(): Promise<void>;
}

/** What a streaming subresource (log, exec, …) does with a request; undefined: not its business. */
export interface Streams {
  /** A plain GET that answers as long as it likes. */
  respond(exchange: Exchange, request: ApiRequest): Promise<boolean>;
  /** Throws an ApiError to refuse. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, asked: ApiRequest): Promise<void>;
  /** Whether a connection to it can be upgraded. */
  upgrades(asked: ApiRequest): boolean;
}

export type Observe = (request: ApiRequest, code: number, seconds: number) => void;

const encoder = new TextEncoder();
const jsonType = "application/json";

export async function openHttpsDoor(
  config: HttpsConfig,
  pipeline: Pipeline,
  site: Site,
  streams: Streams,
  observe: Observe,
  log: Log,
): Promise<HttpsDoor> {
  const server = createSecureServer({
    allowHTTP1: true,
    requestCert: true,
    // Without a certificate one is anonymous, and told so by the API rather than by TLS.
    rejectUnauthorized: false,
    key: config.key,
    cert: config.cert,
    ca: config.ca,
    maxSessionMemory: 64,
    settings: { maxConcurrentStreams: 1_000 },
  });
  const stallMs = config.stallMs ?? 60_000;
  const door = new Door(pipeline, site, streams, observe, log, stallMs);
  const release = attach(server, door);
  await listen(server, config);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        release();
        server.close(() => resolve());
      }),
  };
}

/** Returns what ends every connection. */
function attach(server: Http2SecureServer, door: Door): () => void {
  const sockets = new Set<Duplex>();
  const sessions = new Set<ServerHttp2Session>();
  server.on("secureConnection", (socket: TLSSocket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("session", (session) => {
    sessions.add(session);
    session.on("error", () => session.destroy());
    session.once("close", () => sessions.delete(session));
  });
  server.on("request", (request: unknown, response: unknown) => {
    door.serve(http1Exchange(request as IncomingMessage, response as ServerResponse));
  });
  // A request listener brings the compatibility layer for HTTP/2 with it, which costs twice the
  // objects for each request; streams are served as they are.
  server.removeAllListeners("stream");
  server.on("stream", (stream, headers) => door.serve(http2Exchange(stream, headers)));
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    void door.upgrade(request, socket, head);
  });
  return () => {
    for (const session of sessions) session.destroy();
    for (const socket of sockets) socket.destroy();
  };
}

function listen(server: Http2SecureServer, { host, port }: HttpsConfig): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
}

class Door {
  readonly #pipeline: Pipeline;
  readonly #site: Site;
  readonly #streams: Streams;
  readonly #observe: Observe;
  readonly #log: Log;
  readonly #stallMs: number;
  readonly #users = new WeakMap<object, User>();

  constructor(
    pipeline: Pipeline,
    site: Site,
    streams: Streams,
    observe: Observe,
    log: Log,
    stallMs: number,
  ) {
    this.#stallMs = stallMs;
    this.#observe = observe;
    this.#log = log;
    this.#pipeline = pipeline;
    this.#site = site;
    this.#streams = streams;
  }

  /** Never throws: an answer that fails half-way is one connection's trouble, not the process's. */
  serve(exchange: Exchange): void {
    this.#serve(exchange).catch((error: unknown) => {
      this.#log.debug("Could not finish an answer", { error: errorMessage(error) });
      exchange.abort();
    });
  }

  async #serve(exchange: Exchange): Promise<void> {
    const began = performance.now();
    let accepted: Accepted = negotiate(undefined);
    let request: ApiRequest | undefined;
    const reply = await this.#pipeline.catching(async () => {
      const [path, query] = split(exchange.target);
      const route = routeOf(exchange.method, path, query);
      const user = await this.#speaker(exchange.socket, exchange.headers);
      if (route.type !== "resource") {
        const page = await this.#site.page(route, exchange, user);
        if (page.type === "json") return jsonReply(page.code, page.value);
        answer(exchange, page.code, { "content-type": page.contentType }, page.text);
        return answered;
      }
      accepted = negotiate(header(exchange, "accept"));
      request = baseRequest(route, query, user);
      if (await this.#streams.respond(exchange, request)) return answered;
      request = await requestOf(exchange, route, query, user, accepted);
      if (route.verb === "watch") {
        await serveWatch(exchange, request, this.#pipeline, this.#site, this.#stallMs);
        return answered;
      }
      return await this.#pipeline.handle(request);
    });
    if (reply !== answered) await send(exchange, reply, accepted, this.#stallMs);
    if (request) this.#observe(request, reply.code || 200, (performance.now() - began) / 1000);
  }

  async upgrade(raw: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    try {
      const [path, query] = split(raw.url ?? "/");
      const route = routeOf(raw.method ?? "GET", path, query);
      if (route.type !== "resource") throw apiError("BadRequest", "nothing here can be upgraded");
      const user = await this.#speaker(raw.socket as TLSSocket, raw.headers);
      // As v1.32: the right is the method's, so over WebSocket `get`, by a POST `create`.
      const asked = baseRequest(route, query, user);
      if (!this.#streams.upgrades(asked))
        throw apiError("BadRequest", "nothing here can be upgraded");
      await this.#streams.upgrade(raw, socket, head, asked);
    } catch (error) {
      const reply = await this.#pipeline.catching(() => Promise.reject(error));
      const body = Buffer.concat([...reply.parts]);
      socket.end(
        `HTTP/1.1 ${reply.code} ${reply.code}\r\nContent-Type: ${jsonType}\r\n` +
          `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      );
    }
  }

  /** `kubectl --as`: whoever may speak as somebody else is that from here on. */
  async #speaker(socket: TLSSocket, headers: Exchange["headers"]): Promise<User> {
    const user = this.#authenticate(socket);
    const asked = impersonated(headers);
    if (!asked) return user;
    await authorizeImpersonation(this.#pipeline.authorizer, user, asked);
    return userOfCertificate(asked.name, asked.groups);
  }

  #authenticate(socket: TLSSocket): User {
    const known = this.#users.get(socket);
    if (known) return known;
    const user = this.#identify(socket);
    this.#users.set(socket, user);
    return user;
  }

  #identify(socket: TLSSocket): User {
    const { subject } = socket.getPeerCertificate();
    // An empty object is no certificate at all.
    if (!subject) return anonymous;
    if (!socket.authorized) throw apiError("Unauthorized", "Unauthorized");
    const organizations: string | string[] | undefined = subject.O;
    const name: string | string[] | undefined = subject.CN;
    return userOfCertificate([name ?? ""].flat()[0] ?? "", [organizations ?? []].flat());
  }
}

function impersonated(headers: Exchange["headers"]): Impersonated | undefined {
  const name = headers["impersonate-user"];
  if (name === undefined) return undefined;
  const groups = [headers["impersonate-group"] ?? []].flat();
  return { name: String(name), groups: groups.flatMap((group) => group.split(/, */)) };
}

/** The exchange has been answered already. */
const answered: ApiReply = { code: 0, parts: [], warnings: [] };
const noCache = { "cache-control": "no-cache, private" };

function split(target: string): [string, URLSearchParams] {
  const at = target.indexOf("?");
  if (at < 0) return [target, new URLSearchParams()];
  return [target.slice(0, at), new URLSearchParams(target.slice(at + 1))];
}

function header(exchange: Exchange, name: string): string | undefined {
  const value = exchange.headers[name];
  return Array.isArray(value) ? value.join(", ") : value;
}

function baseRequest(route: ResourceRoute, query: URLSearchParams, user: User): ApiRequest {
  const { verb, group, version, resource, subresource, namespace, name } = route;
  const place = { verb, group, version, resource, subresource, namespace, name };
  return { ...place, user, query, body: new Uint8Array(), contentType: jsonType, form: "object" };
}

async function requestOf(
  exchange: Exchange,
  route: ResourceRoute,
  query: URLSearchParams,
  user: User,
  { form }: Accepted,
): Promise<ApiRequest> {
  const base = baseRequest(route, query, user);
  const contentType = header(exchange, "content-type") ?? jsonType;
  if (exchange.method === "GET" || exchange.method === "HEAD")
    return { ...base, contentType, form };
  const agent = header(exchange, "user-agent") ?? "";
  return { ...base, contentType, form, agent, body: await exchange.body() };
}

async function send(
  exchange: Exchange,
  reply: ApiReply,
  accepted: Accepted,
  stallMs: number,
): Promise<void> {
  const { warnings } = reply;
  const headers: Record<string, string | string[]> = { ...noCache };
  headers["content-type"] = accepted.type === "yaml" ? "application/yaml" : jsonType;
  if (warnings.length > 0) headers.warning = warnings.map(warningText);
  if (reply.code === 429 || reply.code === 503) headers["retry-after"] = "1";
  if (accepted.type === "yaml") {
    const value: unknown = JSON.parse(Buffer.concat([...reply.parts]).toString());
    answer(exchange, reply.code, headers, stringifyYaml(value));
    return;
  }
  exchange.head(reply.code, headers);
  if (exchange.method !== "HEAD") await sendParts(exchange, reply.parts, stallMs);
  exchange.end();
}

/** No faster than they are taken; others get their turn between chunks. */
async function sendParts(
  exchange: Exchange,
  parts: Iterable<Uint8Array>,
  stallMs: number,
): Promise<void> {
  let sent: "nothing" | "taken" | "waiting" = "nothing";
  for (const chunk of chunked(parts)) {
    if (sent === "taken") await turn();
    if (sent === "waiting") await exchange.drained();
    if (exchange.closed) return;
    sent = exchange.write(chunk) ? "taken" : "waiting";
    if (sent === "waiting") exchange.limitStall(stallMs);
  }
}

/** Small parts travel together: a list is made of many, of which each may need parsing. */
function* chunked(parts: Iterable<Uint8Array>): Generator<Uint8Array> {
  let pending: Uint8Array[] = [];
  let bytes = 0;
  for (const part of parts) {
    pending.push(part);
    bytes += part.length;
    if (bytes < chunkBytes && pending.length < chunkParts) continue;
    yield Buffer.concat(pending);
    pending = [];
    bytes = 0;
  }
  if (pending.length > 0) yield Buffer.concat(pending);
}

const chunkBytes = 64 * 1024;
const chunkParts = 200;

/** RFC 7234, as k8s.io/apimachinery NewWarningHeader writes it. */
function warningText(text: string): string {
  const escaped = text.replace(/[\r\n\t]/g, " ").replace(/["\\]/g, "\\$&");
  return `299 - "${escaped}"`;
}

function answer(
  exchange: Exchange,
  code: number,
  headers: Record<string, string | string[]>,
  body: string | Uint8Array,
): void {
  exchange.head(code, headers);
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  if (exchange.method !== "HEAD") exchange.write(bytes);
  exchange.end();
}
