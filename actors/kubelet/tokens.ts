/**
 * The ServiceAccount tokens of this node's pods: fetched once, and anew when most of their life
 * is over (k8s: pkg/kubelet/token). A token that still holds outlives an API that is away.
 */

import { isNotFound } from "../../manifests/api-error.ts";
import {
  type AuthenticationTokenRequest,
  type Pod,
  ServiceAccount,
} from "../../manifests/index.ts";
import type { Clock } from "../../runtime/clock.ts";
import { errorMessage } from "../../runtime/errors.ts";
import type { Log } from "../../runtime/log.ts";
import type { Api } from "../kit/client.ts";
import { keyIn } from "../kit/object.ts";
import { VolumeError } from "./volumes/files.ts";
import { tokenKey, tokenWishes } from "./volumes/plan.ts";

interface Held {
  readonly token: string;
  readonly fetchedMs: number;
  readonly expiresMs: number;
}

type Wish = ReturnType<typeof tokenWishes>[number];

/** Of its life, or a day: then another one is fetched. */
const freshShare = 0.8;
const longestFreshMs = 24 * 3_600_000;

export class Tokens {
  readonly #api: Pick<Api, "createSubresource">;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #held = new Map<string, Map<string, Held>>();

  constructor(api: Pick<Api, "createSubresource">, clock: Clock, log: Log) {
    this.#api = api;
    this.#clock = clock;
    this.#log = log;
  }

  /** By `tokenKey`. Throws a VolumeError when one cannot be had. */
  async of(pod: Pod): Promise<Map<string, string>> {
    const tokens = new Map<string, string>();
    for (const wish of tokenWishes(pod)) tokens.set(tokenKey(wish), await this.#get(pod, wish));
    return tokens;
  }

  forget(uid: string): void {
    this.#held.delete(uid);
  }

  async #get(pod: Pod, wish: Wish): Promise<string> {
    const { uid = "" } = pod.metadata;
    const held = this.#held.get(uid)?.get(tokenKey(wish));
    const now = this.#clock.now();
    if (held && isFresh(held, now)) return held.token;
    try {
      const fetched = await this.#fetch(pod, wish);
      this.#hold(uid, tokenKey(wish), fetched);
      return fetched.token;
    } catch (error) {
      if (!held || held.expiresMs <= now) throw asVolumeError(error);
      this.#log.debug("Token not renewed yet", { uid, error: errorMessage(error) });
      return held.token;
    }
  }

  #hold(uid: string, key: string, held: Held): void {
    const ofPod = this.#held.get(uid) ?? new Map<string, Held>();
    this.#held.set(uid, ofPod.set(key, held));
  }

  async #fetch(pod: Pod, { audience, expirationSeconds }: Wish): Promise<Held> {
    const { name = "", namespace, uid } = pod.metadata;
    const account = keyIn(namespace, pod.spec.serviceAccountName || "default");
    const asked: Omit<AuthenticationTokenRequest, "metadata"> = {
      kind: "TokenRequest",
      apiVersion: "authentication.k8s.io/v1",
      spec: {
        audiences: audience ? [audience] : [],
        expirationSeconds,
        boundObjectRef: { kind: "Pod", apiVersion: "v1", name, uid },
      },
    };
    const fetchedMs = this.#clock.now();
    const answer = await this.#api.createSubresource(ServiceAccount, account, "token", asked);
    const { status } = answer as AuthenticationTokenRequest;
    if (!status?.token) throw new VolumeError("failed to fetch token: the API gave none");
    return { token: status.token, fetchedMs, expiresMs: Date.parse(status.expirationTimestamp) };
  }
}

export function isFresh({ fetchedMs, expiresMs }: Omit<Held, "token">, nowMs: number): boolean {
  const age = nowMs - fetchedMs;
  return age < longestFreshMs && age < (expiresMs - fetchedMs) * freshShare;
}

function asVolumeError(error: unknown): unknown {
  if (error instanceof VolumeError) return error;
  const why = isNotFound(error)
    ? errorMessage(error)
    : `failed to fetch token: ${errorMessage(error)}`;
  return new VolumeError(why, { cause: error });
}
