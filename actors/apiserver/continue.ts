/**
 * Pages of a list: a `continue` token names a pinned snapshot and the key to go on after, so that
 * all pages show one moment. A snapshot is pinned for five minutes after its last use, as long as
 * etcd keeps a revision upstream.
 */

import { apiError } from "../../manifests/api-error.ts";
import type { Clock, Timer } from "../../runtime/clock.ts";
import type { Random } from "../../runtime/random.ts";
import type { Snapshot, Store } from "../../runtime/store/store.ts";
import { snapshotAt } from "./past.ts";

const pinnedMs = 5 * 60_000;
const catchUpMs = 3_000;

export interface Page {
  readonly snapshot: Snapshot;
  readonly after: string;
  /** Objects on the pages before. */
  readonly passed: number;
  readonly pin: string;
}

interface Pin {
  readonly snapshot: Snapshot;
  /** What it is a snapshot of: a token must not open another resource. */
  readonly prefix: string;
  readonly timer: Timer;
}

interface Token {
  /** The snapshot's pin; absent in a token that goes on with whatever is newest. */
  pin?: string;
  revision: number;
  after: string;
  passed: number;
}

export class Pages {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #pins = new Map<string, Pin>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** The token for the page after `page.after`; pins its snapshot when it has no pin yet. */
  next(prefix: string, page: Page): string {
    const { snapshot, after, passed } = page;
    const pin = page.pin || this.#random.suffix(12);
    this.#pins.get(pin)?.timer.dispose();
    const timer = this.#clock.setTimer(pinnedMs, () => this.#pins.delete(pin));
    this.#pins.set(pin, { snapshot, prefix, timer });
    return encode({ pin, revision: snapshot.revision, after, passed });
  }

  /** A token without a pin accepts an inconsistent rest: the list as it is now. */
  async open(token: string, prefix: string, store: Store): Promise<Page> {
    const { pin, revision, after, passed } = decode(token);
    const { view } = store;
    if (pin === undefined) return { snapshot: view.snapshot(prefix), after, passed, pin: "" };
    const pinned = this.#pins.get(pin);
    if (pinned && pinned.prefix === prefix) {
      return { snapshot: pinned.snapshot, after, passed, pin };
    }
    // Another API actor began this list, or it was long ago.
    await store.reached(revision, catchUpMs).catch(() => undefined);
    const snapshot = await snapshotAt(store, prefix, revision);
    if (!snapshot) throw expired(encode({ revision: -1, after, passed }));
    return { snapshot, after, passed, pin };
  }

  close(): void {
    for (const { timer } of this.#pins.values()) timer.dispose();
    this.#pins.clear();
  }
}

/** The Status carries a token for the rest of the list as it is now, as upstream's does. */
function expired(inconsistent: string): Error {
  const error = apiError(
    "Expired",
    "The provided continue parameter is too old to display a consistent list result. You can " +
      "start a new list without the continue parameter, or use the continue token in this " +
      "response to retrieve the remainder of the results. Continuing with the provided token " +
      "results in an inconsistent list - objects that were created, modified, or deleted between " +
      "the time the first chunk was returned and now may show up in the list.",
  );
  error.status.metadata = { continue: inconsistent };
  return error;
}

function encode(token: Token): string {
  return Buffer.from(JSON.stringify(token)).toString("base64url");
}

function decode(text: string): Token {
  try {
    const token: unknown = JSON.parse(Buffer.from(text, "base64url").toString());
    if (isToken(token)) return token;
  } catch {
    // Said below.
  }
  throw apiError("BadRequest", "continue key is not valid");
}

function isToken(value: unknown): value is Token {
  if (typeof value !== "object" || value === null) return false;
  const { pin, after, passed, revision } = value as Partial<Record<keyof Token, unknown>>;
  return (
    (pin === undefined || typeof pin === "string") &&
    typeof after === "string" &&
    typeof passed === "number" &&
    typeof revision === "number"
  );
}
