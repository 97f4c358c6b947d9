/** The command line is not usable: the program ends with exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
