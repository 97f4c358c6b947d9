/** Certificates and Secret tokens: asked for, approved, signed, used, and cleaned away. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { controllersWrites } from "../../actors/controllers/controllers.ts";
import { controllers } from "../../actors/controllers/index.ts";
import { type Api, createApi } from "../../actors/kit/client.ts";
import { createInformers } from "../../actors/kit/informer.ts";
import { ownerWrites } from "../../actors/kit/owned.ts";
import { grantsOf } from "../../actors/kit/writes.ts";
import { CertificateSigningRequest, Secret, ServiceAccount } from "../../manifests/index.ts";
import { createRequest, createSigner } from "../../runtime/certificate-requests.ts";
import { createLog } from "../../runtime/log.ts";
import { createSigningKey, describeCertificate } from "../../runtime/pki.ts";
import { realClock, realRandom } from "../../runtime/real.ts";
import { createSystem } from "../../runtime/supervisor.ts";
import { openTokenKeys } from "../../runtime/token-keys.ts";
import { apiPrincipal, tokenIssuer } from "../harness/api.ts";
import { startHttpsApi, type TestHttpsApi } from "../harness/https.ts";
import { waitFor } from "../harness/wait.ts";

const principal = "system:wherry:controllers";
const tested = ["token", "csr-approving", "csr-signing", "csr-cleaner"];
const log = createLog({ level: "silent" });

let api: TestHttpsApi;
let admin: Api;
let stop: () => Promise<void>;

beforeAll(async () => {
  const keys = await openTokenKeys(await createSigningKey());
  const grants = new Map([
    [apiPrincipal, grantsOf(ownerWrites)],
    [principal, grantsOf(controllersWrites)],
  ]);
  api = await startHttpsApi({ grants, tokens: { keys, issuer: tokenIssuer } });
  admin = await api.client();
  const bus = await api.connect(principal);
  const world = { clock: realClock, random: realRandom, log, bus };
  const system = createSystem(world);
  const informers = createInformers(createApi(bus, realClock, { principal, writes: [] }), world);
  const signer = createSigner(api.authority, realClock);
  for (const controller of controllers({ caPem: api.ca, tokenKeys: keys, signer })) {
    if (tested.includes(controller.name)) system.spawn(controller, { principal, informers });
  }
  stop = async () => {
    await system.stop();
    informers.close();
  };
});

afterAll(async () => {
  await stop();
  await api.dispose();
});

const clientSigner = "kubernetes.io/kube-apiserver-client";
const nodeSigner = "kubernetes.io/kube-apiserver-client-kubelet";
const clientUsages = ["digital signature", "client auth"];

interface Asked {
  readonly name: string;
  readonly user?: string;
  readonly groups?: string[];
  readonly names?: string[];
  readonly spec?: Partial<Record<keyof CertificateSigningRequest["spec"], unknown>>;
  readonly as?: Api;
}

/** Resolves with the key. */
async function ask({ name, user = "jane", groups = [], names, spec, as = admin }: Asked) {
  const { key, request } = await createRequest({ user, groups, names });
  await as.create(CertificateSigningRequest, {
    metadata: { name },
    spec: {
      request: Buffer.from(request).toString("base64"),
      signerName: clientSigner,
      usages: clientUsages,
      ...spec,
    } as CertificateSigningRequest["spec"],
  });
  return key;
}

async function signed(name: string): Promise<string> {
  const certificate = await waitFor(`the certificate of ${name}`, async () => {
    const { status } = await admin.get(CertificateSigningRequest, name);
    return status?.certificate;
  });
  return Buffer.from(certificate, "base64").toString();
}

const whoami = (identity: { key: string; cert: string }) =>
  api.call(
    "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    {},
    { kind: "SelfSubjectReview" },
    identity,
  );

