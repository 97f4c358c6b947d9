/**
 * Tokens of ServiceAccounts: our own signature, and an account that still lives.
 *
 * A token dies with what it is bound to, a minute after that was told to go, so that what winds
 * up may still speak (k8s: pkg/serviceaccount/claims.go).
 */

import {
  type Kind,
  type KubeObject,
  Node,
  Pod,
  Secret,
  ServiceAccount,
} from "../../../manifests/index.ts";
import type { Clock } from "../../../runtime/clock.ts";
import { sameSecret, type TokenKeys, unverifiedClaims } from "../../../runtime/token-keys.ts";
import { type LookupContext, lookup } from "../lookup.ts";
import { legacyIssuer, type NameAndUid } from "../messages.ts";
import { type AccountToken, readClaims, userOfAccount } from "./account-claims.ts";
import { type TokenAuthenticator, TokenError } from "./authenticator.ts";

/** How long what was told to go may still speak. */
const leewayMs = 60_000;

export interface AccountTokens {
  readonly keys: TokenKeys;
  /** `https://kubernetes.default.svc.cluster.local`: issuer, and audience of the API. */
  readonly issuer: string;
}

export function serviceAccountTokens(
  { keys, issuer }: AccountTokens,
  context: LookupContext & { readonly clock: Clock },
): TokenAuthenticator {
  return async (text, wanted) => {
    const named = unverifiedClaims(text)?.iss;
    if (named !== issuer && named !== legacyIssuer) return undefined;
    const claims = await keys.verify(text);
    const token = claims && readClaims(claims);
    if (!token) throw new TokenError("invalid signature or claims");
    const audiences = matchingAudiences(token.audiences ?? [issuer], wanted);
    assertTimes(token, context.clock.now());
    await assertAlive(token, text, context);
    return { user: userOfAccount(token), audiences };
  };
}

function matchingAudiences(given: readonly string[], wanted: readonly string[]): string[] {
  const matching = wanted.filter((audience) => given.includes(audience));
  if (matching.length > 0) return matching;
  const [has, asked] = [given, wanted].map((list) => JSON.stringify(list));
  throw new TokenError(`token audiences ${has} is invalid for the target audiences ${asked}`);
}

function assertTimes({ notBefore, expires }: AccountToken, nowMs: number): void {
  const now = nowMs / 1_000;
  if (expires !== undefined && now > expires) {
    throw new TokenError("service account token has expired");
  }
  if (notBefore !== undefined && now < Math.floor(notBefore)) {
    throw new TokenError("service account token is not valid yet");
  }
}

type AliveContext = LookupContext & { readonly clock: Clock };

async function assertAlive(
  token: AccountToken,
  text: string,
  context: AliveContext,
): Promise<void> {
  const { namespace, account, pod, node, secret } = token;
  await assertBound(context, "service account", ServiceAccount, namespace, account);
  if (secret) {
    const found = await assertBound(context, "secret", Secret, namespace, secret);
    // A token that a Secret holds is no longer good once it is taken out of there.
    const copy = Buffer.from(found.data?.token ?? "", "base64").toString();
    if (token.audiences === undefined && !sameSecret(copy, text)) {
      throw new TokenError("token does not match server's copy");
    }
  }
  if (pod) await assertBound(context, "pod", Pod, namespace, pod);
  else if (node) await assertBound(context, "node", Node, "", node);
}

async function assertBound<T extends KubeObject>(
  context: AliveContext,
  what: string,
  kind: Kind<T>,
  namespace: string,
  { name, uid }: NameAndUid,
): Promise<T> {
  const isSame = ({ metadata }: T): boolean => !uid || metadata.uid === uid;
  const found = await lookup(context, kind, { namespace, name }, isSame);
  if (!found) throw new TokenError(`${what} ${namespace}/${name} was not found`);
  if (!isSame(found)) {
    throw new TokenError(`${what} UID (${found.metadata.uid}) does not match claim (${uid})`);
  }
  const { deletionTimestamp } = found.metadata;
  const gone = deletionTimestamp && Date.parse(deletionTimestamp) < context.clock.now() - leewayMs;
  if (gone) throw new TokenError(`${what} has been deleted`);
  return found;
}
