/** Tokens in virtual time: what runs out, what is waited for, and what is still allowed to speak. */

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { serviceAccount } from "../../../../../actors/controllers/service-account.ts";
import {
  type AuthenticationTokenRequest,
  Namespace,
  Pod,
  Secret,
  ServiceAccount,
  TokenReview,
  type TokenReviewStatus,
} from "../../../../../manifests/index.ts";
import { createSimTokenKeys } from "../../../../../runtime/sim/token-keys.ts";
import { type Scene, startScene } from "../../../../harness/controller.ts";

const issuer = "https://kubernetes.default.svc.cluster.local";
const keys = createSimTokenKeys();
let scene: Scene;

beforeEach(async () => {
  scene = await startScene({ tokens: { keys, issuer }, writes: serviceAccount.writes });
  const metadata = { name: "bot", namespace: "default" };
  await scene.settle(scene.api.create(ServiceAccount, { metadata }));
});
afterEach(() => scene.dispose());

async function issue(spec: object = {}): Promise<string> {
  const body = { kind: "TokenRequest", spec: { audiences: [], ...spec } };
  const asked = scene.api.createSubresource(ServiceAccount, "default/bot", "token", body);
  const { status } = (await scene.settle(asked)) as AuthenticationTokenRequest;
  return status?.token ?? "";
}

async function review(token: string): Promise<TokenReviewStatus> {
  const asked = scene.api.create(TokenReview, { metadata: { name: "" }, spec: { token } });
  return (await scene.settle(asked)).status ?? {};
}

function pod(name: string, namespace: string, spec: Partial<Pod["spec"]> = {}): Pod {
  const containers = [{ name: "main", image: "nginx" }];
  return { metadata: { name, namespace }, spec: { containers, ...spec } };
}

describe("account tokens", () => {
  test("account tokens: one is good until it runs out", async () => {
    const token = await issue({ expirationSeconds: 600 });
    await scene.passes(598_000);
    expect((await review(token)).authenticated).toBe(true);
    await scene.passes(4_000);
    expect(await review(token)).toMatchObject({
      authenticated: false,
      error: "[invalid bearer token, service account token has expired]",
    });
  });

  test("account tokens: what was told to go may speak for a minute more, and then no longer", async () => {
    const held = pod("held", "default", { serviceAccountName: "bot" });
    const finalizers = ["test/hold"];
    const made = { ...held, metadata: { ...held.metadata, finalizers } };
    const { metadata } = await scene.settle(scene.api.create(Pod, made));
    const { name, uid } = metadata;
    const token = await issue({ boundObjectRef: { kind: "Pod", apiVersion: "v1", name, uid } });
    await scene.settle(scene.api.delete(Pod, "default/held"));
    await scene.passes(50_000);
    expect((await review(token)).authenticated).toBe(true);
    await scene.passes(15_000);
    expect((await review(token)).error).toContain("pod has been deleted");
  });

  test("account tokens: signed by others, or not yet valid, they are not believed", async () => {
    const stolen = await createSimTokenKeys("another").sign({ iss: issuer });
    expect((await review(stolen)).error).toContain("invalid signature or claims");
    const account = await scene.settle(scene.api.get(ServiceAccount, "default/bot"));
    const now = Math.floor(scene.world.clock.now() / 1_000);
    const claims = {
      iss: issuer,
      aud: [issuer],
      sub: "system:serviceaccount:default:bot",
      nbf: now + 60,
      exp: now + 600,
      "kubernetes.io": {
        namespace: "default",
        serviceaccount: { name: "bot", uid: account.metadata.uid },
      },
    };
    expect((await review(await keys.sign(claims))).error).toContain("not valid yet");
    const other = { ...claims, nbf: now, sub: "system:serviceaccount:kube-system:bot" };
    expect((await review(await keys.sign(other))).error).toContain("invalid signature or claims");
    expect((await review(await keys.sign({ ...claims, nbf: now }))).authenticated).toBe(true);
  });

  test("pods: one that comes with its namespace waits for the account of it", async () => {
    await scene.settle(scene.api.create(Namespace, { metadata: { name: "team" }, spec: {} }));
    const made = scene.settle(scene.api.create(Pod, pod("early", "team")));
    scene.run(serviceAccount);
    expect((await made).spec.volumes).toHaveLength(1);
    const other = scene.api.create(Pod, pod("other", "default", { serviceAccountName: "none" }));
    await expect(scene.settle(other)).rejects.toThrow('serviceaccount "none" not found');
  });

  test("legacy: a Secret's token needs the Secret, and the token in it", async () => {
    const { metadata } = await scene.settle(scene.api.get(ServiceAccount, "default/bot"));
    const prefix = "kubernetes.io/serviceaccount/";
    const token = await keys.sign({
      iss: "kubernetes/serviceaccount",
      sub: "system:serviceaccount:default:bot",
      [`${prefix}namespace`]: "default",
      [`${prefix}secret.name`]: "s",
      [`${prefix}service-account.name`]: "bot",
      [`${prefix}service-account.uid`]: metadata.uid,
    });
    expect((await review(token)).error).toContain("secret default/s was not found");
    const secret = { metadata: { name: "s", namespace: "default" } };
    const made = await scene.settle(scene.api.create(Secret, secret));
    expect((await review(token)).error).toContain("does not match server's copy");
    const data = { token: Buffer.from(token).toString("base64") };
    await scene.settle(scene.api.update(Secret, { ...made, data }));
    expect((await review(token)).authenticated).toBe(true);
  });
});
