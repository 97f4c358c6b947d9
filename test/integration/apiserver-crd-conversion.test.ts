/** A custom kind whose versions a webhook converts: a real one, over HTTPS. */

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createWebhookDialer } from "../../deploy/webhook-dialer.ts";
import type { KubeObject } from "../../manifests/index.ts";
import { startConverter, type TestConverter } from "../harness/conversion-webhook.ts";
import { startCustomApi, type TestCustomApi } from "../harness/custom-kinds.ts";
import { type RestClient, restClient } from "../harness/rest.ts";

interface Address extends KubeObject {
  spec: { hostPort?: string; host?: string; port?: number };
}

/** v1 says `hostPort: a:1` where v2 says `host: a` and `port: 1`. */
function convert(object: KubeObject, apiVersion: string): KubeObject {
  const { spec } = object as Address;
  const [host, port] = (spec.hostPort ?? "").split(":");
  const after = apiVersion.endsWith("/v1")
    ? { hostPort: `${spec.host}:${spec.port}` }
    : { host, port: Number(port) };
  return { ...object, apiVersion, spec: after } as KubeObject;
}

const name = "addresses.net.example.com";
const path = (version: string) => `/apis/net.example.com/${version}/namespaces/default/addresses`;
const address = (version: string, called: string, spec: object) => ({
  apiVersion: `net.example.com/${version}`,
  kind: "Address",
  metadata: { name: called },
  spec,
});

let env: TestCustomApi;
let rest: RestClient;
let converter: TestConverter;

beforeAll(async () => {
  converter = await startConverter(convert);
  env = await startCustomApi({ admission: { dialer: createWebhookDialer() } });
  rest = await restClient(env);
  const properties = (spec: object) => ({
    openAPIV3Schema: {
      type: "object",
      properties: { spec: { type: "object", properties: spec } },
    },
  });
  const definition = {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name },
    spec: {
      group: "net.example.com",
      scope: "Namespaced",
      names: { plural: "addresses", kind: "Address" },
      conversion: {
        strategy: "Webhook",
        webhook: {
          conversionReviewVersions: ["v1"],
          clientConfig: { url: converter.url, caBundle: converter.caBundle },
        },
      },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: properties({ hostPort: { type: "string" } }),
        },
        {
          name: "v2",
          served: true,
          storage: false,
          selectableFields: [{ jsonPath: ".spec.host" }],
          additionalPrinterColumns: [{ name: "Host", type: "string", jsonPath: ".spec.host" }],
          schema: properties({ host: { type: "string", minLength: 1 }, port: { type: "integer" } }),
        },
      ],
    },
  };
  await env.kubectl(["create", "-f", "-"], { input: JSON.stringify(definition) });
  await env.kubectl(["wait", "--for=condition=established", "--timeout=30s", `crd/${name}`]);
  await rest.ask("POST", path("v1"), address("v1", "a", { hostPort: "a:1" }));
  await rest.ask("POST", path("v2"), address("v2", "b", { host: "b", port: 2 }));
});

beforeEach(() => {
  converter.convert = convert;
  converter.asked.length = 0;
});

afterAll(async () => {
  rest.close();
  await env.dispose();
  await converter.close();
});

const stored = (called: string) => {
  const kept = env.stores.objects.view.get(`net=2Eexample=2Ecom.addresses.default.${called}`);
  return JSON.parse(new TextDecoder().decode(kept?.value)) as Address;
};

test("crd conversion: what is made in one version is kept in the stored one and shown in each", async () => {
  expect(stored("b")).toMatchObject({
    apiVersion: "net.example.com/v1",
    spec: { hostPort: "b:2" },
  });
  const a = await rest.ask("GET", `${path("v2")}/a`);
  expect(a.json).toMatchObject({ apiVersion: "net.example.com/v2", spec: { host: "a", port: 1 } });
  const all = await rest.ask("GET", path("v2"));
  expect(all.json.items.map(({ spec }: Address) => spec)).toEqual([
    { host: "a", port: 1 },
    { host: "b", port: 2 },
  ]);
});

test("crd conversion: a list is one question, and what is known is not asked again", async () => {
  await rest.ask("POST", path("v1"), address("v1", "c", { hostPort: "c:3" }));
  await rest.ask("POST", path("v1"), address("v1", "d", { hostPort: "d:4" }));
  await rest.ask("GET", path("v1"));
  expect(converter.asked).toEqual([]);
  await rest.ask("GET", path("v2"));
  await rest.ask("GET", path("v2"));
  expect(converter.asked).toEqual([2]);
});

