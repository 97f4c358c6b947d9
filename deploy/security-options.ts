/** The options of `wherry up` and `run api` that say who is believed; named as kube-apiserver's flags. */
import { readFile } from "node:fs/promises";
import type { Argv } from "yargs";
import type { ApiServerConfig } from "../actors/apiserver/apiserver.ts";
import { readAuditPolicy } from "../actors/apiserver/audit/policy.ts";
import type { OidcOptions } from "../actors/apiserver/authn/oidc.ts";
import { parseYaml } from "../manifests/index.ts";
import { UsageError } from "./usage.ts";

export interface SecurityOptions {
  readonly anonymousAuth: boolean;
  readonly oidc?: OidcOptions & { readonly ca: string | undefined };
  readonly audit?: ApiServerConfig["audit"];
}

export function addSecurityOptions<T>(yargs: Argv<T>) {
  return yargs.options({
    "anonymous-auth": {
      type: "boolean",
      default: true,
      describe: "let requests without credentials be system:anonymous",
    },
    "oidc-issuer-url": { type: "string", describe: "whose OpenID tokens are believed; https" },
    "oidc-client-id": { type: "string", describe: "for whom such tokens must be issued" },
    "oidc-username-claim": { type: "string", default: "sub", describe: "claim with the user" },
    "oidc-username-prefix": { type: "string", default: "", describe: "before it; -: nothing" },
    "oidc-groups-claim": { type: "string", default: "", describe: "claim with the groups" },
    "oidc-groups-prefix": { type: "string", default: "", describe: "before each of them" },
    "oidc-ca-file": { type: "string", describe: "authority of the issuer's certificate" },
    "oidc-required-claim": {
      type: "string",
      array: true,
      default: [] as string[],
      describe: "claim=value that every token must have",
    },
    "audit-policy": { type: "string", describe: "audit.k8s.io/v1 Policy: which requests are kept" },
    "audit-max-age": { type: "number", default: 30, describe: "days that audit events are kept" },
    "audit-max-size": { type: "number", default: 100, describe: "MB of audit events at most" },
  });
}

/** What yargs hands over. */
export interface RawSecurityOptions {
  readonly anonymousAuth: boolean;
  readonly oidcIssuerUrl?: string;
  readonly oidcClientId?: string;
  readonly oidcUsernameClaim: string;
  readonly oidcUsernamePrefix: string;
  readonly oidcGroupsClaim: string;
  readonly oidcGroupsPrefix: string;
  readonly oidcCaFile?: string;
  readonly oidcRequiredClaim: readonly string[];
  readonly auditPolicy?: string;
  readonly auditMaxAge: number;
  readonly auditMaxSize: number;
}

/** Throws a UsageError. */
export async function readSecurityOptions(raw: RawSecurityOptions): Promise<SecurityOptions> {
  const { anonymousAuth } = raw;
  return { anonymousAuth, oidc: await readOidc(raw), audit: await readAudit(raw) };
}

async function readOidc(raw: RawSecurityOptions): Promise<SecurityOptions["oidc"]> {
  const { oidcIssuerUrl: issuerUrl, oidcClientId: clientId, oidcCaFile } = raw;
  if (!issuerUrl && !clientId) return undefined;
  if (!issuerUrl || !clientId) {
    throw new UsageError("--oidc-issuer-url and --oidc-client-id must be given together");
  }
  if (!URL.canParse(issuerUrl) || new URL(issuerUrl).protocol !== "https:") {
    throw new UsageError(`--oidc-issuer-url ${issuerUrl} must be a URL that begins with https://`);
  }
  return {
    issuerUrl,
    clientId,
    usernameClaim: raw.oidcUsernameClaim,
    usernamePrefix: raw.oidcUsernamePrefix,
    groupsClaim: raw.oidcGroupsClaim,
    groupsPrefix: raw.oidcGroupsPrefix,
    requiredClaims: readRequired(raw.oidcRequiredClaim),
    ca: oidcCaFile === undefined ? undefined : await read("oidc-ca-file", oidcCaFile),
  };
}

async function readAudit(raw: RawSecurityOptions): Promise<SecurityOptions["audit"]> {
  const { auditPolicy: path, auditMaxAge, auditMaxSize } = raw;
  if (path === undefined) return undefined;
  if (!(auditMaxAge > 0)) throw new UsageError(`--audit-max-age ${auditMaxAge} is no age`);
  if (!(auditMaxSize > 0)) throw new UsageError(`--audit-max-size ${auditMaxSize} is no size`);
  const text = await read("audit-policy", path);
  try {
    const policy = readAuditPolicy(parseYaml(text));
    const maxBytes = Math.floor(auditMaxSize * 1024 * 1024);
    return { policy, maxAgeMs: auditMaxAge * 24 * 3_600_000, maxBytes };
  } catch (error) {
    throw new UsageError(`--audit-policy ${path}: ${(error as Error).message}`);
  }
}

function readRequired(given: readonly string[]): Record<string, string> {
  const required: Record<string, string> = {};
  for (const pair of given) {
    const at = pair.indexOf("=");
    if (at < 1) throw new UsageError(`--oidc-required-claim ${pair} must be claim=value`);
    required[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return required;
}

async function read(option: string, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new UsageError(`--${option} ${path} cannot be read: ${(error as Error).message}`);
  }
}
