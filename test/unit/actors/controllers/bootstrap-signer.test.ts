import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { signaturesOf } from "../../../../actors/controllers/bootstrap-signer.ts";
import type { Secret } from "../../../../manifests/index.ts";

const nowMs = Date.parse("2026-01-01T00:00:00Z");

function secret(id: string, fields: Record<string, string>): Secret {
  const all = { "token-id": id, "token-secret": "0123456789abcdef", ...fields };
  const data = Object.entries(all).map(([key, value]) => [
    key,
    Buffer.from(value).toString("base64"),
  ]);
  return {
    metadata: { name: `bootstrap-token-${id}`, namespace: "kube-system" },
    type: "bootstrap.kubernetes.io/token",
    data: Object.fromEntries(data),
  };
}

const signs = { "usage-bootstrap-signing": "true" };

test("bootstrap-signer: a signature for each token that signs and still holds", () => {
  const signatures = signaturesOf(
    "content",
    [
      secret("abcdef", signs),
      secret("nosign", {}),
      secret("lapsed", { ...signs, expiration: "2025-12-31T00:00:00Z" }),
      { metadata: { name: "other", namespace: "kube-system" }, type: "Opaque" },
    ],
    nowMs,
  );
  expect(Object.keys(signatures)).toEqual(["jws-kubeconfig-abcdef"]);
  const [head, body, mac] = signatures["jws-kubeconfig-abcdef"]?.split(".") ?? [];
  expect(Buffer.from(head ?? "", "base64url").toString()).toBe('{"alg":"HS256","kid":"abcdef"}');
  expect(body).toBe("");
  const payload = Buffer.from("content").toString("base64url");
  const expected = createHmac("sha256", "0123456789abcdef").update(`${head}.${payload}`);
  expect(mac).toBe(expected.digest("base64url"));
});
