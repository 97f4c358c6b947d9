/** A refusal in a whole sentence: printed as it is, exit code 1. */
export class CommandError extends Error {
  override name = "CommandError";
}
