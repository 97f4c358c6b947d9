/** nats-server as a child of this data folder. */
import { mkdir, writeFile } from "node:fs/promises";
import { connect as connectSocket } from "node:net";
import { join, resolve } from "node:path";
import type { Log } from "../../runtime/log.ts";
import { Child } from "../children.ts";
import { runDirOf } from "../records.ts";
import { describeUsers, renderNatsConfig } from "./config.ts";
import { type Credentials, ensureCredentials } from "./credentials.ts";
import type { Role } from "./roles.ts";

export interface NatsServer {
  readonly url: string;
  readonly child: Child;
  /** Throws for a role that was not asked for. */
  credentials(role: Role): Credentials;
}

export interface NatsServerOptions {
  readonly dataDir: string;
  /** Path of the program; see `ensureTools`. */
  readonly natsServer: string;
  readonly host: string;
  readonly port: number;
  readonly roles: readonly Role[];
  readonly log: Log;
}

/** The server's log line for an unusable port comes late; the store may be large: be patient. */
const readyTimeoutMs = 30_000;
const stopTimeoutMs = 15_000;

export async function startNats(options: NatsServerOptions): Promise<NatsServer> {
  const dataDir = resolve(options.dataDir);
  const natsDir = join(dataDir, "nats");
  await mkdir(natsDir, { recursive: true, mode: 0o700 });
  const credentials = new Map<Role, Credentials>();
  for (const role of options.roles) {
    credentials.set(role, await ensureCredentials(dataDir, role));
  }
  const users = [...credentials].map(([role, { publicKey }]) => ({ role, publicKey }));
  const configuration = renderNatsConfig({
    serverName: "wherry",
    host: options.host,
    port: options.port,
    storeDir: join(natsDir, "store"),
    users,
    systemPublicKey: (await ensureCredentials(dataDir, "system")).publicKey,
  });
  const configFile = join(natsDir, "nats-server.conf");
  const child = await Child.start(
    {
      name: "nats-server",
      command: options.natsServer,
      args: ["--config", configFile],
      configuration,
      runDir: runDirOf(dataDir),
      healthy: () => isServing(options.host, options.port),
      prepare: () => writeFile(configFile, describeUsers(users) + configuration, { mode: 0o600 }),
      readyTimeoutMs,
      stopTimeoutMs,
    },
    options.log,
  );
  return {
    url: `nats://${options.host}:${options.port}`,
    child,
    credentials(role) {
      const found = credentials.get(role);
      if (!found) throw new Error(`no NATS credentials were made for ${role}`);
      return found;
    },
  };
}

/** A server greets with its INFO once it takes clients, which is after JetStream has recovered. */
function isServing(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectSocket({ host, port });
    const finish = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, () => finish(false));
    socket.once("error", () => finish(false));
    socket.once("data", (data) => finish(/^INFO .*"jetstream":true/.test(data.toString())));
  });
}
