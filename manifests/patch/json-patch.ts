/** JSON patch, RFC 6902. */
import jsonpatch, { type Operation } from "fast-json-patch";
import { PatchError } from "./patch-error.ts";
import type { Json } from "./patch-schema.ts";

/** As upstream: a longer patch is more likely an attack than a change. */
const MOST_OPERATIONS = 10_000;
/** What copies may add up to: each can double what is there. */
const MOST_COPIED_BYTES = 3 * 1024 * 1024;

const OPERATIONS = ["add", "copy", "move", "remove", "replace", "test"];

/** Leaves both arguments as they are. Throws PatchError. */
export function applyJsonPatch(target: Json, patch: Json): Json {
  const operations = operationsOf(patch);
  let document = structuredClone(target);
  let copied = 0;
  for (const operation of operations) {
    try {
      if (operation.op === "copy") {
        copied += sizeOf(jsonpatch.getValueByPointer(document, operation.from));
        assertCopied(copied);
      }
      // The patch outlives the document: what it adds must not be changed by what comes after.
      const own = structuredClone(operation);
      document = jsonpatch.applyOperation(document, own, true, true).newDocument;
    } catch (error) {
      throw asPatchError(error, operation);
    }
  }
  return document;
}

function operationsOf(patch: Json): Operation[] {
  if (!Array.isArray(patch)) {
    throw new PatchError("error decoding patch: a JSON patch is a list of operations");
  }
  if (patch.length > MOST_OPERATIONS) {
    const rule = `The allowed maximum operations in a JSON patch is ${MOST_OPERATIONS}`;
    throw new PatchError(`${rule}, got ${patch.length}`, 413);
  }
  return patch as Operation[];
}

function sizeOf(value: Json): number {
  return value === undefined ? 0 : JSON.stringify(value).length;
}

function assertCopied(bytes: number): void {
  if (bytes <= MOST_COPIED_BYTES) return;
  const what = `the accumulated size increase of copy is ${bytes}`;
  const limit = `exceeding the limit ${MOST_COPIED_BYTES}`;
  throw new PatchError(`Unable to complete the copy, ${what}, ${limit}`, 422);
}

/** The library's message carries the whole document behind the first line. */
function asPatchError(error: unknown, operation: Partial<Operation> | null): PatchError {
  if (error instanceof PatchError) return error;
  const failure = error as { name?: string; message?: string };
  const reason = failure.message?.split("\n")[0] ?? "cannot be applied";
  const path = operation?.path;
  if (failure.name === "TEST_OPERATION_FAILED") {
    return new PatchError(`testing value ${path} failed: test failed`, 422, { cause: error });
  }
  const known = OPERATIONS.includes(String(operation?.op));
  if (!known) {
    const kind = JSON.stringify(operation?.op ?? "");
    return new PatchError(`Unexpected kind: ${kind}`, 422, { cause: error });
  }
  const where = path === undefined ? "" : ` (path ${JSON.stringify(path)})`;
  return new PatchError(`jsonpatch: ${reason}${where}`, 422, { cause: error });
}
