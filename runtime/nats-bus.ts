/**
 * The bus over a real connection to NATS (client: @nats-io/transport-node).
 *
 * The client keeps what is published while it is away and sends some of it later, and lets
 * requests run into their time-outs. Ours does neither: see the promises of `runtime/bus.ts`.
 */

import { readFileSync } from "node:fs";
import type { Authenticator, Msg, MsgHdrs, NatsConnection } from "nats";
import {
  connect,
  headers as createHeaders,
  createInbox,
  errors,
  usernamePasswordAuthenticator,
} from "nats";
import type {
  Bus,
  BusMessage,
  Headers,
  PublishOptions,
  RequestOptions,
  SubscribeOptions,
  Subscription,
} from "./bus.ts";
import { BusError, defaultRequestTimeoutMs, maxPayloadBytes } from "./bus.ts";
import { errorMessage } from "./errors.ts";
import type { Log } from "./log.ts";
import { nkeyAuthenticator } from "./nkey.ts";
import { assertSubject, assertSubjectPattern } from "./subject.ts";

export interface NatsBusOptions {
  servers: string | readonly string[];
  /** Of the connection, as the server lists it. */
  name: string;
  /** `_INBOX.<principal>`: where answers come to. */
  inboxPrefix: string;
  log: Log;
  authentication?: NatsAuthentication;
  tls?: { caFile: string; certFile?: string; keyFile?: string };
  /** How long the first attempt may take; afterwards it reconnects for ever. Default 5,000. */
  connectTimeoutMs?: number;
  /** Between attempts to reconnect. Default 250. */
  reconnectWaitMs?: number;
}

export type NatsAuthentication = { nkeySeed: string } | { user: string; password: string };

export interface NatsBus extends Bus {
  /** What the JetStream client is made from; nothing but `runtime/store/` has business here. */
  readonly connection: NatsConnection;
  /** Of the server that we are, or were last, connected to. */
  readonly serverVersion: string;
}

/** Idle for this long, the client asks the server for a sign of life; two missing ones suffice. */
const pingIntervalMs = 5_000;

export async function connectNats(options: NatsBusOptions): Promise<NatsBus> {
  const { servers, name, inboxPrefix, tls, connectTimeoutMs = 5_000 } = options;
  const connection = await connect({
    servers: typeof servers === "string" ? servers : [...servers],
    name,
    inboxPrefix,
    authenticator: authenticator(options.authentication),
    tls: tls && {
      ca: readFileSync(tls.caFile, "utf8"),
      cert: tls.certFile && readFileSync(tls.certFile, "utf8"),
      key: tls.keyFile && readFileSync(tls.keyFile, "utf8"),
    },
    timeout: connectTimeoutMs,
    maxReconnectAttempts: -1,
    // A server that restarts may refuse us until it has read its accounts; we do not give up.
    ignoreAuthErrorAbort: true,
    reconnectTimeWait: options.reconnectWaitMs ?? 250,
    reconnectJitter: 100,
    pingInterval: pingIntervalMs,
    maxPingOut: 2,
    noAsyncTraces: true,
  });
  return wrapConnection(connection, options);
}

function authenticator(authentication: NatsAuthentication | undefined): Authenticator | undefined {
  if (!authentication) return undefined;
  if ("nkeySeed" in authentication) {
    return nkeyAuthenticator(authentication.nkeySeed);
  }
  return usernamePasswordAuthenticator(authentication.user, authentication.password);
}

