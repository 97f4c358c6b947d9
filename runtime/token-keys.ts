/**
 * Keys that sign JSON Web Tokens, and know their own signature again (RFC 7515, 7519).
 *
 * What is in a token, and how long it holds, is its reader's business: nothing here looks at
 * claims. The twin is `runtime/sim/token-keys.ts`; a contract suite holds both to this.
 */

import { createHmac, timingSafeEqual } from "node:crypto";
import {
  calculateJwkThumbprint,
  compactVerify,
  errors,
  exportJWK,
  importJWK,
  importPKCS8,
  type JWK,
  SignJWT,
} from "jose";
import { LRUCache } from "lru-cache";

export type Claims = Readonly<Record<string, unknown>>;

export interface PublicKey {
  readonly kid: string;
  readonly alg: string;
  readonly [member: string]: unknown;
}

export interface TokenKeys {
  sign(claims: Claims): Promise<string>;
  /** The claims of what these keys signed; undefined for anything else. */
  verify(token: string): Promise<Claims | undefined>;
  /** The public keys as a JSON Web Key Set (RFC 7517). */
  readonly jwks: { readonly keys: readonly PublicKey[] };
}

const algorithm = "ES256";
/** In-cluster clients send the same token with each request: a signature is checked once. */
const rememberedTokens = 2_000;

/** `pem`: an ECDSA key on P-256 as PKCS #8, such as `createSigningKey` makes. */
export async function openTokenKeys(pem: string): Promise<TokenKeys> {
  const key = await importPKCS8(pem, algorithm, { extractable: true });
  const { d: _secret, ...open }: JWK = await exportJWK(key);
  const kid = await calculateJwkThumbprint(open);
  const publicKey = await importJWK(open, algorithm);
  const verified = new LRUCache<string, Claims>({ max: rememberedTokens });
  return {
    jwks: { keys: [{ use: "sig", ...open, kid, alg: algorithm }] },
    sign: (claims) =>
      new SignJWT({ ...claims }).setProtectedHeader({ alg: algorithm, kid }).sign(key),
    async verify(token) {
      const known = verified.get(token);
      if (known) return known;
      try {
        const { payload } = await compactVerify(token, publicKey, { algorithms: [algorithm] });
        const claims = parseClaims(new TextDecoder().decode(payload));
        if (claims) verified.set(token, claims);
        return claims;
      } catch (error) {
        if (error instanceof errors.JOSEError) return undefined;
        throw error;
      }
    },
  };
}

/** The claims of a token whoever signed it: enough to see whose business it is, and no more. */
export function unverifiedClaims(token: string): Claims | undefined {
  const [, payload, signature, ...rest] = token.split(".");
  if (!payload || signature === undefined || rest.length > 0) return undefined;
  return parseClaims(Buffer.from(payload, "base64url").toString());
}

function parseClaims(text: string): Claims | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Claims) : undefined;
  } catch {
    return undefined;
  }
}

/** In a time that tells nothing about where they differ. */
export function sameSecret(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** A JSON Web Signature (HS256) of a content that is kept elsewhere (RFC 7515, appendix F). */
export function signDetached(content: string, key: { id: string; secret: string }): string {
  const encode = (text: string): string => Buffer.from(text).toString("base64url");
  const head = encode(JSON.stringify({ alg: "HS256", kid: key.id }));
  const mac = createHmac("sha256", key.secret).update(`${head}.${encode(content)}`);
  return `${head}..${mac.digest("base64url")}`;
}
