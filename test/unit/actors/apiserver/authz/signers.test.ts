import { afterEach, beforeEach, expect, test } from "vitest";
import {
  certificateApproval,
  certificateSigning,
} from "../../../../../actors/apiserver/admission/certificates.ts";
import type {
  AdmissionContext,
  Attributes,
} from "../../../../../actors/apiserver/admission/chain.ts";
import { userOfPrincipal } from "../../../../../actors/apiserver/authn/user.ts";
import {
  CertificateSigningRequest,
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

const resource = { kind: CertificateSigningRequest, stored: CertificateSigningRequest };

function write(subresource: string, status: Status, before?: Status, user = bob): Promise<string> {
  const plugin = subresource === "approval" ? certificateApproval : certificateSigning;
  const [object, old] = [csr(status), csr(before)];
  const about = { operation: "UPDATE", resource, subresource, namespace: "", name: "c" };
  const attributes = { ...about, object, old, user } as unknown as Attributes;
  const context = {
    allows: async (wanted) =>
      (await scene.authorizer.judge({ subresource: "", namespace: "", ...wanted, user })).allowed,
  } as AdmissionContext;
  async function judge(): Promise<string> {
    expect(plugin.handles(attributes)).toBe(true);
    await plugin.validate?.(attributes, context);
    return "written";
  }
  return scene.settle(judge().catch((error: Error) => error.message));
}

test("signers: approving asks for approve on the signer, or on its domain", async () => {
  expect(await write("approval", approved)).toBe(
    'certificatesigningrequests.certificates.k8s.io "c" is forbidden: user not permitted to approve requests with signerName "example.com/web"',
  );
  await mayDo("approve", "example.com/web");
  expect(await write("approval", approved)).toBe("written");
  await mayDo("approve", "example.com/*");
  expect(await write("approval", approved)).toBe("written");
  await mayDo("approve", "example.com/other");
  expect(await write("approval", approved)).toContain("not permitted to approve");
});

test("signers: signing asks for sign, and approving is not enough", async () => {
  await mayDo("approve", "example.com/web");
  expect(await write("status", signed, approved)).toContain("not permitted to sign requests");
  await mayDo("sign", "example.com/web");
  expect(await write("status", signed, approved)).toBe("written");
  expect(await write("approval", approved)).toContain("not permitted to approve");
});

test("signers: an actor approves when it declares to write approvals, and signs nothing by that", async () => {
  const actor = userOfPrincipal(approver);
  expect(await write("approval", approved, undefined, actor)).toBe("written");
  expect(await write("status", signed, approved, actor)).toContain("not permitted to sign");
});

test("signers: a status without signature or failure asks for nothing", async () => {
  expect(await write("status", approved, approved)).toBe("written");
});