test("crd conversion: who asks for the same at once waits for one answer", async () => {
  await rest.ask("POST", path("v1"), address("v1", "e", { hostPort: "e:5" }));
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => rest.ask("GET", `${path("v2")}/e`)),
  );
  for (const { json } of answers) expect(json.spec).toEqual({ host: "e", port: 5 });
  expect(converter.asked).toEqual([1]);
});

test("crd conversion: selected, printed and changed in the version that was asked for", async () => {
  const chosen = await rest.ask("GET", `${path("v2")}?fieldSelector=spec.host%3Db`);
  expect(chosen.json.items.map(({ metadata }: KubeObject) => metadata.name)).toEqual(["b"]);
  const table = await env.kubectl(["get", "addresses.v2.net.example.com", "b", "--no-headers"]);
  expect(table).toBe("b     b\n");
  const merge = "application/merge-patch+json";
  const patched = await rest.ask("PATCH", `${path("v2")}/b`, { spec: { port: 9 } }, merge);
  expect(patched.json.spec).toEqual({ host: "b", port: 9 });
  expect(stored("b").spec).toEqual({ hostPort: "b:9" });
  const refused = await rest.ask("PATCH", `${path("v2")}/b`, { spec: { host: "" } }, merge);
  expect(refused.json.message).toContain("spec.host in body should be at least 1 chars long");
});

test("crd conversion: a watch tells in its version, in order, of what is converted meanwhile", async () => {
  const what = "addresses.v2.net.example.com/w";
  await rest.ask("POST", path("v1"), address("v1", "w", { hostPort: "w:0" }));
  const seen = ["wait", "--for=jsonpath={.spec.port}=3", "--timeout=30s", what];
  const merge = "application/merge-patch+json";
  const moves = async () => {
    for (const port of [1, 2, 3]) {
      await rest.ask("PATCH", `${path("v1")}/w`, { spec: { hostPort: `w:${port}` } }, merge);
    }
  };
  expect((await Promise.all([env.kubectl(seen), moves()]))[0]).toContain("condition met");
});

test("crd conversion: a watch that cannot be told what has changed ends, and says why", async () => {
  await rest.ask("POST", path("v1"), address("v1", "lost", { hostPort: "l:1" }));
  const { json } = await rest.ask("GET", path("v2"));
  const query = `watch=true&resourceVersion=${json.metadata.resourceVersion}&timeoutSeconds=30`;
  const watched = env.kubectl(["get", "--raw", `${path("v2")}?${query}`]);
  const merge = "application/merge-patch+json";
  const move = (port: number) =>
    rest.ask("PATCH", `${path("v1")}/lost`, { spec: { hostPort: `l:${port}` } }, merge);
  await move(2);
  converter.convert = undefined;
  await move(3);
  const told = (await watched)
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(told.at(-1)).toMatchObject({
    type: "ERROR",
    object: { code: 500, message: expect.stringContaining("out of order") },
  });
});

test("crd conversion: while the webhook is out of order, one version works and the other says why not", async () => {
  await rest.ask("POST", path("v1"), address("v1", "broken", { hostPort: "x:1" }));
  converter.convert = undefined;
  const read = await rest.ask("GET", `${path("v2")}/broken`);
  expect(read.code).toBe(500);
  expect(read.json.message).toBe(
    "conversion webhook for net.example.com/v1, Kind=Address failed: out of order",
  );
  const made = await rest.ask("POST", path("v2"), address("v2", "never", { host: "n", port: 1 }));
  expect(made.code).toBe(500);
  expect((await rest.ask("GET", `${path("v1")}/broken`)).code).toBe(200);
  expect((await rest.ask("DELETE", `${path("v1")}/broken`)).code).toBe(200);
});

test("crd conversion: once another version is stored, what was kept before is read and moves when written", async () => {
  const move = [
    { op: "replace", path: "/spec/versions/0/storage", value: false },
    { op: "replace", path: "/spec/versions/1/storage", value: true },
  ];
  await env.kubectl(["patch", "crd", name, "--type=json", "-p", JSON.stringify(move)]);
  const versions = ["get", "crd", name, "-o", "jsonpath={.status.storedVersions}"];
  expect(await env.kubectl(versions)).toBe('["v1","v2"]');
  expect(stored("a").apiVersion).toBe("net.example.com/v1");
  const { json } = await rest.ask("GET", `${path("v2")}/a`);
  expect(json.spec).toEqual({ host: "a", port: 1 });
  await rest.ask("PUT", `${path("v2")}/a`, { ...json, spec: { host: "a", port: 8 } });
  expect(stored("a")).toMatchObject({ apiVersion: "net.example.com/v2", spec: { port: 8 } });
  expect((await rest.ask("GET", `${path("v1")}/a`)).json.spec).toEqual({ hostPort: "a:8" });
});
