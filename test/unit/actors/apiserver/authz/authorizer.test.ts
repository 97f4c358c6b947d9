import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { userOfCertificate } from "../../../../../actors/apiserver/authn/certificate.ts";
import { impersonated } from "../../../../../actors/apiserver/authn/impersonation.ts";
import { anonymous, userOfPrincipal } from "../../../../../actors/apiserver/authn/user.ts";
import { type Access, accessOf } from "../../../../../actors/apiserver/authz/access.ts";
import type { Grant } from "../../../../../actors/apiserver/authz/actors.ts";
import { createAuthorizer } from "../../../../../actors/apiserver/authz/authorizer.ts";
import { defaultPolicy } from "../../../../../actors/apiserver/authz/defaults.ts";
import type { ApiRequest, User } from "../../../../../actors/apiserver/request.ts";
import {
  ClusterRole,
  ClusterRoleBinding,
  Role,
  RoleBinding,
} from "../../../../../manifests/index.ts";
import { createSimStream } from "../../../../../runtime/sim/journal.ts";
import { createWorld } from "../../../../../runtime/sim/world.ts";
import { createStore } from "../../../../../runtime/store/objects.ts";
import { type PolicyScene, startPolicy, userIn } from "../../../../harness/policy.ts";

const grants = new Map<string, readonly Grant[]>([
  ["system:wherry:scheduler", [{ verb: "create", group: "", resource: "pods/binding" }]],
  ["system:wherry:controllers*", [{ verb: "delete", group: "*", resource: "*" }]],
]);

let scene: PolicyScene;
beforeEach(async () => {
  scene = await startPolicy(grants);
});
afterEach(() => scene.dispose());

function access(
  user: User | string,
  verb: string,
  path: string,
  name = "",
  namespace = "d",
): Access {
  const [group = "", resource = "", subresource = ""] = path.split("/");
  const who = typeof user === "string" ? userOfPrincipal(user) : user;
  return { user: who, verb, group, resource, subresource, namespace, name };
}

const judge = async (asked: Parameters<PolicyScene["authorizer"]["judge"]>[0]) =>
  await scene.settle(scene.authorizer.judge(asked));
const refusal = async (asked: Parameters<PolicyScene["authorizer"]["judge"]>[0]) =>
  await scene.settle(
    scene.authorizer.authorize(asked).then(
      () => "allowed",
      (e: Error) => e.message,
    ),
  );

const actorCases: [string, Access, boolean][] = [
  ["the owner everything", access("wherry-admin", "delete", "/secrets", "s"), true],
  ["an actor any read", access("system:wherry:dns", "list", "/secrets"), true],
  [
    "an actor its declared write",
    access("system:wherry:scheduler", "create", "/pods/binding"),
    true,
  ],
  ["an actor no other write", access("system:wherry:scheduler", "create", "/pods"), false],
  [
    "an actor of a shard by its role",
    access("system:wherry:controllers-3", "delete", "apps/replicasets", "r"),
    true,
  ],
  [
    "an actor of a shard no more than its role",
    access("system:wherry:controllers-3", "create", "apps/replicasets"),
    false,
  ],
  ["nobody in particular nothing", access("somebody", "get", "/pods", "p"), false],
];

const roleRef = (kind: string, name: string) => ({
  apiGroup: "rbac.authorization.k8s.io",
  kind,
  name,
});
const readPods = [{ verbs: ["get", "list"], apiGroups: [""], resources: ["pods"] }];
const bob = userIn("bob", ["team"]);

