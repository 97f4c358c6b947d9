/** What the parts of a pod worker share: its Pod as it is now, and the world around it. */

import { Pod } from "../../manifests/index.ts";
import type { Context } from "../../runtime/actor.ts";
import type { Clock, Timer } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import type { Tell } from "./container-starter.ts";
import type { NodeEnvironment } from "./environment.ts";
import { emptyRuntime, type PodRuntime } from "./runtime-state.ts";

export interface PodIdentity {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
}

export interface PodSceneArgs {
  env: NodeEnvironment;
  identity: PodIdentity;
  /** Undefined when only the engine still knows it. */
  pod: Pod | undefined;
  /** Lets the worker look again. */
  lookAfter(delayMs: number): Timer;
}

export class PodScene {
  readonly env: NodeEnvironment;
  readonly identity: PodIdentity;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly lookAfter: PodSceneArgs["lookAfter"];
  /** As the API showed it last. */
  pod: Pod;
  /** The Pod is no longer in the API. */
  gone: boolean;

  constructor(
    { clock, log, signal }: Pick<Context<unknown>, "clock" | "log" | "signal">,
    { env, identity, pod, lookAfter }: PodSceneArgs,
  ) {
    this.env = env;
    this.identity = identity;
    this.clock = clock;
    this.log = log;
    this.signal = signal;
    this.lookAfter = lookAfter;
    this.pod = pod ?? orphan(identity);
    this.gone = pod === undefined;
  }

  /** As the engine showed it last. */
  runtime(): PodRuntime {
    return this.env.runtimes.get(this.identity.uid) ?? emptyRuntime(this.identity);
  }

  readonly tell: Tell = {
    normal: (reason, message, container) => this.#record("normal", reason, message, container),
    warning: (reason, message, container) => this.#record("warning", reason, message, container),
  };

  /** About the pod, or one of its containers. */
  #record(
    type: "normal" | "warning",
    reason: string,
    message: string,
    container: string | undefined,
  ): void {
    if (this.gone) return;
    const isInit = this.pod.spec.initContainers?.some(({ name }) => name === container);
    const fieldPath = `spec.${isInit ? "initContainers" : "containers"}{${container}}`;
    const part = container === undefined ? undefined : { fieldPath };
    this.env.recorder[type](Pod, this.pod, reason, message, part);
  }
}

/** What is left to stop of a pod that the API has forgotten. */
function orphan({ uid, namespace, name }: PodIdentity): Pod {
  return { metadata: { uid, namespace, name }, spec: { containers: [] } };
}
