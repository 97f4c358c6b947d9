/**
 * `serviceaccounts/token`: issues a token that is bound to a Pod, Secret or Node, or to the
 * account alone (k8s: registry/core/serviceaccount/storage/token.go).
 */

import {
  ApiError,
  type ApiStatus,
  apiError,
  conflict,
  notFound,
} from "../../../manifests/api-error.ts";
import {
  type AuthenticationTokenRequest,
  type FieldError,
  invalidStatus,
  type Kind,
  type KubeObject,
  Node,
  Pod,
  Secret,
  ServiceAccount,
  type TokenRequestSpec,
} from "../../../manifests/index.ts";
import type { Clock } from "../../../runtime/clock.ts";
import type { Random } from "../../../runtime/random.ts";
import { decodeBodyAs } from "../decode.ts";
import { type LookupContext, lookup } from "../lookup.ts";
import type { NameAndUid } from "../messages.ts";
import { timestamp } from "../metadata.ts";
import { type ApiReply, type ApiRequest, jsonReply } from "../request.ts";
import { boundClaims } from "./account-claims.ts";
import type { AccountTokens } from "./service-account.ts";

export interface TokenRequestContext extends LookupContext {
  readonly clock: Clock;
  readonly random: Random;
  /** Undefined: no tokens are issued here. */
  readonly tokens: AccountTokens | undefined;
}

const defaultSeconds = 3_600;
const leastSeconds = 600;
const mostSeconds = 2 ** 32;
/**
 * What a pod's own token volume asks for. Clients that read the file once go on for a year, and
 * their use of an old token can be seen; the kubelet brings a new one each hour all the same.
 */
const podSeconds = 3_607;
const extendedSeconds = 365 * 24 * 3_600;

const kind = { group: "authentication.k8s.io", kind: "TokenRequest" };
const typeName = "authentication.v1.TokenRequest";

/** `admit` is asked when the request is whole, and throws to refuse it. */
export async function requestToken(
  context: TokenRequestContext,
  request: ApiRequest,
  admit: (body: AuthenticationTokenRequest) => Promise<void>,
): Promise<ApiReply> {
  const { tokens, clock, random } = context;
  if (!tokens) throw apiError("NotFound", "the server could not find the requested resource", {});
  const { namespace, name } = request;
  const body = decodeBodyAs<AuthenticationTokenRequest>(typeName, request, ServiceAccount);
  const { metadata, spec } = body;
  assertSame("namespace", metadata?.namespace, namespace);
  assertSame("name", metadata?.name, name);
  const seconds = spec?.expirationSeconds ?? defaultSeconds;
  assertValid(seconds);
  await admit(body);
  const account = await existing(context, ServiceAccount, namespace, name);
  const bound = await bindTo(context, namespace, name, spec?.boundObjectRef);

  const audiences = spec?.audiences?.length ? spec.audiences : [tokens.issuer];
  const isForApi = audiences.every((audience) => audience === tokens.issuer);
  const isPods = seconds === podSeconds && bound.pod !== undefined && isForApi;
  const now = Math.floor(clock.now() / 1_000);
  const expires = now + (isPods ? extendedSeconds : seconds);
  const token = await tokens.keys.sign(
    boundClaims({
      issuer: tokens.issuer,
      issuedAt: now,
      notBefore: now,
      expires,
      ...(isPods ? { warnAfter: now + seconds } : {}),
      audiences,
      tokenId: random.uuid(),
      namespace,
      account: identityOf(account),
      pod: bound.pod,
      node: bound.node,
      secret: bound.secret,
    }),
  );
  return jsonReply(201, {
    kind: kind.kind,
    apiVersion: `${kind.group}/v1`,
    metadata: { name, namespace, creationTimestamp: timestamp(clock.now()) },
    spec: { ...spec, audiences, expirationSeconds: seconds },
    // The kubelet renews by what was asked for, not by what is granted beyond that.
    status: { token, expirationTimestamp: timestamp((now + seconds) * 1_000) },
  });
}

function assertSame(what: string, given: string | undefined, asked: string): void {
  if (!given || given === asked) return;
  const why = `the ${what} of the provided object does not match the ${what} sent on the request`;
  throw apiError("BadRequest", why);
}

function assertValid(seconds: number): void {
  const field = "spec.expirationSeconds";
  const detail =
    seconds < leastSeconds
      ? "may not specify a duration less than 10 minutes"
      : seconds > mostSeconds
        ? "may not specify a duration larger than 2^32 seconds"
        : undefined;
  if (!detail) return;
  const error: FieldError = { reason: "FieldValueInvalid", field, badValue: seconds, detail };
  throw new ApiError(invalidStatus(kind, "", [error]) as ApiStatus);
}

async function existing<T extends KubeObject>(
  context: LookupContext,
  of: Kind<T>,
  namespace: string,
  name: string,
  uid?: string,
): Promise<T> {
  const isSame = ({ metadata }: T): boolean => !uid || metadata.uid === uid;
  const found = await lookup(context, of, { namespace, name }, isSame);
  if (!found) throw notFound(of, name);
  if (isSame(found)) return found;
  const why =
    `the UID in the bound object reference (${uid}) does not match the UID in record. ` +
    "The object might have been deleted and then recreated";
  throw conflict(of, name, why);
}

interface Bound {
  readonly pod?: NameAndUid;
  readonly node?: NameAndUid;
  readonly secret?: NameAndUid;
}

async function bindTo(
  context: LookupContext,
  namespace: string,
  account: string,
  ref: TokenRequestSpec["boundObjectRef"],
): Promise<Bound> {
  if (!ref) return {};
  const { kind: refKind = "", apiVersion = "", name = "", uid } = ref;
  switch (`${apiVersion}/${refKind}`) {
    case "v1/Pod": {
      const object = await existing(context, Pod, namespace, name, uid);
      if (object.spec.serviceAccountName !== account) {
        const why = `cannot bind token for serviceaccount "${account}" to pod running with different serviceaccount name.`;
        throw apiError("BadRequest", why);
      }
      return { pod: identityOf(object), node: await nodeOfPod(context, object) };
    }
    case "v1/Node": {
      const object = await existing(context, Node, "", name, uid);
      return { node: identityOf(object) };
    }
    case "v1/Secret": {
      const object = await existing(context, Secret, namespace, name, uid);
      return { secret: identityOf(object) };
    }
    default: {
      const [version = "", group = ""] = apiVersion.split("/").reverse();
      const type = `${group}/${version}, Kind=${refKind}`;
      throw apiError("BadRequest", `cannot bind token to object of type ${type}`);
    }
  }
}

/** Where the pod runs is told to whoever reads the token; a node that is gone has no uid. */
async function nodeOfPod(context: LookupContext, pod: Pod): Promise<NameAndUid | undefined> {
  const name = pod.spec.nodeName;
  if (!name) return undefined;
  const node = await lookup(context, Node, { name });
  return { name, uid: node?.metadata.uid ?? "" };
}

function identityOf({ metadata: { name = "", uid = "" } }: KubeObject): NameAndUid {
  return { name, uid };
}
