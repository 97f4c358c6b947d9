/**
 * The stored form of an object: JSON that begins with an empty resourceVersion.
 *
 * The store numbers an object only as it commits it, so the number cannot be in what is stored. Readers put it in by
 * copying bytes around a fixed place, and an object is encoded once in its life.
 */
import type { KubeObject } from "./kinds/kind.ts";

const HEAD = '{"metadata":{"resourceVersion":"';

/** In a stored text, where the resourceVersion belongs: everything before and after it is copied as it is. */
export const SPLICE_OFFSET = HEAD.length;

export function encodeStored(object: KubeObject): string {
  const { metadata, ...rest } = object;
  const stamped = { metadata: { ...metadata, resourceVersion: undefined }, ...rest };
  const json = JSON.stringify(stamped);
  const body = json.slice('{"metadata":{'.length);
  return `${HEAD}"${body.startsWith("}") ? "" : ","}${body}`;
}

/** The text with its number, for where a string will do; the API server splices bytes. */
export function spliceResourceVersion(stored: string, resourceVersion: string): string {
  return stored.slice(0, SPLICE_OFFSET) + resourceVersion + stored.slice(SPLICE_OFFSET);
}
