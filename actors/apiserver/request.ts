/** One request to the API, as both doors hand it to the pipeline, and what comes back. */

import type { ApiError } from "../../manifests/api-error.ts";
import { apiError } from "../../manifests/api-error.ts";
import type { ApiVerb } from "../subjects.ts";

/** k8s: apiserver/pkg/authentication/user `Info`. */
export interface User {
  readonly name: string;
  /** Of a ServiceAccount, or of whatever the issuer says; most users have none. */
  readonly uid?: string;
  readonly groups: readonly string[];
  /** What authenticators know beyond that, such as the pod that a token is bound to. */
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export interface ApiRequest {
  readonly user: User;
  readonly verb: ApiVerb;
  /** Empty for the core group. */
  readonly group: string;
  /** Empty: the version that the group prefers. */
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly query: URLSearchParams;
  readonly body: Uint8Array;
  readonly contentType: string;
  /** In which form the answer is wanted; the HTTP door reads it from `Accept`. */
  readonly form: AnswerForm;
  /** What the client program calls itself; over NATS the principal says that already. */
  readonly agent?: string;
  /** Only of kinds that have such a form; absent: JSON. */
  readonly encoding?: "protobuf" | undefined;
  /** `<epoch name>@<resourceVersion>`: the write lands only while it is current. */
  readonly epoch?: string;
  /** Kept with the request's audit event, where there is one. */
  readonly annotate?: Annotate | undefined;
}

export type Annotate = (key: string, value: string) => void;

/** `table` and `partial` are meta.k8s.io/v1 Table and PartialObjectMetadata(List). */
export type AnswerForm = "object" | "table" | "partial";

/** `parts` are one body, cut where it suits; a long list has many and is made while it is read. */
export interface ApiReply {
  readonly code: number;
  readonly parts: Iterable<Uint8Array>;
  readonly warnings: readonly string[];
  /** What the parts are; absent: JSON, whatever was asked for. */
  readonly encoding?: "protobuf" | undefined;
  /** When the client may ask again. */
  readonly retryAfterSeconds?: number | undefined;
}

const encoder = new TextEncoder();

export function jsonReply(
  code: number,
  value: unknown,
  warnings: readonly string[] = [],
): ApiReply {
  return { code, parts: [encoder.encode(JSON.stringify(value))], warnings };
}

export function errorReply(error: ApiError): ApiReply {
  const { retryAfterSeconds } = error.status.details ?? {};
  return { ...jsonReply(error.code, error.status), retryAfterSeconds };
}

/** All parts in one piece. */
export function replyBytes(reply: ApiReply): Uint8Array {
  return concat([...reply.parts]);
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1 && parts[0]) return parts[0];
  return Buffer.concat(parts);
}

/** `pods/status`, as grants and messages name it. */
export function fullResource(request: { resource: string; subresource: string }): string {
  return request.subresource ? `${request.resource}/${request.subresource}` : request.resource;
}

/** Query values as ListOptions, DeleteOptions and the others type them. */
export function booleanOption(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value !== null && value !== "false" && value !== "0";
}

export function numberOption(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  if (value === null || value === "") return undefined;
  if (!/^-?\d{1,15}$/.test(value)) {
    throw apiError("BadRequest", `strconv.ParseInt: parsing "${value}": invalid syntax`);
  }
  return Number(value);
}

/** `dryRun=All`: everything but the commit. */
export function dryRunOption(query: URLSearchParams, inBody?: readonly string[]): boolean {
  const values = [...query.getAll("dryRun"), ...(inBody ?? [])].filter((value) => value !== "");
  if (values.some((value) => value !== "All")) {
    throw apiError(
      "BadRequest",
      `dryRun: Unsupported value: "${values[0]}": supported values: "All"`,
    );
  }
  return values.length > 0;
}

const optionKinds: Readonly<Record<string, string>> = {
  create: "CreateOptions",
  update: "UpdateOptions",
  patch: "PatchOptions",
  delete: "DeleteOptions",
  deletecollection: "DeleteOptions",
};

/** What a request's query is called as an object; undefined where it changes nothing. */
export function optionsKind(verb: ApiVerb): string | undefined {
  return optionKinds[verb];
}
