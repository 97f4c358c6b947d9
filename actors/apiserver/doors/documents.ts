/** The documents by which clients learn what is served: discovery in its forms, and OpenAPI. */

import {
  type Kind,
  openapiHash,
  openapiIndex,
  openapiV2,
  openapiV2Asked,
  openapiV2Bytes,
  openapiV2Given,
  openapiV3,
} from "../../../manifests/index.ts";
import { jsonType, mediaTypes } from "../decode.ts";
import { pathNotFound } from "../registry/registry.ts";
import { negotiate, type Offer } from "./accept.ts";
import { entityTag } from "./digest.ts";
import { aggregatedForms, type Discovery } from "./discovery.ts";
import type { Exchange } from "./exchange.ts";
import type { Page } from "./site.ts";

const discoveryOffer: Offer = {
  types: ["json", "yaml", "protobuf"],
  serves: (as, type) => as === "" || (type === "json" && aggregatedForms.has(as)),
  named: mediaTypes,
};

export function discoveryPage(discovery: Discovery, path: string, exchange: Exchange): Page {
  const accepted = negotiate(headerOf(exchange, "accept"), discoveryOffer);
  const version = aggregatedForms.get(accepted.as);
  const aggregated = version && discovery.aggregated(path, version);
  if (!aggregated) {
    return {
      type: "json",
      code: 200,
      value: discovery.legacy(path, addressOf(exchange)),
      accepted,
    };
  }
  const contentType = `${jsonType};g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
  return tagged(exchange, contentType, JSON.stringify(aggregated));
}

interface OpenapiContext {
  readonly gitVersion: string;
  readonly nowMs: number;
  /** What arrived at run time. */
  readonly custom: readonly Kind[];
}

const yearMs = 365 * 24 * 60 * 60 * 1000;

/** `v3` is the index, `v3/apis/apps/v1` one group version. */
export function openapiPage(
  path: string,
  exchange: Exchange,
  { gitVersion, nowMs, custom }: OpenapiContext,
): Page {
  if (path === "v2") return openapiV2Page(exchange, gitVersion);
  negotiate(headerOf(exchange, "accept"), openapiOffer);
  if (path === "v3") return { type: "json", code: 200, value: openapiIndex(custom) };
  if (!path.startsWith("v3/")) throw pathNotFound();
  const of = path.slice("v3/".length);
  const document = openapiV3(of, custom);
  const hash = openapiHash(of, custom);
  if (!document || !hash) throw pathNotFound();
  const asked = new URLSearchParams(exchange.target.split("?")[1]).get("hash");
  if (asked && asked !== hash) {
    const location = `/openapi/${path}?hash=${hash}`;
    return { type: "text", code: 301, contentType: jsonType, text: "", headers: { location } };
  }
  // A document of that address never changes.
  const expires = new Date(nowMs + yearMs).toUTCString();
  const forever = { "cache-control": "public, immutable", expires, vary: "Accept" };
  const page = tagged(exchange, jsonType, JSON.stringify(document));
  return asked ? { ...page, headers: { ...page.headers, ...forever } } : page;
}

/** Differs from Kubernetes: version 3 is not served in protobuf, which no client of ours needs. */
const openapiOffer: Offer = {
  types: ["json"],
  serves: (as) => as === "",
  named: [jsonType],
};

function openapiV2Page(exchange: Exchange, gitVersion: string): Page {
  const asked = headerOf(exchange, "accept") ?? "";
  if (!asked.includes(openapiV2Asked) && !asked.includes(openapiV2Given)) {
    return tagged(exchange, jsonType, JSON.stringify(openapiV2(gitVersion)));
  }
  const bytes = openapiV2Bytes(gitVersion);
  return { type: "text", code: 200, contentType: openapiV2Given, text: bytes };
}

/** Sent only to who does not have it yet. */
function tagged(
  exchange: Exchange,
  contentType: string,
  text: string,
): Extract<Page, { type: "text" }> {
  const etag = entityTag(text);
  const headers = { etag, vary: "Accept" };
  const known = headerOf(exchange, "if-none-match")?.split(",") ?? [];
  const same = known.some((tag) => tag.trim() === etag || tag.trim() === "*");
  if (same) return { type: "text", code: 304, contentType, text: "", headers };
  return { type: "text", code: 200, contentType, text, headers };
}

function headerOf({ headers }: Exchange, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(", ") : value;
}

/** Where the client has reached us. */
function addressOf({ socket }: Exchange): string {
  return `${socket.localAddress}:${socket.localPort}`;
}
