/** Who you are, over real HTTPS and with stock kubectl. */

import { createLocalJWKSet, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Api } from "../../actors/kit/client.ts";
import { ConfigMap, Node, Pod, Secret, ServiceAccount } from "../../manifests/index.ts";
import { tokenIssuer } from "../harness/api.ts";
import { startHttpsApi, type TestHttpsApi } from "../harness/https.ts";
import { waitFor } from "../harness/wait.ts";

let api: TestHttpsApi;
let admin: Api;

beforeAll(async () => {
  api = await startHttpsApi();
  admin = await api.client();
  await admin.create(ServiceAccount, { metadata: { name: "bot", namespace: "default" } });
});
afterAll(() => api.dispose());

const selfReview = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const whoami = (headers: Record<string, string>) =>
  api.call(selfReview, headers, { kind: "SelfSubjectReview" });

function pod(name: string, nodeName?: string): Pod {
  const spec = { serviceAccountName: "bot", containers: [{ name: "c", image: "nginx" }], nodeName };
  return { metadata: { name, namespace: "default" }, spec };
}

interface Issued {
  status: { token: string; expirationTimestamp: string };
  spec: { audiences: string[]; expirationSeconds: number };
}

async function issue(spec: object, as: Api = admin, account = "bot"): Promise<Issued> {
  const body = { kind: "TokenRequest", apiVersion: "authentication.k8s.io/v1", spec };
  const key = `default/${account}`;
  return (await as.createSubresource(ServiceAccount, key, "token", body)) as Issued;
}

function claimsOf(token: string) {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
}

async function review(token: string, audiences?: string[]) {
  const reviewer = await api.kubectl(["create", "-f", "-", "-o", "json"], {
    input: JSON.stringify({
      kind: "TokenReview",
      apiVersion: "authentication.k8s.io/v1",
      spec: { token, audiences },
    }),
  });
  return JSON.parse(reviewer).status;
}

describe("certificates", () => {
  test("authn: a certificate's user is its subject, and says which certificate it was", async () => {
    const kubeconfig = await api.kubeconfigOf({ user: "jane", groups: ["dev"] });
    const shown = await api.kubectl(["auth", "whoami", "-o", "json"], { kubeconfig });
    expect(JSON.parse(shown).status.userInfo).toEqual({
      username: "jane",
      groups: ["dev", "system:authenticated"],
      extra: {
        "authentication.kubernetes.io/credential-id": [
          expect.stringMatching(/^X509SHA256=[0-9a-f]{64}$/),
        ],
      },
    });
  });

  test("authn: without credentials one is anonymous, and may not even review himself", async () => {
    const { code, body } = await whoami({});
    expect(code).toBe(403);
    expect(body.message).toContain('User "system:anonymous" cannot create');
  });

  test.each(["rubbish", "a.b.c", ""])("authn: the token %j", async (token) => {
    const { code, body } = await whoami(bearer(token));
    // An empty one is none at all.
    expect(code).toBe(token ? 401 : 403);
    if (token) expect(body).toMatchObject({ reason: "Unauthorized", message: "Unauthorized" });
  });
});

