/** What a path and method of the REST API ask for. Pure: the HTTPS door acts on it. */

import { kindByResource } from "../../../manifests/index.ts";
import type { ApiVerb } from "../../subjects.ts";

export interface ResourceRoute {
  readonly type: "resource";
  readonly verb: ApiVerb;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** What follows a proxy subresource. */
  readonly rest: string;
}

export type Route =
  | ResourceRoute
  /** A discovery document: its path, without a slash at the end. */
  | { readonly type: "discovery"; readonly path: string }
  | { readonly type: "openapi"; readonly path: string }
  /** Of the issuer of ServiceAccount tokens: who it is, and its public keys. */
  | { readonly type: "issuer"; readonly part: "configuration" | "keys" }
  /** What there is to see. */
  | { readonly type: "root" }
  | { readonly type: "version" }
  | { readonly type: "metrics" }
  | {
      readonly type: "health";
      readonly check: "healthz" | "livez" | "readyz";
      readonly part: string;
    }
  | { readonly type: "unknown" }
  | { readonly type: "method" };

const verbs: Readonly<Record<string, ApiVerb>> = {
  POST: "create",
  PUT: "update",
  PATCH: "patch",
  DELETE: "delete",
};

const issuerPaths: Readonly<Record<string, "configuration" | "keys">> = {
  ".well-known/openid-configuration": "configuration",
  "openid/v1/jwks": "keys",
};

export function routeOf(method: string, path: string, query: URLSearchParams): Route {
  const tokens = decodePath(path);
  if (!tokens) return { type: "unknown" };
  const issuerPart = issuerPaths[tokens.join("/")];
  if (issuerPart) return { type: "issuer", part: issuerPart };
  const [first, ...rest] = tokens;
  switch (first) {
    case undefined:
      return { type: "root" };
    case "api":
    case "apis":
      return apiRoute(first, rest, method, query);
    case "openapi":
      return { type: "openapi", path: rest.join("/") };
    case "version":
      return { type: "version" };
    case "metrics":
      return { type: "metrics" };
    case "healthz":
    case "livez":
    case "readyz":
      return { type: "health", check: first, part: rest.join("/") };
    default:
      return { type: "unknown" };
  }
}

function apiRoute(
  root: "api" | "apis",
  tokens: readonly string[],
  method: string,
  query: URLSearchParams,
): Route {
  const group = root === "apis" ? (tokens[0] ?? "") : "";
  const [version = "", ...below] = root === "apis" ? tokens.slice(1) : tokens;
  // As watches were asked for before there was a parameter.
  const isWatch = below[0] === "watch" && below.length > 1;
  const parts = isWatch ? below.slice(1) : below;
  if (parts.length === 0) {
    const path = [root, ...tokens].join("/");
    return method === "GET" || method === "HEAD" ? { type: "discovery", path } : { type: "method" };
  }
  const place = placeOf(parts);
  const read = isWatch && (method === "GET" || method === "HEAD");
  const verb = read ? "watch" : isWatch ? undefined : verbOf(method, place.name, query);
  if (!verb) return { type: "method" };
  // Upstream treats the name of a watched object as a field selector; so do we, by the name.
  return { type: "resource", verb, group, version, ...place };
}

/** `namespaces/<ns>/<resource>/…`, or without a namespace; `namespaces/<name>/status` is of the namespace. */
function placeOf(parts: readonly string[]) {
  const [first = "", second = "", third = ""] = parts;
  const ofNamespace = kindByResource("", "v1", "namespaces")?.subresources.includes(third);
  const scoped =
    first === "namespaces" && parts.length >= 3 && !(ofNamespace && parts.length === 3);
  const [resource = "", name = "", subresource = "", ...rest] = scoped ? parts.slice(2) : parts;
  return { namespace: scoped ? second : "", resource, name, subresource, rest: rest.join("/") };
}

function verbOf(method: string, name: string, query: URLSearchParams): ApiVerb | undefined {
  if (method === "GET" || method === "HEAD") {
    const watch = query.get("watch");
    if (watch !== null && watch !== "false" && watch !== "0") return "watch";
    return name ? "get" : "list";
  }
  if (method === "DELETE" && !name) return "deletecollection";
  return verbs[method];
}

function decodePath(path: string): string[] | undefined {
  try {
    return path
      .split("/")
      .filter((token) => token !== "")
      .map(decodeURIComponent);
  } catch {
    return undefined;
  }
}
