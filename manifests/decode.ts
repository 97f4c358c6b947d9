/**
 * Decoding: from parsed JSON or YAML to an object of a built-in kind.
 *
 * One walk does what Go does when it decodes into a struct and encodes it again: unknown fields are dropped (and
 * told), wrong types are refused, null is absent, a zero value is written or left out as the field's `omitempty` says,
 * and fields come out in the table's order. Two equal objects therefore have equal JSON. Messages follow
 * k8s:sigs.k8s.io/json. Differs from Kubernetes: an absent time, map or list is left out, or an empty list, where Go
 * writes null.
 */

import type { Kind, KubeObject } from "./kinds/kind.ts";
import { kindByGvk } from "./kinds/lookup.ts";
import { DecodeContext, DecodeError } from "./schema/decode-context.ts";
import { decoderFor } from "./schema/decoder.ts";

export { DecodeError } from "./schema/decode-context.ts";

export interface Decoded<T> {
  object: T;
  /** One entry for each problem that strict decoding refuses, such as `unknown field "spec.foo"`. */
  strictErrors: string[];
}

/** Upstream tells at most so many. */
const MAX_STRICT_ERRORS = 100;

/**
 * Throws DecodeError for a value that cannot be an object of the kind, whatever the mode; with `strict`, for unknown
 * fields too. The API version and kind in the result are the kind's own.
 */
export function decode<T extends KubeObject>(
  kind: Kind<T>,
  value: unknown,
  options: { strict?: boolean } = {},
): Decoded<T> {
  const { object, strictErrors: found } = decodeAs(kind, value);
  object.apiVersion = kind.apiVersion;
  object.kind = kind.kind;
  const strictErrors = found.slice(0, MAX_STRICT_ERRORS);
  if (options.strict && strictErrors.length > 0) throw new DecodeError(strictMessage(strictErrors));
  return { object, strictErrors };
}

function decodeAs<T extends KubeObject>(kind: Kind<T>, value: unknown): Decoded<T> {
  if (!kind.model) return decodeType<T>(kind.typeName, value);
  const strictErrors: string[] = [];
  return { object: kind.model.decode(value, strictErrors) as T, strictErrors };
}

/** Decodes a type that is not a kind of its own, such as `policy.v1.Eviction` or `autoscaling.v1.Scale`. */
export function decodeType<T>(typeName: string, value: unknown): Decoded<T> {
  const context = new DecodeContext();
  const object = decoderFor(typeName)(value, context) as T;
  return { object, strictErrors: context.strictErrors };
}

export function strictMessage(strictErrors: readonly string[]): string {
  return `strict decoding error: ${strictErrors.join(", ")}`;
}

/** The words in which an API server refuses a body (k8s:apiserver/pkg/endpoints/handlers/rest.go). */
export function decodeErrorMessage(kind: Kind, error: DecodeError): string {
  return `${kind.kind} in version ${JSON.stringify(kind.version)} cannot be handled as a ${kind.kind}: ${error.message}`;
}

/**
 * Finds the kind that a document names, among those that `find` knows; throws DecodeError with upstream's words when
 * there is none.
 */
export function kindOfDocument(value: unknown, find = kindByGvk): Kind {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new DecodeError("the object provided is unrecognized: it is not a mapping");
  }
  const { apiVersion, kind } = value as { apiVersion?: unknown; kind?: unknown };
  if (typeof kind !== "string" || kind === "") throw new DecodeError("Object 'Kind' is missing");
  if (typeof apiVersion !== "string" || apiVersion === "") {
    throw new DecodeError("Object 'apiVersion' is missing");
  }
  const found = find(apiVersion, kind);
  if (!found) {
    throw new DecodeError(`no matches for kind "${kind}" in version "${apiVersion}"`);
  }
  return found;
}