describe("ServiceAccount tokens", () => {
  test("token request: kubectl create token makes one that kubectl --token uses", async () => {
    const token = (await api.kubectl(["create", "token", "bot"])).trim();
    const claims = claimsOf(token);
    const account = await admin.get(ServiceAccount, "default/bot");
    const { uid } = account.metadata;
    expect(claims).toEqual({
      aud: [tokenIssuer],
      iss: tokenIssuer,
      sub: "system:serviceaccount:default:bot",
      exp: claims.iat + 3_600,
      nbf: claims.iat,
      iat: expect.any(Number),
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
      "kubernetes.io": { namespace: "default", serviceaccount: { name: "bot", uid } },
    });
    const place = [`--server=https://127.0.0.1:${api.port}`, "--insecure-skip-tls-verify"];
    const args = [...place, `--token=${token}`, "auth", "whoami", "-o", "json"];
    const shown = await api.kubectl(args, { kubeconfig: "/dev/null" });
    expect(JSON.parse(shown).status.userInfo).toEqual({
      username: "system:serviceaccount:default:bot",
      uid,
      groups: ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"],
      extra: { "authentication.kubernetes.io/credential-id": [`JTI=${claims.jti}`] },
    });
  });

  test("token request: bound to a pod it tells where the pod runs, and dies with it", async () => {
    await admin.create(Node, { metadata: { name: "n1" }, spec: {} });
    const made = await admin.create(Pod, pod("bound", "n1"));
    const ref = { kind: "Pod", apiVersion: "v1", name: "bound", uid: made.metadata.uid };
    const { status } = await issue({ audiences: [], boundObjectRef: ref });
    const { body } = await whoami(bearer(status.token));
    expect(body.status.userInfo.extra).toMatchObject({
      "authentication.kubernetes.io/pod-name": ["bound"],
      "authentication.kubernetes.io/pod-uid": [made.metadata.uid],
      "authentication.kubernetes.io/node-name": ["n1"],
      "authentication.kubernetes.io/node-uid": [expect.any(String)],
    });
    await admin.delete(Pod, "default/bound", { gracePeriodSeconds: 0 });
    expect((await whoami(bearer(status.token))).code).toBe(401);
    await admin.create(Pod, pod("bound", "n1"));
    expect((await whoami(bearer(status.token))).code).toBe(401);
  });

  test("token request: a pod's own token lives on for a year, and warns after an hour", async () => {
    const { metadata } = await admin.create(Pod, pod("extended"));
    const boundObjectRef = { kind: "Pod", apiVersion: "v1", name: "extended", uid: metadata.uid };
    const issued = await issue({ audiences: [], expirationSeconds: 3_607, boundObjectRef });
    const claims = claimsOf(issued.status.token);
    expect(claims.exp - claims.iat).toBe(365 * 24 * 3_600);
    expect(claims["kubernetes.io"].warnafter - claims.iat).toBe(3_607);
    expect(Date.parse(issued.status.expirationTimestamp) / 1_000).toBe(claims.iat + 3_607);
  });

  test.each([
    [{ audiences: [], expirationSeconds: 60 }, "may not specify a duration less than 10 minutes"],
    [
      { audiences: [], expirationSeconds: 2 ** 33 },
      "may not specify a duration larger than 2^32 seconds",
    ],
    [
      { audiences: [], boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "none" } },
      'pods "none" not found',
    ],
    [
      { audiences: [], boundObjectRef: { kind: "Job", apiVersion: "batch/v1", name: "j" } },
      "cannot bind token to object of type batch/v1, Kind=Job",
    ],
    [
      {
        audiences: [],
        boundObjectRef: { kind: "Node", apiVersion: "v1", name: "n1", uid: "another" },
      },
      "The object might have been deleted and then recreated",
    ],
  ])("token request: %j is refused", async (spec, why) => {
    await expect(issue(spec)).rejects.toThrow(why);
  });

  test("token request: another account's pod, and an account that is not there", async () => {
    const metadata = { name: "others", namespace: "default" };
    await admin.create(Pod, { metadata, spec: { containers: [{ name: "c", image: "i" }] } });
    const ref = { kind: "Pod", apiVersion: "v1", name: "others" };
    await expect(issue({ audiences: [], boundObjectRef: ref })).rejects.toThrow(
      'cannot bind token for serviceaccount "bot" to pod running with different serviceaccount name.',
    );
    await expect(issue({ audiences: [] }, admin, "nobody")).rejects.toThrow(
      'serviceaccounts "nobody" not found',
    );
  });

  test("token request: a node gets tokens of its own pods, bound to them, and no others", async () => {
    const node = await api.client("system:node:n1");
    const { metadata } = await admin.create(Pod, pod("mine", "n1"));
    const theirs = await admin.create(Pod, pod("theirs", "n2"));
    const ref = (of: Pod, uid = of.metadata.uid) => ({
      audiences: [],
      boundObjectRef: { kind: "Pod", apiVersion: "v1", name: of.metadata.name, uid },
    });
    const issued = await issue(ref({ metadata, spec: { containers: [] } }), node);
    expect((await whoami(bearer(issued.status.token))).code).toBe(201);
    await expect(issue({ audiences: [] }, node)).rejects.toThrow("not bound to a pod");
    await expect(issue(ref(theirs), node)).rejects.toThrow("scheduled on a different node");
    const nameless = {
      audiences: [],
      boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "mine" },
    };
    await expect(issue(nameless, node)).rejects.toThrow("pod binding without a uid");
    await expect(issue(ref(theirs, metadata.uid), node)).rejects.toThrow("does not match the UID");
    // Which pod is meant follows from where is asked, whatever the body says.
    const body = { kind: "TokenRequest", apiVersion: "authentication.k8s.io/v1" };
    const elsewhere = { ...body, metadata: { namespace: "kube-system" }, spec: ref(theirs) };
    await expect(
      node.createSubresource(ServiceAccount, "default/bot", "token", elsewhere),
    ).rejects.toThrow("does not match the namespace");
  });

  test("authn: a token dies with its account, also when one of the same name comes", async () => {
    await admin.create(ServiceAccount, { metadata: { name: "brief", namespace: "default" } });
    const { status } = await issue({ audiences: [] }, admin, "brief");
    expect((await whoami(bearer(status.token))).code).toBe(201);
    await admin.delete(ServiceAccount, "default/brief");
    expect((await whoami(bearer(status.token))).code).toBe(401);
    await admin.create(ServiceAccount, { metadata: { name: "brief", namespace: "default" } });
    expect((await whoami(bearer(status.token))).code).toBe(401);
  });

  test("authn: a token bound to a Secret dies with it; one for others is not for the API", async () => {
    await admin.create(Secret, { metadata: { name: "key", namespace: "default" } });
    const boundObjectRef = { kind: "Secret", apiVersion: "v1", name: "key" };
    const { status } = await issue({ audiences: [], boundObjectRef });
    expect((await whoami(bearer(status.token))).code).toBe(201);
    await admin.delete(Secret, "default/key");
    expect((await whoami(bearer(status.token))).code).toBe(401);
    const foreign = await issue({ audiences: ["vault"] });
    expect((await whoami(bearer(foreign.status.token))).code).toBe(401);
  });

  test("issuer discovery: whoever holds a token can find the keys that signed it", async () => {
    const { status } = await issue({ audiences: [] });
    const headers = bearer(status.token);
    const { body: configuration } = await api.call("/.well-known/openid-configuration", headers);
    expect(configuration).toEqual({
      issuer: tokenIssuer,
      jwks_uri: `${tokenIssuer}/openid/v1/jwks`,
      response_types_supported: ["id_token"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["ES256"],
    });
    const { body: keys } = await api.call("/openid/v1/jwks", headers);
    const { payload } = await jwtVerify(status.token, createLocalJWKSet(keys), {
      issuer: tokenIssuer,
      audience: tokenIssuer,
    });
    expect(payload.sub).toBe("system:serviceaccount:default:bot");
    const jane = await api.kubeconfigOf({ user: "jane", groups: [] });
    const raw = ["get", "--raw", "/openid/v1/jwks"];
    expect(await api.kubectl(raw, { kubeconfig: jane, fails: true })).toContain("Forbidden");
  });

  test("bootstrap: who knows nobody yet reads whom to believe, and nothing else", async () => {
    const place = "/api/v1/namespaces/kube-public/configmaps";
    await waitFor(
      "the role",
      async () => (await api.call(`${place}/cluster-info`)).body.reason === "NotFound",
    );
    expect((await api.call(place)).code).toBe(403);
    expect((await api.call(`${place}/other`)).code).toBe(403);
  });

  test("token review: says whose token it is, and for which of the audiences", async () => {
    const { status } = await issue({ audiences: ["vault", tokenIssuer] });
    expect(await review(status.token, ["vault", "bank"])).toMatchObject({
      authenticated: true,
      audiences: ["vault"],
      user: { username: "system:serviceaccount:default:bot" },
    });
    expect((await review(status.token)).audiences).toEqual([tokenIssuer]);
    expect(await review(status.token, ["bank"])).toMatchObject({
      error: expect.stringContaining('is invalid for the target audiences ["bank"]'),
    });
    expect((await review("rubbish")).authenticated ?? false).toBe(false);
  });
});

