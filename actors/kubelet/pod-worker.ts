/**
 * Pod worker: brings one Pod of this node to what its spec says, and its status to the API.
 *
 * Mailbox  pod | gone | look                 never waits: a pass runs beside it, the newest Pod wins
 * Watches  nothing itself; the kubelet hands it its Pod and tells it when the engine saw a change
 * Owns     the pod's sandbox, containers, folder and probes
 * Writes   core/pods/status patch; core/pods delete (of its own Pod, by uid, when all of it is gone); core/events
 * Fails    engine away: waits for its return, kills nothing. A failed step: back-off and an Event. Crash: restart, adopt what runs.
 * Scales   one per Pod, on the Pod's node
 */

import type { Pod } from "../../manifests/index.ts";
import type { ActorDefinition, Behavior, Context } from "../../runtime/actor.ts";
import { assertNever, errorMessage } from "../../runtime/errors.ts";
import { computePodActions, isEnded, type PodAction } from "./actions.ts";
import { Backoff } from "./backoff.ts";
import { podIP, startContainer } from "./container-starter.ts";
import { Departure } from "./departure.ts";
import { EngineError } from "./engine.ts";
import type { NodeEnvironment } from "./environment.ts";
import { podDns, podHostname } from "./pod-network.ts";
import { type PodIdentity, PodScene } from "./pod-scene.ts";
import { MountedVolumes } from "./pod-volumes.ts";
import { Probes } from "./probes.ts";
import { liveSandbox, type PodRuntime } from "./runtime-state.ts";
import { StartWaits } from "./start-waits.ts";
import { computePodStatus, containerOf } from "./status.ts";
import { StatusWriter } from "./status-writer.ts";
import { readTerminationMessage } from "./termination.ts";
import { unsupportedFields } from "./unsupported.ts";
import { VolumeError } from "./volumes/files.ts";

export type PodWorkerMessage =
  | { type: "pod"; pod: Pod }
  /** The Pod is no longer in the API. */
  | { type: "gone" }
  /** Something it depends on may have changed. */
  | { type: "look" };

export interface PodWorkerArgs {
  env: NodeEnvironment;
  /** Asked at each start: what the API has now; undefined when the Pod is gone. */
  pod(): Pod | undefined;
  /** For a pod that only the engine still knows. */
  identity: PodIdentity;
  rejection?: { reason: string; message: string };
  onFinished(): void;
}

export const podWorker: ActorDefinition<PodWorkerMessage, PodWorkerArgs> = {
  name: "pod-worker",
  start: (ctx, args) => new PodWorker(ctx, args),
};

const firstRetryMs = 1_000;
const longestRetryMs = 20_000;

class PodWorker implements Behavior<PodWorkerMessage> {
  readonly #ctx: Context<PodWorkerMessage>;
  readonly #args: PodWorkerArgs;
  readonly #env: NodeEnvironment;
  readonly #scene: PodScene;
  readonly #probes: Probes;
  readonly #status: StatusWriter;
  readonly #retries = new Backoff(firstRetryMs, longestRetryMs);
  readonly #waits: StartWaits;
  readonly #volumes: MountedVolumes;
  readonly #departure: Departure;
  readonly #lastWords = new Map<string, string>();
  #passing = false;
  #again = false;
  #finished = false;
  #toldUnsupported = false;

