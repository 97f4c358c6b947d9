/**
 * What runs on the node, as the engine last told it. The engine's events are hints: each of them
 * leads to one look at both lists, many at once to one look. While the event stream stands, lists
 * are read once a minute for what it may have missed; while it is broken, every two seconds; and
 * an engine that does not answer is asked again twice a second.
 *
 * After k8s:pkg/kubelet/pleg; it also is what decides whether the engine is well.
 */

import type { Clock, Timer } from "../../runtime/clock.ts";
import { errorMessage } from "../../runtime/errors.ts";
import type { Engine, EventStream } from "./engine.ts";
import { fingerprint, groupByPod, type PodRuntime } from "./runtime-state.ts";

export interface RuntimeListener {
  onPodChanged(uid: string): void;
  /** Undefined: the engine is well (again). */
  onHealth(problem: string | undefined): void;
}

const quietIntervalMs = 15_000;
/** An engine that takes longer hangs, until it answers after all. */
const patienceMs = 15_000;
const brokenIntervalMs = 2_000;
/** To ask whether an absent engine is back costs nothing. */
const absentIntervalMs = 500;
const gatherMs = 5;

export class RuntimeCache {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #listener: RuntimeListener;
  #pods = new Map<string, PodRuntime>();
  #running: Promise<void> | undefined;
  #queued: Promise<void> | undefined;
  #timer: Timer | undefined;
  #gathering: Timer | undefined;
  #events: EventStream | undefined;
  #stopped = false;
  /** Unknown until the first look. */
  problem: string | undefined = "the container engine was not looked at yet";
  /** Whether `problem` tells what was seen. */
  looked = false;
  synced = false;

  constructor(engine: Engine, clock: Clock, listener: RuntimeListener) {
    this.#engine = engine;
    this.#clock = clock;
    this.#listener = listener;
  }

  start(): void {
    this.#openEvents();
    void this.#look();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.dispose();
    this.#gathering?.dispose();
    this.#events?.close();
  }

  get(uid: string): PodRuntime | undefined {
    return this.#pods.get(uid);
  }

  pods(): Iterable<PodRuntime> {
    return this.#pods.values();
  }

  /** Resolves when the cache shows everything that was so before the call; rejects without engine. */
  refresh(): Promise<void> {
    if (!this.#running) {
      this.#running = this.#refresh().finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    // The one under way may have read before the caller's change: the next one counts.
    this.#queued ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#queued = undefined;
        return this.refresh();
      });
    return this.#queued;
  }

  async #refresh(): Promise<void> {
    const late = this.#clock.setTimer(patienceMs, () => {
      this.#setProblem(`the container engine has not answered for ${patienceMs / 1000} s`);
    });
    try {
      // Containers first: one whose sandbox comes into being in between is only seen later.
      const containers = await this.#engine.listContainers();
      const sandboxes = await this.#engine.listSandboxes();
      this.#replace(groupByPod(sandboxes, containers));
      this.#setProblem(undefined);
    } catch (error) {
      this.#setProblem(errorMessage(error));
      throw error;
    } finally {
      late.dispose();
    }
  }

  #replace(pods: Map<string, PodRuntime>): void {
    const before = this.#pods;
    this.#pods = pods;
    this.synced = true;
    for (const uid of new Set([...before.keys(), ...pods.keys()])) {
      if (fingerprint(before.get(uid)) !== fingerprint(pods.get(uid))) {
        this.#listener.onPodChanged(uid);
      }
    }
  }

  #setProblem(problem: string | undefined): void {
    this.looked = true;
    if (problem === this.problem) return;
    this.problem = problem;
    this.#listener.onHealth(problem);
  }

  /** One look, and the appointment for the next. */
  async #look(): Promise<void> {
    this.#timer?.dispose();
    await this.refresh().catch(() => undefined);
    if (this.#stopped) return;
    if (!this.#events && this.problem === undefined) this.#openEvents();
    const withEvents = this.#events ? quietIntervalMs : brokenIntervalMs;
    const nextMs = this.problem === undefined ? withEvents : absentIntervalMs;
    this.#timer?.dispose();
    this.#timer = this.#clock.setTimer(nextMs, () => void this.#look());
  }

  #openEvents(): void {
    const stream = this.#engine.events(
      () => this.#gather(),
      () => {
        if (this.#events === stream) this.#events = undefined;
        // Whatever ended it may have taken containers along.
        this.#gather();
      },
    );
    this.#events = stream;
  }

  #gather(): void {
    if (this.#stopped || this.#gathering) return;
    this.#gathering = this.#clock.setTimer(gatherMs, () => {
      this.#gathering = undefined;
      void this.#look();
    });
  }
}
