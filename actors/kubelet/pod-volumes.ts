/** The volumes of one running pod: made before they are needed, and kept up to date. */

import type { Timer } from "../../runtime/clock.ts";
import { ensureVolumes, fetchSources, type PodVolumes, podIP } from "./container-starter.ts";
import type { EnvSources } from "./env.ts";
import type { PodScene } from "./pod-scene.ts";
import { liveSandbox } from "./runtime-state.ts";
import { VolumeError } from "./volumes/files.ts";

/** How stale a mounted ConfigMap or Secret may be, about as upstream. */
const refreshMs = 60_000;

export interface Mounted {
  readonly volumes: PodVolumes;
  /** What they, and the environment of containers, are made from. */
  readonly sources: EnvSources;
}

export class MountedVolumes {
  readonly #scene: PodScene;
  #madeAt: number | undefined;
  #timer: Timer | undefined;

  constructor(scene: PodScene) {
    this.#scene = scene;
  }

  /** Rejects with a VolumeError when something that they need is not there. */
  async ensure(): Promise<Mounted> {
    const { env, pod, clock } = this.#scene;
    const fetched = await fetchSources(env, pod);
    const ip = podIP(env, pod, liveSandbox(this.#scene.runtime()));
    const sources = { ...fetched, podIP: ip };
    const volumes = await ensureVolumes(env, pod, sources);
    this.#madeAt = clock.monotonic();
    return { volumes, sources };
  }

  /** Brings ConfigMaps, Secrets and the downward API up to date in the running pod. */
  async refresh(): Promise<void> {
    const { pod, clock, tell } = this.#scene;
    const isLive = (pod.spec.volumes ?? []).some(
      (volume) => volume.configMap ?? volume.secret ?? volume.projected ?? volume.downwardAPI,
    );
    if (!isLive || this.#madeAt === undefined) return;
    const leftMs = this.#madeAt + refreshMs - clock.monotonic();
    if (leftMs <= 0) {
      await this.ensure().catch((error: unknown) => {
        if (error instanceof VolumeError) tell.warning("FailedMount", error.message);
        else throw error;
      });
    }
    this.#timer?.dispose();
    this.#timer = this.#scene.lookAfter(leftMs > 0 ? leftMs : refreshMs);
  }
}
