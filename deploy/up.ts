/** `wherry up`: one process that is a whole cluster, in the foreground until it is told to stop. */
import { performance } from "node:perf_hooks";
import { createLog, type LogLevel } from "../runtime/log.ts";
import { type Cluster, startCluster } from "./compose.ts";
import { type Machine, startMachine } from "./machine.ts";
import { actorRoles, type Role } from "./nats/roles.ts";
import { nodesDir } from "./node.ts";
import { nodeNames, type UpOptions } from "./options.ts";
import { removeFromDocker, removeNetwork } from "./teardown.ts";
import { removeDockerdTraces, unmountBelow } from "./traces.ts";

export async function up(options: UpOptions): Promise<void> {
  const log = createLog({ level: (process.env.WHERRY_LOG ?? "warn") as LogLevel });
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const { stopped, signal } = stopSignal();
  const machine = await startMachine({ up: options, roles: rolesOf(options), log, say });
  let cluster: Cluster | undefined;
  try {
    cluster = await startCluster(machine, options, { log, signal });
    if (signal.aborted) return;
    const seconds = (performance.now() / 1_000).toFixed(1);
    say(`API at ${cluster.url}, NATS at ${machine.nats.url}`);
    say(`Wherry is ready (${seconds} s): export KUBECONFIG=${cluster.kubeconfig}`);
    await stopped;
  } finally {
    say("Stopping");
    await cluster?.stop();
    await stopMachine(machine, options, say);
  }
}

function rolesOf(options: UpOptions): Role[] {
  return [...actorRoles, "admin", ...nodeNames(options).map((name): Role => `node:${name}`)];
}

async function stopMachine(
  machine: Machine,
  options: UpOptions,
  say: (line: string) => void,
): Promise<void> {
  const { engine, identity, tools } = machine;
  if (engine && !options.keep) {
    // A Docker that does not answer must not keep the rest from its end.
    await removeFromDocker(engine.docker, identity.id).catch((error: Error) => {
      say(`Docker may still hold containers (${error.message}): wherry down removes them`);
    });
  }
  if (options.keep) await engine?.child?.abandon();
  else await engine?.child?.stop();
  await machine.nats.child.stop();
  if (engine?.owned && !options.keep) await removeDockerdTraces(options.dataDir, { data: false });
  if (engine && !options.keep) await unmountBelow(nodesDir(options.dataDir));
  const { ip, nft } = tools;
  if (ip && !options.keep) await removeNetwork(identity, { ip, nft });
  await machine.lock.release();
}

/** Aborts at the first SIGINT or SIGTERM; a second one ends the process at once. */
export function stopSignal(): { stopped: Promise<void>; signal: AbortSignal } {
  const controller = new AbortController();
  // Signal handlers alone do not keep a process alive.
  const alive = setInterval(() => undefined, 2 ** 30);
  const ask = (): void => {
    if (controller.signal.aborted) process.exit(130);
    clearInterval(alive);
    controller.abort();
  };
  process.on("SIGINT", ask);
  process.on("SIGTERM", ask);
  const stopped = new Promise<void>((resolve) => {
    controller.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  return { stopped, signal: controller.signal };
}
