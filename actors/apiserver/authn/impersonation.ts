/**
 * Speaking as somebody else: `kubectl --as`, `--as-group`, `--as-uid` (k8s: endpoints/filters/
 * impersonation.go). What is asked for is a value; whether it is allowed is judged item by item.
 */

import { apiError } from "../../../manifests/api-error.ts";
import type { Authorizer } from "../authz/authorizer.ts";
import type { User } from "../request.ts";
import { accountGroups, authenticatedGroup, unauthenticatedGroup } from "./user.ts";

/** One thing to be allowed: verb `impersonate` on this. */
export interface ImpersonationCheck {
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
}

export interface Impersonation {
  readonly user: User;
  readonly checks: readonly ImpersonationCheck[];
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

const extraPrefix = "impersonate-extra-";

/** Undefined when nobody else is meant. Throws BadRequest. */
export function readImpersonation(headers: Headers): Impersonation | undefined {
  const [name = ""] = valuesOf(headers, "impersonate-user");
  const given = valuesOf(headers, "impersonate-group");
  const [uid = ""] = valuesOf(headers, "impersonate-uid");
  const extra = readExtra(headers);
  if (!name) {
    if (given.length === 0 && !uid && Object.keys(extra).length === 0) return undefined;
    const without = "requested without impersonating a user";
    throw apiError("BadRequest", `impersonation of groups, uid or extra ${without}`);
  }
  const checks = checksOf(name, given, uid, extra);
  const groups = groupsOf(name, given);
  const parts = { ...(uid ? { uid } : {}), ...(Object.keys(extra).length > 0 ? { extra } : {}) };
  return { user: { name, groups, ...parts }, checks };
}

/** A ServiceAccount brings its groups, and everybody is somebody unless he asks to be nobody. */
function groupsOf(name: string, given: readonly string[]): string[] {
  const account = accountOf(name);
  const own = account && given.length === 0 ? accountGroups(account.namespace) : [];
  const groups = [...given, ...own];
  const isNobody = name === "system:anonymous";
  if (!groups.includes(authenticatedGroup) && !groups.includes(unauthenticatedGroup)) {
    groups.push(isNobody ? unauthenticatedGroup : authenticatedGroup);
  }
  return groups;
}

function checksOf(
  name: string,
  groups: readonly string[],
  uid: string,
  extra: Readonly<Record<string, readonly string[]>>,
): ImpersonationCheck[] {
  const account = accountOf(name);
  const check = (resource: string, of: Partial<ImpersonationCheck>): ImpersonationCheck => ({
    group: "",
    resource,
    subresource: "",
    namespace: "",
    name: "",
    ...of,
  });
  const group = "authentication.k8s.io";
  return [
    account ? check("serviceaccounts", account) : check("users", { name }),
    ...groups.map((one) => check("groups", { name: one })),
    ...Object.entries(extra).flatMap(([key, values]) =>
      values.map((value) => check("userextras", { group, subresource: key, name: value })),
    ),
    ...(uid ? [check("uids", { group, name: uid })] : []),
  ];
}

function accountOf(name: string): { namespace: string; name: string } | undefined {
  const [, namespace, account] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name) ?? [];
  return namespace && account ? { namespace, name: account } : undefined;
}

function readExtra(headers: Headers): Record<string, string[]> {
  const extra: Record<string, string[]> = {};
  for (const key of Object.keys(headers)) {
    if (!key.startsWith(extraPrefix)) continue;
    extra[decodeKey(key.slice(extraPrefix.length))] = valuesOf(headers, key);
  }
  return extra;
}

/** Keys travel percent-encoded, for they may hold slashes. */
function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key).toLowerCase();
  } catch {
    return key;
  }
}

/** Headers that were sent several times arrive as one, with commas; in HTTP/2 as a list. */
function valuesOf(headers: Headers, name: string): string[] {
  return [headers[name] ?? []].flat().flatMap((value) => value.split(/, */));
}

/** Who the request then speaks as. Rejects with Forbidden, naming the first part that may not be taken. */
export async function impersonated(
  authorizer: Authorizer,
  user: User,
  headers: Headers,
): Promise<User> {
  const asked = readImpersonation(headers);
  if (!asked) return user;
  for (const check of asked.checks) {
    await authorizer.authorize({ user, verb: "impersonate", ...check });
  }
  return asked.user;
}
