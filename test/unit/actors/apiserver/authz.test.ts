import { describe, expect, test } from "vitest";
import { userOfCertificate, userOfPrincipal } from "../../../../actors/apiserver/authn.ts";
import { type Access, createAuthorizer, type Grant } from "../../../../actors/apiserver/authz.ts";
import type { ApiVerb } from "../../../../actors/subjects.ts";

const grants = new Map<string, readonly Grant[]>([
  ["system:wherry:scheduler", [{ verb: "create", group: "", resource: "pods/binding" }]],
  ["system:wherry:controllers*", [{ verb: "delete", group: "*", resource: "*" }]],
]);
const authorizer = createAuthorizer(grants, (_, name) =>
  name === "mine" ? "n1" : name === "theirs" ? "n2" : undefined,
);

function access(
  principal: string,
  verb: ApiVerb,
  path: string,
  name = "",
  namespace = "d",
): Access {
  const [group = "", resource = "", subresource = ""] = path.split("/");
  return { user: userOfPrincipal(principal), verb, group, resource, subresource, namespace, name };
}

const node = "system:node:n1";
const cases: [string, Access, boolean][] = [
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
  ["a node its own status", access(node, "patch", "/nodes/status", "n1"), true],
  ["a node no other's status", access(node, "patch", "/nodes/status", "n2"), false],
  ["a node to delete no node", access(node, "delete", "/nodes", "n1"), false],
  ["a node the status of its pod", access(node, "patch", "/pods/status", "mine"), true],
  ["a node no other's pod", access(node, "patch", "/pods/status", "theirs"), false],
  ["a node no pod that is not there", access(node, "delete", "/pods", "absent"), false],
  [
    "a node its lease",
    access(node, "update", "coordination.k8s.io/leases", "n1", "kube-node-lease"),
    true,
  ],
  [
    "a node no lease elsewhere",
    access(node, "update", "coordination.k8s.io/leases", "n1", "kube-system"),
    false,
  ],
  ["a node to make no pods", access(node, "create", "/pods"), false],
  ["a node no secrets of its making", access(node, "update", "/secrets", "s"), false],
  ["nobody in particular nothing", access("somebody", "get", "/pods", "p"), false],
  [
    "anybody to ask about himself",
    access("somebody", "create", "authorization.k8s.io/selfsubjectaccessreviews"),
    true,
  ],
];

describe("authz", () => {
  test.each(cases)("authz: allows %s", (_, asked, allowed) => {
    expect(authorizer.allowed(asked)).toBe(allowed);
  });

  test("authz: groups come from the certificate over HTTPS, from the principal alone over NATS", () => {
    expect(userOfCertificate("eve", ["system:masters"]).groups).toContain("system:masters");
    expect(userOfPrincipal("system:masters").groups).toEqual(["system:authenticated"]);
    expect(userOfPrincipal("system:node:a").groups).toContain("system:nodes");
  });

  test("authz: refuses in upstream's words", () => {
    const refuse = (asked: Access) => () => authorizer.authorize(asked);
    expect(refuse(access("bob", "get", "apps/deployments/scale", "web"))).toThrow(
      'deployments.apps "web" is forbidden: User "bob" cannot get resource "deployments/scale" in API group "apps" in the namespace "d"',
    );
    expect(refuse(access("bob", "list", "/nodes", "", ""))).toThrow(
      'nodes is forbidden: User "bob" cannot list resource "nodes" in API group "" at the cluster scope',
    );
  });
});
