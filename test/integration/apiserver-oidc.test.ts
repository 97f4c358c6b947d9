/** An OpenID issuer of the test's own, over HTTPS with a CA of its own, and an API that believes it. */

import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fetchOidcKeys } from "../../actors/apiserver/doors/oidc-keys.ts";
import type { Api } from "../../actors/kit/client.ts";
import { Secret } from "../../manifests/index.ts";
import { createAuthority, issueServerCertificate } from "../../runtime/pki.ts";
import { realClock } from "../../runtime/real.ts";
import { startHttpsApi, type TestHttpsApi } from "../harness/https.ts";

type Keys = Awaited<ReturnType<typeof generateKeyPair>>;

const validity = { clock: realClock, days: 1 };
let issuer: Server;
let issuerUrl: string;
let keys: Keys;
let published: object[];
let asked = 0;
let api: TestHttpsApi;
let admin: Api;

beforeAll(async () => {
  keys = await generateKeyPair("RS256");
  published = [{ ...(await exportJWK(keys.publicKey)), kid: "one", alg: "RS256", use: "sig" }];
  const authority = await createAuthority({ commonName: "issuer", ...validity });
  const hosts = ["127.0.0.1"];
  const served = await issueServerCertificate(authority, { commonName: "id", hosts, ...validity });
  issuer = createServer({ key: served.key, cert: served.certificate }, (request, response) => {
    asked++;
    const isKeys = request.url === "/keys";
    const configuration = { issuer: issuerUrl, jwks_uri: `${issuerUrl}/keys` };
    response.end(JSON.stringify(isKeys ? { keys: published } : configuration));
  });
  await new Promise<void>((resolve) => issuer.listen(0, "127.0.0.1", resolve));
  issuerUrl = `https://127.0.0.1:${(issuer.address() as AddressInfo).port}`;
  const options = {
    issuerUrl,
    clientId: "wherry",
    usernameClaim: "email",
    usernamePrefix: "id:",
    groupsClaim: "groups",
    groupsPrefix: "id:",
    requiredClaims: { hd: "example.com" },
  };
  const fetchKeys = fetchOidcKeys({ issuerUrl, ca: authority.certificate });
  api = await startHttpsApi({ oidc: { options, fetchKeys }, anonymousAuth: false });
  admin = await api.client();
});

afterAll(async () => {
  await api.dispose();
  issuer.close();
});

const claims = { email: "jane@example.com", groups: ["dev"], hd: "example.com" };

async function tokenOf(
  more: object = {},
  { kid = "one", by = keys.privateKey, audience = "wherry", expires = "5m" } = {},
): Promise<string> {
  return await new SignJWT({ ...claims, ...more })
    .setProtectedHeader({ alg: "RS256", kid })
    .setIssuer(issuerUrl)
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime(expires)
    .sign(by);
}

const whoami = (token: string) =>
  api.call(
    "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    { authorization: `Bearer ${token}` },
    { kind: "SelfSubjectReview" },
  );

describe("oidc", () => {
  test("oidc: whoever the issuer names is known, by kubectl --token too", async () => {
    const { body } = await whoami(await tokenOf());
    expect(body.status.userInfo).toEqual({
      username: "id:jane@example.com",
      groups: ["id:dev", "system:authenticated"],
    });
  });

  test("oidc: what was issued for others, has run out, lacks a claim or is forged is refused", async () => {
    const other = await generateKeyPair("RS256");
    const refused = [
      await tokenOf({}, { audience: "others" }),
      await tokenOf({}, { expires: "-1m" }),
      await tokenOf({ hd: "elsewhere" }),
      await tokenOf({ email: undefined }),
      await tokenOf({}, { by: other.privateKey }),
    ];
    for (const token of refused) expect((await whoami(token)).code).toBe(401);
  });

  test("oidc: tokens of unknown keys do not make us ask the issuer again and again", async () => {
    const before = asked;
    const unknown = await generateKeyPair("RS256");
    for (let nth = 0; nth < 5; nth++) {
      const token = await tokenOf({}, { kid: `new-${nth}`, by: unknown.privateKey });
      expect((await whoami(token)).code).toBe(401);
    }
    expect(asked - before).toBeLessThanOrEqual(2);
  });

  test("oidc: an issuer that another CA vouches for is not believed", async () => {
    await expect(fetchOidcKeys({ issuerUrl, ca: api.ca })()).rejects.toThrow("certificate");
  });
});

describe("bootstrap tokens", () => {
  const secret = (id: string, fields: Record<string, string>): Secret => ({
    metadata: { name: `bootstrap-token-${id}`, namespace: "kube-system" },
    type: "bootstrap.kubernetes.io/token",
    stringData: { "token-id": id, "token-secret": "0123456789abcdef", ...fields },
  });
  const authenticates = { "usage-bootstrap-authentication": "true" };

  test("bootstrap token: its holder is system:bootstrap:<id>, in the groups of its Secret", async () => {
    const groups = "system:bootstrappers:workers";
    await admin.create(Secret, secret("abcdef", { ...authenticates, "auth-extra-groups": groups }));
    const { body } = await whoami("abcdef.0123456789abcdef");
    expect(body.status.userInfo).toEqual({
      username: "system:bootstrap:abcdef",
      groups: ["system:bootstrappers", groups, "system:authenticated"],
    });
    await admin.delete(Secret, "kube-system/bootstrap-token-abcdef");
    expect((await whoami("abcdef.0123456789abcdef")).code).toBe(401);
  });

  test.each([
    ["wrong1", "has another secret", authenticates, "fedcba9876543210"],
    ["unused", "is not for this", {}, "0123456789abcdef"],
    ["lapsed", "has run out", { ...authenticates, expiration: "2020-01-01T00:00:00Z" }, undefined],
    [
      "groups",
      "wants a group it cannot have",
      { ...authenticates, "auth-extra-groups": "system:masters" },
      undefined,
    ],
  ])("bootstrap token: %s %s", async (id, _, fields, shown = "0123456789abcdef") => {
    await admin.create(Secret, secret(id, fields));
    expect((await whoami(`${id}.${shown}`)).code).toBe(401);
  });

  test("anonymous: may be turned off altogether", async () => {
    expect((await api.call("/version")).code).toBe(401);
  });
});
