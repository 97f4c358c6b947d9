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

import { isConflict, isNotFound } from "../../manifests/api-error.ts";
import { Pod } from "../../manifests/index.ts";
import type { ActorDefinition, Behavior, Context } from "../../runtime/actor.ts";
import type { Timer } from "../../runtime/clock.ts";
import { assertNever, errorMessage } from "../../runtime/errors.ts";
import { keyOf } from "../kit/object.ts";
import { computePodActions, isEnded, type PodAction } from "./actions.ts";
import { Backoff, formatDelay } from "./backoff.ts";
import {
  ensureVolumes,
  fetchSources,
  type PodVolumes,
  podIP,
  startContainer,
  type Tell,
} from "./container-starter.ts";
import { drainMs } from "./drain.ts";
import { EngineError } from "./engine.ts";
import type { EnvSources } from "./env.ts";
import type { NodeEnvironment } from "./environment.ts";
import { podDns, podHostname } from "./pod-network.ts";
import { Probes } from "./probes.ts";
import { emptyRuntime, latest, liveSandbox, type PodRuntime } from "./runtime-state.ts";
import { computePodStatus, containerOf, type Waiting } from "./status.ts";
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
  identity: { uid: string; namespace: string; name: string };
  rejection?: { reason: string; message: string };
  onFinished(): void;
}

export const podWorker: ActorDefinition<PodWorkerMessage, PodWorkerArgs> = {
  name: "pod-worker",
  start: (ctx, args) => new PodWorker(ctx, args),
};

const firstRetryMs = 1_000;
const longestRetryMs = 20_000;
/** How stale a mounted ConfigMap or Secret may be, about as upstream. */
const volumeRefreshMs = 60_000;
const deleteRetryMs = 1_000;

class PodWorker implements Behavior<PodWorkerMessage> {
  readonly #ctx: Context<PodWorkerMessage>;
  readonly #args: PodWorkerArgs;
  readonly #env: NodeEnvironment;
  readonly #probes: Probes;
  readonly #status: StatusWriter;
  readonly #crashes = new Backoff();
  readonly #retries = new Backoff(firstRetryMs, longestRetryMs);
  readonly #waiting = new Map<string, Waiting & { until: number }>();
  readonly #crashTimers = new Map<string, Timer>();
  readonly #lastWords = new Map<string, string>();
  /** Aborts what takes long and is in vain once the pod has to go. */
  readonly #leaving = new AbortController();
  #pod: Pod;
  #gone: boolean;
  #passing = false;
  #again = false;
  #finished = false;
  #stopGraceSeconds: number | undefined;
  /** When the pod was first seen to have to go, and what ends its drain. */
  #leavingSince: number | undefined;
  #drainTimer: Timer | undefined;
  #volumes: { volumes: PodVolumes; sources: EnvSources; at: number } | undefined;
  #volumeTimer: Timer | undefined;
  #toldUnsupported = false;

  constructor(ctx: Context<PodWorkerMessage>, args: PodWorkerArgs) {
    this.#ctx = ctx;
    this.#args = args;
    this.#env = args.env;
    const pod = args.pod();
    this.#gone = pod === undefined;
    this.#pod = pod ?? orphan(args.identity);
    const { api } = args.env;
    const { clock, log, signal } = ctx;
    this.#status = new StatusWriter(this.#pod, { api, clock, log, signal });
    const { engine, dialer } = args.env.config;
    this.#probes = new Probes({ clock, engine, dialer }, this.#tell, () => this.#look());
    ctx.onEnd(() => this.#probes.stop());
    this.#noteLeaving();
    this.#look();
  }

  receive(message: PodWorkerMessage): void {
    switch (message.type) {
      case "pod":
        this.#pod = message.pod;
        this.#status.seen(message.pod);
        break;
      case "gone":
        this.#gone = true;
        break;
      case "look":
        break;
      default:
        assertNever(message);
    }
    this.#noteLeaving();
    this.#look();
  }

  #noteLeaving(): void {
    if (!this.#isLeaving()) return;
    this.#leaving.abort(new Error("the pod is being deleted"));
    this.#leavingSince ??= this.#ctx.clock.monotonic();
    const grace = this.#graceSeconds();
    const { uid } = this.#args.identity;
    // A second, harsher delete must not wait for the first one's grace period.
    if (this.#stopGraceSeconds === undefined || grace >= this.#stopGraceSeconds) return;
    this.#stopGraceSeconds = grace;
    for (const { id, status } of this.#env.runtimes.get(uid)?.containers ?? []) {
      if (status !== "running") continue;
      this.#env.config.engine.stopContainer(id, grace).catch((error: unknown) => {
        this.#ctx.log.debug("Faster stop failed", { id, error: errorMessage(error) });
      });
    }
  }

