/** Who may do what, through both doors: certificates of several users, principals, kubectl auth. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Api } from "../../actors/kit/client.ts";
import {
  ClusterRole,
  ClusterRoleBinding,
  ConfigMap,
  type Kind,
  type KubeObject,
  LocalSubjectAccessReview,
  Node,
  Pod,
  Role,
  RoleBinding,
  Secret,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
} from "../../manifests/index.ts";
import { refusal } from "../harness/api.ts";
import { startHttpsApi, type TestHttpsApi } from "../harness/https.ts";

const group = "rbac.authorization.k8s.io";
let env: TestHttpsApi;
let api: Api;
let bob: string;
let eve: string;

/** Bob reads pods and writes roles in `default`, by his group. */
const rules = [
  { verbs: ["get", "list", "watch"], apiGroups: [""], resources: ["pods", "pods/log"] },
  { verbs: ["get", "create", "patch"], apiGroups: [group], resources: ["roles", "rolebindings"] },
];

beforeAll(async () => {
  env = await startHttpsApi();
  api = await env.client();
  bob = await env.kubeconfigOf({ user: "bob", groups: ["team"] });
  eve = await env.kubeconfigOf({ user: "eve", groups: [] });
  await api.create(Role, { metadata: { namespace: "default", name: "team" }, rules });
  await api.create(RoleBinding, {
    metadata: { namespace: "default", name: "team" },
    subjects: [{ kind: "Group", name: "team" }],
    roleRef: { apiGroup: group, kind: "Role", name: "team" },
  });
});

afterAll(async () => {
  await env.dispose();
});

const as = (kubeconfig: string, ...args: string[]) => env.kubectl(args, { kubeconfig });
const failing = (kubeconfig: string, ...args: string[]) =>
  env.kubectl(args, { kubeconfig, fails: true });

describe("rbac: over HTTPS", () => {
  test("rbac: a group of the certificate gives what its binding says, where it says", async () => {
    expect(await as(bob, "get", "pods")).toContain("No resources found");
    expect(await failing(bob, "get", "pods", "-n", "kube-system")).toContain(
      'User "bob" cannot list resource "pods" in API group "" in the namespace "kube-system"',
    );
    expect(await failing(eve, "get", "pods")).toContain("Forbidden");
  });

  test("rbac: paths are read by rule", async () => {
    expect(await as(eve, "get", "--raw", "/version")).toContain("gitVersion");
    expect(await as(eve, "get", "--raw", "/apis")).toContain("APIGroupList");
    expect(await failing(eve, "get", "--raw", "/metrics")).toContain(
      'forbidden: User "eve" cannot get path "/metrics"',
    );
    const monitor = await env.kubeconfigOf({ user: "m", groups: ["system:monitoring"] });
    expect(await as(monitor, "get", "--raw", "/metrics")).toContain("apiserver_request_total");
  });

  test("rbac: nobody speaks as another without impersonate", async () => {
    expect(await failing(bob, "get", "pods", "--as=al")).toContain(
      'users "al" is forbidden: User "bob" cannot impersonate resource "users" in API group "" at the cluster scope',
    );
    await api.create(ClusterRole, {
      metadata: { name: "speaker" },
      rules: [{ verbs: ["impersonate"], apiGroups: [""], resources: ["users", "groups"] }],
    });
    await api.create(ClusterRoleBinding, {
      metadata: { name: "speaker" },
      subjects: [{ kind: "User", name: "eve" }],
      roleRef: { apiGroup: group, kind: "ClusterRole", name: "speaker" },
    });
    expect(await as(eve, "get", "pods", "--as=al", "--as-group=team")).toContain("No resources");
    expect(await failing(eve, "get", "pods", "--as=al")).toContain('User "al" cannot list');
  });

  test("rbac: a role may not say what its writer does not hold", async () => {
    const create = ["create", "role", "strong", "--resource=secrets", "--verb=get,list"];
    expect(await failing(bob, ...create)).toContain(
      'roles.rbac.authorization.k8s.io "strong" is forbidden: user "bob" (groups=["team" "system:authenticated"]) ' +
        "is attempting to grant RBAC permissions not currently held:\n" +
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}',
    );
    await as(bob, "create", "role", "weak", "--resource=pods", "--verb=get");
    await as(bob, "create", "rolebinding", "weak", "--role=weak", "--user=eve");
    expect(await as(eve, "auth", "can-i", "get", "pods")).toBe("yes\n");
    const bind = ["create", "rolebinding", "all", "--clusterrole=cluster-admin", "--user=bob"];
    expect(await failing(bob, ...bind)).toContain("attempting to grant RBAC permissions");
    const patch = ["patch", "role", "weak", "--type=json", "-p"];
    const everything = '[{"op":"replace","path":"/rules/0/resources","value":["*"]}]';
    expect(await failing(bob, ...patch, everything)).toContain('Resources:["*"]');
  });
});

