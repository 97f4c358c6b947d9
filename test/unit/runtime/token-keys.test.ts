import { beforeAll, describe, expect, test } from "vitest";
import { createSigningKey } from "../../../runtime/pki.ts";
import { createSimTokenKeys } from "../../../runtime/sim/token-keys.ts";
import { openTokenKeys, type TokenKeys, unverifiedClaims } from "../../../runtime/token-keys.ts";

const claims = { iss: "us", sub: "somebody", n: 1 };

describe.each([
  ["jose", async () => openTokenKeys(await createSigningKey())],
  ["sim", async () => createSimTokenKeys("one")],
] as const)("token keys of %s", (_name, make) => {
  let keys: TokenKeys;
  beforeAll(async () => {
    keys = await make();
  });

  test("token-keys: know their own signature, and give the claims back, twice", async () => {
    const token = await keys.sign(claims);
    expect(await keys.verify(token)).toEqual(claims);
    expect(await keys.verify(token)).toEqual(claims);
    expect(unverifiedClaims(token)).toEqual(claims);
  });

  test("token-keys: refuse changed claims, a cut signature, and what is no token", async () => {
    const [head, , signature] = (await keys.sign(claims)).split(".");
    const other = Buffer.from(JSON.stringify({ ...claims, sub: "root" })).toString("base64url");
    for (const forged of [`${head}.${other}.${signature}`, `${head}.${other}.`, "", "a.b.c", "x"]) {
      expect(await keys.verify(forged), forged).toBeUndefined();
    }
  });
});

test("token-keys: refuse another key's token, and one that needs no signature", async () => {
  const [ours, theirs] = [await createSigningKey(), await createSigningKey()];
  const keys = await openTokenKeys(ours);
  expect(await keys.verify(await (await openTokenKeys(theirs)).sign(claims))).toBeUndefined();
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  expect(await keys.verify(`${part({ alg: "none" })}.${part(claims)}.`)).toBeUndefined();
  expect(await createSimTokenKeys("a").verify(await createSimTokenKeys("b").sign(claims))).toBe(
    undefined,
  );
});

test("token-keys: the key set is public, and names the key that tokens name", async () => {
  const keys = await openTokenKeys(await createSigningKey());
  const [key] = keys.jwks.keys;
  expect(key).toMatchObject({ kty: "EC", crv: "P-256", alg: "ES256", use: "sig" });
  expect(key?.d).toBeUndefined();
  const [head = ""] = (await keys.sign(claims)).split(".");
  expect(JSON.parse(Buffer.from(head, "base64url").toString())).toEqual({
    alg: "ES256",
    kid: key?.kid,
  });
});
