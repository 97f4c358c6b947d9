/**
 * What the store writes into its stream, in the layout of a NATS key-value bucket: `nats kv get`
 * reads an object, `nats kv ls` hides a deleted one. A deletion is a marker with a body, which
 * the key-value clients ignore and watchers need: the object as it was last.
 *
 * Three records are the store's own; their keys have one token, so no object's key equals them:
 * `_fence` carries a guard inside a batch, `_barrier` asks a cluster where its end is, and
 * `_compacted` says up to where history was thinned out.
 */

import type { AppendRecord, JournalRecord } from "./journal.ts";
import type { Operation } from "./store.ts";

export const fenceKey = "_fence";
const barrierKey = "_barrier";
export const compactedKey = "_compacted";

/** Unique to a commit; what it says after a conflict decides whose write it was. */
export const writeHeader = "Wherry-Write";
const uidHeader = "Wherry-Uid";
const operationHeader = "KV-Operation";

export function isInternal(key: string): boolean {
  return key.startsWith("_") && !key.includes(".");
}

export function recordOf(
  prefix: string,
  operation: Operation,
  expected: number,
  writeId: string,
): AppendRecord {
  const headers: Record<string, string> = { [writeHeader]: writeId };
  if (operation.uid !== undefined) headers[uidHeader] = operation.uid;
  if (operation.delete) headers[operationHeader] = "DEL";
  return { subject: prefix + operation.key, data: operation.value, headers, expected };
}

/** Makes the batch that it is part of fail unless `key` is still at `sequence`. */
export function fenceRecord(prefix: string, key: string, sequence: number): AppendRecord {
  return {
    subject: prefix + fenceKey,
    data: new Uint8Array(0),
    expected: sequence,
    expectedSubject: prefix + key,
  };
}

/** Once it is acknowledged, it and all before it is what the stream holds, whoever leads it. */
export function barrierRecord(prefix: string): AppendRecord {
  return { subject: prefix + barrierKey, data: new Uint8Array(0) };
}

/** `PURGE` is what `nats kv purge` writes. */
export function isDeletion(record: Pick<JournalRecord, "headers">): boolean {
  const operation = record.headers[operationHeader];
  return operation === "DEL" || operation === "PURGE";
}

export function uidOf(record: Pick<JournalRecord, "headers">): string | undefined {
  return record.headers[uidHeader];
}

/** What `_compacted` says. */
export function encodeCompacted(revision: number): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ revision }));
}

export function decodeCompacted(record: JournalRecord | undefined): number {
  if (!record || record.data.length === 0) return 0;
  const { revision } = JSON.parse(new TextDecoder().decode(record.data)) as { revision: number };
  return revision;
}
