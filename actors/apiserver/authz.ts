/**
 * Who may do what: masters everything; Wherry's own actors read everything and write what they
 * declare; a node writes what is its own. RBAC comes with the API's breadth.
 */

import { apiError, forbidden } from "../../manifests/api-error.ts";
import type { ApiVerb } from "../subjects.ts";
import { authenticatedGroup, isMaster, nodeOf } from "./authn.ts";
import { type ApiRequest, fullResource, type User } from "./request.ts";

/** One declared write; `*` stands for any group or resource. `resource` may be `pods/status`. */
export interface Grant {
  readonly verb: ApiVerb;
  readonly group: string;
  readonly resource: string;
}

/** By principal, or by its first part followed by `*`: `system:wherry:controllers*`. */
export type Grants = ReadonlyMap<string, readonly Grant[]>;

/** What is asked, without the body. */
export type Access = Pick<
  ApiRequest,
  "user" | "verb" | "group" | "resource" | "subresource" | "namespace" | "name"
>;

/** Finds the node that a pod is bound to: empty when it is not, undefined when there is no pod. */
export type NodeOfPod = (namespace: string, name: string) => string | undefined;

export interface Authorizer {
  allowed(access: Access): boolean;
  /** Throws Forbidden in upstream's words. */
  authorize(access: Access): void;
}

const readVerbs: ReadonlySet<ApiVerb> = new Set(["get", "list", "watch"]);
const actorPrefix = "system:wherry:";

/** Asked by anybody who is somebody, about themselves (k8s: role system:basic-user). */
const basicResources = new Set([
  "selfsubjectaccessreviews",
  "selfsubjectrulesreviews",
  "selfsubjectreviews",
]);

export function createAuthorizer(grants: Grants, nodeOfPod: NodeOfPod): Authorizer {
  const prefixes = [...grants.keys()].filter((key) => key.endsWith("*"));

  function declared(principal: string): readonly Grant[] {
    const exact = grants.get(principal);
    if (exact) return exact;
    const prefix = prefixes.find((key) => principal.startsWith(key.slice(0, -1)));
    return (prefix && grants.get(prefix)) || [];
  }

  function allowed(access: Access): boolean {
    const { user } = access;
    if (isMaster(user)) return true;
    if (user.groups.includes(authenticatedGroup) && basicResources.has(access.resource))
      return true;
    const node = nodeOf(user.name);
    if (node !== undefined) return nodeAllowed(node, access, nodeOfPod);
    if (!user.name.startsWith(actorPrefix)) return false;
    if (readVerbs.has(access.verb)) return true;
    return declared(user.name).some((grant) => covers(grant, access));
  }

  return {
    allowed,
    authorize(access) {
      if (!allowed(access)) throw deny(access);
    },
  };
}

function covers(grant: Grant, access: Access): boolean {
  return (
    grant.verb === access.verb &&
    (grant.group === "*" || grant.group === access.group) &&
    (grant.resource === "*" || grant.resource === fullResource(access))
  );
}

/**
 * What a kubelet may write, after upstream's node authorizer and NodeRestriction admission:
 * its own Node and Lease, the status and end of pods bound to it, events.
 *
 * Differs from Kubernetes: a node may read everything, not only what its pods refer to.
 */
function nodeAllowed(node: string, access: Access, nodeOfPod: NodeOfPod): boolean {
  if (readVerbs.has(access.verb)) return true;
  const { verb, namespace, name } = access;
  switch (`${access.group}/${fullResource(access)}`) {
    case "/nodes":
      // A create carries its name in the body; the registry checks it against the user.
      return verb === "create" || (name === node && (verb === "update" || verb === "patch"));
    case "/nodes/status":
      return name === node;
    case "coordination.k8s.io/leases":
      return namespace === "kube-node-lease" && (verb === "create" || name === node);
    case "/events":
    case "events.k8s.io/events":
      return verb === "create" || verb === "patch" || verb === "update";
    case "/pods":
      return verb === "delete" && nodeOfPod(namespace, name) === node;
    case "/pods/status":
      return nodeOfPod(namespace, name) === node;
    default:
      return false;
  }
}

/** `pods "web" is forbidden: User "x" cannot get resource "pods" in API group "" in the namespace "default"` */
export function deny(access: Access): Error {
  const { user, verb, group, namespace, name } = access;
  const where = namespace ? `in the namespace "${namespace}"` : "at the cluster scope";
  const what = `resource "${fullResource(access)}" in API group "${group}"`;
  const why = `User "${user.name}" cannot ${verb} ${what} ${where}`;
  return forbidden({ group, resource: access.resource }, name, why);
}

/** For paths that are not resources, such as /metrics. */
export function denyPath(user: User, verb: string, path: string): Error {
  const why = `User "${user.name}" cannot ${verb} path "${path}"`;
  return apiError("Forbidden", `forbidden: ${why}`, {});
}
