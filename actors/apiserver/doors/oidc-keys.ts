/** Fetches an OpenID Connect issuer's keys over HTTPS: its configuration says where they are. */

import { request } from "node:https";
import { text } from "node:stream/consumers";
import type { JSONWebKeySet } from "jose";
import type { FetchKeys } from "../authn/oidc.ts";

const timeoutMs = 10_000;
const mostBytes = 1024 * 1024;

export interface OidcIssuer {
  readonly issuerUrl: string;
  /** PEM; undefined: the machine's own authorities. */
  readonly ca: string | undefined;
}

export function fetchOidcKeys({ issuerUrl, ca }: OidcIssuer): FetchKeys {
  return async () => {
    const base = issuerUrl.replace(/\/$/, "");
    const found = await fetchJson(`${base}/.well-known/openid-configuration`, ca);
    if (found.issuer !== issuerUrl) {
      throw new Error(`the issuer calls itself ${found.issuer}, not ${issuerUrl}`);
    }
    if (typeof found.jwks_uri !== "string") throw new Error("the issuer names no jwks_uri");
    return (await fetchJson(found.jwks_uri, ca)) as unknown as JSONWebKeySet;
  };
}

function fetchJson(url: string, ca: string | undefined): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { ca, timeout: timeoutMs }, (response) => {
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > mostBytes) asked.destroy(new Error(`${url} answers more than is sensible`));
      });
      text(response)
        .then((body) => {
          const { statusCode } = response;
          if (statusCode !== 200) throw new Error(`${url} answered ${statusCode}`);
          resolve(JSON.parse(body) as Record<string, unknown>);
        })
        .catch(reject);
    });
    asked.on("timeout", () => asked.destroy(new Error(`${url} did not answer in time`)));
    asked.on("error", reject);
    asked.end();
  });
}
