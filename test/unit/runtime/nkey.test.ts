import { nkeys } from "nats";
import { expect, test } from "vitest";
import { nkeyAuthenticator, nkeyOf } from "../../../runtime/nkey.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

test.each([
  ["user", nkeys.createUser],
  ["account", nkeys.createAccount],
])("nkey: of any %s is the client's own, name and signature", (_, create) => {
  for (let i = 0; i < 20; i++) {
    const theirs = create();
    const ours = nkeyOf(text(theirs.getSeed()));
    expect(ours.publicKey).toBe(theirs.getPublicKey());
    const data = new TextEncoder().encode(`challenge ${i}`);
    expect(theirs.verify(data, ours.sign(data))).toBe(true);
  }
});

test("nkey: the authenticator signs the challenge as the server reads it", async () => {
  const theirs = nkeys.createUser();
  const answer = nkeyAuthenticator(text(theirs.getSeed()))("nonce") as {
    nkey: string;
    sig: string;
  };
  expect(answer.nkey).toBe(theirs.getPublicKey());
  const signature = Buffer.from(answer.sig, "base64url");
  expect(theirs.verify(new TextEncoder().encode("nonce"), signature)).toBe(true);
});

test("nkey: what is no seed is refused", () => {
  const seed = text(nkeys.createUser().getSeed());
  const damaged = seed.slice(0, 20) + (seed[20] === "A" ? "B" : "A") + seed.slice(21);
  for (const bad of ["", "SU", damaged, seed.slice(0, -1)]) {
    expect(() => nkeyOf(bad)).toThrow("not the seed of a NATS key");
  }
});
