/**
 * Who is asking. Over NATS the principal is a token of the subject, which the server lets only
 * its owner publish on; over HTTPS it is whom `authenticator.ts` finds.
 */

import type { UserInfo } from "../../../manifests/index.ts";
import type { User } from "../request.ts";

export const mastersGroup = "system:masters";
export const nodesGroup = "system:nodes";
export const authenticatedGroup = "system:authenticated";
export const accountsGroup = "system:serviceaccounts";
export const unauthenticatedGroup = "system:unauthenticated";

/** The principal that the cluster's owner holds: the CLI's, and the kubeconfig's. */
export const adminPrincipal = "wherry-admin";
/** The owner of all binds; see `actors/scheduler/messages.ts`. */
export const ledgerPrincipal = "system:wherry:ledger";
const nodePrefix = "system:node:";

export const anonymous: User = { name: "system:anonymous", groups: [unauthenticatedGroup] };

/** Groups follow from the principal alone, so that nobody can claim one. */
export function userOfPrincipal(principal: string): User {
  const groups = [authenticatedGroup];
  if (principal === adminPrincipal) groups.unshift(mastersGroup);
  if (nodeOf(principal) !== undefined) groups.unshift(nodesGroup);
  return { name: principal, groups };
}

/** The user as reviews, audit events and webhooks show it. */
export function userInfo({ name, uid, groups, extra }: User): UserInfo {
  const copied = Object.entries(extra ?? {}).map(([key, values]) => [key, [...values]]);
  return {
    username: name,
    ...(uid ? { uid } : {}),
    groups: [...groups],
    ...(copied.length > 0 ? { extra: Object.fromEntries(copied) as Record<string, string[]> } : {}),
  };
}

/** The node that a principal speaks for, or undefined. */
export function nodeOf(principal: string): string | undefined {
  return principal.startsWith(nodePrefix) ? principal.slice(nodePrefix.length) : undefined;
}

export function isMaster(user: User): boolean {
  return user.groups.includes(mastersGroup);
}

/** Key of `extra`: which certificate or token it was, so that an audit can tell. */
export const credentialId = "authentication.kubernetes.io/credential-id";

const accountPrefix = "system:serviceaccount:";

export function accountUserName(namespace: string, name: string): string {
  return `${accountPrefix}${namespace}:${name}`;
}

export function accountGroups(namespace: string): string[] {
  return [accountsGroup, `${accountsGroup}:${namespace}`];
}
