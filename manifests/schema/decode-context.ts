/** Where a decoder is, so that what it refuses can be named; and how upstream words a refusal. */

/** The value cannot be what the type demands; `message` is upstream's. */
export class DecodeError extends Error {
  override name = "DecodeError";
}

/** Marks a key of a map on the stack: strict paths show it, Go's type errors do not. */
const MAP_KEY = "\0";

export class DecodeContext {
  readonly strictErrors: string[] = [];
  /** Field names, indices of lists, and marked keys of maps, from the outside in. */
  readonly stack: (string | number)[] = [];
  /** The struct whose field is being decoded, by its Go name. */
  owner = "";

  enterKey(key: string): void {
    this.stack.push(MAP_KEY + key);
  }

  reportUnknown(field: string): void {
    let path = "";
    for (const part of [...this.stack, field]) {
      if (typeof part === "number") path += `[${part}]`;
      else path += (path === "" ? "" : ".") + (part.startsWith(MAP_KEY) ? part.slice(1) : part);
    }
    this.strictErrors.push(`unknown field ${JSON.stringify(path)}`);
  }

  /** `shown` replaces the JSON type of the value in the message. */
  typeError(value: unknown, goType: string, shown = jsonType(value)): DecodeError {
    const names = this.stack.filter((p) => typeof p === "string" && !p.startsWith(MAP_KEY));
    const field = `Go struct field ${this.owner}.${names.join(".")}`;
    const target = names.length === 0 ? "Go value" : field;
    return new DecodeError(`json: cannot unmarshal ${shown} into ${target} of type ${goType}`);
  }
}

function jsonType(value: unknown): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "boolean") return "bool";
  return value === null ? "null" : typeof value;
}
