/**
 * Tokens of an OpenID Connect issuer: whoever it says somebody is, under a prefix of the
 * cluster's choosing (k8s: plugin/pkg/authenticator/token/oidc). Its keys come over an edge.
 */

import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from "jose";
import type { Clock } from "../../../runtime/clock.ts";
import { errorMessage } from "../../../runtime/errors.ts";
import { unverifiedClaims } from "../../../runtime/token-keys.ts";
import type { User } from "../request.ts";
import { type TokenAuthenticator, TokenError } from "./authenticator.ts";

/** As upstream's --oidc-… flags have them. */
export interface OidcOptions {
  readonly issuerUrl: string;
  readonly clientId: string;
  /** Default `sub`. */
  readonly usernameClaim: string;
  /** Empty: the issuer's URL and `#`, unless the claim is `email`; `-`: none. */
  readonly usernamePrefix: string;
  /** Empty: no groups. */
  readonly groupsClaim: string;
  readonly groupsPrefix: string;
  readonly requiredClaims: Readonly<Record<string, string>>;
}

/** The issuer's keys as they are now. Rejects when it cannot be reached. */
export type FetchKeys = () => Promise<JSONWebKeySet>;

const algorithms = ["RS256"];
/** A key that we do not know may be new; but nobody can make us ask more often than this. */
const askAgainMs = 10_000;

export function oidcTokens(
  options: OidcOptions,
  fetchKeys: FetchKeys,
  clock: Clock,
): TokenAuthenticator {
  const { issuerUrl: issuer, clientId: audience } = options;
  let held: JSONWebKeySet | undefined;
  let fetchedMs = Number.NEGATIVE_INFINITY;

  async function refresh(): Promise<void> {
    if (clock.monotonic() - fetchedMs < askAgainMs) return;
    fetchedMs = clock.monotonic();
    held = await fetchKeys();
  }

  async function verify(token: string): Promise<JWTPayload> {
    if (!held) await refresh();
    if (!held) throw new TokenError("oidc: authenticator not initialized");
    const currentDate = new Date(clock.now());
    const wanted = { issuer, audience, algorithms, currentDate, requiredClaims: ["exp"] };
    return (await jwtVerify(token, createLocalJWKSet(held), wanted)).payload;
  }

  return async (token, audiences) => {
    if (unverifiedClaims(token)?.iss !== issuer) return undefined;
    try {
      const payload = await verify(token).catch(async (error: unknown) => {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
        await refresh();
        return await verify(token);
      });
      return { user: userOfClaims(payload, options), audiences };
    } catch (error) {
      if (error instanceof TokenError) throw error;
      throw new TokenError(`oidc: verify token: ${errorMessage(error)}`, { cause: error });
    }
  };
}

/** Throws a TokenError when a claim is missing or not as required. */
export function userOfClaims(claims: JWTPayload, options: OidcOptions): User {
  const { usernameClaim, groupsClaim, groupsPrefix, requiredClaims } = options;
  const name = claims[usernameClaim];
  if (typeof name !== "string") {
    throw new TokenError(`oidc: parse username claims "${usernameClaim}": claim not present`);
  }
  if (usernameClaim === "email" && claims.email_verified === false) {
    throw new TokenError("oidc: email not verified");
  }
  for (const [claim, value] of Object.entries(requiredClaims)) {
    if (claims[claim] === value) continue;
    throw new TokenError(`oidc: required claim ${claim} is not "${value}" in ID token`);
  }
  const given = groupsClaim ? [claims[groupsClaim] ?? []].flat() : [];
  if (!given.every((group) => typeof group === "string")) {
    throw new TokenError(`oidc: parse groups claim "${groupsClaim}": not a list of names`);
  }
  return {
    name: usernamePrefix(options) + name,
    groups: given.map((group) => groupsPrefix + String(group)),
  };
}

function usernamePrefix({ usernamePrefix: prefix, usernameClaim, issuerUrl }: OidcOptions): string {
  if (prefix === "-") return "";
  return prefix || (usernameClaim === "email" ? "" : `${issuerUrl}#`);
}