  constructor(ctx: Context<PodWorkerMessage>, args: PodWorkerArgs) {
    this.#ctx = ctx;
    this.#args = args;
    this.#env = args.env;
    const scene = new PodScene(ctx, {
      ...args,
      pod: args.pod(),
      lookAfter: (delayMs) => ctx.after(delayMs, { type: "look" }),
    });
    this.#scene = scene;
    this.#waits = new StartWaits(scene);
    this.#volumes = new MountedVolumes(scene);
    this.#departure = new Departure(scene);
    const { api } = args.env;
    const { clock, log, signal } = ctx;
    this.#status = new StatusWriter(scene.pod, { api, clock, log, signal });
    const { engine, dialer } = args.env.config;
    this.#probes = new Probes({ clock, engine, dialer }, this.#scene.tell, () => this.#look());
    ctx.onEnd(() => this.#probes.stop());
    this.#departure.note();
    this.#look();
  }

  receive(message: PodWorkerMessage): void {
    switch (message.type) {
      case "pod":
        this.#scene.pod = message.pod;
        this.#status.seen(message.pod);
        break;
      case "gone":
        this.#scene.gone = true;
        break;
      case "look":
        break;
      default:
        assertNever(message);
    }
    this.#departure.note();
    this.#look();
  }

  /** Starts a pass, or makes the running one be followed by another. */
  #look(): void {
    this.#again = true;
    if (this.#passing || this.#finished) return;
    this.#passing = true;
    void this.#passes();
  }

  async #passes(): Promise<void> {
    while (this.#again && !this.#finished && !this.#ctx.signal.aborted) {
      this.#again = false;
      try {
        await this.#pass();
        this.#retries.forget("pass");
      } catch (error) {
        this.#retryLater(error);
      }
    }
    this.#passing = false;
  }

  #retryLater(error: unknown): void {
    // Leaving interrupts on purpose, and the engine's return is told by the kubelet.
    if (this.#ctx.signal.aborted) return;
    const now = this.#ctx.clock.now();
    this.#retries.next("pass", now);
    const { delayMs } = this.#retries.remaining("pass", now, now);
    this.#ctx.log.debug("Pass failed", { error: errorMessage(error), retryMs: delayMs });
    const interrupted = error === this.#departure.signal.reason;
    this.#ctx.after(interrupted ? 0 : delayMs, { type: "look" });
  }

