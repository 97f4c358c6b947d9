/**
 * Messages as actors see them: core NATS, at most once, in order within one publisher and subject.
 *
 * Implemented over a real connection (`runtime/nats-bus.ts`) and by the simulated twin
 * (`runtime/sim/bus.ts`); `test/integration/bus-contract.ts` holds both to the same behaviour.
 * Payloads handed to a handler are views into a socket's buffer: copy what you keep.
 */

export type Headers = Readonly<Record<string, string>>;

export interface BusMessage {
  readonly subject: string;
  /** Where an answer is awaited, if anywhere. */
  readonly reply: string | undefined;
  readonly headers: Headers;
  readonly data: Uint8Array;
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

export interface Bus {
  publish(subject: string, data?: Uint8Array | string, options?: PublishOptions): void;
  subscribe(
    subject: string,
    handler: (message: BusMessage) => void,
    options?: { queue?: string },
  ): Subscription;
  /** Rejects with a BusError: `timeout`, `no-responders`, `disconnected`, `forbidden` or `closed`. */
  request(
    subject: string,
    data?: Uint8Array | string,
    options?: RequestOptions,
  ): Promise<BusMessage>;
  /** A fresh subject below this connection's own inbox prefix (`_INBOX.<principal>.`). */
  inbox(): string;
  /** Resolves once the server has processed everything published and subscribed before it. */
  flush(): Promise<void>;
  readonly connected: boolean;
  /** Told of every loss and return of the connection. */
  onStatus(handler: (connected: boolean) => void): Subscription;
  close(): Promise<void>;
}

export type BusErrorCode = "timeout" | "no-responders" | "disconnected" | "forbidden" | "closed";

export class BusError extends Error {
  readonly code: BusErrorCode;
  constructor(code: BusErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "BusError";
    this.code = code;
  }
}
