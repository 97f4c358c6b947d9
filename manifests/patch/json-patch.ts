/** JSON patch, RFC 6902. */
import jsonpatch, { type Operation } from "fast-json-patch";
import { PatchError } from "./patch-error.ts";
import type { Json } from "./patch-schema.ts";

/** As upstream: a longer patch is more likely an attack than a change. */
const MOST_OPERATIONS = 10_000;

/** Leaves both arguments as they are. Throws PatchError. */
export function applyJsonPatch(target: Json, patch: Json): Json {
  if (!Array.isArray(patch)) {
    throw new PatchError("error decoding patch: a JSON patch is a list of operations");
  }
  if (patch.length > MOST_OPERATIONS) {
    const rule = `The allowed maximum operations in a JSON patch is ${MOST_OPERATIONS}`;
    throw new PatchError(`${rule}, got ${patch.length}`);
  }
  const operations = patch as Operation[];
  try {
    return jsonpatch.applyPatch(structuredClone(target), operations, true).newDocument;
  } catch (error) {
    throw asPatchError(error);
  }
}

/** The library's message carries the whole document behind the first line. */
function asPatchError(error: unknown): PatchError {
  const failure = error as { name?: string; message?: string; operation?: { path?: string } };
  const reason = failure.message?.split("\n")[0] ?? "cannot be applied";
  const path = failure.operation?.path;
  if (failure.name === "TEST_OPERATION_FAILED") {
    return new PatchError(`testing value ${path} failed: test failed`, 422, { cause: error });
  }
  const where = path === undefined ? "" : ` (path ${JSON.stringify(path)})`;
  return new PatchError(`jsonpatch: ${reason}${where}`, 422, { cause: error });
}
