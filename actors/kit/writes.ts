/**
 * What an actor writes, as data: at once its grant in the API actors' authorization table and
 * the limit of the client that it gets. `writes: [create(Pod), del(Pod), status(ReplicaSet)]`.
 */

import { apiError } from "../../manifests/api-error.ts";
import type { Kind } from "../../manifests/index.ts";
import type { ApiVerb } from "../subjects.ts";

/** `escalate`: may write a role that says more than its writer may do. */
type WriteVerb = ApiVerb | "escalate";

/** `resource` may carry a subresource: `pods/status`. */
export interface Write {
  readonly verbs: readonly WriteVerb[];
  readonly group: string;
  readonly resource: string;
}

export interface Grant {
  readonly verb: WriteVerb;
  readonly group: string;
  readonly resource: string;
}

export function create(kind: Kind): Write {
  return write(kind, ["create"]);
}

export function update(kind: Kind): Write {
  return write(kind, ["update"]);
}

export function escalate(kind: Kind): Write {
  return write(kind, ["escalate"]);
}

export function patch(kind: Kind): Write {
  return write(kind, ["patch"]);
}

export function del(kind: Kind): Write {
  return write(kind, ["delete"]);
}

export function deleteCollection(kind: Kind): Write {
  return write(kind, ["deletecollection"]);
}

/** The status subresource, whole or in part. */
export function status(kind: Kind): Write {
  return subresource(kind, "status", ["update", "patch"]);
}

export function subresource(kind: Kind, name: string, verbs: readonly ApiVerb[]): Write {
  return { verbs, group: kind.group, resource: `${kind.resource}/${name}` };
}

/** Objects of any kind, for the few that must: the garbage collector, the namespace controller. */
export function anyKind(verbs: readonly ApiVerb[], resource = "*"): Write {
  return { verbs, group: "*", resource };
}

/** The authorization table's rows, each once. */
export function grantsOf(writes: readonly Write[]): Grant[] {
  const grants = new Map<string, Grant>();
  for (const { verbs, group, resource } of writes) {
    for (const verb of verbs) grants.set(`${verb} ${group} ${resource}`, { verb, group, resource });
  }
  return [...grants.values()];
}

/** Throws Forbidden, naming the write that the actor did not declare. */
export function assertDeclared(writes: readonly Write[], wanted: Grant, principal: string): void {
  const declared = writes.some(
    ({ verbs, group, resource }) =>
      verbs.includes(wanted.verb) &&
      (group === "*" || group === wanted.group) &&
      (resource === "*" || resource === wanted.resource),
  );
  if (declared) return;
  const where = wanted.group ? `${wanted.resource}.${wanted.group}` : wanted.resource;
  throw apiError(
    "Forbidden",
    `${where} is forbidden: ${principal} does not declare the write "${wanted.verb} ${where}"`,
  );
}

function write(kind: Kind, verbs: readonly WriteVerb[]): Write {
  return { verbs, group: kind.group, resource: kind.resource };
}
