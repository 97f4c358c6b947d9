/** `wherry up`: one process that is a whole cluster, in the foreground until it is told to stop. */
import { performance } from "node:perf_hooks";
import { createLog, type LogLevel } from "../runtime/log.ts";
import { type Machine, startMachine } from "./machine.ts";
import { actorRoles, type Role } from "./nats/roles.ts";
import type { UpOptions } from "./options.ts";

export async function up(options: UpOptions): Promise<void> {
  const log = createLog({ level: (process.env.WHERRY_LOG ?? "warn") as LogLevel });
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const stopped = stopSignal();
  const machine = await startMachine({ up: options, roles: rolesOf(options), log, say });
  const seconds = (performance.now() / 1_000).toFixed(1);
  say(`Wherry is ready after ${seconds} s; nats ${machine.nats.url}`);
  await stopped;
  say("Stopping");
  await stopMachine(machine, options);
}

function rolesOf(options: UpOptions): Role[] {
  return [...actorRoles, "admin", ...nodeNames(options).map((name): Role => `node:${name}`)];
}

export function nodeNames(options: UpOptions): string[] {
  return Array.from({ length: options.nodes }, (_, index) => `node-${index + 1}`);
}

async function stopMachine(machine: Machine, options: UpOptions): Promise<void> {
  const { engine } = machine;
  if (options.keep) await engine?.child?.abandon();
  else await engine?.child?.stop();
  await machine.nats.child.stop();
  await machine.lock.release();
}

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    // Signal handlers alone do not keep a process alive.
    const alive = setInterval(() => undefined, 2 ** 30);
    let asked = false;
    const ask = (): void => {
      if (asked) process.exit(130);
      asked = true;
      clearInterval(alive);
      resolve();
    };
    process.on("SIGINT", ask);
    process.on("SIGTERM", ask);
  });
}
