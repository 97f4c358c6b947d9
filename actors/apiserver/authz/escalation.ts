/**
 * Nobody grants by RBAC what they do not hold: a role that is written may say only what its
 * writer may do, or what `escalate` allows to say; a binding may give only such a role, or one
 * that `bind` allows to give. After k8s:pkg/registry/rbac/{clusterrole,rolebinding}/policybased.
 */

import equal from "fast-deep-equal";
import { forbidden, notFound } from "../../../manifests/api-error.ts";
import {
  ClusterRole,
  type Kind,
  type KubeObject,
  type PolicyRule,
  type RoleRef,
} from "../../../manifests/index.ts";
import type { User } from "../request.ts";
import type { Authorizer } from "./authorizer.ts";
import type { Grantor } from "./defaults.ts";
import { rbacGroup } from "./policy.ts";
import { describeRules, goList, uncovered } from "./rules.ts";

const everything: readonly PolicyRule[] = [
  { verbs: ["*"], apiGroups: ["*"], resources: ["*"] },
  { verbs: ["*"], nonResourceURLs: ["*"] },
];

/** Rejects with Forbidden; with NotFound for a binding to a role that is not there. */
export async function assertMayGrant(
  authorizer: Authorizer,
  user: User,
  kind: Kind,
  object: Grantor,
  old: Grantor | undefined,
): Promise<void> {
  if (old && onlyCollected(object, old)) return;
  const { namespace = "", name = "" } = object.metadata;
  const grant: Grant = { authorizer, user, kind, namespace, name };
  if (object.roleRef) await assertMayBind(grant, object.roleRef);
  else await assertMaySay(grant, object, old);
}

interface Grant {
  readonly authorizer: Authorizer;
  readonly user: User;
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
}

async function assertMaySay(grant: Grant, role: Grantor, old: Grantor | undefined): Promise<void> {
  const { authorizer, user, kind, namespace, name } = grant;
  const about = { user, group: rbacGroup, resource: kind.resource, subresource: "" };
  const escalate = { ...about, verb: "escalate", namespace, name };
  if ((await authorizer.judge(escalate)).allowed) return;
  await assertHolds(grant, role.rules ?? []);
  // It can gather anything, and letting go of it can keep others from taking rules away.
  const gathers = [role, old].some((one) => one?.aggregationRule?.clusterRoleSelectors?.length);
  if (kind !== ClusterRole || !gathers) return;
  if ((await missingOf(grant, everything)).length === 0) return;
  throw refusal(grant, "must have cluster-admin privileges to use the aggregationRule");
}

async function assertMayBind(grant: Grant, roleRef: RoleRef): Promise<void> {
  const { authorizer, user, namespace } = grant;
  const resource = roleRef.kind === "Role" ? "roles" : "clusterroles";
  const about = { user, group: rbacGroup, resource, subresource: "", namespace };
  if ((await authorizer.judge({ ...about, verb: "bind", name: roleRef.name })).allowed) return;
  // The refusal just read has brought the cache up to date.
  const rules = authorizer.rulesOf(roleRef, namespace);
  if (rules) return await assertHolds(grant, rules);
  throw notFound({ group: rbacGroup, resource: roleRef.kind.toLowerCase() }, roleRef.name);
}

async function assertHolds(grant: Grant, rules: readonly PolicyRule[]): Promise<void> {
  const missing = await missingOf(grant, rules);
  if (missing.length === 0) return;
  const { user, authorizer, namespace } = grant;
  const who = `user ${JSON.stringify(user.name)} (groups=${goList(user.groups)})`;
  const { errors } = authorizer.rulesFor(user, namespace);
  const doubts = errors.length > 0 ? `; resolution errors: [${errors.join(" ")}]` : "";
  const what = `is attempting to grant RBAC permissions not currently held:\n`;
  throw refusal(grant, `${who} ${what}${describeRules(missing).join("\n")}${doubts}`);
}

async function missingOf(
  { authorizer, user, namespace }: Grant,
  rules: readonly PolicyRule[],
): Promise<PolicyRule[]> {
  const missing = () => uncovered(authorizer.rulesFor(user, namespace).rules, rules);
  if (missing().length === 0) return [];
  await authorizer.catchUp();
  return missing();
}

function refusal({ kind, name }: Grant, why: string): Error {
  return forbidden({ group: rbacGroup, resource: kind.resource }, name, why);
}

/** The garbage collector takes finalizers and owners away without holding what a role says. */
function onlyCollected(object: KubeObject, old: KubeObject): boolean {
  return equal(withoutOwners(object), withoutOwners(old));
}

function withoutOwners(object: KubeObject): object {
  const {
    finalizers: _finalizers,
    ownerReferences: _owners,
    managedFields: _managed,
    resourceVersion: _version,
    ...metadata
  } = object.metadata;
  return { ...object, metadata };
}