describe("pods", () => {
  test("pods: get a token, a CA and their namespace where clients look for them", async () => {
    const { spec } = await admin.create(Pod, pod("plain"));
    const volume = spec.volumes?.[0];
    expect(volume?.name).toMatch(/^kube-api-access-[a-z0-9]{5}$/);
    expect(volume?.projected?.sources?.map((source) => Object.keys(source)[0])).toEqual([
      "serviceAccountToken",
      "configMap",
      "downwardAPI",
    ]);
    expect(spec.containers[0]?.volumeMounts).toEqual([
      {
        name: volume?.name,
        readOnly: true,
        mountPath: "/var/run/secrets/kubernetes.io/serviceaccount",
      },
    ]);
  });

  test("pods: the pod, else its account, says whether there is a token", async () => {
    await admin.create(ServiceAccount, {
      metadata: { name: "shy", namespace: "default" },
      automountServiceAccountToken: false,
      imagePullSecrets: [{ name: "registry" }],
    });
    const shy = pod("shy");
    shy.spec.serviceAccountName = "shy";
    const { spec } = await admin.create(Pod, shy);
    expect([spec.volumes, spec.imagePullSecrets]).toEqual([undefined, [{ name: "registry" }]]);
    const bold = { ...shy, metadata: { ...shy.metadata, name: "bold" } };
    bold.spec = { ...shy.spec, automountServiceAccountToken: true };
    expect((await admin.create(Pod, bold)).spec.volumes).toHaveLength(1);
  });

  test("pods: one without an account is refused in upstream's words", async () => {
    const lost = pod("lost");
    lost.spec.serviceAccountName = "nobody";
    await expect(admin.create(Pod, lost)).rejects.toThrow(
      'pods "lost" is forbidden: error looking up service account default/nobody: serviceaccount "nobody" not found',
    );
  });
});

test("bootstrap: extension API servers find whose client certificates are believed", async () => {
  const name = "kube-system/extension-apiserver-authentication";
  const found = await waitFor("the ConfigMap", () =>
    admin.get(ConfigMap, name).catch(() => undefined),
  );
  expect(found.data).toEqual({ "client-ca-file": api.ca });
});

describe("impersonation", () => {
  test("impersonation: kubectl --as, --as-group, --as-uid", async () => {
    const shown = await api.kubectl(
      ["auth", "whoami", "-o", "json", "--as=jane", "--as-group=dev", "--as-group=ops"].concat(
        "--as-uid=42",
      ),
    );
    expect(JSON.parse(shown).status.userInfo).toEqual({
      username: "jane",
      uid: "42",
      groups: ["dev", "ops", "system:authenticated"],
    });
    const kubeconfig = await api.kubeconfigOf({ user: "eve", groups: [] });
    const refused = await api.kubectl(["get", "pods", "--as=jane"], { kubeconfig, fails: true });
    expect(refused).toContain('User "eve" cannot impersonate resource "users" in API group ""');
  });
});
