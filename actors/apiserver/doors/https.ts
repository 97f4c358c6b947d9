/**
 * The HTTPS door: the Kubernetes REST API over HTTP/1.1 and HTTP/2 on one port. A thin adapter:
 * it gathers credentials, routes, negotiates the form of the answer, and leaves
 * the rest to the pipeline that the NATS door uses too.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { apiError } from "../../../manifests/api-error.ts";
import { parseProtobuf } from "../../../manifests/protobuf/index.ts";
import { errorMessage } from "../../../runtime/errors.ts";
import type { Log } from "../../../runtime/log.ts";
import { type Auditor, type AuditTrail, nobody } from "../audit/auditor.ts";
import { type Authenticator, bearerToken } from "../authn/authenticator.ts";
import type { ClientCertificate } from "../authn/certificate.ts";
import { impersonated } from "../authn/impersonation.ts";
import { jsonType, parseBody } from "../decode.ts";
import type { Pipeline } from "../pipeline.ts";
import {
  type Annotate,
  type ApiReply,
  type ApiRequest,
  jsonReply,
  replyBytes,
  type User,
} from "../request.ts";
import { type Accepted, negotiate, objectOffer, plain, watchOffer } from "./accept.ts";
import { send, sendPage } from "./answer.ts";
import { type Exchange, http1Exchange, http2Exchange } from "./exchange.ts";
import { serveWatch } from "./https-watch.ts";
import { applyLimits, limitsOf, type Patience, patience } from "./limits.ts";
import type { ResourceRoute, Route } from "./routes.ts";
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
  readonly patience?: Partial<Patience>;
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

/** What the door leads to. */
export interface House {
  readonly pipeline: Pipeline;
  readonly authenticator: Authenticator;
  /** Undefined: nothing is recorded. */
  readonly auditor: Auditor | undefined;
  readonly site: Site;
  readonly streams: Streams;
  readonly observe: Observe;
  readonly log: Log;
}