test("rbac: server-side apply makes only what its user may create", async () => {
  const patchers = [{ verbs: ["patch"], apiGroups: [""], resources: ["configmaps"] }];
  await api.create(Role, {
    metadata: { namespace: "default", name: "patcher" },
    rules: patchers,
  });
  await api.create(RoleBinding, {
    metadata: { namespace: "default", name: "patcher" },
    subjects: [{ kind: "User", name: "patcher" }],
    roleRef: { apiGroup: group, kind: "Role", name: "patcher" },
  });
  const kubeconfig = await env.kubeconfigOf({ user: "patcher", groups: [] });
  const input = JSON.stringify({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "applied" },
    data: { a: "b" },
  });
  const apply = ["apply", "--server-side", "--validate=false", "-f", "-"];
  expect(await env.kubectl(apply, { kubeconfig, input, fails: true })).toContain(
    'User "patcher" cannot create resource "configmaps"',
  );
  await api.create(ConfigMap, { metadata: { namespace: "default", name: "applied" } });
  expect(await env.kubectl(apply, { kubeconfig, input })).toContain("serverside-applied");
});

describe("rbac: kubectl auth", () => {
  test("rbac: can-i asks about verbs, subresources, names and paths", async () => {
    const can = async (kubeconfig: string, ...args: string[]) =>
      (await env.kubectl(["auth", "can-i", ...args], { kubeconfig })).trim();
    expect(await can(bob, "get", "pods", "--subresource=log")).toBe("yes");
    expect(await can(bob, "create", "roles.rbac.authorization.k8s.io")).toBe("yes");
    expect(await can(eve, "get", "/api")).toBe("yes");
    // It says no by its exit code too.
    await failing(bob, "auth", "can-i", "delete", "pods");
  });

  test("rbac: can-i --list shows the rules of the role", async () => {
    const listed = await as(bob, "auth", "can-i", "--list");
    expect(listed).toMatch(/^pods +\[\] +\[\] +\[get list watch\]$/m);
    expect(listed).toMatch(
      /^selfsubjectreviews\.authentication\.k8s\.io +\[\] +\[\] +\[create\]$/m,
    );
    expect(listed).toMatch(/\[\/version\]/);
  });

  test("rbac: whoami tells name and groups", async () => {
    const told = await as(bob, "auth", "whoami");
    expect(told).toMatch(/Username +bob/);
    expect(told).toMatch(/Groups +\[team system:authenticated\]/);
  });

  test("rbac: reconcile makes roles and bindings, and makes a binding to another role anew", async () => {
    const manifest = (role: string) => `
apiVersion: ${group}/v1
kind: ClusterRole
metadata: {name: reconciled}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: ${group}/v1
kind: ClusterRoleBinding
metadata: {name: reconciled}
subjects: [{kind: User, name: al, apiGroup: ${group}}]
roleRef: {kind: ClusterRole, name: ${role}, apiGroup: ${group}}
`;
    const reconcile = (input: string) => env.kubectl(["auth", "reconcile", "-f", "-"], { input });
    expect(await reconcile(manifest("reconciled"))).toContain("reconciled");
    expect(await reconcile(manifest("view"))).toContain("reconciled");
    expect((await api.get(ClusterRoleBinding, "reconciled")).roleRef.name).toBe("view");
  });

  test("rbac: a binding keeps its role", async () => {
    const change = '{"roleRef":{"kind":"ClusterRole","name":"view"}}';
    expect(
      await env.kubectl(["patch", "rolebinding", "team", "-p", change], { fails: true }),
    ).toContain(
      'The RoleBinding "team" is invalid: roleRef: Invalid value: rbac.RoleRef{APIGroup:"rbac.authorization.k8s.io", Kind:"ClusterRole", Name:"view"}: cannot change roleRef',
    );
  });
});

