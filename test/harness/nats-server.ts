/**
 * Real nats-servers for tests: each on ports of its own choice, its files in a directory of its
 * own, its process ended by its pid. `startNatsServer` takes about 50 ms.
 */

import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureTools } from "../../deploy/setup/index.ts";
import { waitFor } from "./wait.ts";

export interface NatsServer {
  /** `nats://127.0.0.1:<port>`, the same after a restart. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Where configuration, log and, with `jetstream`, the streams are. */
  readonly dir: string;
  readonly running: boolean;
  /** SIGTERM, or SIGKILL: the process is gone, its files stay. */
  stop(): Promise<void>;
  kill(): Promise<void>;
  /** SIGSTOP and SIGCONT: as a server that hangs. */
  pause(): void;
  resume(): void;
  /** Starts it again on the same port and files. */
  start(): Promise<void>;
  /** The server's log so far. */
  log(): Promise<string>;
  /** Stops it and removes its files. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface NatsServerOptions {
  /** Lines of configuration, for example `authorization { … }`. */
  config?: string;
  /** With streams, each write synced to disk, unless `sync` says otherwise. */
  jetstream?: boolean | { sync: "always" | "lazy" };
  /** In a cluster the ports have to be known before; 0 (the default) is chosen by the server. */
  port?: number;
  name?: string;
}

let binary: Promise<string> | undefined;

/** `WHERRY_NATS_SERVER`, else what set-up finds or fetches. */
export function natsServerBinary(): Promise<string> {
  const given = process.env.WHERRY_NATS_SERVER;
  binary ??= given
    ? Promise.resolve(given)
    : ensureTools({ needs: ["nats-server"], install: true, log: () => {} }).then(
        (tools) => tools["nats-server"],
      );
  return binary;
}

export async function startNatsServer(options: NatsServerOptions = {}): Promise<NatsServer> {
  const path = await natsServerBinary();
  const dir = await mkdtemp(join(tmpdir(), "wherry-nats-"));
  const configFile = join(dir, "nats.conf");
  let child: ChildProcess | undefined;
  let port = options.port ?? 0;

  async function start(): Promise<void> {
    await writeFile(configFile, configuration(dir, port, options));
    const started = spawn(path, ["-c", configFile], { stdio: ["ignore", "ignore", "pipe"] });
    child = started;
    let complaint = "";
    started.stderr.on("data", (data) => {
      complaint += data;
    });
    const listening = await waitFor("nats-server to listen", () => readPorts(started), {
      everyMs: 5,
    });
    if (listening === "exited") throw new Error(`nats-server exited: ${complaint}${await log()}`);
    port = listening;
  }

  /** The server writes its file of ports once it listens; that of a killed one stays behind. */
  async function readPorts(started: ChildProcess): Promise<number | "exited" | undefined> {
    if (started.exitCode !== null || started.signalCode !== null) return "exited";
    const own = (await readdir(dir)).find((file) => file.endsWith(`_${started.pid}.ports`));
    if (!own) return undefined;
    const { nats } = JSON.parse(await readFile(join(dir, own), "utf8")) as { nats: string[] };
    return Number(new URL(nats[0] ?? "").port);
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const ending = child;
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
    const gone = once(ending, "exit");
    ending.kill(signal);
    // A paused process hears SIGTERM only once it runs again.
    ending.kill("SIGCONT");
    await gone;
  }

  async function log(): Promise<string> {
    return await readFile(join(dir, "log"), "utf8").catch(() => "");
  }

  async function dispose(): Promise<void> {
    await end("SIGKILL");
    await rm(dir, { recursive: true, force: true });
  }

  try {
    await start();
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    get url() {
      return `nats://127.0.0.1:${port}`;
    },
    get port() {
      return port;
    },
    get pid() {
      return child?.pid ?? 0;
    },
    get running() {
      return child?.exitCode === null && child.signalCode === null;
    },
    dir,
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
    pause: () => void child?.kill("SIGSTOP"),
    resume: () => void child?.kill("SIGCONT"),
    start,
    log,
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

function configuration(dir: string, port: number, options: NatsServerOptions): string {
  const { jetstream = false, name = "test", config = "" } = options;
  const sync = typeof jetstream === "object" ? jetstream.sync : "always";
  const lines = [
    `server_name: ${JSON.stringify(name)}`,
    "host: 127.0.0.1",
    `port: ${port === 0 ? -1 : port}`,
    `ports_file_dir: ${JSON.stringify(dir)}`,
    `log_file: ${JSON.stringify(join(dir, "log"))}`,
    "max_payload: 8388608",
  ];
  if (jetstream) {
    const streams = JSON.stringify(join(dir, "jetstream"));
    const interval = sync === "always" ? "sync_interval: always" : "";
    lines.push(`jetstream { store_dir: ${streams}\n ${interval} }`);
  }
  return `${[...lines, config].join("\n")}\n`;
}
