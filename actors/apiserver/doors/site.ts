/** Everything at the HTTPS door that is not a resource: discovery, OpenAPI, version, health, metrics. */

import { apiError } from "../../../manifests/api-error.ts";
import type { Kind } from "../../../manifests/index.ts";
import type { Clock, Timer } from "../../../runtime/clock.ts";
import type { AccountTokens } from "../authn/service-account.ts";
import type { Authorizer } from "../authz/authorizer.ts";
import { pathNotFound } from "../registry/registry.ts";
import type { Annotate, User } from "../request.ts";
import type { Accepted } from "./accept.ts";
import type { Discovery } from "./discovery.ts";
import { discoveryPage, openapiPage } from "./documents.ts";
import type { Exchange } from "./exchange.ts";
import type { Route } from "./routes.ts";

export type Page =
  | {
      readonly type: "json";
      readonly code: number;
      readonly value: unknown;
      /** What it is encoded in; absent: JSON. */
      readonly accepted?: Accepted;
    }
  | {
      readonly type: "text";
      readonly code: number;
      readonly contentType: string;
      readonly text: string | Uint8Array;
      readonly headers?: Readonly<Record<string, string>>;
    };

export interface Site {
  page(
    route: Exclude<Route, { type: "resource" }>,
    exchange: Exchange,
    user: User,
    annotate?: Annotate,
  ): Promise<Page>;
  /** Calls back from time to time until told to stop: the bookmarks of HTTP watches. */
  bookmarks(send: () => void): () => void;
}

export interface SiteContext {
  readonly authorizer: Authorizer;
  readonly discovery: Discovery;
  /** The custom kinds that are served now. */
  customKinds(): readonly Kind[];
  readonly clock: Clock;
  /** `v1.32.3+wherry0.1.0`. */
  readonly gitVersion: string;
  /** By name: what must hold for /readyz. */
  readonly checks: ReadonlyMap<string, () => boolean>;
  /** In Prometheus' text format. */
  metrics(): Promise<string>;
  /** Undefined: no tokens are issued here. */
  readonly tokens: AccountTokens | undefined;
}

const bookmarkMs = 30_000;
const text = "text/plain; charset=utf-8";
const metricsType = "text/plain; version=0.0.4; charset=utf-8";

export function createSite(context: SiteContext): Site {
  const version = versionDocument(context.gitVersion);
  return {
    async page(route, exchange, user, annotate) {
      const path = exchange.target.split("?")[0] ?? exchange.target;
      const verb = exchange.method.toLowerCase();
      await context.authorizer.authorize({ user, verb, path }, annotate);
      switch (route.type) {
        case "discovery":
          return discoveryPage(context.discovery, route.path, exchange);
        case "openapi":
          return openapiPage(route.path, exchange, {
            gitVersion: context.gitVersion,
            nowMs: context.clock.now(),
            custom: context.customKinds(),
          });
        case "root":
          return { type: "json", code: 200, value: { paths: rootPaths(context) } };
        case "version":
          return { type: "json", code: 200, value: version };
        case "health":
          return health(context.checks, route.check, route.part, exchange);
        case "issuer":
          return issuerPage(context.tokens, route.part);
        case "metrics":
          return {
            type: "text",
            code: 200,
            contentType: metricsType,
            text: await context.metrics(),
          };
        case "method":
          throw apiError(
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
            {},
          );
        default:
          throw pathNotFound();
      }
    },
    bookmarks(send) {
      let timer: Timer;
      const again = () => {
        timer = context.clock.setTimer(bookmarkMs, () => {
          send();
          again();
        });
      };
      again();
      return () => timer.dispose();
    },
  };
}

/** RFC 8414, as much of it as who checks tokens needs (k8s: pkg/serviceaccount/openidmetadata.go). */
function issuerPage(tokens: AccountTokens | undefined, part: "configuration" | "keys"): Page {
  if (!tokens) throw pathNotFound();
  const { issuer, keys } = tokens;
  if (part === "keys") {
    const contentType = "application/jwk-set+json";
    return { type: "text", code: 200, contentType, text: JSON.stringify(keys.jwks) };
  }
  const value = {
    issuer,
    jwks_uri: `${issuer}/openid/v1/jwks`,
    response_types_supported: ["id_token"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: keys.jwks.keys.map(({ alg }) => alg),
  };
  return { type: "json", code: 200, value };
}

const ping = "ping";

/**
 * After k8s: apiserver/pkg/server/healthz. Differs from Kubernetes: alive is who can answer, whatever
 * the store does, for to be started anew would not help; ready is who can serve.
 */
function health(
  checks: SiteContext["checks"],
  kind: "healthz" | "livez" | "readyz",
  part: string,
  exchange: Exchange,
): Page {
  const query = new URLSearchParams(exchange.target.split("?")[1]);
  const names = checkNames(checks, kind);
  if (part && !names.includes(part)) throw pathNotFound();
  const excluded = part ? [] : query.getAll("exclude").filter((name) => name !== "");
  const results = (part ? [part] : names).map((name) => {
    if (excluded.includes(name)) return { line: `[+]${name} excluded: ok\n`, holds: true };
    const holds = name === ping || checks.get(name)?.() === true;
    return { line: `[${holds ? "+" : "-"}]${name} ${holds ? "ok" : failed}\n`, holds };
  });
  const healthy = results.every(({ holds }) => holds);
  const unknown = excluded.filter((name) => !names.includes(name)).map((name) => `"${name}"`);
  const warning =
    unknown.length > 0
      ? `warn: some health checks cannot be excluded: no matches for ${unknown.join(",")}\n`
      : "";
  const verdict = `${kind} check ${healthy ? "passed" : "failed"}\n`;
  const told = results.map(({ line }) => line).join("") + warning + verdict;
  const body = healthy && !query.has("verbose") ? "ok" : told;
  const headers = { "x-content-type-options": "nosniff" };
  return { type: "text", code: healthy ? 200 : 500, contentType: text, text: body, headers };
}

const failed = "failed: reason withheld";

function checkNames(checks: SiteContext["checks"], kind: string): string[] {
  return [ping, ...(kind === "readyz" ? checks.keys() : [])];
}

/** What there is to see, as upstream lists it at `/`. */
function rootPaths({ discovery, checks }: SiteContext): string[] {
  const health = ["healthz", "livez", "readyz"].flatMap((kind) => [
    `/${kind}`,
    ...checkNames(checks, kind).map((name) => `/${kind}/${name}`),
  ]);
  const others = ["/metrics", "/openapi/v2", "/openapi/v3", "/openapi/v3/", "/version"];
  return [...discovery.paths(), ...health, ...others].sort();
}

function versionDocument(gitVersion: string): object {
  const [, major = "", minor = ""] = /^v(\d+)\.(\d+)/.exec(gitVersion) ?? [];
  return {
    major,
    minor,
    gitVersion,
    gitCommit: "",
    gitTreeState: "clean",
    buildDate: "1970-01-01T00:00:00Z",
    goVersion: "",
    compiler: "node",
    platform: "linux",
  };
}