describe("rbac: reviews", () => {
  const ask = async <T extends KubeObject>(kind: Kind<T>, review: T, by = api): Promise<T> =>
    await by.create(kind, review);
  const resourceAttributes = { verb: "list", resource: "pods", namespace: "default" };
  /** A question has no name. */
  const metadata = { name: "" };

  test("rbac: SubjectAccessReview asks about anybody, with the reason", async () => {
    const spec = { user: "x", groups: ["team"], resourceAttributes };
    expect((await ask(SubjectAccessReview, { metadata, spec })).status).toEqual({
      allowed: true,
      reason: 'RBAC: allowed by RoleBinding "team/default" of Role "team" to Group "team"',
    });
    const other = { ...spec, groups: ["others"] };
    expect((await ask(SubjectAccessReview, { metadata, spec: other })).status).toEqual({
      allowed: false,
    });
    const path = {
      user: "x",
      groups: ["system:authenticated"],
      nonResourceAttributes: { verb: "get", path: "/api/v1" },
    };
    expect((await ask(SubjectAccessReview, { metadata, spec: path })).status?.allowed).toBe(true);
  });

  test("rbac: a selector that cannot be read is left out, and said so", async () => {
    const attributes = { ...resourceAttributes, fieldSelector: { rawSelector: "spec.nodeName" } };
    const spec = { user: "bob", groups: ["team"], resourceAttributes: attributes };
    expect((await ask(SubjectAccessReview, { metadata, spec })).status).toMatchObject({
      allowed: true,
      evaluationError: "spec.resourceAttributes.fieldSelector ignored due to parse error",
    });
    const node = {
      verb: "list",
      resource: "pods",
      fieldSelector: { rawSelector: "spec.nodeName=n1" },
    };
    const byNode = { user: "system:node:n1", groups: ["system:nodes"], resourceAttributes: node };
    expect((await ask(SubjectAccessReview, { metadata, spec: byNode })).status?.allowed).toBe(true);
  });

  const nonResourceAttributes = { verb: "get", path: "/" };
  test.each([
    [
      "neither",
      { user: "x" },
      'spec.resourceAttributes: Invalid value: "null": exactly one of nonResourceAttributes or resourceAttributes must be specified',
    ],
    [
      "both",
      { user: "x", resourceAttributes, nonResourceAttributes },
      "cannot be specified in combination with resourceAttributes",
    ],
    [
      "nobody",
      { resourceAttributes },
      'spec.user: Invalid value: "": at least one of user or group must be specified',
    ],
    [
      "two selectors",
      {
        user: "x",
        resourceAttributes: {
          ...resourceAttributes,
          fieldSelector: { rawSelector: "a=b", requirements: [{ key: "a", operator: "Exists" }] },
        },
      },
      "may not specified at the same time as requirements",
    ],
    [
      "an empty selector",
      { user: "x", resourceAttributes: { ...resourceAttributes, labelSelector: {} } },
      "requirements or rawSelector is required",
    ],
  ])("rbac: a question about %s is invalid", async (_, spec, why) => {
    const { code, message } = await refusal(ask(SubjectAccessReview, { metadata, spec }));
    expect(code).toBe(422);
    expect(message).toContain('SubjectAccessReview.authorization.k8s.io "" is invalid: ');
    expect(message).toContain(why);
  });

  test("rbac: LocalSubjectAccessReview is about its own namespace", async () => {
    const spec = { user: "bob", groups: ["team"], resourceAttributes };
    const here = { metadata: { ...metadata, namespace: "default" }, spec };
    expect((await ask(LocalSubjectAccessReview, here)).status?.allowed).toBe(true);
    const there = { metadata: { ...metadata, namespace: "kube-system" }, spec };
    expect((await refusal(ask(LocalSubjectAccessReview, there))).message).toContain(
      'spec.resourceAttributes.namespace: Invalid value: "default": must match metadata.namespace',
    );
  });

  test("rbac: self reviews are for everybody who is somebody", async () => {
    const somebody = await env.client("somebody");
    const access = { metadata, spec: { resourceAttributes } };
    expect((await ask(SelfSubjectAccessReview, access, somebody)).status?.allowed).toBe(false);
    const listed = { metadata, spec: { namespace: "default" } };
    const { status } = await ask(SelfSubjectRulesReview, listed, somebody);
    expect(status?.incomplete).toBe(false);
    expect(status?.nonResourceRules.flatMap(({ nonResourceURLs }) => nonResourceURLs)).toContain(
      "/apis/*",
    );
    expect(
      (await refusal(ask(SelfSubjectRulesReview, { metadata, spec: {} }, somebody))).message,
    ).toBe("no namespace on request");
    expect(
      (
        await refusal(
          ask(SubjectAccessReview, { metadata, spec: { user: "x", resourceAttributes } }, somebody),
        )
      ).code,
    ).toBe(403);
  });
});

