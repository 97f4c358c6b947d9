/**
 * Every NATS subject of Wherry, in one place. Tokens go from general to specific, so that
 * permissions and wildcards cut useful slices; names are escaped per token by `encodeToken`.
 *
 * | subject                                                     | from         | to            |
 * |-------------------------------------------------------------|--------------|---------------|
 * | wherry.api.<principal>.<verb>.<group>.<resource>.<ns>.<name> | anybody      | API actors    |
 * | wherry.session.<principal>.<replica>.<session>              | a watcher    | one API actor |
 * | wherry.ledger.<principal>.bind                              | shards, API  | the ledger    |
 * | wherry.owner.<principal>.<lease>                            | a candidate  | the owner     |
 * | wherry.node.<node>.<verb>                                   | API actors   | one kubelet   |
 * | wherry.stream.<node>.<stream>.<up|down>                     | node / API   | API / node    |
 * | wherry.manifests.<apply|submit>.<principal>                 | anybody      | API actors    |
 * | wherry.manifests.results.<principal>.<id>                   | API actors   | the submitter |
 * | wherry.audit.<verb>.<group>.<resource>.<ns>                 | API actors   | a stream      |
 * | wherry.manifests.events.<change>.<group>.<resource>.<ns>.<name> | publisher | anybody      |
 */

import { decodeToken, encodeToken } from "../runtime/token.ts";

export const apiVerbs = [
  "get",
  "list",
  "watch",
  "create",
  "update",
  "patch",
  "delete",
  "deletecollection",
] as const;

export type ApiVerb = (typeof apiVerbs)[number];

/** `resource` may carry a subresource: `pods/status`. The empty group is the token `core`. */
export interface ApiTarget {
  principal: string;
  verb: ApiVerb;
  group: string;
  resource: string;
  namespace: string;
  name: string;
}

export function apiSubject(target: ApiTarget): string {
  const { principal, verb, group, resource, namespace, name } = target;
  const tokens = [principal, verb, group || "core", resource, namespace, name].map(encodeToken);
  return `wherry.api.${tokens.join(".")}`;
}

/** What the API actors' queue group listens to. */
export const apiSubjects = "wherry.api.*.*.*.*.*.*";

export function parseApiSubject(subject: string): ApiTarget | undefined {
  const tokens = subject.split(".").slice(2).map(decodeToken);
  const [principal, verb, group, resource, namespace, name] = tokens;
  if (tokens.length !== 6 || principal === undefined || verb === undefined) return undefined;
  if (group === undefined || resource === undefined) return undefined;
  if (namespace === undefined || name === undefined) return undefined;
  const known = apiVerbs.find((candidate) => candidate === verb);
  if (known === undefined) return undefined;
  return {
    principal,
    verb: known,
    group: group === "core" ? "" : group,
    resource,
    namespace,
    name,
  };
}

/** wherry.session.<principal>.<replica>.<session>: acknowledgements and close of a watch. */
export function sessionSubject(principal: string, replica: string, session: string): string {
  return `wherry.session.${[principal, replica, session].map(encodeToken).join(".")}`;
}

/** wherry.session.*.<replica>.*: what one API actor listens to. */
export function sessionSubjects(replica: string): string {
  return `wherry.session.*.${encodeToken(replica)}.*`;
}

/** wherry.ledger.<principal>.bind */
export function ledgerBindSubject(principal: string): string {
  return `wherry.ledger.${encodeToken(principal)}.bind`;
}

export const ledgerBindSubjects = "wherry.ledger.*.bind";

/** wherry.owner.<principal>.<lease>: a candidate asks whether the owner is still connected. */
export function ownerSubject(principal: string, lease: string): string {
  return `wherry.owner.${encodeToken(principal)}.${encodeToken(lease)}`;
}

/** wherry.node.<node>.<verb>: requests that a node's kubelet answers (open a log, exec, …). */
export function nodeSubject(node: string, verb: string): string {
  return `wherry.node.${encodeToken(node)}.${encodeToken(verb)}`;
}

/** wherry.stream.<node>.<stream>.<up|down>: frames from the node (up) and to it (down). */
export function streamSubject(node: string, stream: string, direction: "up" | "down"): string {
  return `wherry.stream.${encodeToken(node)}.${encodeToken(stream)}.${direction}`;
}

/** wherry.manifests.<apply|submit>.<principal> */
export function manifestsSubject(intake: "apply" | "submit", principal: string): string {
  return `wherry.manifests.${intake}.${encodeToken(principal)}`;
}

/** wherry.manifests.apply.*, and of submit what the stream captures. */
export const manifestsSubjects = {
  apply: "wherry.manifests.apply.*",
  submit: "wherry.manifests.submit.*",
} as const;

/** The principal of either intake. */
export function parseManifestsSubject(subject: string): string | undefined {
  const [, , , principal, ...rest] = subject.split(".");
  return principal && rest.length === 0 ? decodeToken(principal) : undefined;
}

/** wherry.manifests.results.<principal>.<id> */
export function manifestsResultSubject(principal: string, id: string): string {
  return `wherry.manifests.results.${encodeToken(principal)}.${encodeToken(id)}`;
}

export interface ChangedObject {
  change: "added" | "modified" | "deleted";
  group: string;
  resource: string;
  namespace: string;
  name: string;
}

/** wherry.manifests.events[.full].<change>.<group>.<resource>.<namespace>.<name> */
export function manifestsEventSubject(of: ChangedObject, form: "metadata" | "full"): string {
  const tokens = [of.change, of.group || "core", of.resource, of.namespace, of.name];
  const root = form === "full" ? "wherry.manifests.events.full" : "wherry.manifests.events";
  return `${root}.${tokens.map(encodeToken).join(".")}`;
}

/** wherry.audit.<verb>.<group>.<resource>.<namespace>; what is no resource has empty tokens. */
export function auditSubject(of: {
  verb: string;
  group: string;
  resource: string;
  namespace: string;
}): string {
  const tokens = [of.verb, of.group || (of.resource ? "core" : ""), of.resource, of.namespace];
  return `wherry.audit.${tokens.map(encodeToken).join(".")}`;
}

/** What the audit stream keeps. */
export const auditSubjects = "wherry.audit.>";

/** _INBOX.<principal>: the prefix below which a principal receives answers. */
export function inboxPrefix(principal: string): string {
  return `_INBOX.${encodeToken(principal)}`;
}
