/** Stage "decode": from a body to an object of the resource's kind, in upstream's words when it is not one. */

import { apiError, type StatusDetails } from "../../manifests/api-error.ts";
import {
  DecodeError,
  decode,
  decodeErrorMessage,
  decodeType,
  findDuplicateFields,
  type Kind,
  type KubeObject,
  parseJson,
  parseYaml,
  SyntaxFault,
  strictMessage,
} from "../../manifests/index.ts";
import { hasProtobuf, ProtobufError, parseProtobuf } from "../../manifests/protobuf/index.ts";
import type { ApiRequest } from "./request.ts";

/** As upstream's default for a request body (k8s: apiserver's MaxRequestBodyBytes). */
export const maxBodyBytes = 3 * 1024 * 1024;

export type FieldValidation = "Strict" | "Warn" | "Ignore";

export interface DecodedBody {
  readonly object: KubeObject;
  readonly warnings: string[];
}

export const jsonType = "application/json";
export const yamlType = "application/yaml";
export const protobufType = "application/vnd.kubernetes.protobuf";
const yamlTypes = [yamlType, "application/x-yaml", "text/yaml", "text/x-yaml"];
const text = new TextDecoder();

export function fieldValidation(query: URLSearchParams): FieldValidation {
  const value = query.get("fieldValidation") || "Warn";
  if (value === "Strict" || value === "Warn" || value === "Ignore") return value;
  throw apiError(
    "BadRequest",
    `fieldValidation: Unsupported value: "${value}": supported values: "Ignore", "Strict", "Warn"`,
  );
}

/** The body of a create or update. */
export function decodeBody(kind: Kind, request: ApiRequest): DecodedBody {
  const { value, duplicates } = parseBody(request, kind);
  assertType(kind, value);
  return decodeValue(kind, value, fieldValidation(request.query), duplicates);
}

function decodeValue(
  kind: Kind,
  value: unknown,
  validation: FieldValidation,
  duplicates: readonly string[],
): DecodedBody {
  return refusing(kind, () => decodeStrictly(kind, value, validation, duplicates));
}

/** Throws DecodeError, for what decodes badly is refused in other words when a patch has made it. */
export function decodeStrictly(
  kind: Kind,
  value: unknown,
  validation: FieldValidation,
  duplicates: readonly string[],
): DecodedBody {
  const { object, strictErrors } = decode(kind, value);
  const problems = [...duplicates, ...strictErrors];
  if (problems.length > 0 && validation === "Strict") {
    throw new DecodeError(strictMessage(problems));
  }
  return { object, warnings: validation === "Ignore" ? [] : problems };
}

/** The body of a subresource that has a type of its own, such as `policy.v1.Eviction`. */
export function decodeBodyAs<T>(typeName: string, request: ApiRequest, kind: Kind): T {
  const { value } = parseBody(request, kind);
  return refusing(kind, () => decodeType<T>(typeName, value)).object;
}

/** Anything in a supported format; an empty body is undefined. */
export function parseBody(
  request: Pick<ApiRequest, "body" | "contentType">,
  kind?: Kind,
): { value: unknown; duplicates: string[] } {
  if (request.body.length === 0) return { value: undefined, duplicates: [] };
  assertSize(request.body);
  const type = mediaType(request.contentType);
  try {
    if (type === protobufType) {
      if (kind && !hasProtobuf(kind.typeName)) throw unsupportedMediaType([jsonType, yamlType]);
      return { value: parseProtobuf(request.body, kind), duplicates: [] };
    }
    const body = text.decode(request.body);
    if (yamlTypes.includes(type)) return { value: parseYaml(body), duplicates: [] };
    if (type !== "" && type !== jsonType) throw unsupportedMediaType();
    return { value: parseJson(body), duplicates: findDuplicateFields(body) };
  } catch (error) {
    if (!(error instanceof SyntaxFault || error instanceof ProtobufError)) throw error;
    const what = kind
      ? `${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: `
      : "";
    throw apiError("BadRequest", `${what}${error.message}`, undefined, { cause: error });
  }
}

export function mediaType(contentType: string): string {
  return (contentType.split(";")[0] ?? "").trim().toLowerCase();
}

export function assertSize(body: Uint8Array): void {
  if (body.length > maxBodyBytes) throw tooLarge();
}

export function tooLarge(): Error {
  const message = `Request entity too large: limit is ${maxBodyBytes}`;
  return apiError("RequestEntityTooLarge", message);
}

/** The media types of whole objects, both ways. */
export const mediaTypes: readonly string[] = [jsonType, yamlType, protobufType];

export function unsupportedMediaType(supported: readonly string[] = mediaTypes): Error {
  const why = "the body of the request was in an unknown format - accepted media types include: ";
  return apiError("UnsupportedMediaType", why + supported.join(", "));
}

/** A body must not say that it is something else than what the path says. */
function assertType(kind: Kind, value: unknown): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw apiError("BadRequest", "the request body is not an object");
  }
  const named = value as { apiVersion?: unknown; kind?: unknown };
  const given = { apiVersion: named.apiVersion || kind.apiVersion, kind: named.kind || kind.kind };
  if (given.apiVersion === kind.apiVersion && given.kind === kind.kind) return;
  const asked = `${kind.apiVersion}, Kind=${kind.kind}`;
  throw apiError(
    "BadRequest",
    given.kind === kind.kind
      ? `the API version in the data (${given.apiVersion}) does not match the expected API version (${kind.apiVersion})`
      : `${given.kind} in version "${given.apiVersion}" cannot be handled as a ${kind.kind}: ` +
          `no kind "${given.kind}" is registered for ${asked}`,
  );
}

function refusing<T>(kind: Kind, act: () => T, details?: StatusDetails): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw apiError("BadRequest", decodeErrorMessage(kind, error), details, { cause: error });
  }
}
