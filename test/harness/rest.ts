/** The REST API by hand, as the cluster's owner: requests, and objects to try them on. */

import { Agent, request as httpsRequest } from "node:https";
import type { KubeObject } from "../../manifests/index.ts";
import { admin, type TestHttpsApi } from "./https.ts";

export interface Answer {
  code: number;
  json: ReturnType<typeof JSON.parse>;
  warning: string | undefined;
}

export interface RestClient {
  ask(
    method: string,
    path: string,
    body?: unknown,
    contentType?: string,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  /** Server-side apply; `more` is the rest of the query, with its `&`. */
  apply(path: string, manager: string, body: unknown, more?: string): Promise<Answer>;
  close(): void;
}

export const applyPatch = "application/apply-patch+yaml";
export const mergePatch = "application/merge-patch+json";
export const configMaps = "/api/v1/namespaces/default/configmaps";
export const deployments = "/apis/apps/v1/namespaces/default/deployments";

export async function restClient(env: TestHttpsApi): Promise<RestClient> {
  const agent = new Agent({ ca: env.ca, keepAlive: true, ...(await env.credentials(admin)) });

  const ask: RestClient["ask"] = (
    method,
    path,
    body,
    contentType = "application/json",
    headers = {},
  ) => {
    const text =
      body === undefined || typeof body === "string" ? (body ?? "") : JSON.stringify(body);
    // Node sends the body of a DELETE without saying how long it is.
    const length = { "content-length": String(Buffer.byteLength(text)) };
    const place = { host: "127.0.0.1", port: env.port, path, method, agent };
    return new Promise((resolve, reject) => {
      const sent = { "content-type": contentType, ...length, ...headers };
      const request = httpsRequest({ ...place, headers: sent }, (response) => {
        let answer = "";
        response.setEncoding("utf8");
        response.on("data", (chunk) => {
          answer += chunk;
        });
        response.on("end", () => {
          const { warning } = response.headers;
          resolve({ code: response.statusCode ?? 0, json: JSON.parse(answer), warning });
        });
      });
      request.on("error", reject);
      request.end(text);
    });
  };

  return {
    ask,
    apply: (path, manager, body, more = "") =>
      ask("PATCH", `${path}?fieldManager=${manager}${more}`, body, applyPatch),
    close: () => agent.destroy(),
  };
}

export function configMap(name: string, data: object, metadata: object = {}) {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, ...metadata }, data };
}

export const web = (name: string, spec: object = {}) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        containers: [{ name: "nginx", image: "nginx:1.22", ports: [{ containerPort: 80 }] }],
      },
    },
    ...spec,
  },
});

export interface Owner {
  manager?: string;
  operation: string;
  apiVersion: string;
  subresource?: string;
  time: string;
  fieldsType: string;
  fieldsV1: object;
}
export const ownersOf = (object: KubeObject) => (object.metadata.managedFields ?? []) as Owner[];
/** `manager operation subresource` of each. */
export const ownerNames = (object: KubeObject) =>
  ownersOf(object).map(({ manager, operation, subresource }) =>
    [manager, operation, subresource].filter(Boolean).join(" "),
  );
