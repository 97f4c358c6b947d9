import { afterEach, beforeEach, expect, test } from "vitest";
import { userOfPrincipal } from "../../../../../actors/apiserver/authn/user.ts";
import { assertMaySign } from "../../../../../actors/apiserver/authz/signers.ts";
import {
  type CertificateSigningRequest,
  ClusterRole,
  ClusterRoleBinding,
} from "../../../../../manifests/index.ts";
import { type PolicyScene, startPolicy, userIn } from "../../../../harness/policy.ts";

const group = "certificates.k8s.io";
const bob = userIn("bob", []);
const approver = "system:wherry:approver";

let scene: PolicyScene;
beforeEach(async () => {
  const resource = "certificatesigningrequests/approval";
  scene = await startPolicy(new Map([[approver, [{ verb: "update", group, resource }]]]));
});
afterEach(() => scene.dispose());

async function mayDo(verb: string, signer: string): Promise<void> {
  const rule = {
    verbs: [verb],
    apiGroups: [group],
    resources: ["signers"],
    resourceNames: [signer],
  };
  await scene.put(ClusterRole, { metadata: { name: "signer" }, rules: [rule] });
  await scene.put(ClusterRoleBinding, {
    metadata: { name: "signer" },
    subjects: [{ kind: "User", name: "bob" }],
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "signer" },
  });
}

type Status = CertificateSigningRequest["status"];
const csr = (status?: Status): CertificateSigningRequest => ({
  metadata: { name: "c" },
  spec: { request: "", signerName: "example.com/web", usages: [] },
  ...(status ? { status } : {}),
});
const approved: Status = { conditions: [{ type: "Approved", status: "True" }] };
const signed: Status = { ...approved, certificate: "x" };

function write(status: Status, before?: Status, user = bob): Promise<string> {
  return scene.settle(
    assertMaySign(scene.authorizer, user, csr(status), csr(before)).then(
      () => "written",
      (error: Error) => error.message,
    ),
  );
}

test("signers: approving asks for approve on the signer, or on its domain", async () => {
  expect(await write(approved)).toBe(
    'certificatesigningrequests.certificates.k8s.io "c" is forbidden: user not permitted to approve requests with signerName "example.com/web"',
  );
  await mayDo("approve", "example.com/web");
  expect(await write(approved)).toBe("written");
  await mayDo("approve", "example.com/*");
  expect(await write(approved)).toBe("written");
  await mayDo("approve", "example.com/other");
  expect(await write(approved)).toContain("not permitted to approve");
});

test("signers: signing asks for sign, and approving is not enough", async () => {
  await mayDo("approve", "example.com/web");
  expect(await write(signed, approved)).toContain("not permitted to sign requests");
  await mayDo("sign", "example.com/web");
  expect(await write(signed, approved)).toBe("written");
  expect(await write(signed, undefined)).toContain("not permitted to approve");
});

test("signers: an actor approves when it declares to write approvals, and signs nothing by that", async () => {
  const actor = userOfPrincipal(approver);
  expect(await write(approved, undefined, actor)).toBe("written");
  expect(await write(signed, approved, actor)).toContain("not permitted to sign");
});

test("signers: what leaves the status alone asks for nothing", async () => {
  expect(await write(approved, approved)).toBe("written");
});
