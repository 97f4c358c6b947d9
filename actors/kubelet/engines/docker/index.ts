/**
 * The Docker engine: a driver at the edge. A sandbox is a pause container on the node's own bridge;
 * the pod's containers join its network and IPC namespaces. Docker keeps all state, in labels: the
 * driver may be killed at any line, and the next one finds what there is by name and label.
 */

import { readFileSync } from "node:fs";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { ContainerInfo } from "dockerode";
import Docker from "dockerode";
import type {
  AttachOptions,
  ContainerConfig,
  ContainerState,
  ContainerStats,
  Engine,
  EngineEvent,
  EngineVersion,
  EventStream,
  ExecOptions,
  ExecSession,
  ImageAuth,
  ImageState,
  LogOptions,
  LogStream,
  SandboxConfig,
  SandboxState,
} from "../../engine.ts";
import { type Abilities, containerOptions, sandboxOptions } from "./config.ts";
import {
  call,
  callUnlessGone,
  retryRemoval,
  statusCodeOf,
  toEngineError,
  toStartError,
} from "./errors.ts";
import { type EventCursor, openEvents } from "./events.ts";
import { StartGate } from "./gate.ts";
import { type CallGuard, guardCalls } from "./guard.ts";
import * as images from "./images.ts";
import { containerName, label, type Owner, ownerFilter, sandboxName } from "./labels.ts";
import { ensureNetwork, type PodNetwork, podNetwork, remakeNetwork } from "./network.ts";
import { containerState, sandboxState } from "./states.ts";
import { readStats } from "./stats.ts";
import { openAttach, openExec, openLogs } from "./streams.ts";

export interface DockerEngineOptions extends Owner {
  socketPath: string;
  podCIDR: string;
  pauseImage: string;
  /** For files that sandboxes need, such as resolv.conf; must be seen by dockerd under this path. */
  stateDir: string;
  abilities?: Abilities;
}

/** A dockerd that hangs counts as absent; starting a container on a busy machine takes seconds. */
const callTimeoutMs = 120_000;
const versionTimeoutMs = 10_000;

export function createDockerEngine(options: DockerEngineOptions): DockerEngine {
  return new DockerEngine(options);
}

export class DockerEngine implements Engine {
  readonly name = "docker";
  readonly network: PodNetwork;
  readonly #owner: Owner;
  readonly #options: DockerEngineOptions;
  readonly #abilities: Abilities;
  readonly #docker: Docker;
  /** For calls that last as long as they last: streams, pulls, stops. */
  readonly #patient: Docker;
  readonly #cursor: EventCursor = { since: undefined };
  /** What an inspection told of a container, until an event or another state in the list. */
  readonly #known = new Map<string, { listed: string; state: ContainerState }>();
  readonly #gate = new StartGate();
  readonly #guards: CallGuard[];
  readonly #stateDir: string;
  #swept = false;
  #networkReady: Promise<void> | undefined;

