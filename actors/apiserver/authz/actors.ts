/** Wherry's own actors: they read everything and write what their definitions declare. */

import type { PolicyRule } from "../../../manifests/index.ts";
import { fullResource } from "../request.ts";
import { type Asked, allow, type Decision, isPath, noOpinion } from "./access.ts";

/** One declared write; `*` stands for any group or resource. `resource` may be `pods/status`. */
export interface Grant {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
}

/** By principal, or by its first part followed by `*`: `system:wherry:controllers*`. */
export type Grants = ReadonlyMap<string, readonly Grant[]>;

const actorPrefix = "system:wherry:";
const readVerbs = ["get", "list", "watch"];

/** Who declares to write an approval approves, and of a status, signs. */
const signed: Readonly<Record<string, string>> = {
  approve: "certificatesigningrequests/approval",
  sign: "certificatesigningrequests/status",
};

export function decideForActor(grants: Grants, asked: Asked): Decision {
  const { user, verb } = asked;
  if (isPath(asked) || !user.name.startsWith(actorPrefix)) return noOpinion;
  if (readVerbs.includes(verb)) return allow("an actor of Wherry reads everything");
  const part = asked.resource === "signers" ? signed[verb] : undefined;
  const declared = grantsTo(grants, user.name).some((grant) => {
    if (grant.group !== "*" && grant.group !== asked.group) return false;
    if (part !== undefined) return grant.resource === part;
    if (grant.verb !== verb) return false;
    return grant.resource === "*" || grant.resource === fullResource(asked);
  });
  return declared ? allow("a write that the actor's definition declares") : noOpinion;
}

/** The same as rules, for who asks what it may do. */
export function rulesForActor(grants: Grants, name: string): PolicyRule[] {
  if (!name.startsWith(actorPrefix)) return [];
  const writes = grantsTo(grants, name).map(
    ({ verb, group, resource }): PolicyRule => ({
      verbs: [verb],
      apiGroups: [group],
      resources: [resource],
    }),
  );
  return [{ verbs: readVerbs, apiGroups: ["*"], resources: ["*"] }, ...writes];
}

function grantsTo(grants: Grants, principal: string): readonly Grant[] {
  const exact = grants.get(principal);
  if (exact) return exact;
  for (const [key, found] of grants) {
    if (key.endsWith("*") && principal.startsWith(key.slice(0, -1))) return found;
  }
  return [];
}
