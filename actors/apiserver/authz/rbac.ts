/** RBAC: allowed is what a role says that a binding gives to the user or one of its groups. */

import type { PolicyRule } from "../../../manifests/index.ts";
import type { User } from "../request.ts";
import { type Asked, allow, type Decision, isPath, noOpinion, refuse } from "./access.ts";
import { type Bound, type Policy, rbacGroup } from "./policy.ts";
import { ruleAllows } from "./rules.ts";

export function decideByRoles(policy: Policy, asked: Asked): Decision {
  let missing: Set<string> | undefined;
  const namespace = isPath(asked) ? "" : asked.namespace;
  for (const bound of policy.boundTo(asked.user, namespace)) {
    const rules = policy.rulesOf(bound.roleRef, bound.namespace);
    if (!rules) {
      missing ??= new Set();
      missing.add(absent(bound));
    } else if (rules.some((rule) => ruleAllows(rule, asked))) {
      return allow(`RBAC: allowed by ${describe(bound)}`);
    }
  }
  return missing ? refuse(`RBAC: ${together([...missing])}`) : noOpinion;
}

/** Everything that roles give the user in a namespace, and which of these roles do not exist. */
export function rulesFor(
  policy: Policy,
  user: User,
  namespace: string,
): { rules: PolicyRule[]; missing: string[] } {
  const rules: PolicyRule[] = [];
  const missing = new Set<string>();
  for (const bound of policy.boundTo(user, namespace)) {
    const found = policy.rulesOf(bound.roleRef, bound.namespace);
    if (found) rules.push(...found);
    else missing.add(absent(bound));
  }
  return { rules, missing: [...missing] };
}

function absent({ roleRef }: Bound): string {
  return `${roleRef.kind.toLowerCase()}.${rbacGroup} "${roleRef.name}" not found`;
}

/** As upstream's aggregate of errors prints them. */
function together(messages: readonly string[]): string {
  return messages.length === 1 ? (messages[0] ?? "") : `[${messages.join(", ")}]`;
}

function describe({ name, namespace, roleRef, subject }: Bound): string {
  const binding = namespace ? `RoleBinding "${name}/${namespace}"` : `ClusterRoleBinding "${name}"`;
  const of = `of ${roleRef.kind} "${roleRef.name}"`;
  const isAccount = subject.kind === "ServiceAccount";
  const suffix = isAccount ? `/${subject.namespace || namespace}` : "";
  return `${binding} ${of} to ${subject.kind} "${subject.name}${suffix}"`;
}