describe("authz", () => {
  test.each(actorCases)("authz: allows %s: %j is %s", async (_, asked, allowed) => {
    expect((await judge(asked)).allowed).toBe(allowed);
  });

  test("authz: groups come from the certificate over HTTPS, from the principal alone over NATS", () => {
    const certificate = { commonName: "eve", organizations: ["system:masters"], sha256: "00" };
    const { groups } = userOfCertificate({ ...certificate, trusted: true }) ?? {};
    expect(groups).toEqual(["system:masters"]);
    expect(userOfPrincipal("system:masters").groups).toEqual(["system:authenticated"]);
    expect(userOfPrincipal("system:node:a").groups).toContain("system:nodes");
  });

  test("authz: refuses in upstream's words", async () => {
    expect(await refusal(access("bob", "get", "apps/deployments/scale", "web"))).toBe(
      'deployments.apps "web" is forbidden: User "bob" cannot get resource "deployments/scale" in API group "apps" in the namespace "d"',
    );
    expect(await refusal(access("bob", "list", "/nodes", "", ""))).toBe(
      'nodes is forbidden: User "bob" cannot list resource "nodes" in API group "" at the cluster scope',
    );
    expect(await refusal({ user: anonymous, verb: "get", path: "/metrics" })).toBe(
      'forbidden: User "system:anonymous" cannot get path "/metrics"',
    );
  });

  test("authz: before the store is loaded masters and health pass, others wait for it", async () => {
    const world = createWorld({ seed: 1 });
    const { clock, random, log } = world;
    const stream = createSimStream({ clock, random });
    const store = createStore({ clock, random, log, journal: stream.connect() });
    const authorizer = createAuthorizer(grants, store);
    await authorizer.authorize(access("wherry-admin", "get", "/pods"));
    await authorizer.authorize({ user: anonymous, verb: "get", path: "/livez" });
    let told: Error | undefined;
    void authorizer.authorize(access(bob, "get", "/pods")).catch((error: Error) => {
      told = error;
    });
    await Promise.resolve();
    expect([store.ready, told]).toEqual([false, undefined]);
    await world.run({ until: () => told !== undefined, maxVirtualMs: 60_000 });
    expect(store.ready).toBe(true);
    expect(told).toMatchObject({ reason: "Forbidden" });
  });

  test("authz: a collection narrowed to one name is about that name", () => {
    const request = (verb: string, fieldSelector: string) =>
      accessOf({
        ...access(bob, verb, "/secrets"),
        query: new URLSearchParams({ fieldSelector }),
      } as unknown as ApiRequest);
    expect(request("watch", "metadata.name=a").name).toBe("a");
    expect(request("list", "type=Opaque,metadata.name==a").name).toBe("a");
    expect(request("list", "metadata.name!=a").name).toBe("");
    expect(request("get", "metadata.name=a").name).toBe("");
  });

  test("authz: a namespace is read in itself", () => {
    const request = (name: string) =>
      accessOf({
        ...access(bob, "get", "/namespaces", name, ""),
        query: new URLSearchParams(),
      } as unknown as ApiRequest);
    expect(request("d")).toMatchObject({ namespace: "d", name: "d" });
    expect(request("")).toMatchObject({ namespace: "" });
  });
});

