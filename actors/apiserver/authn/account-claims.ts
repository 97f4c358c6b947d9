/**
 * What is in the token of a ServiceAccount, and what a reader makes of it. Pure.
 * The claims are public: Vault, cloud providers and others read them (k8s: pkg/serviceaccount).
 */

import type { Claims } from "../../../runtime/token-keys.ts";
import { legacyIssuer, legacyPrefix, type NameAndUid } from "../messages.ts";
import type { User } from "../request.ts";
import { accountGroups, accountUserName, credentialId } from "./user.ts";

export interface AccountToken {
  readonly namespace: string;
  readonly account: NameAndUid;
  readonly pod?: NameAndUid;
  readonly node?: NameAndUid;
  readonly secret?: NameAndUid;
  /** Undefined in the tokens that Secrets hold: they are for the API itself. */
  readonly audiences: readonly string[] | undefined;
  readonly tokenId: string | undefined;
  /** Seconds since the epoch; undefined: for ever. */
  readonly notBefore: number | undefined;
  readonly expires: number | undefined;
}

export interface NewToken extends AccountToken {
  readonly issuer: string;
  readonly issuedAt: number;
  readonly warnAfter?: number;
}

export function boundClaims(token: NewToken): Claims {
  const { namespace, account, pod, node, secret, warnAfter } = token;
  return {
    aud: token.audiences,
    exp: token.expires,
    iat: token.issuedAt,
    iss: token.issuer,
    jti: token.tokenId,
    "kubernetes.io": {
      namespace,
      ...(node ? { node } : {}),
      ...(pod ? { pod } : {}),
      ...(secret ? { secret } : {}),
      serviceaccount: account,
      ...(warnAfter === undefined ? {} : { warnafter: warnAfter }),
    },
    nbf: token.notBefore,
    sub: accountUserName(namespace, account.name),
  };
}

/** Undefined when a claim is missing or the subject says something else than the rest. */
export function readClaims(claims: Claims): AccountToken | undefined {
  const token = claims.iss === legacyIssuer ? readLegacy(claims) : readBound(claims);
  if (!token || claims.sub !== accountUserName(token.namespace, token.account.name)) {
    return undefined;
  }
  return token;
}

function readLegacy(claims: Claims): AccountToken | undefined {
  const of = (name: string): string => String(claims[legacyPrefix + name] ?? "");
  const namespace = of("namespace");
  const account = { name: of("service-account.name"), uid: of("service-account.uid") };
  const secret = { name: of("secret.name"), uid: "" };
  if (!namespace || !account.name || !account.uid || !secret.name) return undefined;
  const timeless = { notBefore: undefined, expires: undefined };
  return { namespace, account, secret, audiences: undefined, tokenId: undefined, ...timeless };
}

function readBound(claims: Claims): AccountToken | undefined {
  const own = (claims["kubernetes.io"] ?? {}) as Record<string, unknown>;
  const account = nameAndUid(own.serviceaccount);
  const { aud, exp, nbf, jti } = claims;
  if (typeof own.namespace !== "string" || !account || typeof exp !== "number") return undefined;
  return {
    namespace: own.namespace,
    account,
    pod: nameAndUid(own.pod),
    node: nameAndUid(own.node),
    secret: nameAndUid(own.secret),
    audiences: [aud ?? []].flat().map(String),
    tokenId: typeof jti === "string" ? jti : undefined,
    notBefore: typeof nbf === "number" ? nbf : undefined,
    expires: exp,
  };
}

function nameAndUid(value: unknown): NameAndUid | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { name, uid = "" } = value as Partial<NameAndUid>;
  return name ? { name, uid } : undefined;
}

export function userOfAccount(token: AccountToken): User {
  const { namespace, account, pod, node, tokenId } = token;
  const extra: Record<string, string[]> = {};
  if (tokenId) extra[credentialId] = [`JTI=${tokenId}`];
  for (const [what, of] of Object.entries({ pod, node })) {
    if (!of) continue;
    extra[`authentication.kubernetes.io/${what}-name`] = [of.name];
    if (of.uid) extra[`authentication.kubernetes.io/${what}-uid`] = [of.uid];
  }
  return {
    name: accountUserName(namespace, account.name),
    uid: account.uid,
    groups: accountGroups(namespace),
    ...(Object.keys(extra).length > 0 ? { extra } : {}),
  };
}
