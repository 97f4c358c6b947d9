/** Which containers of a pod must not be started yet, why, and when that is over. */

import type { Timer } from "../../runtime/clock.ts";
import { Backoff, formatDelay } from "./backoff.ts";
import type { PodScene } from "./pod-scene.ts";
import { latest, type PodRuntime } from "./runtime-state.ts";
import type { Waiting } from "./status.ts";

export class StartWaits {
  readonly #scene: PodScene;
  readonly #crashes = new Backoff();
  readonly #crashTimers = new Map<string, Timer>();
  readonly #waiting = new Map<string, Waiting & { until: number }>();

  constructor(scene: PodScene) {
    this.#scene = scene;
  }

  /** By container, for the Pod's status. */
  get reasons(): ReadonlyMap<string, Waiting> {
    return this.#waiting;
  }

  /** The container is not started for so long; Infinity: never. */
  hold(name: string, waiting: Waiting, durationMs: number): void {
    this.#waiting.set(name, { ...waiting, until: this.#scene.clock.now() + durationMs });
    if (durationMs !== Infinity) this.#scene.lookAfter(durationMs);
  }

  release(name: string): void {
    this.#waiting.delete(name);
  }

  /** Crash back-off, or a failure that is too fresh to try again. */
  mustWait(name: string, runtime: PodRuntime): "no" | "yes" | "newly" {
    const now = this.#scene.clock.now();
    const waiting = this.#waiting.get(name);
    const isCrashing = waiting?.reason === "CrashLoopBackOff";
    if (waiting && !isCrashing && waiting.until > now) return "yes";
    const last = latest(runtime, name);
    if (last?.status !== "exited") return "no";
    const { delayMs, leftMs } = this.#crashes.remaining(name, last.finishedAt, now);
    if (leftMs <= 0) {
      this.#crashes.next(name, now);
      return "no";
    }
    const { metadata } = this.#scene.pod;
    const pod = `${metadata.name}_${metadata.namespace}(${metadata.uid})`;
    const message = `back-off ${formatDelay(delayMs)} restarting failed container=${name} pod=${pod}`;
    if (!isCrashing || waiting.until <= now) {
      const text = `Back-off restarting failed container ${name} in pod ${pod}`;
      this.#scene.tell.warning("BackOff", text, name);
    }
    // Each time, for the wall clock may have been set back since the last.
    this.#crashTimers.get(name)?.dispose();
    this.#crashTimers.set(name, this.#scene.lookAfter(leftMs));
    this.#waiting.set(name, { reason: "CrashLoopBackOff", message, until: now + leftMs });
    return isCrashing ? "yes" : "newly";
  }
}