  constructor(options: DockerEngineOptions) {
    this.#owner = { cluster: options.cluster, node: options.node };
    this.#options = options;
    // Docker mounts absolute paths only.
    this.#stateDir = resolve(options.stateDir);
    this.#abilities = options.abilities ?? readAbilities();
    this.#docker = new Docker({ socketPath: options.socketPath, timeout: callTimeoutMs });
    this.#patient = new Docker({ socketPath: options.socketPath });
    this.#guards = [guardCalls(this.#docker, callTimeoutMs), guardCalls(this.#patient)];
    this.network = podNetwork(this.#owner, options.podCIDR);
  }

  async version(): Promise<EngineVersion> {
    const docker = new Docker({ socketPath: this.#options.socketPath, timeout: versionTimeoutMs });
    const { Version: version } = await call(() => docker.version());
    return { name: "docker", version, runtimeVersion: `docker://${version}` };
  }

  async runSandbox(config: SandboxConfig): Promise<string> {
    // What is written from now on must not be swept away.
    if (!this.#swept) await this.listSandboxes();
    if (!config.hostNetwork) await this.#ensureNetwork();
    const name = sandboxName(this.#owner, config);
    await this.#writeResolvConf(sandboxFolder(config.uid, config.attempt), config);
    const create = sandboxOptions(this.#owner, config, {
      pauseImage: this.#options.pauseImage,
      network: this.network.name,
      abilities: this.#abilities,
    });
    const id = await this.#create(name, create, (found) => found.State.Running);
    try {
      await this.#gate.run("sandbox", () => this.#startSandbox(id));
    } catch (error) {
      await this.removeSandbox(id).catch(() => undefined);
      throw error;
    }
    return id;
  }

  async stopSandbox(id: string): Promise<void> {
    const containers = await this.#list("container", `${label.sandbox}=${id}`);
    await Promise.all(containers.map((info) => this.stopContainer(info.Id, 0)));
    await callUnlessGone(() => this.#patient.getContainer(id).stop({ t: 0 }));
  }

  async removeSandbox(id: string): Promise<void> {
    const containers = await this.#list("container", `${label.sandbox}=${id}`);
    await Promise.all(containers.map((info) => this.removeContainer(info.Id)));
    const info = await callUnlessGone(() => this.#docker.getContainer(id).inspect());
    if (!info) return;
    await retryRemoval(() => this.#docker.getContainer(id).remove({ force: true, v: true }));
    const { [label.podUid]: uid, [label.attempt]: attempt } = info.Config.Labels;
    if (!uid || !attempt) return;
    const folder = join(this.#stateDir, sandboxFolder(uid, Number(attempt)));
    await rm(folder, { recursive: true, force: true });
  }

  async listSandboxes(): Promise<SandboxState[]> {
    const sandboxes = (await this.#list("sandbox")).map(sandboxState);
    if (!this.#swept) await this.#sweep(sandboxes);
    return sandboxes;
  }

  async createContainer(sandbox: string, config: ContainerConfig): Promise<string> {
    const info = await call(() => this.#docker.getContainer(sandbox).inspect());
    const labels = info.Config.Labels;
    const folder = sandboxFolder(labels[label.podUid] ?? "", Number(labels[label.attempt] ?? 0));
    const mounts = [...config.mounts];
    if (!mounts.some((mount) => mount.containerPath === "/etc/resolv.conf")) {
      const hostPath = join(this.#stateDir, folder, "resolv.conf");
      mounts.push({ hostPath, containerPath: "/etc/resolv.conf", readOnly: false });
    }
    const cgroupParent = info.HostConfig.CgroupParent || undefined;
    const create = containerOptions(
      this.#owner,
      { id: sandbox, labels, cgroupParent },
      { ...config, image: images.withTag(config.image), mounts },
      this.#abilities,
    );
    const name = containerName(this.#owner, labels, config);
    return this.#create(name, create, (found) => found.State.Status !== "created");
  }

  async startContainer(id: string): Promise<void> {
    this.#known.delete(id);
    try {
      await this.#gate.run("container", () => this.#docker.getContainer(id).start());
    } catch (error) {
      if (statusCodeOf(error) !== 304) throw toStartError(error);
    }
  }

  async stopContainer(id: string, graceSeconds: number): Promise<void> {
    // Docker counts whole seconds; nobody gets less than was promised.
    const t = Math.ceil(graceSeconds);
    await callUnlessGone(() => this.#patient.getContainer(id).stop({ t }));
    this.#known.delete(id);
  }

  async removeContainer(id: string): Promise<void> {
    await retryRemoval(() => this.#docker.getContainer(id).remove({ force: true, v: true }));
    this.#known.delete(id);
  }

  async listContainers(): Promise<ContainerState[]> {
    const listed = await this.#list("container");
    const present = new Set(listed.map((info) => info.Id));
    for (const id of this.#known.keys()) if (!present.has(id)) this.#known.delete(id);
    const states: ContainerState[] = [];
    for (const info of listed) {
      const known = this.#known.get(info.Id);
      if (known?.listed === info.State) {
        states.push(known.state);
        continue;
      }
      const state = await this.containerState(info.Id);
      if (!state) continue;
      states.push(state);
      // Between a start that failed and its error's being written down nothing else would change.
      if (state.status !== "created") this.#known.set(info.Id, { listed: info.State, state });
    }
    return states;
  }

  async containerState(id: string): Promise<ContainerState | undefined> {
    const info = await callUnlessGone(() => this.#docker.getContainer(id).inspect());
    return info && containerState(info);
  }

  imageState(image: string): Promise<ImageState | undefined> {
    return images.imageState(this.#docker, image);
  }
  pullImage(image: string, auth?: ImageAuth, signal?: AbortSignal): Promise<ImageState> {
    return images.pullImage(this.#patient, image, auth, signal);
  }
  listImages(): Promise<ImageState[]> {
    return images.listImages(this.#docker);
  }
  removeImage(id: string): Promise<void> {
    return images.removeImage(this.#docker, id);
  }

  async logs(id: string, options: LogOptions): Promise<LogStream> {
    return openLogs(this.#patient, id, await this.#isTty(id), options);
  }
  exec(id: string, options: ExecOptions): Promise<ExecSession> {
    return openExec(this.#patient, id, options);
  }
  async attach(id: string, options: AttachOptions): Promise<ExecSession> {
    return openAttach(this.#patient, id, { ...options, tty: await this.#isTty(id) });
  }

  async stats(): Promise<Map<string, ContainerStats>> {
    const running = (await this.#list("container")).filter((info) => info.State === "running");
    return readStats(
      this.#docker,
      running.map((info) => info.Id),
    );
  }

  events(onEvent: (event: EngineEvent) => void, onEnd: (error?: Error) => void): EventStream {
    const forgetful = (event: EngineEvent): void => {
      this.#known.delete(event.id);
      onEvent(event);
    };
    return openEvents(this.#patient, this.#owner, this.#cursor, forgetful, (error) => {
      for (const guard of this.#guards) guard.breakAll();
      onEnd(error);
    });
  }

  close(): void {
    this.#known.clear();
  }

  #list(kind: "sandbox" | "container", ...extra: string[]): Promise<ContainerInfo[]> {
    const filters = { label: [...ownerFilter(this.#owner, kind), ...extra] };
    return call(() => this.#docker.listContainers({ all: true, filters: JSON.stringify(filters) }));
  }

  /**
   * Creates by name. What already has the name is what an earlier call left behind: it is taken
   * when `isUsable`, and replaced when not.
   */
  async #create(
    name: string,
    options: Docker.ContainerCreateOptions,
    isUsable: (found: Docker.ContainerInspectInfo) => boolean,
  ): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      try {
        return (await this.#docker.createContainer({ ...options, name })).id;
      } catch (error) {
        if (statusCodeOf(error) !== 409 || attempt === 3) throw toEngineError(error);
        const found = await callUnlessGone(() => this.#docker.getContainer(name).inspect());
        if (found && isUsable(found)) return found.Id;
        const stale = found?.Id;
        if (stale) {
          await retryRemoval(() => this.#docker.getContainer(stale).remove({ force: true }));
        }
      }
    }
  }

  async #startSandbox(id: string): Promise<void> {
    const before = this.#networkReady;
    try {
      await this.#docker.getContainer(id).start();
    } catch (error) {
      if (statusCodeOf(error) === 304) return;
      if (!isNetworkMissing(error)) throw toEngineError(error);
      // One of many that fail at once makes it anew; the others only wait for that.
      if (this.#networkReady === before) {
        this.#networkReady = remakeNetwork(this.#docker, this.#owner, this.network);
      }
      await this.#ensureNetwork();
      await call(() => this.#docker.getContainer(id).start());
    }
  }

  async #ensureNetwork(): Promise<void> {
    this.#networkReady ??= ensureNetwork(this.#docker, this.#owner, this.network);
    try {
      await this.#networkReady;
    } catch (error) {
      this.#networkReady = undefined;
      throw error;
    }
  }

  /** Folders of sandboxes that somebody removed while we were not there. */
  async #sweep(sandboxes: SandboxState[]): Promise<void> {
    const known = new Set(sandboxes.map(({ uid, attempt }) => sandboxFolder(uid, attempt)));
    for (const name of await readdir(join(this.#stateDir, "sandboxes")).catch(() => [])) {
      const folder = join("sandboxes", name);
      if (!known.has(folder)) await rm(join(this.#stateDir, folder), { recursive: true });
    }
    this.#swept = true;
  }

  async #writeResolvConf(folder: string, config: SandboxConfig): Promise<void> {
    const dir = join(this.#stateDir, folder);
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, "resolv.conf"), resolvConf(config.dns));
  }

  async #isTty(id: string): Promise<boolean> {
    const info = await call(() => this.#docker.getContainer(id).inspect());
    return info.Config.Tty;
  }
}

export function resolvConf(dns: SandboxConfig["dns"]): string {
  const lines = dns.servers.map((server) => `nameserver ${server}`);
  if (dns.searches.length > 0) lines.push(`search ${dns.searches.join(" ")}`);
  if (dns.options.length > 0) lines.push(`options ${dns.options.join(" ")}`);
  return lines.map((line) => `${line}\n`).join("");
}

function sandboxFolder(uid: string, attempt: number): string {
  return join("sandboxes", `${uid}_${attempt}`);
}

function isNetworkMissing(error: unknown): boolean {
  const { message } = toEngineError(error);
  return /network .*not found|could not find (a )?network|bridge .*(not found|no such)/i.test(
    message,
  );
}

/** Bit 24 of the capabilities that this machine lets processes have at all. */
function readAbilities(): Abilities {
  try {
    const bounding = /^CapBnd:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"));
    const bits = BigInt(`0x${bounding?.[1] ?? "0"}`);
    return { sysResource: (bits & (1n << 24n)) !== 0n };
  } catch {
    return { sysResource: false };
  }
}
