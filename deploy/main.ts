/** The `wherry` program: every command, and how a failure becomes an exit code. */
import { resolve } from "node:path";
import yargs from "yargs";
import { addCliCommands, CommandError } from "../actors/cli/index.ts";
import { ApiError } from "../manifests/api-error.ts";
import { down } from "./down.ts";
import { DataFolderError } from "./lock.ts";
import { MachineError } from "./machine.ts";
import { addUpOptions, dataOption, defaults, readUpOptions } from "./options.ts";
import { readRunRoles, runRoles } from "./run.ts";
import { addSecurityOptions, readSecurityOptions } from "./security-options.ts";
import { ensureTools, MissingToolsError } from "./setup/index.ts";
import type { ToolName } from "./setup/tools.ts";
import { up } from "./up.ts";
import { UsageError } from "./usage.ts";

/** Ends the process: 0, 1 for what went wrong, 2 for what was asked wrongly. */
export async function main(argv: readonly string[]): Promise<void> {
  const base = yargs([...argv])
    .scriptName("wherry")
    .command(
      "up",
      "start a cluster on this machine, in the foreground",
      (it) => addUpOptions(it),
      async (raw) => up(readUpOptions(raw, await readSecurityOptions(raw))),
    )
    .command(
      "run <roles..>",
      "join the cluster of a data folder with one more process: api, controllers, scheduler, ledger",
      (it) =>
        addSecurityOptions(
          it.positional("roles", { type: "string", array: true, demandOption: true }),
        ).options({
          data: dataOption(),
          "cluster-domain": { type: "string", default: defaults.clusterDomain },
        }),
      async ({ roles, data, clusterDomain, ...raw }) =>
        runRoles({
          roles: readRunRoles(roles),
          dataDir: resolve(data),
          clusterDomain,
          security: await readSecurityOptions(raw),
        }),
    )
    .command(
      "setup",
      "fetch the tools that this machine lacks",
      (it) =>
        it.options({
          install: { type: "boolean", default: true, describe: "--no-install: only say" },
          tests: { type: "boolean", default: false, describe: "also what the tests need" },
        }),
      ({ install, tests }) => setup(install, tests),
    )
    .command(
      "down",
      "stop the cluster of a data folder, whatever runs of it",
      (it) =>
        it.options({
          data: dataOption(),
          purge: { type: "boolean", default: false, describe: "remove its data too" },
        }),
      ({ data, purge }) => down({ dataDir: resolve(data), purge, say }),
    );
  const program = addCliCommands(base)
    .demandCommand(1, "a command is needed")
    .recommendCommands()
    .strict()
    .fail((message, error) => {
      throw error ?? new UsageError(message);
    });
  try {
    await program.parseAsync();
    process.exit(0);
  } catch (error) {
    process.stderr.write(`wherry: ${describe(error)}\n`);
    process.exit(error instanceof UsageError ? 2 : 1);
  }
}

async function setup(install: boolean, tests: boolean): Promise<void> {
  const needs: ToolName[] = ["nats-server", "dockerd", "nft", "ip"];
  if (tests) needs.push("docker", "kubectl", "docker-registry");
  const paths = await ensureTools({ needs, install, log: say });
  for (const name of needs) say(`${name}: ${paths[name]}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Our own refusals are whole sentences; anything else is a bug, and its stack says where. */
function describe(error: unknown): string {
  if (error instanceof ApiError) return `Error from server (${error.reason}): ${error.message}`;
  const refusals = [UsageError, CommandError, DataFolderError, MachineError, MissingToolsError];
  if (refusals.some((kind) => error instanceof kind)) return (error as Error).message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
