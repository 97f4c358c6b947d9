/**
 * The twin of `runtime/token-keys.ts`: signs at once, for thread-pool work has no place in virtual
 * time. Its signatures are HMACs with a key of their own, so that a forged token is refused here too.
 */

import { createHmac } from "node:crypto";
import { type TokenKeys, unverifiedClaims } from "../token-keys.ts";

export function createSimTokenKeys(secret = "simulated"): TokenKeys {
  const seal = (text: string): string =>
    createHmac("sha256", secret).update(text).digest("base64url");
  const encode = (value: object): string =>
    Buffer.from(JSON.stringify(value)).toString("base64url");
  return {
    jwks: { keys: [{ use: "sig", kty: "oct", kid: "sim", alg: "HS256" }] },
    sign(claims) {
      const text = `${encode({ alg: "HS256", kid: "sim" })}.${encode(claims)}`;
      return Promise.resolve(`${text}.${seal(text)}`);
    },
    verify(token) {
      const end = token.lastIndexOf(".");
      const genuine = end > 0 && seal(token.slice(0, end)) === token.slice(end + 1);
      return Promise.resolve(genuine ? unverifiedClaims(token) : undefined);
    },
  };
}