  async #pass(): Promise<void> {
    const { runtimes } = this.#env;
    if (!runtimes.synced) await runtimes.refresh();
    const runtime = this.#scene.runtime();
    if (this.#departure.due) return this.#leave(runtime);
    if (this.#args.rejection && !isEnded(this.#scene.pod)) return this.#report(runtime);
    if (this.#isUnsupported()) return this.#report(runtime);
    const ip = podIP(this.#env, this.#scene.pod, liveSandbox(runtime));
    this.#probes.update(this.#scene.pod, runtime, ip);
    await this.#report(runtime);
    const known = this.#scene.pod;
    const reported = { ...known, status: this.#status.current };
    const ended = isEnded(known) || isEnded(reported);
    const pod = ended ? reported : known;
    const actions = computePodActions(pod, runtime, { unhealthy: this.#probes.unhealthy() });
    let acted = false;
    for (const action of actions) {
      if (this.#departure.due) break;
      acted = (await this.#execute(action, this.#scene.runtime())) || acted;
    }
    if (acted) {
      await runtimes.refresh();
      this.#again = true;
    } else if (!ended) await this.#volumes.refresh();
  }

  #isUnsupported(): boolean {
    const fields = unsupportedFields(this.#scene.pod);
    if (fields.length === 0) return false;
    const message = `This node does not honour yet: ${fields.join(", ")}`;
    for (const { name } of this.#scene.pod.spec.containers) {
      this.#waits.hold(name, { reason: "UnsupportedField", message }, Infinity);
    }
    if (!this.#toldUnsupported) this.#scene.tell.warning("UnsupportedField", message);
    this.#toldUnsupported = true;
    return true;
  }

  /** True when something was done that the engine's lists will show. */
  async #execute(action: PodAction, runtime: PodRuntime): Promise<boolean> {
    const { engine } = this.#env.config;
    switch (action.type) {
      case "stop-pod":
        if (action.changed) {
          const message = "Pod sandbox changed, it will be killed and re-created.";
          this.#scene.tell.normal("SandboxChanged", message);
        }
        await this.#stopAll(runtime);
        return true;
      case "run-sandbox":
        await this.#runSandbox(action.attempt);
        return true;
      case "kill-container":
        this.#scene.tell.normal("Killing", action.message, action.name);
        await engine.stopContainer(action.id, this.#departure.graceSeconds);
        return true;
      case "start-container":
        return this.#start(action, runtime);
      case "remove-container":
        await engine.removeContainer(action.id);
        this.#lastWords.delete(action.id);
        return true;
      default:
        return assertNever(action);
    }
  }

  async #runSandbox(attempt: number): Promise<void> {
    const { engine, dns, hostDns } = this.#env.config;
    const { metadata, spec } = this.#scene.pod;
    try {
      // Volumes first: a pod that lacks its Secret takes no address.
      await this.#volumes.ensure();
      await engine.runSandbox({
        ...this.#args.identity,
        attempt,
        hostname: podHostname(this.#scene.pod),
        dns: podDns(this.#scene.pod, dns, hostDns),
        hostNetwork: spec.hostNetwork ?? false,
        labels: metadata.labels ?? {},
        annotations: metadata.annotations ?? {},
      });
    } catch (error) {
      if (error instanceof VolumeError) this.#scene.tell.warning("FailedMount", error.message);
      else if (error instanceof EngineError && error.code !== "unavailable") {
        const message = `Failed to create pod sandbox: ${error.message}`;
        this.#scene.tell.warning("FailedCreatePodSandBox", message);
      }
      throw error;
    }
  }

  async #start(
    action: PodAction & { type: "start-container" },
    runtime: PodRuntime,
  ): Promise<boolean> {
    const { name, attempt } = action;
    const container = containerOf(this.#scene.pod, name);
    const sandbox = liveSandbox(runtime);
    if (!container || !sandbox) return false;
    const mustWait = this.#waits.mustWait(name, runtime);
    this.#again ||= mustWait === "newly";
    if (mustWait !== "no") return false;
    const { volumes, sources } = await this.#volumes.ensure();
    const outcome = await startContainer(this.#env, {
      pod: this.#scene.pod,
      container,
      attempt,
      sandbox,
      volumes,
      sources,
      tell: this.#scene.tell,
      signal: this.#departure.signal,
    });
    if (outcome.type === "started") {
      this.#waits.release(name);
      return true;
    }
    const { waiting, retryMs } = outcome;
    this.#waits.hold(name, waiting, retryMs);
    await this.#report(this.#scene.runtime());
    return waiting.reason === "RunContainerError";
  }

  async #stopAll(runtime: PodRuntime): Promise<void> {
    if (await this.#departure.stopContainers(runtime)) {
      await this.#env.runtimes.refresh();
      if (!this.#scene.gone) await this.#report(this.#scene.runtime());
    }
    const { engine } = this.#env.config;
    await Promise.all(runtime.sandboxes.map(({ id }) => engine.stopSandbox(id)));
  }

  async #leave(runtime: PodRuntime): Promise<void> {
    const { engine, files } = this.#env.config;
    if (this.#departure.isDraining()) return;
    this.#probes.stop();
    await this.#stopAll(runtime);
    if (!this.#scene.gone) {
      await this.#report(this.#scene.runtime());
      await this.#status.flush();
    }
    await Promise.all(runtime.sandboxes.map(({ id }) => engine.removeSandbox(id)));
    await files.removePod(this.#args.identity.uid);
    await this.#env.runtimes.refresh();
    if (this.#scene.runtime().sandboxes.length > 0) {
      this.#again = true;
      return;
    }
    await this.#departure.deleteFromApi();
    this.#env.images.forget(this.#args.identity.uid);
    this.#env.tokens.forget(this.#args.identity.uid);
    this.#finished = true;
    this.#args.onFinished();
  }

  async #report(runtime: PodRuntime): Promise<void> {
    await this.#readLastWords(runtime);
    const pod = {
      ...this.#scene.pod,
      status: { ...this.#scene.pod.status, ...this.#status.current },
    };
    const status = computePodStatus(pod, runtime, {
      now: this.#ctx.clock.now(),
      runtimePrefix: this.#env.runtimePrefix(),
      nodeIP: this.#env.config.nodeIP,
      waiting: this.#waits.reasons,
      probes: this.#probes.results(),
      terminationMessages: this.#lastWords,
      rejected: this.#args.rejection,
    });
    this.#status.set(status);
  }

  async #readLastWords(runtime: PodRuntime): Promise<void> {
    for (const state of runtime.containers) {
      if (state.status !== "exited" || this.#lastWords.has(state.id)) continue;
      const container = containerOf(this.#scene.pod, state.name);
      if (!container) continue;
      const words = await readTerminationMessage(this.#env, this.#scene.pod, container, state);
      this.#lastWords.set(state.id, words);
    }
  }
}
