/** Roles and bindings of RBAC: who writes one must hold what it grants. */

import {
  ClusterRole,
  ClusterRoleBinding,
  type Kind,
  Role,
  RoleBinding,
} from "../../../manifests/index.ts";
import type { Authorizer } from "../authz/authorizer.ts";
import type { Grantor } from "../authz/defaults.ts";
import { assertMayGrant } from "../authz/escalation.ts";
import type { Hooks } from "./hooks.ts";

export const grantors: readonly Kind<Grantor>[] = [
  Role,
  ClusterRole,
  RoleBinding,
  ClusterRoleBinding,
];

export function grantorHooks(authorizer: Authorizer, kind: Kind): Hooks<Grantor> {
  return {
    permit: (object, old, user) => assertMayGrant(authorizer, user, kind, object, old),
  };
}
