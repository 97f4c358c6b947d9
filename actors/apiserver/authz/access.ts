/** What is asked of the authorizers, what they answer, and the words of a refusal. */

import { type ApiError, apiError, forbidden } from "../../../manifests/api-error.ts";
import { type ApiRequest, fullResource, type User } from "../request.ts";

/** Something done to a resource. The verb may be one that no request has: `impersonate`, `bind`. */
export interface Access {
  readonly user: User;
  readonly verb: string;
  /** Empty for the core group. */
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  /** Empty: of no namespace, or of all. */
  readonly namespace: string;
  /** Empty: none in particular, or not known yet. */
  readonly name: string;
  /** What a list or watch is narrowed to, by field. */
  readonly fields?: Fields;
}

/** A path that is no resource: discovery, `/metrics`. The verb is the method in lower case. */
export interface PathAccess {
  readonly user: User;
  readonly verb: string;
  readonly path: string;
}

export type Asked = Access | PathAccess;
export type Fields = ReadonlyMap<string, string>;

export function isPath(asked: Asked): asked is PathAccess {
  return "path" in asked;
}

/** Not allowed is not forbidden: the next authorizer may know better. The reason may be empty. */
export interface Decision {
  readonly allowed: boolean;
  readonly reason: string;
}

export const noOpinion: Decision = { allowed: false, reason: "" };

export function allow(reason: string): Decision {
  return { allowed: true, reason };
}

export function refuse(reason: string): Decision {
  return { allowed: false, reason };
}

const collectionVerbs = new Set(["list", "watch", "deletecollection"]);

/**
 * A collection narrowed to one name is about that name (k8s: endpoints/request/requestinfo.go), so
 * that a watch of one Secret can be granted without the others.
 */
export function accessOf(request: ApiRequest): Access {
  const { user, verb, group, resource, subresource, name, query } = request;
  // A namespace lies in itself: who may read it there need not read all of them.
  const ofItself = group === "" && resource === "namespaces" && name !== "";
  const namespace = ofItself ? name : request.namespace;
  const access = { user, verb, group, resource, subresource, namespace, name };
  const selector = query.get("fieldSelector");
  if (!selector || !collectionVerbs.has(verb)) return access;
  const fields = exactFields(selector);
  return { ...access, fields, name: name || (fields.get("metadata.name") ?? "") };
}

/** The fields that must equal a value; whatever else a selector says narrows it further. */
export function exactFields(selector: string): Fields {
  const fields = new Map<string, string>();
  for (const part of selector.split(",")) {
    const [, field, value] = /^([^=!\\]+)==?([^=!\\]*)$/.exec(part) ?? [];
    if (field !== undefined && value !== undefined) fields.set(field, value);
  }
  return fields;
}

/** Forbidden, in upstream's words (k8s: endpoints/handlers/responsewriters/errors.go). */
export function deny(asked: Asked, reason: string): ApiError {
  const { user, verb } = asked;
  const who = `User "${user.name}" cannot ${verb}`;
  const because = reason ? `: ${reason}` : "";
  if (isPath(asked)) {
    return apiError("Forbidden", `forbidden: ${who} path "${asked.path}"${because}`, {});
  }
  const { group, resource, namespace, name } = asked;
  const where = namespace ? `in the namespace "${namespace}"` : "at the cluster scope";
  const what = `resource "${fullResource(asked)}" in API group "${group}"`;
  return forbidden({ group, resource }, name, `${who} ${what} ${where}${because}`);
}
