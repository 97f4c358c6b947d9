/**
 * The simulated engine: sandboxes and containers that exist only as states, on the clock and the
 * randomness it is given. `--engine sim` runs hollow nodes on it, and the simulation of the whole
 * control plane runs it on virtual time. Like every engine it outlives the kubelet that drives it.
 *
 * A pod tells it how its containers behave by annotations `sim.wherry.io/<container>`, each a JSON
 * `SimBehavior` (container.ts). Without one a container starts and runs until it is stopped.
 */

import type { Clock } from "../../../../runtime/clock.ts";
import type { Random } from "../../../../runtime/random.ts";
import {
  type ContainerConfig,
  type ContainerState,
  type ContainerStats,
  type Engine,
  EngineError,
  type EngineEvent,
  type EngineVersion,
  type EventStream,
  type ExecOptions,
  type ExecSession,
  type ImageState,
  type LogOptions,
  type LogStream,
  type SandboxConfig,
  type SandboxState,
} from "../../engine.ts";
import { addressAt, addressCount, type Network4, parseNetwork4 } from "../addresses.ts";
import { SimContainer, simAnnotation } from "./container.ts";
import { assertImageName, SimImages } from "./images.ts";

export interface SimEngineOptions {
  clock: Clock;
  random: Random;
  podCIDR: string;
  /** Default 50 to 150 ms, as random as the seed says. */
  startDelayMs?: () => number;
  pullDelayMs?: number;
  /** What a pull of this image ends with; default: it is there. */
  pull?: (image: string) => EngineError | undefined;
}

export function createSimEngine(options: SimEngineOptions): SimEngine {
  return new SimEngine(options);
}

export class SimEngine implements Engine {
  readonly name = "sim";
  readonly #options: SimEngineOptions;
  readonly #clock: Clock;
  readonly #network: Network4;
  readonly #sandboxes = new Map<string, SandboxState>();
  readonly #containers = new Map<string, SimContainer>();
  readonly #images = new SimImages();
  readonly #watchers = new Set<{ event(event: EngineEvent): void; end(error?: Error): void }>();
  #nextAddress = 2;
  #available = true;

  constructor(options: SimEngineOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#network = parseNetwork4(options.podCIDR);
  }

