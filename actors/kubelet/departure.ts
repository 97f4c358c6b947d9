/** How a pod goes: left to drain, stopped within its grace period, and taken out of the API. */

import { isConflict, isNotFound } from "../../manifests/api-error.ts";
import { Pod } from "../../manifests/index.ts";
import type { Timer } from "../../runtime/clock.ts";
import { errorMessage } from "../../runtime/errors.ts";
import { keyOf } from "../kit/object.ts";
import { drainMs } from "./drain.ts";
import type { PodScene } from "./pod-scene.ts";
import type { PodRuntime } from "./runtime-state.ts";

const deleteRetryMs = 1_000;

export class Departure {
  readonly #scene: PodScene;
  readonly #begun = new AbortController();
  /** When the pod was first seen to have to go, and what ends its drain. */
  #since: number | undefined;
  #drainTimer: Timer | undefined;
  /** Of the stop under way. */
  #stopGraceSeconds: number | undefined;

  constructor(scene: PodScene) {
    this.#scene = scene;
  }

  get due(): boolean {
    return this.#scene.gone || this.#scene.pod.metadata.deletionTimestamp !== undefined;
  }

  /** Aborts what takes long and is in vain once the pod has to go. */
  get signal(): AbortSignal {
    return this.#begun.signal;
  }

  get graceSeconds(): number {
    const { gone, pod } = this.#scene;
    const { metadata, spec } = pod;
    if (gone) return Math.min(1, metadata.deletionGracePeriodSeconds ?? 1);
    return metadata.deletionGracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? 30;
  }

  /** To be called whenever the Pod has changed. */
  note(): void {
    if (!this.due) return;
    this.#begun.abort(new Error("the pod is being deleted"));
    this.#since ??= this.#scene.clock.monotonic();
    const grace = this.graceSeconds;
    // A second, harsher delete must not wait for the first one's grace period.
    if (this.#stopGraceSeconds === undefined || grace >= this.#stopGraceSeconds) return;
    this.#stopGraceSeconds = grace;
    for (const { id, status } of this.#scene.runtime().containers) {
      if (status !== "running") continue;
      this.#scene.env.config.engine.stopContainer(id, grace).catch((error: unknown) => {
        this.#scene.log.debug("Faster stop failed", { id, error: errorMessage(error) });
      });
    }
  }

  /** True while the pod goes on as before, and sees to it that it is looked at afterwards. */
  isDraining(): boolean {
    const now = this.#scene.clock.monotonic();
    const leftMs = (this.#since ?? now) + this.#drainMs() - now;
    this.#drainTimer?.dispose();
    if (leftMs <= 0) return false;
    this.#drainTimer = this.#scene.lookAfter(leftMs);
    return true;
  }

  /** True when one ran. */
  async stopContainers(runtime: PodRuntime): Promise<boolean> {
    const { env, tell } = this.#scene;
    this.#stopGraceSeconds = this.graceSeconds;
    // The grace counts from the deletion: what the pod was left to drain is a part of it.
    const drained = this.#since === undefined ? 0 : this.#drainMs() / 1_000;
    const grace = this.#stopGraceSeconds - drained;
    const running = runtime.containers.filter(({ status }) => status === "running");
    await Promise.all(
      running.map(async ({ id, name }) => {
        tell.normal("Killing", `Stopping container ${name}`, name);
        await env.config.engine.stopContainer(id, grace);
      }),
    );
    this.#stopGraceSeconds = undefined;
    return running.length > 0;
  }

  /** Resolves when the Pod is no longer in the API, or another has taken its name. */
  async deleteFromApi(): Promise<void> {
    const { env, identity, clock, log, signal } = this.#scene;
    const { uid } = identity;
    while (!this.#scene.gone && !signal.aborted) {
      try {
        await env.api.delete(Pod, keyOf(this.#scene.pod), { gracePeriodSeconds: 0, uid });
        return;
      } catch (error) {
        if (isNotFound(error) || isConflict(error)) return;
        log.debug("Pod not deleted yet", { error: errorMessage(error) });
        await clock.sleep(deleteRetryMs, signal).catch(() => undefined);
      }
    }
  }

  #drainMs(): number {
    return this.#scene.gone ? 0 : drainMs(this.#scene.pod, this.graceSeconds);
  }
}
