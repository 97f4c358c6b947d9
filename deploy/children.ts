/**
 * Child processes that may outlive their Wherry: nats-server and dockerd.
 *
 * A child is detached, so that a Ctrl-C meant for Wherry does not reach it before the orderly stop,
 * and logs to a file, so that it survives a `kill -9` of its parent. What was started is recorded in
 * the data folder with the process's start time: the next Wherry on the same data finds it, checks
 * that the pid still means the same process, and adopts it instead of starting a second one.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../runtime/log.ts";
import { endProcess, isSameProcess, type ProcessIdentity, processIdentity } from "./processes.ts";
import { readRecord, removeRecord, writeRecord } from "./records.ts";

export interface ChildSpec {
  /** As in logs and in the name of the record: `nats-server`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Whatever else, beside command and arguments, a running child must share to be adopted. */
  readonly configuration?: string;
  /** Folder of the record (`<name>.json`) and the log (`<name>.log`). */
  readonly runDir: string;
  /** True once the child serves. Called again and again; a throw counts as no. */
  healthy(): Promise<boolean>;
  /** Before each spawn: removes what a killed predecessor left behind. */
  prepare?(): Promise<void>;
  readonly readyTimeoutMs: number;
  readonly stopTimeoutMs: number;
}

const restartBackoffMs = { first: 100, longest: 10_000 };
const adoptedPollMs = 500;
const healthPollMs = 15;

export class Child {
  readonly spec: ChildSpec;
  readonly #log: Log;
  #identity: ProcessIdentity | undefined;
  #process: ChildProcess | undefined;
  #stopping = false;
  #adopted = false;
  #watching: Promise<void> = Promise.resolve();
  #abort = new AbortController();

  private constructor(spec: ChildSpec, log: Log) {
    this.spec = spec;
    this.#log = log.child({ child: spec.name });
  }

  /** Adopts the child that runs already, or starts it; resolves once it is healthy. */
  static async start(spec: ChildSpec, log: Log): Promise<Child> {
    const child = new Child(spec, log);
    await mkdir(spec.runDir, { recursive: true });
    await child.#adoptOrSpawn();
    child.#watching = child.#watch();
    return child;
  }

  get pid(): number | undefined {
    return this.#identity?.pid;
  }

  /** True while the process is one that an earlier Wherry started. */
  get adopted(): boolean {
    return this.#adopted;
  }

  /** SIGTERM, and SIGKILL when it takes too long; resolves when the process is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#abort.abort();
    await this.#watching;
    if (this.#identity) await endProcess(this.#identity, this.spec.stopTimeoutMs);
    await removeRecord(this.spec);
  }

  /** Leaves the child running for the next Wherry on this data, and stops looking after it. */
  async abandon(): Promise<void> {
    this.#stopping = true;
    this.#abort.abort();
    await this.#watching;
  }

  async #adoptOrSpawn(): Promise<void> {
    const record = await readRecord(this.spec);
    if (record && (await isSameProcess(record))) {
      if (record.fingerprint === fingerprint(this.spec) && (await this.#becomesHealthy(record))) {
        this.#identity = record;
        this.#adopted = true;
        this.#log.info("Adopted a child that outlived its Wherry", { pid: record.pid });
        return;
      }
      this.#log.info("Replacing a child of an earlier Wherry", { pid: record.pid });
      await endProcess(record, this.spec.stopTimeoutMs);
    }
    await this.#spawn();
  }

  async #spawn(): Promise<void> {
    await this.spec.prepare?.();
    const output = openSync(join(this.spec.runDir, `${this.spec.name}.log`), "a", 0o600);
    try {
      this.#process = spawn(this.spec.command, this.spec.args, {
        detached: true,
        stdio: ["ignore", output, output],
        env: { ...process.env, ...this.spec.env },
      });
    } finally {
      closeSync(output);
    }
    const failure = new Promise<never>((_, reject) => this.#process?.once("error", reject));
    failure.catch(() => undefined);
    this.#process.unref();
    const pid = this.#process.pid;
    const identity = pid === undefined ? undefined : await processIdentity(pid);
    if (identity === undefined) return this.#failed(pid === undefined ? failure : undefined);
    this.#adopted = false;
    this.#identity = identity;
    const { name, command } = this.spec;
    await writeRecord(this.spec, {
      ...identity,
      name,
      command,
      fingerprint: fingerprint(this.spec),
    });
    if (await this.#becomesHealthy(identity)) return;
    await endProcess(identity, this.spec.stopTimeoutMs);
    await this.#failed();
  }

  async #failed(spawning?: Promise<never>): Promise<never> {
    await spawning;
    throw new Error(`${this.spec.name} did not start: ${await lastLines(this.spec)}`);
  }

  async #becomesHealthy(identity: ProcessIdentity): Promise<boolean> {
    const deadline = performance.now() + this.spec.readyTimeoutMs;
    while (performance.now() < deadline && !this.#stopping) {
      if (await this.spec.healthy().catch(() => false)) return true;
      if (!(await isSameProcess(identity))) return false;
      await sleep(healthPollMs);
    }
    return false;
  }

  /** Waits for the process's end and starts it again, more slowly each time. */
  async #watch(): Promise<void> {
    let backoff = restartBackoffMs.first;
    while (!this.#stopping) {
      const startedAt = performance.now();
      await this.#ended();
      if (this.#stopping) return;
      if (performance.now() - startedAt > restartBackoffMs.longest) {
        backoff = restartBackoffMs.first;
      }
      this.#log.warn("A child died; starting it again", { pid: this.pid, backoffMs: backoff });
      await this.#pause(backoff);
      backoff = Math.min(backoff * 2, restartBackoffMs.longest);
      if (this.#stopping) return;
      await this.#spawn().catch((error: unknown) => {
        this.#log.error("A child could not be started again", { error: String(error) });
      });
    }
  }

  /** One way of noticing for both kinds: an adopted process is nobody's child here. */
  async #ended(): Promise<void> {
    const own = this.#process;
    if (own && !this.#adopted) {
      const { signal } = this.#abort;
      while (own.exitCode === null && own.signalCode === null && !signal.aborted) {
        await once(own, "exit", { signal }).catch(() => undefined);
      }
      return;
    }
    while (!this.#stopping && this.#identity && (await isSameProcess(this.#identity))) {
      await this.#pause(adoptedPollMs);
    }
  }

  async #pause(durationMs: number): Promise<void> {
    await sleep(durationMs, undefined, { signal: this.#abort.signal }).catch(() => undefined);
  }
}

function fingerprint(spec: ChildSpec): string {
  const what = JSON.stringify([spec.command, spec.args, spec.configuration ?? ""]);
  return createHash("sha256").update(what).digest("hex").slice(0, 32);
}

async function lastLines(spec: ChildSpec): Promise<string> {
  const text = await readFile(join(spec.runDir, `${spec.name}.log`), "utf8").catch(() => "");
  return text.trim().split("\n").slice(-5).join("\n") || "it said nothing";
}