  /** Tests switch the engine off and on; what runs in it runs on. */
  setAvailable(available: boolean): void {
    this.#available = available;
    if (available) return;
    for (const watcher of [...this.#watchers]) watcher.end(unavailable());
    this.#watchers.clear();
  }

  /** A container dies behind the kubelet's back. */
  kill(id: string, exitCode = 137, reason = "Error"): void {
    this.#containers.get(id)?.exited(exitCode, reason);
  }

  /** A machine that restarts: nothing runs any more, all is still there. */
  reboot(): void {
    for (const container of this.#containers.values()) container.exited(137, "Error");
    for (const sandbox of this.#sandboxes.values()) this.#sandboxStopped(sandbox);
  }

  /** What runs at this moment, for whoever checks a simulation after every event. */
  running(): { sandboxes: SandboxState[]; containers: ContainerState[] } {
    const containers = [...this.#containers.values()].map(({ state }) => state);
    return {
      sandboxes: [...this.#sandboxes.values()].filter(({ running }) => running),
      containers: containers.filter(({ status }) => status === "running"),
    };
  }

  async version(): Promise<EngineVersion> {
    this.#assertAvailable();
    return { name: "sim", version: "1.0.0", runtimeVersion: "sim://1.0.0" };
  }

  async runSandbox(config: SandboxConfig): Promise<string> {
    await this.#startDelay();
    const { uid, attempt } = config;
    for (const known of this.#sandboxes.values()) {
      if (known.uid === uid && known.attempt === attempt && known.running) return known.id;
      if (known.uid === uid && known.attempt === attempt) this.#sandboxes.delete(known.id);
    }
    const id = this.#options.random.uuid();
    this.#sandboxes.set(id, {
      id,
      uid,
      namespace: config.namespace,
      name: config.name,
      attempt,
      running: true,
      ip: config.hostNetwork ? "" : this.#takeAddress(),
      createdAt: this.#clock.now(),
      labels: config.labels,
      annotations: config.annotations,
    });
    this.#tell("sandbox", id, "start");
    return id;
  }

  async stopSandbox(id: string): Promise<void> {
    this.#assertAvailable();
    for (const container of this.#inSandbox(id)) container.exited(137, "Error");
    const sandbox = this.#sandboxes.get(id);
    if (sandbox) this.#sandboxStopped(sandbox);
  }

  async removeSandbox(id: string): Promise<void> {
    await this.stopSandbox(id);
    for (const container of this.#inSandbox(id)) this.#containers.delete(container.state.id);
    if (this.#sandboxes.delete(id)) this.#tell("sandbox", id, "destroy");
  }

  async listSandboxes(): Promise<SandboxState[]> {
    this.#assertAvailable();
    return [...this.#sandboxes.values()].map((sandbox) => ({ ...sandbox }));
  }

  async createContainer(sandboxId: string, config: ContainerConfig): Promise<string> {
    this.#assertAvailable();
    const sandbox = this.#sandboxes.get(sandboxId);
    if (!sandbox) throw new EngineError("not-found", `No such container: ${sandboxId}`);
    const image = this.#images.get(config.image);
    if (!image) throw new EngineError("not-found", `No such image: ${config.image}`);
    for (const known of this.#inSandbox(sandboxId)) {
      const { name, attempt, status, id } = known.state;
      if (name !== config.name || attempt !== config.attempt) continue;
      if (status !== "created") return id;
      this.#containers.delete(id);
    }
    const id = this.#options.random.uuid();
    const container = new SimContainer({
      id,
      sandbox: sandboxId,
      config,
      imageID: image.id,
      behavior: sandbox.annotations[simAnnotation(config.name)],
      clock: this.#clock,
      tell: (action) => this.#tell("container", id, action),
    });
    this.#containers.set(id, container);
    return id;
  }

  async startContainer(id: string): Promise<void> {
    await this.#startDelay();
    this.#container(id).start();
  }

  async stopContainer(id: string, graceSeconds: number): Promise<void> {
    this.#assertAvailable();
    await this.#containers.get(id)?.stop(graceSeconds);
  }

  async removeContainer(id: string): Promise<void> {
    this.#assertAvailable();
    const container = this.#containers.get(id);
    if (!container) return;
    container.exited(137, "Error");
    this.#containers.delete(id);
    this.#tell("container", id, "destroy");
  }

  async listContainers(): Promise<ContainerState[]> {
    this.#assertAvailable();
    return [...this.#containers.values()].map(({ state }) => ({ ...state }));
  }

  async containerState(id: string): Promise<ContainerState | undefined> {
    this.#assertAvailable();
    const container = this.#containers.get(id);
    return container && { ...container.state };
  }

  async imageState(image: string): Promise<ImageState | undefined> {
    this.#assertAvailable();
    return this.#images.get(image);
  }

  async pullImage(image: string): Promise<ImageState> {
    this.#assertAvailable();
    assertImageName(image);
    await this.#clock.sleep(this.#options.pullDelayMs ?? 0);
    this.#assertAvailable();
    const failure = this.#options.pull?.(image);
    if (failure) throw failure;
    return this.#images.add(image);
  }

  async listImages(): Promise<ImageState[]> {
    this.#assertAvailable();
    return this.#images.list();
  }

  async removeImage(id: string): Promise<void> {
    this.#assertAvailable();
    this.#images.remove(id);
  }

  async logs(id: string, options: LogOptions): Promise<LogStream> {
    return this.#container(id).logs(options);
  }

  async exec(id: string, options: ExecOptions): Promise<ExecSession> {
    return this.#container(id).exec(options);
  }

  async attach(id: string): Promise<ExecSession> {
    return this.#container(id).attach();
  }

  async stats(): Promise<Map<string, ContainerStats>> {
    this.#assertAvailable();
    const stats = new Map<string, ContainerStats>();
    for (const [id, { state }] of this.#containers) {
      if (state.status !== "running") continue;
      const ranMs = this.#clock.now() - state.startedAt;
      stats.set(id, { cpuNanoseconds: ranMs * 1000, memoryBytes: 1024 * 1024 });
    }
    return stats;
  }

  events(onEvent: (event: EngineEvent) => void, onEnd: (error?: Error) => void): EventStream {
    const watcher = { event: onEvent, end: onEnd };
    if (this.#available) this.#watchers.add(watcher);
    else this.#clock.setTimer(0, () => onEnd(unavailable()));
    return { close: () => void this.#watchers.delete(watcher) };
  }

  close(): void {
    this.#watchers.clear();
  }

  async #startDelay(): Promise<void> {
    this.#assertAvailable();
    const delay = this.#options.startDelayMs?.() ?? 50 + this.#options.random.int(100);
    await this.#clock.sleep(delay);
    this.#assertAvailable();
  }

  /** Addresses go round, as a real allocator's do, so that a freed one is not reused at once. */
  #takeAddress(): string {
    const used = new Set([...this.#sandboxes.values()].map((sandbox) => sandbox.ip));
    const usable = addressCount(this.#network) - 3;
    for (let tried = 0; tried < usable; tried++) {
      const address = addressAt(this.#network, this.#nextAddress);
      this.#nextAddress = 2 + ((this.#nextAddress - 1) % usable);
      if (!used.has(address)) return address;
    }
    throw new EngineError("failed", "no available IPv4 addresses on this network's address pools");
  }

  #inSandbox(id: string): SimContainer[] {
    return [...this.#containers.values()].filter(({ state }) => state.sandbox === id);
  }

  #container(id: string): SimContainer {
    this.#assertAvailable();
    const container = this.#containers.get(id);
    if (!container) throw new EngineError("not-found", `No such container: ${id}`);
    return container;
  }

  #sandboxStopped(sandbox: SandboxState): void {
    if (!sandbox.running) return;
    this.#sandboxes.set(sandbox.id, { ...sandbox, running: false, ip: "" });
    this.#tell("sandbox", sandbox.id, "die");
  }

  #tell(type: EngineEvent["type"], id: string, action: string): void {
    for (const watcher of this.#watchers) watcher.event({ type, id, action });
  }

  #assertAvailable(): void {
    if (!this.#available) throw unavailable();
  }
}

function unavailable(): EngineError {
  return new EngineError("unavailable", "the simulated engine is switched off");
}
