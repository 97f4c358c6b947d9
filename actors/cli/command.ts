/** What every command is made of, and how it fails. */
import type { Argv } from "yargs";
import { loadConnection } from "./kubeconfig.ts";
import { createRest, type Rest } from "./rest.ts";

export interface CommandContext {
  rest: Rest;
  /** Of `-n`, else of the kubeconfig's context. */
  namespace: string;
  /** Prints a line on standard output. */
  say(line: string): void;
  /** Writes bytes on standard output; resolves when they may be followed by more. */
  write(data: Uint8Array): Promise<void>;
  /** Prints a line on standard error. */
  warn(line: string): void;
  signal: AbortSignal;
}

export interface Command<A> {
  /** As yargs spells it: `get <resources> [names..]`. */
  usage: string;
  describe: string;
  options(yargs: Argv): Argv<A>;
  run(context: CommandContext, args: A): Promise<void>;
}

export interface CommonArgs {
  kubeconfig?: string;
  context?: string;
  namespace?: string;
}

export function addCommonOptions(yargs: Argv): Argv<CommonArgs> {
  return yargs.options({
    kubeconfig: { type: "string", describe: "path of the kubeconfig" },
    context: { type: "string", describe: "context in the kubeconfig" },
    namespace: { alias: "n", type: "string", describe: "namespace to work in" },
  });
}

/** Registers a command with the program; its failures reach the program's `fail`. */
export function addCommand<A>(yargs: Argv, command: Command<A>): Argv {
  return yargs.command(
    command.usage,
    command.describe,
    (it) => addCommonOptions(command.options(it) as Argv),
    async (args) => {
      const stop = new AbortController();
      const warn = (line: string) => void process.stderr.write(`${line}\n`);
      const onSignal = () => stop.abort();
      process.once("SIGINT", onSignal);
      const connection = await loadConnection({ ...args, env: process.env });
      const rest = createRest(connection, (text) => warn(`Warning: ${text}`));
      const context: CommandContext = {
        rest,
        namespace: args.namespace ?? connection.namespace,
        say: (line) => void process.stdout.write(`${line}\n`),
        warn,
        write: (data) => new Promise((resolve) => process.stdout.write(data, () => resolve())),
        signal: stop.signal,
      };
      try {
        await command.run(context, args as A);
      } catch (error) {
        // What an interruption breaks off is no failure to tell of.
        if (!stop.signal.aborted) throw error;
        process.exit(130);
      } finally {
        process.off("SIGINT", onSignal);
        rest.close();
      }
    },
  );
}