export async function openHttpsDoor(config: HttpsConfig, house: House): Promise<HttpsDoor> {
  const wait = { ...patience, ...config.patience };
  const server = createSecureServer({
    ...limitsOf(wait),
    allowHTTP1: true,
    requestCert: true,
    // Without a certificate one is anonymous, and told so by the API rather than by TLS.
    rejectUnauthorized: false,
    key: config.key,
    cert: config.cert,
    ca: config.ca,
  });
  applyLimits(server, wait);
  const door = new Door(house, config.stallMs ?? 60_000);
  const release = attach(server, door, wait.bodyMs);
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
function attach(server: Http2SecureServer, door: Door, bodyMs: number): () => void {
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
    door.serve(http1Exchange(request as IncomingMessage, response as ServerResponse, bodyMs));
  });
  // A request listener brings the compatibility layer for HTTP/2 with it, which costs twice the
  // objects for each request; streams are served as they are.
  server.removeAllListeners("stream");
  server.on("stream", (stream, headers) => door.serve(http2Exchange(stream, headers, bodyMs)));
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
  readonly #house: House;
  readonly #stallMs: number;
  readonly #certificates = new WeakMap<object, ClientCertificate | "none">();

  constructor(house: House, stallMs: number) {
    this.#house = house;
    this.#stallMs = stallMs;
  }

  /** Never throws: an answer that fails half-way is one connection's trouble, not the process's. */
  serve(exchange: Exchange): void {
    this.#serve(exchange).catch((error: unknown) => {
      this.#house.log.debug("Could not finish an answer", { error: errorMessage(error) });
      exchange.abort();
    });
  }

  async #serve(given: Exchange): Promise<void> {
    const { pipeline, auditor, observe } = this.#house;
    const began = performance.now();
    const trail = auditor?.open(header(given, "audit-id"));
    const exchange: Exchange & { code?: number } = trail ? told(given, trail) : given;
    let accepted: Accepted = plain;
    let request: ApiRequest | undefined;
    const reply = await pipeline.catching(async () => {
      const [path, query] = split(exchange.target);
      const route = routeOf(exchange.method, path, query);
      const user = await this.#userOf(exchange.socket, visitOf(exchange, route), trail);
      if (route.type !== "resource") {
        const page = await this.#house.site.page(route, exchange, user, annotation(trail));
        if (page.type === "text") {
          await sendPage(exchange, page, this.#stallMs);
          return answered;
        }
        accepted = page.accepted ?? plain;
        return jsonReply(page.code, page.value);
      }
      const offer = route.verb === "watch" ? watchOffer : objectOffer;
      const protobuf = pipeline.hasProtobuf(route);
      accepted = negotiate(header(exchange, "accept"), offer({ protobuf }));
      const annotate = annotation(trail);
      // Asked before the body is read: what a stream sends is not for us.
      request = { ...baseRequest(route, query, user), annotate };
      if (await this.#house.streams.respond(exchange, request)) return answered;
      const asked = { ...(await requestOf(exchange, route, query, user, accepted)), annotate };
      request = asked;
      trail?.requested(() => parseBody(asked).value);
      return await this.#answer(exchange, asked, trail);
    });
    if (reply !== answered) await send(exchange, recorded(reply, trail), accepted, this.#stallMs);
    else if (request?.verb !== "watch") trail?.complete(exchange.code ?? 200);
    if (request) observe(request, reply.code || 200, (performance.now() - began) / 1000);
  }

  async #answer(exchange: Exchange, request: ApiRequest, trail?: AuditTrail): Promise<ApiReply> {
    const { pipeline, site } = this.#house;
    if (request.verb === "watch") {
      await serveWatch(exchange, request, pipeline, site, this.#stallMs);
      if (trail) exchange.onClose(() => trail.complete(200));
      return answered;
    }
    return await pipeline.handle(request);
  }

  async upgrade(raw: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { pipeline, streams, auditor } = this.#house;
    const trail = auditor?.open(String(raw.headers["audit-id"] ?? ""));
    try {
      const [path, query] = split(raw.url ?? "/");
      const route = routeOf(raw.method ?? "GET", path, query);
      if (route.type !== "resource") throw apiError("BadRequest", "nothing here can be upgraded");
      const visit = { method: raw.method ?? "GET", target: raw.url ?? "/", headers: raw.headers };
      const user = await this.#userOf(raw.socket as TLSSocket, { ...visit, route }, trail);
      // As v1.32: the right is the method's, so over WebSocket `get`, by a POST `create`.
      const asked = { ...baseRequest(route, query, user), annotate: annotation(trail) };
      if (!streams.upgrades(asked)) throw apiError("BadRequest", "nothing here can be upgraded");
      await streams.upgrade(raw, socket, head, asked);
      trail?.responseStarted(switchingProtocols);
      if (trail) socket.once("close", () => trail.complete(switchingProtocols));
    } catch (error) {
      const reply = await pipeline.catching(() => Promise.reject(error));
      const body = Buffer.concat([...reply.parts]);
      trail?.complete(reply.code, () => body);
      socket.end(
        `HTTP/1.1 ${reply.code} ${reply.code}\r\nContent-Type: ${jsonType}\r\n` +
          `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      );
    }
  }

  /** `kubectl --as`: whoever may speak as somebody else is that from here on. */
  async #userOf(socket: TLSSocket, visit: Visit, trail?: AuditTrail): Promise<User> {
    const { authenticator, pipeline } = this.#house;
    const { headers } = visit;
    const certificate = this.#certificateOf(socket);
    const token = bearerToken(headers);
    const asked = trail && askedBy(visit, socket.remoteAddress);
    let speaker: User;
    try {
      speaker = await authenticator.authenticate({ certificate, token });
    } catch (error) {
      if (asked) trail.received({ ...asked, user: nobody });
      throw error;
    }
    if (asked) trail.received({ ...asked, user: speaker });
    const user = await impersonated(pipeline.authorizer, speaker, headers);
    if (user !== speaker) trail?.speaksAs(user);
    return user;
  }

  /** Read once for each connection. */
  #certificateOf(socket: TLSSocket): ClientCertificate | undefined {
    const known = this.#certificates.get(socket) ?? readCertificate(socket) ?? "none";
    this.#certificates.set(socket, known);
    return known === "none" ? undefined : known;
  }
}

function readCertificate(socket: TLSSocket): ClientCertificate | undefined {
  const { subject, fingerprint256 } = socket.getPeerCertificate();
  // An empty object is no certificate at all.
  if (!subject) return undefined;
  const organizations: string | string[] | undefined = subject.O;
  const name: string | string[] | undefined = subject.CN;
  return {
    trusted: socket.authorized,
    commonName: [name ?? ""].flat()[0] ?? "",
    organizations: [organizations ?? []].flat(),
    sha256: fingerprint256.replaceAll(":", "").toLowerCase(),
  };
}

/** An audit that wants the answer reads it here, once, and it is sent as it was read. */
function recorded(given: ApiReply, trail: AuditTrail | undefined): ApiReply {
  if (!trail) return given;
  const reply = trail.wantsResponse ? { ...given, parts: [...given.parts] } : given;
  trail.complete(reply.code, () => {
    const bytes = replyBytes(reply);
    if (reply.encoding !== "protobuf") return bytes;
    return Buffer.from(JSON.stringify(parseProtobuf(bytes)));
  });
  return reply;
}

const switchingProtocols = 101;

/** What an audit tells of a request whoever sent it. */
interface Visit extends Pick<Exchange, "method" | "target" | "headers"> {
  readonly route: Route;
}

function visitOf({ method, target, headers }: Exchange, route: Route): Visit {
  return { method, target, headers, route };
}

function askedBy({ method, target, headers, route }: Visit, address: string | undefined) {
  const isResource = route.type === "resource";
  return {
    verb: isResource ? route.verb : method.toLowerCase(),
    path: split(target)[0],
    uri: target,
    object: isResource ? route : undefined,
    sourceIPs: address ? [address] : [],
    userAgent: String(headers["user-agent"] ?? ""),
    longRunning: isResource && (route.verb === "watch" || longRunning.has(route.subresource)),
  };
}

function annotation(trail: AuditTrail | undefined): Annotate | undefined {
  return trail && ((key, value) => trail.annotate(key, value));
}

const longRunning: ReadonlySet<string> = new Set(["attach", "exec", "log", "portforward", "proxy"]);

/** Tells the client by which id the audit knows its request, and the audit when the answer began. */
function told(exchange: Exchange, trail: AuditTrail): Exchange & { code?: number } {
  const following: Exchange & { code?: number } = Object.create(exchange);
  following.head = (code, headers) => {
    following.code = code;
    trail.responseStarted(code);
    exchange.head(code, { ...headers, "audit-id": trail.id });
  };
  return following;
}

/** The exchange has been answered already. */
const answered: ApiReply = { code: 0, parts: [], warnings: [] };

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
  { form, type }: Accepted,
): Promise<ApiRequest> {
  const contentType = header(exchange, "content-type") ?? jsonType;
  const encoding = type === "protobuf" ? type : undefined;
  const base = { ...baseRequest(route, query, user), contentType, form, encoding };
  if (exchange.method === "GET" || exchange.method === "HEAD") return base;
  const agent = header(exchange, "user-agent") ?? "";
  return { ...base, agent, body: await exchange.body() };
}