  #isLeaving(): boolean {
    return this.#gone || this.#pod.metadata.deletionTimestamp !== undefined;
  }

  #graceSeconds(): number {
    const { metadata, spec } = this.#pod;
    if (this.#gone) return Math.min(1, metadata.deletionGracePeriodSeconds ?? 1);
    return metadata.deletionGracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? 30;
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
    const interrupted = error === this.#leaving.signal.reason;
    this.#ctx.after(interrupted ? 0 : delayMs, { type: "look" });
  }

  async #pass(): Promise<void> {
    const { runtimes } = this.#env;
    if (!runtimes.synced) await runtimes.refresh();
    const runtime = this.#runtime();
    if (this.#isLeaving()) return this.#leave(runtime);
    if (this.#args.rejection && !isEnded(this.#pod)) return this.#report(runtime);
    if (this.#isUnsupported()) return this.#report(runtime);
    this.#probes.update(this.#pod, runtime, podIP(this.#env, this.#pod, liveSandbox(runtime)));
    await this.#report(runtime);
    const ended = isEnded(this.#pod) || isEnded({ ...this.#pod, status: this.#status.current });
    const pod = ended ? { ...this.#pod, status: this.#status.current } : this.#pod;
    const actions = computePodActions(pod, runtime, { unhealthy: this.#probes.unhealthy() });
    let acted = false;
    for (const action of actions) {
      if (this.#isLeaving()) break;
      acted = (await this.#execute(action, this.#runtime())) || acted;
    }
    if (acted) {
      await runtimes.refresh();
      this.#again = true;
    } else if (!ended) await this.#refreshVolumes();
  }

  #runtime(): PodRuntime {
    return this.#env.runtimes.get(this.#args.identity.uid) ?? emptyRuntime(this.#args.identity);
  }

  #isUnsupported(): boolean {
    const fields = unsupportedFields(this.#pod);
    if (fields.length === 0) return false;
    const message = `This node does not honour yet: ${fields.join(", ")}`;
    for (const { name } of this.#pod.spec.containers) {
      this.#waiting.set(name, { reason: "UnsupportedField", message, until: Infinity });
    }
    if (!this.#toldUnsupported) this.#tell.warning("UnsupportedField", message);
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
          this.#tell.normal("SandboxChanged", message);
        }
        await this.#stopAll(runtime);
        return true;
      case "run-sandbox":
        await this.#runSandbox(action.attempt);
        return true;
      case "kill-container":
        this.#tell.normal("Killing", action.message, action.name);
        await engine.stopContainer(action.id, this.#graceSeconds());
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
    const { metadata, spec } = this.#pod;
    try {
      // Volumes first: a pod that lacks its Secret takes no address.
      await this.#ensureVolumes();
      await engine.runSandbox({
        ...this.#args.identity,
        attempt,
        hostname: podHostname(this.#pod),
        dns: podDns(this.#pod, dns, hostDns),
        hostNetwork: spec.hostNetwork ?? false,
        labels: metadata.labels ?? {},
        annotations: metadata.annotations ?? {},
      });
    } catch (error) {
      if (error instanceof VolumeError) this.#tell.warning("FailedMount", error.message);
      else if (error instanceof EngineError && error.code !== "unavailable") {
        const message = `Failed to create pod sandbox: ${error.message}`;
        this.#tell.warning("FailedCreatePodSandBox", message);
      }
      throw error;
    }
  }

  async #ensureVolumes(): Promise<{ volumes: PodVolumes; sources: EnvSources }> {
    const sources = await fetchSources(this.#env, this.#pod);
    const ip = podIP(this.#env, this.#pod, liveSandbox(this.#runtime()));
    const withIP = { ...sources, podIP: ip };
    const volumes = await ensureVolumes(this.#env, this.#pod, withIP);
    this.#volumes = { volumes, sources: withIP, at: this.#ctx.clock.monotonic() };
    return this.#volumes;
  }

  /** Brings ConfigMaps, Secrets and the downward API up to date in the running pod. */
  async #refreshVolumes(): Promise<void> {
    const isLive = (this.#pod.spec.volumes ?? []).some(
      (volume) => volume.configMap ?? volume.secret ?? volume.projected ?? volume.downwardAPI,
    );
    if (!isLive || !this.#volumes) return;
    const leftMs = this.#volumes.at + volumeRefreshMs - this.#ctx.clock.monotonic();
    if (leftMs <= 0) {
      await this.#ensureVolumes().catch((error: unknown) => {
        if (error instanceof VolumeError) this.#tell.warning("FailedMount", error.message);
        else throw error;
      });
    }
    this.#volumeTimer?.dispose();
    const nextMs = leftMs > 0 ? leftMs : volumeRefreshMs;
    this.#volumeTimer = this.#ctx.after(nextMs, { type: "look" });
  }

  async #start(
    action: PodAction & { type: "start-container" },
    runtime: PodRuntime,
  ): Promise<boolean> {
    const { name, attempt } = action;
    const container = containerOf(this.#pod, name);
    const sandbox = liveSandbox(runtime);
    if (!container || !sandbox) return false;
    if (this.#mustWait(name, runtime)) return false;
    const { volumes, sources } = await this.#ensureVolumes();
    const outcome = await startContainer(this.#env, {
      pod: this.#pod,
      container,
      attempt,
      sandbox,
      volumes,
      sources,
      tell: this.#tell,
      signal: this.#leaving.signal,
    });
    if (outcome.type === "started") {
      this.#waiting.delete(name);
      return true;
    }
    const { waiting, retryMs } = outcome;
    this.#waiting.set(name, { ...waiting, until: this.#ctx.clock.now() + retryMs });
    this.#ctx.after(retryMs, { type: "look" });
    await this.#report(this.#runtime());
    return waiting.reason === "RunContainerError";
  }

  /** Crash back-off, or a failure that is too fresh to try again. */
  #mustWait(name: string, runtime: PodRuntime): boolean {
    const now = this.#ctx.clock.now();
    const waiting = this.#waiting.get(name);
    const isCrashing = waiting?.reason === "CrashLoopBackOff";
    if (waiting && !isCrashing && waiting.until > now) return true;
    const last = latest(runtime, name);
    if (last?.status !== "exited") return false;
    const { delayMs, leftMs } = this.#crashes.remaining(name, last.finishedAt, now);
    if (leftMs <= 0) {
      this.#crashes.next(name, now);
      return false;
    }
    const { metadata } = this.#pod;
    const pod = `${metadata.name}_${metadata.namespace}(${metadata.uid})`;
    const message = `back-off ${formatDelay(delayMs)} restarting failed container=${name} pod=${pod}`;
    if (!isCrashing || waiting.until <= now) {
      const text = `Back-off restarting failed container ${name} in pod ${pod}`;
      this.#tell.warning("BackOff", text, name);
    }
    // Each time, for the wall clock may have been set back since the last.
    this.#crashTimers.get(name)?.dispose();
    this.#crashTimers.set(name, this.#ctx.after(leftMs, { type: "look" }));
    this.#waiting.set(name, { reason: "CrashLoopBackOff", message, until: now + leftMs });
    this.#again ||= !isCrashing;
    return true;
  }

  async #stopAll(runtime: PodRuntime): Promise<void> {
    const { engine } = this.#env.config;
    this.#stopGraceSeconds = this.#graceSeconds();
    // The grace counts from the deletion: what the pod was left to drain is a part of it.
    const drained = this.#leavingSince === undefined ? 0 : this.#drainMs() / 1_000;
    const grace = this.#stopGraceSeconds - drained;
    const running = runtime.containers.filter(({ status }) => status === "running");
    await Promise.all(
      running.map(async ({ id, name }) => {
        this.#tell.normal("Killing", `Stopping container ${name}`, name);
        await engine.stopContainer(id, grace);
      }),
    );
    this.#stopGraceSeconds = undefined;
    if (running.length > 0) {
      await this.#env.runtimes.refresh();
      if (!this.#gone) await this.#report(this.#runtime());
    }
    await Promise.all(runtime.sandboxes.map(({ id }) => engine.stopSandbox(id)));
  }

  #drainMs(): number {
    return this.#gone ? 0 : drainMs(this.#pod, this.#graceSeconds());
  }

  /** True while the pod goes on as before, and sees to it that it is looked at afterwards. */
  #isDraining(): boolean {
    const now = this.#ctx.clock.monotonic();
    const leftMs = (this.#leavingSince ?? now) + this.#drainMs() - now;
    this.#drainTimer?.dispose();
    if (leftMs <= 0) return false;
    this.#drainTimer = this.#ctx.after(leftMs, { type: "look" });
    return true;
  }

  async #leave(runtime: PodRuntime): Promise<void> {
    const { engine, files } = this.#env.config;
    if (this.#isDraining()) return;
    this.#probes.stop();
    await this.#stopAll(runtime);
    if (!this.#gone) {
      await this.#report(this.#runtime());
      await this.#status.flush();
    }
    await Promise.all(runtime.sandboxes.map(({ id }) => engine.removeSandbox(id)));
    await files.removePod(this.#args.identity.uid);
    await this.#env.runtimes.refresh();
    if (this.#runtime().sandboxes.length > 0) {
      this.#again = true;
      return;
    }
    await this.#deleteFromApi();
    this.#env.images.forget(this.#args.identity.uid);
    this.#finished = true;
    this.#args.onFinished();
  }

  async #deleteFromApi(): Promise<void> {
    const { uid } = this.#args.identity;
    while (!this.#gone && !this.#ctx.signal.aborted) {
      try {
        await this.#env.api.delete(Pod, keyOf(this.#pod), { gracePeriodSeconds: 0, uid });
        return;
      } catch (error) {
        if (isNotFound(error) || isConflict(error)) return;
        this.#ctx.log.debug("Pod not deleted yet", { error: errorMessage(error) });
        await this.#ctx.clock.sleep(deleteRetryMs, this.#ctx.signal).catch(() => undefined);
      }
    }
  }

  async #report(runtime: PodRuntime): Promise<void> {
    await this.#readLastWords(runtime);
    const pod = { ...this.#pod, status: { ...this.#pod.status, ...this.#status.current } };
    const status = computePodStatus(pod, runtime, {
      now: this.#ctx.clock.now(),
      runtimePrefix: this.#env.runtimePrefix(),
      nodeIP: this.#env.config.nodeIP,
      waiting: this.#waiting,
      probes: this.#probes.results(),
      terminationMessages: this.#lastWords,
      rejected: this.#args.rejection,
    });
    this.#status.set(status);
  }

  async #readLastWords(runtime: PodRuntime): Promise<void> {
    for (const state of runtime.containers) {
      if (state.status !== "exited" || this.#lastWords.has(state.id)) continue;
      const container = containerOf(this.#pod, state.name);
      if (!container) continue;
      const words = await readTerminationMessage(this.#env, this.#pod, container, state);
      this.#lastWords.set(state.id, words);
    }
  }

  readonly #tell: Tell = {
    normal: (reason, message, container) => this.#record("normal", reason, message, container),
    warning: (reason, message, container) => this.#record("warning", reason, message, container),
  };

  #record(
    type: "normal" | "warning",
    reason: string,
    message: string,
    container: string | undefined,
  ): void {
    if (this.#gone) return;
    const isInit = this.#pod.spec.initContainers?.some(({ name }) => name === container);
    const fieldPath = `spec.${isInit ? "initContainers" : "containers"}{${container}}`;
    const part = container === undefined ? undefined : { fieldPath };
    this.#env.recorder[type](Pod, this.#pod, reason, message, part);
  }
}

/** What is left to stop of a pod that the API has forgotten. */
function orphan({ uid, namespace, name }: PodWorkerArgs["identity"]): Pod {
  return { metadata: { uid, namespace, name }, spec: { containers: [] } };
}