describe("rbac: over NATS", () => {
  test("rbac: a principal has what a binding gives to its name", async () => {
    const robot = await env.client("robot");
    expect((await refusal(robot.list(Pod, {}))).message).toContain(
      'User "robot" cannot list resource "pods"',
    );
    await api.create(ClusterRole, {
      metadata: { name: "robot" },
      rules: [{ verbs: ["list"], apiGroups: [""], resources: ["pods"] }],
    });
    await api.create(ClusterRoleBinding, {
      metadata: { name: "robot" },
      subjects: [{ kind: "User", name: "robot" }],
      roleRef: { apiGroup: group, kind: "ClusterRole", name: "robot" },
    });
    expect((await robot.list(Pod, {})).items).toEqual([]);
  });

  test("rbac: an actor reads everything and lists what it may", async () => {
    const actor = await env.client("system:wherry:api");
    const { status } = await actor.create(SelfSubjectRulesReview, {
      metadata: { name: "" },
      spec: { namespace: "default" },
    });
    expect(status?.resourceRules).toContainEqual({
      verbs: ["get", "list", "watch"],
      apiGroups: ["*"],
      resources: ["*"],
    });
  });

  test("rbac: a node reads what its pods refer to and nothing else", async () => {
    const node = await env.client("system:node:n1");
    for (const name of ["mine", "theirs"]) {
      await api.create(Secret, { metadata: { namespace: "default", name } });
      await api.create(ConfigMap, { metadata: { namespace: "default", name } });
    }
    await node.create(Node, { metadata: { name: "n1" }, spec: {} });
    expect((await refusal(node.get(Secret, "default/mine"))).message).toContain(
      "no relationship found between node 'n1' and this object",
    );
    await api.create(Pod, {
      metadata: { namespace: "default", name: "p" },
      spec: {
        nodeName: "n1",
        containers: [{ name: "c", image: "x", envFrom: [{ secretRef: { name: "mine" } }] }],
      },
    });
    expect((await node.get(Secret, "default/mine")).metadata.name).toBe("mine");
    expect((await node.list(Pod, { fieldSelector: "spec.nodeName=n1" })).items).toHaveLength(1);
    for (const read of [
      node.get(Secret, "default/theirs"),
      node.get(ConfigMap, "default/mine"),
      node.list(Secret, {}),
      node.list(Pod, {}),
      node.list(Node, {}),
    ]) {
      expect((await refusal(read)).code).toBe(403);
    }
    await api.delete(Pod, "default/p", { gracePeriodSeconds: 0 });
    await node.delete(Pod, "default/p", { gracePeriodSeconds: 0 }).catch(() => undefined);
    expect((await refusal(node.get(Secret, "default/mine"))).code).toBe(403);
  });
});

test("rbac: what is taken from a default role comes back at the next start", async () => {
  const before = await api.get(ClusterRole, "system:aggregate-to-view");
  await api.update(ClusterRole, { ...before, rules: [] });
  await api.delete(ClusterRoleBinding, "system:basic-user");
  const { system } = await env.start();
  const { rules: after = [] } = await api.get(ClusterRole, "system:aggregate-to-view");
  expect(after).toHaveLength(before.rules?.length ?? 0);
  expect((await api.get(ClusterRoleBinding, "system:basic-user")).roleRef.name).toBe(
    "system:basic-user",
  );
  await system.stop();
});
