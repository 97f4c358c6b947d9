/**
 * How a webhook is reached: the one thing about it that is not decided here. In a real process it
 * is HTTPS from this machine (`deploy/webhook-dialer.ts`).
 */

export interface WebhookTarget {
  /** With the host that the webhook's certificate is for. */
  readonly url: string;
  /** Where that host is, when DNS would not know: an endpoint of a Service. */
  readonly address?: { readonly host: string; readonly port: number };
  /** PEM; undefined: whatever the machine trusts. */
  readonly ca?: string;
}

export interface WebhookAnswer {
  readonly code: number;
  readonly body: Uint8Array;
}

export interface WebhookDialer {
  /** Rejects with an Error whose message says what went wrong, also when the time is up. */
  post(target: WebhookTarget, body: Uint8Array, timeoutMs: number): Promise<WebhookAnswer>;
}
