/** What a client learns before it asks for an object: discovery, OpenAPI, health, metrics. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseProtobuf } from "../../manifests/protobuf/index.ts";
import { type Asker, asker } from "../harness/ask.ts";
import { startHttpsApi, type TestHttpsApi } from "../harness/https.ts";

let env: TestHttpsApi;
let ask: Asker;

beforeAll(async () => {
  env = await startHttpsApi();
  ask = asker(env);
});

afterAll(async () => {
  await env.dispose();
});

const aggregatedIn = (version: string) =>
  `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;

describe("discovery", () => {
  test("discovery: the old form, with where it was asked and how kinds are stored", async () => {
    const { json } = await ask("/api");
    expect(json).toEqual({
      kind: "APIVersions",
      versions: ["v1"],
      serverAddressByClientCIDRs: [
        { clientCIDR: "0.0.0.0/0", serverAddress: `127.0.0.1:${env.port}` },
      ],
    });
    const hashes = async (path: string) => {
      const { resources } = (await ask(path)).json;
      const pairs = resources.map((one: Record<string, string>) => [
        one.name,
        one.storageVersionHash,
      ]);
      return Object.fromEntries(pairs);
    };
    // As every API server of Kubernetes says them.
    expect(await hashes("/api/v1")).toMatchObject({ pods: "xPOwRZ+Yhw8=", "pods/log": undefined });
    expect(await hashes("/apis/apps/v1")).toMatchObject({ deployments: "8aSe+NMegvE=" });
    const [v1, v2] = [await hashes("/apis/autoscaling/v1"), await hashes("/apis/autoscaling/v2")];
    expect(v1.horizontalpodautoscalers).toBe(v2.horizontalpodautoscalers);
    expect((await ask("/apis/apps/v7")).code).toBe(404);
  });

  test("discovery: the old form in protobuf and YAML", async () => {
    const accept = "application/vnd.kubernetes.protobuf,application/json";
    const { body } = await ask("/apis/apps/v1", { headers: { accept } });
    const { json } = await ask("/apis/apps/v1");
    const list = parseProtobuf(body) as { resources: { name: string; verbs: string[] }[] };
    const names = (all: { name: string; verbs: string[] }[]) =>
      all.map(({ name, verbs }) => [name, verbs]);
    expect(names(list.resources)).toEqual(names(json.resources));
    const yaml = await ask("/apis", { headers: { accept: "application/yaml" } });
    expect(yaml.body.toString()).toContain("kind: APIGroupList\n");
  });

  test.each(["v2", "v2beta1"])("discovery: aggregated %s is sent to who has another", async (v) => {
    const headers = { accept: `${aggregatedIn(v)},application/json` };
    const first = await ask("/apis", { headers });
    expect(first.headers["content-type"]).toBe(aggregatedIn(v));
    expect(first.json.apiVersion).toBe(`apidiscovery.k8s.io/${v}`);
    const etag = String(first.headers.etag);
    expect(etag).toMatch(/^"[0-9A-F]{64}"$/);
    const again = await ask("/apis", { headers: { ...headers, "if-none-match": etag } });
    expect(again).toMatchObject({ code: 304, body: Buffer.alloc(0), headers: { etag } });
    const other = await ask("/apis", { headers: { ...headers, "if-none-match": '"x"' } });
    expect(other).toMatchObject({ code: 200, headers: { etag } });
  });

  test("discovery: / names every path that there is", async () => {
    const { paths } = (await ask("/")).json as { paths: string[] };
    expect(paths).toEqual([...paths].sort());
    expect(paths).toContain("/apis/apps/v1");
    expect(paths).toContain("/readyz/store-objects");
    const codes = await Promise.all(paths.map(async (path) => [path, (await ask(path)).code]));
    expect(codes).toEqual(paths.map((path) => [path, 200]));
    expect((await ask("/logs")).code).toBe(404);
  });
});

describe("openapi", () => {
  test("openapi: a document's address holds its hash, and what is there never changes", async () => {
    const { paths } = (await ask("/openapi/v3")).json;
    const url = paths["apis/apps/v1"].serverRelativeURL as string;
    const document = await ask(url);
    expect(document.headers).toMatchObject({
      "cache-control": "public, immutable",
      etag: expect.stringMatching(/^".+"$/),
      vary: "Accept",
    });
    const days = (Date.parse(String(document.headers.expires)) - Date.now()) / 86_400_000;
    expect(Math.round(days)).toBe(365);
    const etag = String(document.headers.etag);
    expect((await ask(url, { headers: { "if-none-match": etag } })).code).toBe(304);

    const stale = await ask("/openapi/v3/apis/apps/v1?hash=0123");
    expect(stale).toMatchObject({ code: 301, headers: { location: url } });
    const bare = await ask("/openapi/v3/apis/apps/v1");
    expect(bare.body.equals(document.body)).toBe(true);
    expect(bare.headers["cache-control"]).toBe("no-cache, private");
    expect((await ask("/openapi/v3/apis/nonsense/v1")).code).toBe(404);
  });
});

describe("health", () => {
  test("health: each check by itself, all of them, and all but some", async () => {
    expect((await ask("/readyz/store-leases")).body.toString()).toBe("ok");
    expect((await ask("/livez/ping")).body.toString()).toBe("ok");
    expect((await ask("/readyz/nonsense")).code).toBe(404);
    const all = await ask("/readyz?verbose&exclude=namespaces&exclude=nonsense");
    expect(all.code).toBe(200);
    const lines = all.body.toString().split("\n");
    expect(lines).toContain("[+]ping ok");
    expect(lines).toContain("[+]namespaces excluded: ok");
    expect(lines.slice(-3)).toEqual([
      'warn: some health checks cannot be excluded: no matches for "nonsense"',
      "readyz check passed",
      "",
    ]);
  });

  test("metrics: requests by upstream's labels, and nothing of what is not served", async () => {
    await ask("/api/v1/namespaces/default/pods?dryRun=made-up");
    await ask("/api/v1/namespaces/default/nonsense");
    await ask("/api/v1/namespaces/default/pods/x/nonsense");
    const { body, headers } = await ask("/metrics");
    expect(headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
    const text = body.toString();
    const labels =
      'component="apiserver",dry_run="",group="",resource="pods",scope="namespace",subresource="",verb="LIST",version="v1"';
    expect(text).toContain(`apiserver_request_total{${labels},code="200"} 1`);
    expect(text).toMatch(/apiserver_request_duration_seconds_bucket\{.*verb="LIST"/);
    expect(text).not.toContain("nonsense");
    expect(text).not.toContain("made-up");
  });
});