describe("rbac", () => {
  test("rbac: a binding gives in its namespace what the role says, and a reason", async () => {
    await scene.put(Role, { metadata: { namespace: "d", name: "reader" }, rules: readPods });
    await scene.put(RoleBinding, {
      metadata: { namespace: "d", name: "team" },
      subjects: [{ kind: "Group", name: "team" }],
      roleRef: roleRef("Role", "reader"),
    });
    expect(await judge(access(bob, "list", "/pods"))).toEqual({
      allowed: true,
      reason: 'RBAC: allowed by RoleBinding "team/d" of Role "reader" to Group "team"',
    });
    expect((await judge(access(bob, "list", "/pods", "", "e"))).allowed).toBe(false);
    expect((await judge(access(bob, "list", "/pods", "", ""))).allowed).toBe(false);
    expect((await judge(access(bob, "delete", "/pods", "p"))).allowed).toBe(false);
  });

  test("rbac: a cluster binding gives it everywhere, to a service account too", async () => {
    await scene.put(ClusterRole, { metadata: { name: "reader" }, rules: readPods });
    await scene.put(ClusterRoleBinding, {
      metadata: { name: "robot" },
      subjects: [{ kind: "ServiceAccount", namespace: "ns", name: "robot" }],
      roleRef: roleRef("ClusterRole", "reader"),
    });
    const robot = { name: "system:serviceaccount:ns:robot", groups: [] };
    expect(await judge(access(robot, "get", "/pods", "p", ""))).toEqual({
      allowed: true,
      reason:
        'RBAC: allowed by ClusterRoleBinding "robot" of ClusterRole "reader" to ServiceAccount "robot/ns"',
    });
    const other = { name: "system:serviceaccount:other:robot", groups: [] };
    expect((await judge(access(other, "get", "/pods", "p"))).allowed).toBe(false);
  });

  test("rbac: changes take effect as the view learns of them", async () => {
    const binding = {
      metadata: { name: "b" },
      subjects: [{ kind: "User", name: "bob" }],
      roleRef: roleRef("ClusterRole", "reader"),
    };
    const may = async () => (await judge(access(bob, "list", "/pods"))).allowed;
    await scene.put(ClusterRoleBinding, binding);
    expect(await refusal(access(bob, "list", "/pods"))).toMatch(
      /in the namespace "d": RBAC: clusterrole\.rbac\.authorization\.k8s\.io "reader" not found$/,
    );
    await scene.put(ClusterRole, { metadata: { name: "reader" }, rules: readPods });
    expect(await may()).toBe(true);
    await scene.put(ClusterRole, { metadata: { name: "reader" }, rules: [] });
    expect(await may()).toBe(false);
    await scene.put(ClusterRole, { metadata: { name: "reader" }, rules: readPods });
    await scene.put(ClusterRoleBinding, { ...binding, subjects: [{ kind: "User", name: "al" }] });
    expect(await may()).toBe(false);
    await scene.put(ClusterRoleBinding, binding);
    expect(await may()).toBe(true);
    await scene.remove(ClusterRoleBinding, "", "b");
    expect(await may()).toBe(false);
  });

  test("rbac: what another API actor has just written is read before a refusal", async () => {
    const other = await scene.another();
    await scene.put(ClusterRole, { metadata: { name: "reader" }, rules: readPods });
    const asked = access(bob, "get", "/pods", "p");
    expect((await other.settle(other.authorizer.judge(asked))).allowed).toBe(false);
    scene.stream.stallConsumers();
    const sequence = await scene.write(ClusterRoleBinding, {
      metadata: { name: "b" },
      subjects: [{ kind: "User", name: "bob" }],
      roleRef: roleRef("ClusterRole", "reader"),
    });
    expect(other.store.view.revision).toBeLessThan(sequence);
    expect((await other.settle(other.authorizer.judge(asked))).allowed).toBe(true);
  });

  test("rbac: the default roles say who may read what without being asked", async () => {
    for (const { kind, object } of defaultPolicy()) await scene.put(kind, object);
    const path = async (user: User, where: string) =>
      (await judge({ user, verb: "get", path: where })).allowed;
    expect(await path(anonymous, "/version")).toBe(true);
    expect(await path(anonymous, "/api")).toBe(false);
    expect(await path(bob, "/apis/apps/v1")).toBe(true);
    expect(await path(bob, "/metrics")).toBe(false);
    expect(await path({ name: "prom", groups: ["system:monitoring"] }, "/metrics")).toBe(true);
    const reviews = "authorization.k8s.io/selfsubjectaccessreviews";
    expect((await judge(access(bob, "create", reviews))).allowed).toBe(true);
    expect((await judge(access(anonymous, "create", reviews))).allowed).toBe(false);
  });

  test("rbac: impersonation wants every part of the identity", async () => {
    await scene.put(ClusterRole, {
      metadata: { name: "speaker" },
      rules: [
        { verbs: ["impersonate"], apiGroups: [""], resources: ["users"], resourceNames: ["al"] },
        { verbs: ["impersonate"], apiGroups: [""], resources: ["groups", "serviceaccounts"] },
        {
          verbs: ["impersonate"],
          apiGroups: ["authentication.k8s.io"],
          resources: ["userextras/scopes"],
        },
      ],
    });
    await scene.put(ClusterRoleBinding, {
      metadata: { name: "b" },
      subjects: [{ kind: "User", name: "bob" }],
      roleRef: roleRef("ClusterRole", "speaker"),
    });
    const speak = (name: string, more: Record<string, string> = {}, by: User = bob) =>
      scene.settle(
        impersonated(scene.authorizer, by, { "impersonate-user": name, ...more }).then(
          (user) => `as ${user.name}`,
          (e: Error) => e.message,
        ),
      );
    const some = { "impersonate-group": "x", "impersonate-extra-scopes": "read" };
    expect(await speak("al", some)).toBe("as al");
    expect(await speak("system:serviceaccount:ns:sa")).toBe("as system:serviceaccount:ns:sa");
    expect(await speak("eve", {}, userIn("root", ["system:masters"]))).toBe("as eve");
    expect(await speak("eve")).toBe(
      'users "eve" is forbidden: User "bob" cannot impersonate resource "users" in API group "" at the cluster scope',
    );
    expect(await speak("al", { "impersonate-uid": "7" })).toMatch(
      /^uids\.authentication\.k8s\.io "7"/,
    );
    expect(await speak("al", { "impersonate-extra-other": "x" })).toContain('"userextras/other"');
  });

  test("rbac: a decision among a thousand bindings takes microseconds", async () => {
    for (const { kind, object } of defaultPolicy()) await scene.put(kind, object);
    for (let nth = 0; nth < 1_000; nth++) {
      await scene.put(RoleBinding, {
        metadata: { namespace: `n${nth % 10}`, name: `b${nth}` },
        subjects: [{ kind: "User", name: `u${nth}` }],
        roleRef: roleRef("ClusterRole", "system:aggregate-to-edit"),
      });
    }
    const asked = access(userIn("u999", []), "create", "apps/deployments", "", "n9");
    expect((await judge(asked)).allowed).toBe(true);
    // Of the processor's time: the machine may do other things meanwhile. Measured: 2 µs.
    const began = process.cpuUsage().user;
    for (let nth = 0; nth < 10_000; nth++) await scene.authorizer.judge(asked);
    expect((process.cpuUsage().user - began) / 10_000).toBeLessThan(20);
  });
});
