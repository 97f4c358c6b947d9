/**
 * A whole cluster of the test's own, started as a user starts it: `wherry up` in a process of its
 * own, in a fresh data folder, on free ports. What it prints is kept for the error messages.
 */
import {
  type ChildProcess,
  type ChildProcessWithoutNullStreams,
  execFile,
  spawn,
} from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { ensureTools } from "../../deploy/setup/index.ts";

const program = resolve(import.meta.dirname, "../../deploy/bin/wherry.mjs");

export interface Ran {
  /** Exit code; -1 when a signal ended it. */
  code: number;
  stdout: string;
  stderr: string;
}

export interface ClusterOptions {
  /** Further arguments of `wherry up`. */
  args?: string[];
  /** A folder to start again on; it is not removed at the end. */
  dataDir?: string;
  env?: NodeJS.ProcessEnv;
}

/** Builds a tree of objects from what `-o json` printed. */
export type Json = ReturnType<typeof JSON.parse>;

export interface RunningCommand {
  /** What it has printed so far. */
  readonly heard: { readonly stdout: string; readonly stderr: string };
  /** Ends it as Ctrl-C does. */
  end(): Promise<Ran>;
}

const readyTimeoutMs = 90_000;
const commandTimeoutMs = 90_000;

export class TestCluster {
  readonly dataDir: string;
  readonly #kubectl: string;
  #up: ChildProcess | undefined;
  #output = "";
  #exited: Promise<number> = Promise.resolve(0);

  constructor(dataDir: string, kubectl: string) {
    this.dataDir = dataDir;
    this.#kubectl = kubectl;
  }

  get kubeconfig(): string {
    return join(this.dataDir, "kubeconfig");
  }

  /** Everything that `wherry up` printed so far. */
  get output(): string {
    return this.#output;
  }

  get pid(): number {
    const pid = this.#up?.pid;
    if (pid === undefined) throw new Error("the cluster does not run");
    return pid;
  }

  /** Starts `wherry up`, and resolves when it says that it is ready. */
  async up(options: Pick<ClusterOptions, "args" | "env"> = {}): Promise<void> {
    const ports = ["--https-port", "0", "--nats-port", "0"];
    const args = [program, "up", "--data", this.dataDir, ...ports, ...(options.args ?? [])];
    const child = spawn(process.execPath, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
    });
    this.#up = child;
    this.#output = "";
    this.#exited = new Promise((done) => child.on("close", (code) => done(code ?? -1)));
    await new Promise<void>((ready, reject) => {
      const tooLate = setTimeout(() => {
        child.kill("SIGKILL");
        reject(new Error(`wherry up was not ready in time:\n${this.#output}`));
      }, readyTimeoutMs);
      const hear = (text: string) => {
        this.#output += text;
        if (/^Wherry is ready/m.test(this.#output)) {
          clearTimeout(tooLate);
          ready();
        }
      };
      child.stdout.setEncoding("utf8").on("data", hear);
      child.stderr.setEncoding("utf8").on("data", hear);
      child.on("close", (code) => {
        clearTimeout(tooLate);
        reject(new Error(`wherry up exited with ${code}:\n${this.#output}`));
      });
    });
  }

  /** Ends `wherry up` with a signal and resolves with its exit code. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<number> {
    this.#up?.kill(signal);
    const code = await this.#exited;
    this.#up = undefined;
    return code;
  }

  /** Stock kubectl; throws with what it said when it fails. */
  async kubectl(...args: string[]): Promise<string> {
    const ran = await this.tryKubectl(...args);
    if (ran.code === 0) return ran.stdout;
    throw new Error(`kubectl ${args.join(" ")} exited with ${ran.code}: ${ran.stderr}`);
  }

  async tryKubectl(...args: string[]): Promise<Ran> {
    return await this.tryKubectlWith({}, ...args);
  }

