/** Stage "commit": one object and what it claims or gives back, in one atomic group. */

import { alreadyExists, apiError, conflict } from "../../manifests/api-error.ts";
import { encodeStored, type KubeObject } from "../../manifests/index.ts";
import { objectKey } from "../../runtime/store/key.ts";
import { type Entry, type Guard, type Operation, StoreError } from "../../runtime/store/store.ts";
import { storeUnavailable } from "./freshness.ts";
import { keyOf, nameOf, type Resource } from "./registry/registry.ts";
import type { ApiRequest } from "./request.ts";

export interface Write {
  readonly resource: Resource;
  readonly object: KubeObject;
  /** The sequence that it replaces; 0: it is new. */
  readonly expected: number;
  readonly delete?: boolean;
  /** Claims beside the object. */
  readonly claims?: readonly Operation[];
  readonly guard?: Guard;
}

/** `moved`: another writer was faster on the object; `taken`: on one of its claims. */
export type CommitOutcome =
  | {
      type: "committed";
      stored: Pick<Entry, "key" | "value" | "sequence">;
      /** By key, of everything that was written. */
      sequences: ReadonlyMap<string, number>;
    }
  | { type: "moved" }
  | { type: "taken" };

const encoder = new TextEncoder();

export async function commit(write: Write): Promise<CommitOutcome> {
  const { resource, object, expected, claims = [] } = write;
  const { namespace = "", name = "", uid } = object.metadata;
  const key = keyOf(resource, resource.kind.namespaced ? namespace : "", name);
  const stored = await (resource.custom?.form.write(object) ?? object);
  const value = encoder.encode(encodeStored(stored));
  const operation: Operation = {
    key,
    value,
    expected,
    uid,
    ...(write.delete ? { delete: true } : {}),
  };
  try {
    const guard = write.guard ? { guard: write.guard } : {};
    const committed = await resource.store.commit([operation, ...claims], guard);
    const sequences = new Map(committed.map((done) => [done.key, done.sequence]));
    const sequence = sequences.get(key) ?? 0;
    return { type: "committed", stored: { key, value, sequence }, sequences };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (error.code === "fenced" && write.guard === resource.custom?.guard) {
      const why = "the definition of this kind has just changed: try again";
      throw apiError("ServiceUnavailable", why, { retryAfterSeconds: 1 });
    }
    if (error.code === "fenced") {
      const why = "the writer was deposed: another owner holds the epoch now";
      throw conflict(nameOf(resource), name, `deposed: ${why}`);
    }
    if (error.code !== "conflict") throw storeUnavailable(error);
    return { type: claims.length > 0 && error.key !== key ? "taken" : "moved" };
  }
}

export function existsAlready(resource: Resource, name: string): Error {
  return alreadyExists(nameOf(resource), name);
}

/** Only the objects' stream has guards: Leases and Events are nobody's alone. */
export function guardOf(resource: Resource, request: ApiRequest): Guard | undefined {
  const { group, resource: plural } = resource.stored;
  const elsewhere = plural === "leases" || (group === "" && plural === "events");
  return request.epoch && !elsewhere ? parseEpoch(request.epoch) : undefined;
}

/** `<epoch name>@<resourceVersion>` as the guard of a commit. */
export function parseEpoch(epoch: string): Guard {
  const at = epoch.lastIndexOf("@");
  const sequence = Number(epoch.slice(at + 1));
  if (at < 1 || !Number.isSafeInteger(sequence) || sequence < 1) {
    throw apiError("BadRequest", `not an epoch: ${epoch}`);
  }
  const name = epoch.slice(0, at);
  const key = objectKey({ group: "wherry.io", resource: "epochs", namespace: "", name });
  return { key, sequence };
}
