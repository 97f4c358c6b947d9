/** Who may speak as whom: `impersonate` on every part of the identity that is asked for. */

import type { User } from "../request.ts";
import type { Access } from "./access.ts";
import type { Authorizer } from "./authorizer.ts";

/** What the Impersonate-* headers name. */
export interface Impersonated {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

const accountName = /^system:serviceaccount:([^:]+):([^:]+)$/;
const authentication = "authentication.k8s.io";

/** Rejects with Forbidden, naming the first part that may not be taken (k8s: filters/impersonation.go). */
export async function authorizeImpersonation(
  authorizer: Authorizer,
  user: User,
  asked: Impersonated,
): Promise<void> {
  for (const access of accessesOf(user, asked)) await authorizer.authorize(access);
}

function accessesOf(user: User, { name, uid, groups, extra = {} }: Impersonated): Access[] {
  const about = { user, verb: "impersonate", group: "", subresource: "", namespace: "" };
  const [, namespace = "", account = ""] = accountName.exec(name) ?? [];
  const who = account
    ? { ...about, resource: "serviceaccounts", namespace, name: account }
    : { ...about, resource: "users", name };
  const more = { ...about, group: authentication };
  return [
    who,
    ...groups.map((group) => ({ ...about, resource: "groups", name: group })),
    ...Object.entries(extra).flatMap(([key, values]) =>
      values.map((value) => ({ ...more, resource: "userextras", subresource: key, name: value })),
    ),
    ...(uid ? [{ ...more, resource: "uids", name: uid }] : []),
  ];
}