  /** With more in the environment, such as an editor. */
  async tryKubectlWith(env: NodeJS.ProcessEnv, ...args: string[]): Promise<Ran> {
    return await this.#run(
      this.#kubectl,
      ["--kubeconfig", this.kubeconfig, ...args],
      undefined,
      env,
    );
  }

  /** Parses what `kubectl … -o json` prints. */
  async json(...args: string[]): Promise<Json> {
    return JSON.parse(await this.kubectl(...args, "-o", "json"));
  }

  /** Applies YAML text with stock kubectl. */
  async apply(yaml: string): Promise<string> {
    return await this.#send(yaml, "apply");
  }

  /** Asks what is a question: reviews are created, and answered as JSON. */
  async create(yaml: string): Promise<string> {
    return await this.#send(yaml, "create", "-o", "json");
  }

  async #send(yaml: string, ...command: string[]): Promise<string> {
    const args = ["--kubeconfig", this.kubeconfig, ...command, "-f", "-"];
    const ran = await this.#run(this.#kubectl, args, yaml);
    if (ran.code === 0) return ran.stdout;
    throw new Error(`kubectl ${command[0]} exited with ${ran.code}: ${ran.stderr}`);
  }

  /** Our own CLI, on this cluster. */
  async wherry(...args: string[]): Promise<Ran> {
    return await this.wherryBy([], {}, ...args);
  }

  /** Started by another program, such as setpriv, and with more in the environment. */
  async wherryBy(by: string[], env: NodeJS.ProcessEnv, ...args: string[]): Promise<Ran> {
    const [file = "", ...rest] = [...by, process.execPath, program, ...args];
    const ours = { WHERRY_DATA: this.dataDir, KUBECONFIG: this.kubeconfig };
    return await this.#run(file, rest, undefined, { ...ours, ...env });
  }

  /** Stock kubectl, for a command that is spoken to or goes on; the caller ends it. */
  startKubectl(env: NodeJS.ProcessEnv, ...args: string[]): ChildProcessWithoutNullStreams {
    const all = ["--kubeconfig", this.kubeconfig, ...args];
    return spawn(this.#kubectl, all, { env: { ...process.env, ...env } });
  }

  /** Our own CLI, for a command that goes on until it is told to end. */
  startWherry(...args: string[]): RunningCommand {
    const env = { ...process.env, WHERRY_DATA: this.dataDir, KUBECONFIG: this.kubeconfig };
    const stdio: ["ignore", "pipe", "pipe"] = ["ignore", "pipe", "pipe"];
    const child = spawn(process.execPath, [program, ...args], { stdio, env });
    const heard = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      heard.stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      heard.stderr += text;
    });
    const exited = new Promise<number>((done) => child.on("close", (code) => done(code ?? -1)));
    return {
      heard,
      async end() {
        child.kill("SIGINT");
        return { code: await exited, ...heard };
      },
    };
  }

  /** Stops everything, removes what Wherry made on the machine, and the data folder. */
  async purge(): Promise<void> {
    if (this.#up) await this.end("SIGTERM");
    await this.wherry("down", "--data", this.dataDir, "--purge");
    await rm(this.dataDir, { recursive: true, force: true });
  }

  #run(file: string, args: string[], input?: string, env?: NodeJS.ProcessEnv): Promise<Ran> {
    return new Promise((done) => {
      const child = execFile(
        file,
        args,
        {
          timeout: commandTimeoutMs,
          maxBuffer: 64 * 1024 * 1024,
          env: { ...process.env, ...env },
        },
        (error, stdout, stderr) => {
          const code = error ? (typeof error.code === "number" ? error.code : -1) : 0;
          done({ code, stdout, stderr });
        },
      );
      if (input !== undefined) child.stdin?.end(input);
    });
  }
}

/** Prepares a cluster without starting it. */
export async function prepareCluster(dataDir?: string): Promise<TestCluster> {
  const { kubectl } = await ensureTools({ needs: ["kubectl"], install: true, log: () => {} });
  return new TestCluster(dataDir ?? (await mkdtemp(join(tmpdir(), "wherry-e2e-"))), kubectl);
}

export async function startCluster(options: ClusterOptions = {}): Promise<TestCluster> {
  const cluster = await prepareCluster(options.dataDir);
  try {
    await cluster.up(options);
  } catch (error) {
    await cluster.purge();
    throw error;
  }
  return cluster;
}