function wrapConnection(
  connection: NatsConnection,
  { log: parentLog, name, inboxPrefix }: NatsBusOptions,
): NatsBus {
  const log = parentLog.child({ connection: name });
  const statusHandlers = new Set<(connected: boolean) => void>();
  /** Rejects what waits for an answer of the connection that was lost. */
  const waiting = new Set<(error: BusError) => void>();
  let connected = true;
  let closed = false;
  let serverVersion = connection.info?.version ?? "";

  function guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      log.error("A bus handler threw", { error });
    }
  }

  function becomeConnected(now: boolean): void {
    if (connected === now) return;
    connected = now;
    if (now) serverVersion = connection.info?.version ?? serverVersion;
    else rejectWaiting(new BusError("disconnected", "The connection was lost"));
    for (const handler of [...statusHandlers]) guarded(() => handler(now));
  }

  function rejectWaiting(error: BusError): void {
    for (const reject of [...waiting]) reject(error);
    waiting.clear();
  }

  async function followStatus(): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === "disconnect") {
        log.info("Lost the connection to NATS", { server: status.server });
        becomeConnected(false);
      } else if (status.type === "reconnect") {
        log.info("Reconnected to NATS", { server: status.server });
        becomeConnected(true);
      } else if (status.type === "error") {
        log.error("The NATS server refused", { error: status.error });
      }
    }
  }

  /** Settles as `work` does, or as soon as the connection is lost. */
  function unlessLost<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      waiting.add(reject);
      work
        .then(resolve, (error: unknown) => reject(toBusError(error)))
        .finally(() => {
          waiting.delete(reject);
        });
    });
  }

  /** Why nothing can be asked now, if so. */
  function unusable(): BusError | undefined {
    if (closed) return new BusError("closed", "The bus is closed");
    return connected ? undefined : new BusError("disconnected", "Not connected");
  }

  function publish(
    subject: string,
    data: Uint8Array | string = "",
    { headers, reply }: PublishOptions = {},
  ): void {
    assertSubject(subject);
    assertSize(subject, data, connection.info?.max_payload ?? maxPayloadBytes);
    if (closed || !connected) return;
    try {
      connection.publish(subject, data, { headers: headers && encodeHeaders(headers), reply });
    } catch (error) {
      // Headers count too, and only the client knows how many bytes they take.
      throw toBusError(error);
    }
  }

  async function request(
    subject: string,
    data: Uint8Array | string = "",
    { headers, timeoutMs = defaultRequestTimeoutMs }: RequestOptions = {},
  ): Promise<BusMessage> {
    assertSubject(subject);
    const obstacle = unusable();
    if (obstacle) throw obstacle;
    assertSize(subject, data, connection.info?.max_payload ?? maxPayloadBytes);
    const encoded = headers && encodeHeaders(headers);
    const answer = connection.request(subject, data, { timeout: timeoutMs, headers: encoded });
    return toMessage(await unlessLost(answer), publish);
  }

  function subscribe(
    subject: string,
    handler: (message: BusMessage) => void,
    { queue, onError }: SubscribeOptions = {},
  ): Subscription {
    assertSubjectPattern(subject);
    if (closed) return { unsubscribe: () => {} };
    const subscription = connection.subscribe(subject, {
      queue,
      callback(error, message) {
        if (error) guarded(() => onError?.(toBusError(error)));
        else guarded(() => handler(toMessage(message, publish)));
      },
    });
    return { unsubscribe: () => subscription.unsubscribe() };
  }

  async function close(): Promise<void> {
    if (closed) return;
    closed = true;
    rejectWaiting(new BusError("closed", "The bus was closed"));
    statusHandlers.clear();
    // Drained, what was published before is sent; away, there is nobody to send it to.
    if (connected) await connection.drain().catch(() => connection.close());
    else await connection.close();
  }

  void followStatus().catch((error: unknown) => log.error("Lost track of NATS", { error }));
  return {
    connection,
    get serverVersion() {
      return serverVersion;
    },
    get connected() {
      return connected && !closed;
    },
    publish,
    request,
    subscribe,
    close,
    inbox: () => createInbox(inboxPrefix),
    async flush() {
      const obstacle = unusable();
      if (obstacle) throw obstacle;
      await unlessLost(connection.flush());
    },
    onStatus(handler) {
      const told = (now: boolean): void => handler(now);
      statusHandlers.add(told);
      return { unsubscribe: () => statusHandlers.delete(told) };
    },
  };
}

function assertSize(subject: string, data: Uint8Array | string, limit: number): void {
  const bytes = typeof data === "string" ? Buffer.byteLength(data) : data.length;
  if (bytes > limit) throw new BusError("too-large", `${bytes} bytes for ${subject}`);
}

function encodeHeaders(headers: Headers): MsgHdrs | undefined {
  const encoded = createHeaders();
  let any = false;
  for (const [name, value] of Object.entries(headers)) {
    encoded.set(name, value);
    any = true;
  }
  return any ? encoded : undefined;
}

function decodeHeaders(encoded: MsgHdrs | undefined): Headers {
  if (!encoded) return noHeaders;
  const decoded: Record<string, string> = {};
  if (encoded.code) decoded.Status = String(encoded.code);
  if (encoded.description) decoded.Description = encoded.description;
  for (const [name, values] of encoded) decoded[name] = values[0] ?? "";
  return decoded;
}

const noHeaders: Headers = Object.freeze({});

/** Headers are decoded when they are looked at: most messages are never asked for theirs. */
function toMessage(message: Msg, publish: Bus["publish"]): BusMessage {
  let decoded: Headers | undefined;
  return {
    subject: message.subject,
    reply: message.reply,
    data: message.data,
    get headers() {
      decoded ??= decodeHeaders(message.headers);
      return decoded;
    },
    respond(data, headers) {
      if (message.reply) publish(message.reply, data, { headers });
    },
  };
}

function toBusError(error: unknown): BusError {
  if (error instanceof BusError) return error;
  const cause = error instanceof errors.RequestError && error.cause ? error.cause : error;
  return new BusError(codeOf(cause), errorMessage(cause), { cause });
}

function codeOf(error: unknown): BusError["code"] {
  if (error instanceof errors.NoRespondersError) return "no-responders";
  if (error instanceof errors.TimeoutError) return "timeout";
  if (error instanceof errors.PermissionViolationError) return "forbidden";
  if (error instanceof errors.ClosedConnectionError) return "closed";
  if (error instanceof errors.DrainingConnectionError) return "closed";
  if (error instanceof errors.InvalidArgumentError) return "too-large";
  return "disconnected";
}
