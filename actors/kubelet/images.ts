/**
 * Images for containers: pull policies, one pull for all who want the same image, and the back-off
 * after failures. After k8s:pkg/kubelet/images/image_manager.go, in reasons and messages.
 */

import type { Container } from "../../manifests/index.ts";
import type { Clock } from "../../runtime/clock.ts";
import { errorMessage } from "../../runtime/errors.ts";
import { Backoff } from "./backoff.ts";
import { type Engine, EngineError, type ImageState } from "./engine.ts";

export type ImageOutcome =
  | { type: "ready"; image: ImageState; message: string }
  /** `event`: what a user is told of it, as a warning. */
  | { type: "waiting"; reason: string; message: string; event: ImageEvent; retryMs: number };

export interface ImageEvent {
  type: "normal" | "warning";
  reason: string;
  message: string;
}

/** How often a policy of Never looks whether somebody has brought the image. */
const neverRetryMs = 10_000;
/** ErrImagePull is what happened, ImagePullBackOff what is done about it: first the one, then the other. */
const errorShownMs = 1_000;

export class Images {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #backoff = new Backoff();
  readonly #failedAt = new Map<string, { at: number; message: string }>();
  readonly #pulls = new Map<string, Promise<ImageState>>();

  constructor(engine: Engine, clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
  }

  /** `owner` is the pod: its failures hold up nobody else. Rejects when the engine is unavailable. */
  async ensure(
    owner: string,
    { image = "", imagePullPolicy }: Pick<Container, "image" | "imagePullPolicy">,
    onPulling: () => void,
    signal: AbortSignal,
  ): Promise<ImageOutcome> {
    if (!isImageName(image)) {
      const why = `couldn't parse image name "${image}": invalid reference format`;
      const message = `Failed to apply default image tag "${image}": ${why}`;
      const event: ImageEvent = { type: "warning", reason: "InspectFailed", message };
      return { type: "waiting", reason: "InvalidImageName", message, event, retryMs: 60_000 };
    }
    const present = await this.#engine.imageState(image);
    if (present && imagePullPolicy !== "Always") {
      const message = `Container image "${image}" already present on machine`;
      return { type: "ready", image: present, message };
    }
    if (imagePullPolicy === "Never") {
      const message = `Container image "${image}" is not present with pull policy of Never`;
      const event: ImageEvent = { type: "warning", reason: "ErrImageNeverPull", message };
      const reason = "ErrImageNeverPull";
      return { type: "waiting", reason, message, event, retryMs: neverRetryMs };
    }
    return this.#pull(`${owner}_${image}`, image, onPulling, signal);
  }

  async #pull(
    key: string,
    image: string,
    onPulling: () => void,
    signal: AbortSignal,
  ): Promise<ImageOutcome> {
    const now = this.#clock.now();
    const failed = this.#failedAt.get(key);
    const { leftMs } = this.#backoff.remaining(key, failed?.at ?? 0, now);
    if (failed && leftMs > 0) return backingOff(image, failed.message, leftMs);
    onPulling();
    try {
      const startedAt = this.#clock.monotonic();
      const state = await abortable(this.#sharedPull(image), signal);
      const took = formatSeconds(this.#clock.monotonic() - startedAt);
      this.#failedAt.delete(key);
      const size = `Image size: ${state.sizeBytes} bytes.`;
      const message = `Successfully pulled image "${image}" in ${took} (${took} including waiting). ${size}`;
      return { type: "ready", image: state, message };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof EngineError && error.code === "unavailable") throw error;
      const message = errorMessage(error);
      const at = this.#clock.now();
      this.#backoff.next(key, at);
      this.#failedAt.set(key, { at, message });
      const event: ImageEvent = {
        type: "warning",
        reason: "Failed",
        message: `Failed to pull image "${image}": ${message}`,
      };
      const retryMs = errorShownMs;
      return { type: "waiting", reason: "ErrImagePull", message, event, retryMs };
    }
  }

  #sharedPull(image: string): Promise<ImageState> {
    const running = this.#pulls.get(image);
    if (running) return running;
    const pull = this.#engine.pullImage(image).finally(() => this.#pulls.delete(image));
    this.#pulls.set(image, pull);
    return pull;
  }

  /** A pod has gone: what its failures taught is of no use to anybody. */
  forget(owner: string): void {
    for (const key of this.#failedAt.keys()) {
      if (!key.startsWith(`${owner}_`)) continue;
      this.#failedAt.delete(key);
      this.#backoff.forget(key);
    }
  }
}

function backingOff(image: string, cause: string, retryMs: number): ImageOutcome {
  const message = `Back-off pulling image "${image}"`;
  const event: ImageEvent = { type: "normal", reason: "BackOff", message };
  const detail = `${message}: ErrImagePull: ${cause}`;
  return { type: "waiting", reason: "ImagePullBackOff", message: detail, event, retryMs };
}

function formatSeconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)}ms` : `${(ms / 1000).toFixed(3)}s`;
}

/** A deleted pod must not wait for its image; the pull goes on for others. */
function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

const hostPart = /^(localhost|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:[0-9]+)?|\[[0-9a-f:]+\](:[0-9]+)?)$/;
const pathPart = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const tagPart = /^\w[\w.-]{0,127}$/;
const digestPart = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;

/** The grammar of image references (github.com/distribution/reference). */
export function isImageName(image: string): boolean {
  const at = image.indexOf("@");
  if (at >= 0 && !digestPart.test(image.slice(at + 1))) return false;
  const name = at >= 0 ? image.slice(0, at) : image;
  const colon = name.indexOf(":", name.lastIndexOf("/") + 1);
  if (colon >= 0 && !tagPart.test(name.slice(colon + 1))) return false;
  const parts = (colon >= 0 ? name.slice(0, colon) : name).split("/");
  const [first = ""] = parts;
  const hasHost = parts.length > 1 && (/[.:]/.test(first) || first === "localhost");
  if (hasHost && !hostPart.test(first)) return false;
  const path = hasHost ? parts.slice(1) : parts;
  return path.every((part) => pathPart.test(part));
}
