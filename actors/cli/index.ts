/** The kubectl-style commands, in the order of `wherry --help`. */
import type { Argv } from "yargs";
import { apply } from "./apply.ts";
import { addCommand } from "./command.ts";
import { deleteCommand } from "./delete.ts";
import { get } from "./get.ts";
import { logs } from "./logs.ts";

export { CommandError } from "./errors.ts";

export function addCliCommands(program: Argv): Argv {
  return [apply, get, deleteCommand, logs].reduce<Argv>(
    (yargs, command) => addCommand(yargs, command as Parameters<typeof addCommand>[1]),
    program,
  );
}
