/** Everything at the HTTPS door that is not a resource: discovery, OpenAPI, version, health, metrics. */

import { apiError } from "../../../manifests/api-error.ts";
import {
  type Kind,
  openapiIndex,
  openapiV2,
  openapiV2Asked,
  openapiV2Bytes,
  openapiV2Given,
  openapiV3,
} from "../../../manifests/index.ts";
import type { Clock, Timer } from "../../../runtime/clock.ts";
import type { Authorizer } from "../authz/authorizer.ts";
import { pathNotFound } from "../registry/registry.ts";
import type { User } from "../request.ts";
import { negotiate } from "./accept.ts";
import { aggregatedForm, type Discovery } from "./discovery.ts";
import type { Exchange } from "./exchange.ts";
import type { Route } from "./routes.ts";

export type Page =
  | { readonly type: "json"; readonly code: number; readonly value: unknown }
  | {
      readonly type: "text";
      readonly code: number;
      readonly contentType: string;
      readonly text: string | Uint8Array;
    };

export interface Site {
  page(route: Exclude<Route, { type: "resource" }>, exchange: Exchange, user: User): Promise<Page>;
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
}

const bookmarkMs = 30_000;
const text = "text/plain; charset=utf-8";

export function createSite(context: SiteContext): Site {
  const version = versionDocument(context.gitVersion);
  return {
    async page(route, exchange, user) {
      const path = exchange.target.split("?")[0] ?? exchange.target;
      await context.authorizer.authorize({ user, verb: exchange.method.toLowerCase(), path });
      switch (route.type) {
        case "discovery":
          return discoveryPage(context.discovery, route.path, exchange);
        case "openapi":
          return openapiPage(route.path, exchange, context);
        case "version":
          return { type: "json", code: 200, value: version };
        case "health":
          return health(context.checks, route.check, route.part, exchange);
        case "metrics":
          return { type: "text", code: 200, contentType: text, text: await context.metrics() };
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

function discoveryPage(discovery: Discovery, path: string, exchange: Exchange): Page {
  const { accept } = exchange.headers;
  const header = Array.isArray(accept) ? accept.join(", ") : accept;
  const { as } = negotiate(header, (asked) => asked === "" || asked === aggregatedForm);
  const aggregated = as === aggregatedForm ? discovery.aggregated(path) : undefined;
  if (!aggregated) return { type: "json", code: 200, value: discovery.legacy(path) };
  return {
    type: "text",
    code: 200,
    contentType: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
    text: JSON.stringify(aggregated),
  };
}

/** `v3` is the index, `v3/apis/apps/v1` one group version. */
function openapiPage(path: string, exchange: Exchange, context: SiteContext): Page {
  if (path === "v2") return openapiV2Page(exchange, context.gitVersion);
  if (path === "v3") return { type: "json", code: 200, value: openapiIndex(context.customKinds()) };
  if (!path.startsWith("v3/")) throw pathNotFound();
  const document = openapiV3(path.slice("v3/".length), context.customKinds());
  if (!document) throw pathNotFound();
  return { type: "json", code: 200, value: document };
}

function openapiV2Page({ headers }: Exchange, gitVersion: string): Page {
  const asked = String(headers.accept ?? "");
  if (!asked.includes(openapiV2Asked) && !asked.includes(openapiV2Given)) {
    return { type: "json", code: 200, value: openapiV2(gitVersion) };
  }
  const bytes = openapiV2Bytes(gitVersion);
  return { type: "text", code: 200, contentType: openapiV2Given, text: bytes };
}

function health(
  checks: SiteContext["checks"],
  kind: "healthz" | "livez" | "readyz",
  part: string,
  exchange: Exchange,
): Page {
  // Alive is who can answer; ready is who can serve.
  const judged = kind === "readyz" ? [...checks] : [];
  const chosen = part ? judged.filter(([name]) => name === part) : judged;
  if (part && chosen.length === 0 && part !== "ping") throw pathNotFound();
  const results = [
    ["ping", true] as const,
    ...chosen.map(([name, holds]) => [name, holds()] as const),
  ];
  const healthy = results.every(([, holds]) => holds);
  const verbose = new URLSearchParams(exchange.target.split("?")[1] ?? "").has("verbose");
  const lines = results.map(
    ([name, holds]) => `[${holds ? "+" : "-"}]${name} ${holds ? "ok" : "failed"}\n`,
  );
  const verdict = `${kind} check ${healthy ? "passed" : "failed"}\n`;
  const body = healthy && !verbose ? "ok" : lines.join("") + verdict;
  return { type: "text", code: healthy ? 200 : 500, contentType: text, text: body };
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
