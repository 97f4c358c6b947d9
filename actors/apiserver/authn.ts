/**
 * Who is asking. Over NATS the principal is a token of the subject, which the server lets only
 * its owner publish on; over HTTPS it is the client certificate's subject.
 */

import type { User } from "./request.ts";

export const mastersGroup = "system:masters";
export const nodesGroup = "system:nodes";
export const authenticatedGroup = "system:authenticated";
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

/** Common name and organizations of a certificate that our CA signed. */
export function userOfCertificate(commonName: string, organizations: readonly string[]): User {
  return { name: commonName, groups: [...organizations, authenticatedGroup] };
}

/** The node that a principal speaks for, or undefined. */
export function nodeOf(principal: string): string | undefined {
  return principal.startsWith(nodePrefix) ? principal.slice(nodePrefix.length) : undefined;
}

export function isMaster(user: User): boolean {
  return user.groups.includes(mastersGroup);
}
