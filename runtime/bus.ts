/**
 * Messages as actors see them: core NATS, at most once, in order within one publisher and subject.
 *
 * Implemented over a real connection (`runtime/nats-bus.ts`) and by the simulated twin
 * (`runtime/sim/bus.ts`); `test/integration/bus-contract.ts` holds both to the same behaviour.
 * Payloads handed to a handler are views into a socket's buffer: copy what you keep.
 *
 * While the connection is away nothing is kept for later: what is published is lost, a request
 * is rejected at once, and those under way are rejected when the loss is noticed. Subscriptions
 * come back with the connection. Everything may be called on a closed bus and then does nothing.
 */

/**
 * One value for each name. A message of the server itself rather than of a peer, such as
 * "503 no responders" to the inbox of a `publish` with a reply, has `Status` and `Description`.
 */
export type Headers = Readonly<Record<string, string>>;

export interface BusMessage {
  readonly subject: string;
  /** Where an answer is awaited, if anywhere. */
  readonly reply: string | undefined;
  readonly headers: Headers;
  readonly data: Uint8Array;
  /** Does nothing when no answer is awaited. */
  respond(data: Uint8Array | string, headers?: Headers): void;
}

export interface Subscription {
  unsubscribe(): void;
}

export interface PublishOptions {
  headers?: Headers;
  reply?: string;
}

export interface RequestOptions {
  headers?: Headers;
  /** Default 5,000. */
  timeoutMs?: number;
}

export interface SubscribeOptions {
  /** Of the subscriptions that share a queue name, one gets each message. */
  queue?: string;
  /** Told `forbidden` when the server refuses the subscription, which is then dead. */
  onError?: (error: BusError) => void;
}

export interface Bus {
  /** Throws a BusError `too-large`; a `forbidden` subject is only seen in the log. */
  publish(subject: string, data?: Uint8Array | string, options?: PublishOptions): void;
  subscribe(
    subject: string,
    handler: (message: BusMessage) => void,
    options?: SubscribeOptions,
  ): Subscription;
  /** Rejects with a BusError. */
  request(
    subject: string,
    data?: Uint8Array | string,
    options?: RequestOptions,
  ): Promise<BusMessage>;
  /** A fresh subject below this connection's own inbox prefix (`_INBOX.<principal>.`). */
  inbox(): string;
  /**
   * Resolves once the server has processed everything published and subscribed before it, and
   * what it had for us before its answer was handled. Rejects with `disconnected` or `closed`.
   */
  flush(): Promise<void>;
  readonly connected: boolean;
  /** Told of every loss and return of the connection. */
  onStatus(handler: (connected: boolean) => void): Subscription;
  /** Sends what was published before, rejects what is awaited, and is gone. */
  close(): Promise<void>;
}

/** The server's limit on headers and data together; ours asks for it in its configuration. */
export const maxPayloadBytes = 8 * 1024 * 1024;

export const defaultRequestTimeoutMs = 5_000;

export type BusErrorCode =
  | "timeout"
  | "no-responders"
  | "disconnected"
  | "forbidden"
  | "too-large"
  | "closed";

export class BusError extends Error {
  readonly code: BusErrorCode;
  constructor(code: BusErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "BusError";
    this.code = code;
  }
}

export function isBusError(error: unknown, code?: BusErrorCode): error is BusError {
  return error instanceof BusError && (code === undefined || error.code === code);
}
