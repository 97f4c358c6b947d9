/** The probes of one pod: one prober for each running container that asks for any. */

import type { Pod } from "../../manifests/index.ts";
import type { Tell } from "./container-starter.ts";
import { type ProbeKind, type ProbeResult, Prober, type ProbeWorld } from "./prober.ts";
import type { PodRuntime } from "./runtime-state.ts";
import { containerOf } from "./status.ts";

const titles: Record<ProbeKind, string> = {
  startup: "Startup",
  readiness: "Readiness",
  liveness: "Liveness",
};

export class Probes {
  readonly #world: ProbeWorld;
  readonly #tell: Tell;
  readonly #onChange: () => void;
  readonly #probers = new Map<string, { name: string; prober: Prober }>();

  constructor(world: ProbeWorld, tell: Tell, onChange: () => void) {
    this.#world = world;
    this.#tell = tell;
    this.#onChange = onChange;
  }

  /** Begins probing what runs now, and ends what has gone. */
  update(pod: Pod, runtime: PodRuntime, podIP: string): void {
    const running = runtime.containers.filter(({ status }) => status === "running");
    const ids = new Set(running.map(({ id }) => id));
    for (const [id, { prober }] of this.#probers) {
      if (ids.has(id)) continue;
      prober.stop();
      this.#probers.delete(id);
    }
    for (const state of running) {
      const container = containerOf(pod, state.name);
      if (!container || this.#probers.has(state.id) || !Prober.isNeeded(container)) continue;
      const { name } = container;
      const prober = new Prober(
        this.#world,
        { container, state, podIP, known: knownOf(pod, state.id) },
        {
          onChange: this.#onChange,
          onFailure: (kind, message) =>
            this.#tell.warning("Unhealthy", `${titles[kind]} probe failed: ${message}`, name),
        },
      );
      this.#probers.set(state.id, { name, prober });
    }
  }

  results(): ReadonlyMap<string, ProbeResult> {
    return new Map([...this.#probers].map(([id, { prober }]) => [id, prober.result]));
  }

  /** Containers that have to be killed, with the sentence that tells why. */
  unhealthy(): ReadonlyMap<string, string> {
    const messages = new Map<string, string>();
    for (const [id, { name, prober }] of this.#probers) {
      const kind = prober.result.unhealthy;
      if (kind) messages.set(id, `Container ${name} failed ${kind} probe, will be restarted`);
    }
    return messages;
  }

  stop(): void {
    for (const { prober } of this.#probers.values()) prober.stop();
    this.#probers.clear();
  }
}

/** A restarted kubelet must not make ready pods unready until their next probe. */
function knownOf(pod: Pod, id: string): { ready: boolean; started: boolean } | undefined {
  const status = pod.status?.containerStatuses?.find(({ containerID }) => {
    return containerID?.endsWith(`//${id}`);
  });
  return status && { ready: status.ready, started: status.started ?? false };
}
