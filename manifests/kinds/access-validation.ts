/** Roles and bindings of RBAC (k8s:pkg/apis/rbac/validation/validation.go). */
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  RoleRef,
  Subject,
} from "../schema/types.generated.ts";
import { type FieldErrors, GoText } from "../validation/field-error.ts";
import { pathSegment } from "../validation/formats.ts";
import {
  sameValue,
  type UpdateValidatorTable,
  type ValidatorTable,
} from "../validation/validator.ts";

const GROUP = "rbac.authorization.k8s.io";

export const accessValidators: ValidatorTable = {
  "rbac.v1.Role": (errors, { rules = [] }: Role) => {
    for (const [at, rule] of rules.entries()) validateRule(errors, rule, `rules[${at}]`, true);
  },
  "rbac.v1.ClusterRole": (errors, { rules = [] }: ClusterRole) => {
    for (const [at, rule] of rules.entries()) validateRule(errors, rule, `rules[${at}]`, false);
  },
  "rbac.v1.RoleBinding": (errors, { roleRef, subjects = [] }: RoleBinding) => {
    validateRoleRef(errors, roleRef, ["Role", "ClusterRole"]);
    for (const [at, subject] of subjects.entries())
      validateSubject(errors, subject, `subjects[${at}]`, true);
  },
  "rbac.v1.ClusterRoleBinding": (errors, { roleRef, subjects = [] }: ClusterRoleBinding) => {
    validateRoleRef(errors, roleRef, ["ClusterRole"]);
    for (const [at, subject] of subjects.entries())
      validateSubject(errors, subject, `subjects[${at}]`, false);
  },
};

export const accessUpdateValidators: UpdateValidatorTable = {
  "rbac.v1.RoleBinding": keepRoleRef,
  "rbac.v1.ClusterRoleBinding": keepRoleRef,
};

function keepRoleRef(errors: FieldErrors, { roleRef }: RoleBinding, old: RoleBinding): void {
  if (sameValue(roleRef, old.roleRef)) return;
  const { apiGroup, kind, name } = roleRef;
  const shown = `rbac.RoleRef{APIGroup:"${apiGroup}", Kind:"${kind}", Name:"${name}"}`;
  errors.invalid("roleRef", new GoText(shown), "cannot change roleRef");
}

function validateRule(errors: FieldErrors, rule: PolicyRule, path: string, namespaced: boolean) {
  const {
    verbs = [],
    apiGroups = [],
    resources = [],
    resourceNames = [],
    nonResourceURLs = [],
  } = rule;
  if (verbs.length === 0) {
    errors.required(`${path}.verbs`, "verbs must contain at least one value");
  }
  if (nonResourceURLs.length > 0) {
    const field = `${path}.nonResourceURLs`;
    const urls = new GoText(`[]string{${nonResourceURLs.map((url) => `"${url}"`).join(", ")}}`);
    if (namespaced) {
      errors.invalid(field, urls, "namespaced rules cannot apply to non-resource URLs");
    }
    if (apiGroups.length + resources.length + resourceNames.length > 0) {
      const why = "rules cannot apply to both regular resources and non-resource URLs";
      errors.invalid(field, urls, why);
    }
    return;
  }
  if (apiGroups.length === 0) {
    errors.required(`${path}.apiGroups`, "resource rules must supply at least one api group");
  }
  if (resources.length === 0) {
    errors.required(`${path}.resources`, "resource rules must supply at least one resource");
  }
}

function validateRoleRef(errors: FieldErrors, roleRef: RoleRef, kinds: readonly string[]): void {
  const { apiGroup, kind, name } = roleRef;
  if (apiGroup !== GROUP) errors.notSupported("roleRef.apiGroup", apiGroup, [GROUP]);
  if (!kinds.includes(kind)) errors.notSupported("roleRef.kind", kind, kinds);
  if (!name) errors.required("roleRef.name");
  else errors.invalidEach("roleRef.name", name, pathSegment(name));
}

function validateSubject(errors: FieldErrors, subject: Subject, path: string, namespaced: boolean) {
  const { kind, name, apiGroup = "", namespace } = subject;
  if (!name) errors.required(`${path}.name`);
  switch (kind) {
    case "ServiceAccount":
      if (apiGroup) errors.notSupported(`${path}.apiGroup`, apiGroup, [""]);
      if (!namespaced && !namespace) errors.required(`${path}.namespace`);
      break;
    case "User":
    case "Group":
      if (apiGroup !== GROUP) errors.notSupported(`${path}.apiGroup`, apiGroup, [GROUP]);
      break;
    default:
      errors.notSupported(`${path}.kind`, kind, ["ServiceAccount", "User", "Group"]);
  }
}
