import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Grantor } from "../../../../../actors/apiserver/authz/defaults.ts";
import { assertMayGrant } from "../../../../../actors/apiserver/authz/escalation.ts";
import {
  ClusterRole,
  ClusterRoleBinding,
  type Kind,
  type PolicyRule,
  Role,
  RoleBinding,
} from "../../../../../manifests/index.ts";
import { type PolicyScene, startPolicy, userIn } from "../../../../harness/policy.ts";

const group = "rbac.authorization.k8s.io";
const bob = userIn("bob", ["team"]);
const can = (verbs: string, resources: string, apiGroup = "", names = ""): PolicyRule => ({
  verbs: verbs.split(" "),
  apiGroups: [apiGroup],
  resources: resources.split(" "),
  ...(names ? { resourceNames: names.split(" ") } : {}),
});

let scene: PolicyScene;
beforeEach(async () => {
  scene = await startPolicy();
});
afterEach(() => scene.dispose());

/** Bob holds these in namespace d. */
async function holds(...rules: PolicyRule[]): Promise<void> {
  await scene.put(Role, { metadata: { namespace: "d", name: "held" }, rules });
  await scene.put(RoleBinding, {
    metadata: { namespace: "d", name: "held" },
    subjects: [{ kind: "User", name: "bob" }],
    roleRef: { apiGroup: group, kind: "Role", name: "held" },
  });
}

function grant(kind: Kind, object: Grantor, old?: Grantor, user = bob): Promise<string> {
  return scene.settle(
    assertMayGrant(scene.authorizer, user, kind, object, old).then(
      () => "granted",
      (error: Error) => error.message,
    ),
  );
}

const role = (...rules: PolicyRule[]): Grantor => ({
  metadata: { namespace: "d", name: "r" },
  rules,
});
const binding = (kind: string, name: string): Grantor => ({
  metadata: { namespace: "d", name: "b" },
  subjects: [],
  roleRef: { apiGroup: group, kind, name },
});

describe("escalation", () => {
  test("escalation: a role may say what its writer holds, and is told what is missing", async () => {
    await holds(can("get list", "pods"));
    expect(await grant(Role, role(can("get", "pods")))).toBe("granted");
    expect(await grant(Role, role(can("get delete", "pods secrets")))).toBe(
      'roles.rbac.authorization.k8s.io "r" is forbidden: user "bob" (groups=["team" "system:authenticated"]) ' +
        "is attempting to grant RBAC permissions not currently held:\n" +
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}\n' +
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "delete"]}',
    );
    const elsewhere = { ...role(can("get", "pods")), metadata: { namespace: "e", name: "r" } };
    expect(await grant(Role, elsewhere)).toContain("not currently held");
  });

  test("escalation: escalate lets a role say anything, by its name", async () => {
    await holds(can("escalate", "roles", group, "r"));
    expect(await grant(Role, role(can("*", "*")))).toBe("granted");
    const other = { ...role(can("*", "*")), metadata: { namespace: "d", name: "other" } };
    expect(await grant(Role, other)).toContain("not currently held");
  });

  test("escalation: a master grants everything", async () => {
    const master = userIn("root", ["system:masters"]);
    expect(await grant(Role, role(can("*", "*")), undefined, master)).toBe("granted");
    expect(await grant(RoleBinding, binding("ClusterRole", "absent"), undefined, master)).toBe(
      "granted",
    );
  });

  test("escalation: a binding gives what its maker holds, or may bind, of roles that exist", async () => {
    await holds(can("get", "pods"), can("bind", "clusterroles", group, "strong"));
    await scene.put(ClusterRole, { metadata: { name: "weak" }, rules: [can("get", "pods")] });
    await scene.put(ClusterRole, { metadata: { name: "strong" }, rules: [can("*", "*")] });
    await scene.put(ClusterRole, { metadata: { name: "other" }, rules: [can("list", "pods")] });
    expect(await grant(RoleBinding, binding("ClusterRole", "weak"))).toBe("granted");
    expect(await grant(RoleBinding, binding("ClusterRole", "strong"))).toBe("granted");
    expect(await grant(RoleBinding, binding("ClusterRole", "other"))).toMatch(
      /^rolebindings\.rbac\.authorization\.k8s\.io "b" is forbidden: user "bob" .*Verbs:\["list"\]\}$/s,
    );
    expect(await grant(RoleBinding, binding("Role", "absent"))).toBe(
      'role.rbac.authorization.k8s.io "absent" not found',
    );
    const cluster = { ...binding("ClusterRole", "weak"), metadata: { name: "b" } };
    expect(await grant(ClusterRoleBinding, cluster)).toContain("not currently held");
  });

  test("escalation: an aggregationRule wants everything", async () => {
    await holds(can("*", "*"));
    const aggregated = {
      metadata: { name: "a" },
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: { x: "y" } }] },
    };
    expect(await grant(ClusterRole, aggregated)).toBe(
      'clusterroles.rbac.authorization.k8s.io "a" is forbidden: ' +
        "must have cluster-admin privileges to use the aggregationRule",
    );
  });

  test("escalation: the garbage collector may take away finalizers and owners", async () => {
    const before = role(can("*", "*"));
    const metadata = { ...before.metadata, finalizers: ["x/y"], resourceVersion: "7" };
    expect(await grant(Role, before, { ...before, metadata })).toBe("granted");
    const labelled = { ...before, metadata: { ...before.metadata, labels: { a: "b" } } };
    expect(await grant(Role, labelled, before)).toContain("not currently held");
  });
});
