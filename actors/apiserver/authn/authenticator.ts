/**
 * Who a request over HTTPS comes from: the client certificate, else the bearer token, else nobody.
 *
 * In upstream's order (k8s: kubeapiserver/authenticator/config.go): the first that knows the
 * credentials wins. Credentials that nobody takes are refused, also where asking without any is
 * allowed: a client whose token has run out must learn of it.
 */

import { apiError } from "../../../manifests/api-error.ts";
import { errorMessage } from "../../../runtime/errors.ts";
import type { User } from "../request.ts";
import { type ClientCertificate, userOfCertificate } from "./certificate.ts";
import { anonymous, authenticatedGroup } from "./user.ts";

export interface Credentials {
  readonly certificate?: ClientCertificate;
  readonly token?: string;
}

export interface Authenticated {
  readonly user: User;
  /** Those of the asked-for audiences that the token is meant for. */
  readonly audiences: readonly string[];
}

/** Undefined: not a token of this kind. Throws a TokenError for one that is, and does not hold. */
export type TokenAuthenticator = (
  token: string,
  audiences: readonly string[],
) => Promise<Authenticated | undefined>;

/** Why a token is not believed. Only a TokenReview tells; a request just gets 401. */
export class TokenError extends Error {
  override name = "TokenError";
}

export interface Authenticator {
  /** Whom the API itself is; what a token without audiences is meant for. */
  readonly audiences: readonly string[];
  /** Throws Unauthorized. */
  authenticate(credentials: Credentials): Promise<User>;
  /** Throws a TokenError. */
  review(token: string, audiences: readonly string[]): Promise<Authenticated>;
}

export interface AuthenticatorOptions {
  readonly audiences: readonly string[];
  readonly tokens: readonly TokenAuthenticator[];
  /** Whether who shows no credentials may ask at all. */
  readonly anonymousAuth: boolean;
}

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { audiences, tokens, anonymousAuth } = options;

  async function review(token: string, wanted: readonly string[]): Promise<Authenticated> {
    const problems: string[] = ["invalid bearer token"];
    for (const authenticate of tokens) {
      try {
        const found = await authenticate(token, wanted);
        if (found) return { ...found, user: withAuthenticatedGroup(found.user) };
      } catch (error) {
        if (!(error instanceof TokenError)) throw error;
        problems.push(errorMessage(error));
      }
    }
    throw new TokenError(problems.length === 1 ? problems[0] : `[${problems.join(", ")}]`);
  }

  return {
    audiences,
    review,
    async authenticate({ certificate, token }) {
      const named = certificate?.trusted ? userOfCertificate(certificate) : undefined;
      if (named) return withAuthenticatedGroup(named);
      if (token !== undefined) {
        try {
          return (await review(token, audiences)).user;
        } catch (error) {
          if (!(error instanceof TokenError)) throw error;
          throw unauthorized();
        }
      }
      if (certificate && !certificate.trusted) throw unauthorized();
      if (!anonymousAuth) throw unauthorized();
      return anonymous;
    },
  };
}

function unauthorized(): Error {
  return apiError("Unauthorized", "Unauthorized");
}

/** k8s: authentication/group AuthenticatedGroupAdder. */
function withAuthenticatedGroup(user: User): User {
  if (user.groups.includes(authenticatedGroup)) return user;
  return { ...user, groups: [...user.groups, authenticatedGroup] };
}

/**
 * The token of a request: of its Authorization header, or where a browser's WebSocket can set
 * none, of its subprotocols (k8s: authentication/request/websocket).
 */
export function bearerToken(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): string | undefined {
  const [scheme, token] = String(headers.authorization ?? "")
    .trim()
    .split(" ");
  if (scheme?.toLowerCase() === "bearer" && token) return token;
  const offered = String(headers["sec-websocket-protocol"] ?? "").split(",");
  const carried = offered.map((one) => one.trim()).find((one) => one.startsWith(carrier));
  if (carried === undefined) return undefined;
  return Buffer.from(carried.slice(carrier.length), "base64url").toString() || undefined;
}

const carrier = "base64url.bearer.authorization.k8s.io.";