describe("certificate requests", () => {
  test("csr: approved with kubectl it is signed, and its owner is known by it", async () => {
    const key = await ask({ name: "jane", groups: ["dev"], spec: { expirationSeconds: 3_600 } });
    const listed = await api.kubectl(["get", "csr", "jane"]);
    expect(listed).toMatch(/kube-apiserver-client +wherry-admin +60m +Pending/);
    await api.kubectl(["certificate", "approve", "jane"]);
    const cert = await signed("jane");
    const facts = describeCertificate(cert);
    expect(facts).toMatchObject({ commonName: "jane", organizations: ["dev"], isAuthority: false });
    expect(facts.notAfter - realClock.now()).toBeLessThanOrEqual(3_600_000);
    const { body } = await whoami({ key, cert });
    expect(body.status.userInfo).toMatchObject({
      username: "jane",
      groups: ["dev", "system:authenticated"],
    });
    const { spec, status } = await admin.get(CertificateSigningRequest, "jane");
    expect(spec.username).toBe("wherry-admin");
    expect(status?.conditions).toMatchObject([{ type: "Approved", reason: "KubectlApprove" }]);
  });

  test("csr: denied with kubectl it is not signed, and cannot be approved any more", async () => {
    await ask({ name: "denied" });
    await api.kubectl(["certificate", "deny", "denied"]);
    const { status } = await admin.get(CertificateSigningRequest, "denied");
    expect(status?.conditions).toMatchObject([{ type: "Denied", status: "True" }]);
    const conditions = ["Denied", "Approved"].map((type) => ({ type, status: "True" }));
    const change = { status: { conditions } };
    const how = { type: "strategic", subresource: "approval" } as const;
    const refused = admin.patch(CertificateSigningRequest, "denied", change, how);
    await expect(refused).rejects.toThrow("Approved and Denied conditions are mutually exclusive");
  });

  test("csr: a node renews its own certificate without a person", async () => {
    const node = await api.client("system:node:n1");
    const user = "system:node:n1";
    const asked = { user, groups: ["system:nodes"], spec: { signerName: nodeSigner }, as: node };
    const key = await ask({ name: "renewed", ...asked });
    const cert = await signed("renewed");
    expect((await whoami({ key, cert })).body.status.userInfo.username).toBe(user);
    const { status } = await admin.get(CertificateSigningRequest, "renewed");
    expect(status?.conditions).toMatchObject([
      {
        type: "Approved",
        reason: "AutoApproved",
        message: "Auto approving self kubelet client certificate after SubjectAccessReview.",
      },
    ]);
  });

  test.each([
    ["names", { names: ["a.example"] }, "DNS subjectAltNames are not allowed"],
    ["group", { groups: ["dev"] }, "subject organization is not system:nodes"],
    ["user", { user: "jane" }, "subject common name does not begin with system:node:"],
    [
      "usage",
      { spec: { signerName: nodeSigner, usages: ["server auth"] } },
      "usages did not match client auth, digital signature, key encipherment",
    ],
  ])("csr: what the node signer does not take fails, by its %s", async (name, parts, why) => {
    const of = {
      user: "system:node:n2",
      groups: ["system:nodes"],
      spec: { signerName: nodeSigner },
    };
    await ask({ name: `bad-${name}`, ...of, ...parts });
    await api.kubectl(["certificate", "approve", `bad-${name}`]);
    const failed = await waitFor("the failure", async () => {
      const { status } = await admin.get(CertificateSigningRequest, `bad-${name}`);
      return status?.conditions?.find(({ type }) => type === "Failed");
    });
    expect(failed).toMatchObject({ reason: "SignerValidationFailure", message: why });
  });

  test.each([
    [{ signerName: "nobody" }, "must be a fully qualified domain and path of the form"],
    [{ expirationSeconds: 60 }, "may not specify a duration less than 600 seconds"],
    [{ usages: [] }, "spec.usages: Required value"],
    [{ usages: ["flying"] }, 'spec.usages[0]: Unsupported value: "flying"'],
    [{ request: "cnViYmlzaA==" }, "PEM block type must be CERTIFICATE REQUEST"],
  ])("csr: %j is refused", async (spec, why) => {
    await expect(ask({ name: "bad", spec })).rejects.toThrow(why);
  });

  test("csr: nobody becomes a master by a signature", async () => {
    await expect(ask({ name: "root", groups: ["system:masters"] })).rejects.toThrow(
      "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed",
    );
  });

  test("csr: who asks is noted by the API, and what was asked for stays", async () => {
    await ask({ name: "fixed", spec: { username: "somebody-else", groups: ["system:masters"] } });
    const found = await admin.get(CertificateSigningRequest, "fixed");
    expect(found.spec.username).toBe("wherry-admin");
    const spec = { ...found.spec, signerName: "kubernetes.io/legacy-unknown" };
    const updated = await admin.update(CertificateSigningRequest, { ...found, spec });
    expect(updated.spec.signerName).toBe(clientSigner);
  });
});

describe("Secrets with tokens", () => {
  const secret = (name: string, account: string): Secret => ({
    metadata: {
      name,
      namespace: "default",
      annotations: { "kubernetes.io/service-account.name": account },
    },
    type: "kubernetes.io/service-account-token",
  });

  test("token: a Secret is filled for its account, is good while it holds, and goes with it", async () => {
    await admin.create(ServiceAccount, { metadata: { name: "old", namespace: "default" } });
    await admin.create(Secret, secret("old-token", "old"));
    const data = await waitFor("the token", async () => {
      const found = await admin.get(Secret, "default/old-token");
      return found.data?.token ? found.data : undefined;
    });
    const plain = (field: string) => Buffer.from(data[field] ?? "", "base64").toString();
    expect([plain("ca.crt"), plain("namespace")]).toEqual([api.ca, "default"]);
    const headers = { authorization: `Bearer ${plain("token")}` };
    const path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    const { body } = await api.call(path, headers, { kind: "SelfSubjectReview" });
    expect(body.status.userInfo.username).toBe("system:serviceaccount:default:old");

    await admin.delete(ServiceAccount, "default/old");
    await waitFor("the Secret to go", async () =>
      admin.get(Secret, "default/old-token").then(
        () => false,
        () => true,
      ),
    );
    expect((await api.call(path, headers, { kind: "SelfSubjectReview" })).code).toBe(401);
  });

  test("token: a Secret for nobody does not stay", async () => {
    await admin.create(Secret, secret("nobodys", "nobody"));
    await waitFor("the Secret to go", async () =>
      admin.get(Secret, "default/nobodys").then(
        () => false,
        () => true,
      ),
    );
  });
});
