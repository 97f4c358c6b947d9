/**
 * Bootstrap tokens: Secrets by which a machine that knows nothing yet joins a cluster
 * (k8s: cluster-bootstrap/token). `<id>.<secret>` is the token, its Secret `bootstrap-token-<id>`.
 */

import type { Secret } from "./builtin.ts";

export const bootstrapTokenType = "bootstrap.kubernetes.io/token";
export const bootstrapTokenNamespace = "kube-system";
const namePrefix = "bootstrap-token-";
const groupPattern = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

export interface BootstrapToken {
  readonly id: string;
  readonly secret: string;
  /** Milliseconds since the epoch; undefined: never. */
  readonly expires: number | undefined;
  readonly authenticates: boolean;
  readonly signs: boolean;
  readonly groups: readonly string[];
}

export function bootstrapSecretName(id: string): string {
  return namePrefix + id;
}

export function parseBootstrapToken(token: string): { id: string; secret: string } | undefined {
  const [, id, secret] = /^([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(token) ?? [];
  return id && secret ? { id, secret } : undefined;
}

/** Undefined for a Secret that is none, or is not well formed: an expiry that cannot be read included. */
export function readBootstrapToken({ metadata, type, data }: Secret): BootstrapToken | undefined {
  const field = (name: string): string => Buffer.from(data?.[name] ?? "", "base64").toString();
  if (type !== bootstrapTokenType || metadata.namespace !== bootstrapTokenNamespace) {
    return undefined;
  }
  const [id, secret] = [field("token-id"), field("token-secret")];
  const isWhole = parseBootstrapToken(`${id}.${secret}`) !== undefined;
  if (!isWhole || metadata.name !== bootstrapSecretName(id)) return undefined;
  const expiration = field("expiration");
  const expires = expiration ? Date.parse(expiration) : undefined;
  if (Number.isNaN(expires)) return undefined;
  const named = field("auth-extra-groups").split(",");
  const groups = named.map((group) => group.trim()).filter((group) => group !== "");
  if (!groups.every((group) => groupPattern.test(group))) return undefined;
  return {
    id,
    secret,
    expires,
    authenticates: field("usage-bootstrap-authentication") === "true",
    signs: field("usage-bootstrap-signing") === "true",
    groups,
  };
}
