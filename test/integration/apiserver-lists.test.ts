/** Lists and watches over HTTPS as clients ask for them: revisions, pages, single objects, second versions. */

import { get } from "node:https";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Api } from "../../actors/kit/client.ts";
import { ConfigMap, Event } from "../../manifests/index.ts";
import { type Asker, asker } from "../harness/ask.ts";
import { admin, startHttpsApi, type TestHttpsApi } from "../harness/https.ts";
import { waitFor } from "../harness/wait.ts";

const configMaps = "/api/v1/namespaces/default/configmaps";

let env: TestHttpsApi;
let api: Api;
let ask: Asker;

beforeAll(async () => {
  env = await startHttpsApi();
  api = await env.client();
  ask = asker(env);
});

afterAll(async () => {
  await env.dispose();
});

interface Frame {
  type: string;
  object: { metadata: { name?: string; annotations?: object }; code?: number };
}

/** Follows a watch that ends by itself, `during` once it has begun. */
async function watch(path: string, during: () => Promise<unknown> = async () => {}) {
  const { key, cert } = await env.credentials(admin);
  let text = "";
  let code = 0;
  const ended = new Promise<void>((resolve, reject) => {
    const place = { host: "127.0.0.1", port: env.port, path, ca: env.ca, key, cert, agent: false };
    get(place, (response) => {
      code = response.statusCode ?? 0;
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", resolve);
    }).on("error", reject);
  });
  await waitFor("the watch to begin", () => code !== 0);
  await during();
  await ended;
  return text
    .trimEnd()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Frame);
}

const told = (frames: Frame[]) => frames.map(({ type, object }) => [type, object.metadata.name]);

describe("lists", () => {
  test("lists: at a revision, at least at it, or whatever there is", async () => {
    const make = (name: string) =>
      api.create(ConfigMap, { metadata: { namespace: "default", name, labels: { set: "rv" } } });
    const first = await make("rv-a");
    await make("rv-b");
    const at = first.metadata.resourceVersion;
    const count = async (query: string) => {
      const { json } = await ask(`${configMaps}?labelSelector=set%3Drv&${query}`);
      return json.items.length;
    };
    expect(await count("")).toBe(2);
    expect(await count("resourceVersion=0")).toBe(2);
    expect(await count(`resourceVersion=${at}`)).toBe(2);
    expect(await count(`resourceVersion=${at}&resourceVersionMatch=NotOlderThan`)).toBe(2);
    expect(await count(`resourceVersion=${at}&resourceVersionMatch=Exact`)).toBe(1);
    expect(await count(`resourceVersion=${at}&limit=5`)).toBe(1);
    const refused = await ask(`${configMaps}?resourceVersionMatch=Exact`);
    expect(refused).toMatchObject({ code: 422, json: { reason: "Invalid" } });
    expect(refused.json.details).toMatchObject({
      group: "meta.k8s.io",
      kind: "ListOptions",
      causes: [{ field: "resourceVersionMatch", reason: "FieldValueForbidden" }],
    });
  });

  test("lists: HEAD says what GET would, and no more", async () => {
    const { code, headers, body } = await ask(configMaps, { method: "HEAD" });
    expect({ code, type: headers["content-type"], bytes: body.length }).toEqual({
      code: 200,
      type: "application/json",
      bytes: 0,
    });
    expect((await ask(configMaps, { method: "OPTIONS" })).code).toBe(405);
  });

  test("lists: events by what they regard, in the words of either version", async () => {
    const involvedObject = { kind: "Pod", namespace: "default", name: "web" };
    const metadata = { namespace: "default", name: "web.1" };
    await api.create(Event, { metadata, involvedObject, reason: "Tested", type: "Normal" });
    const names = async (path: string, selector: string) => {
      const query = `fieldSelector=${encodeURIComponent(selector)}`;
      const answer = await ask(`${path}/namespaces/default/events?${query}`);
      return (
        answer.json.items?.map((item: typeof answer.json) => item.metadata.name) ??
        answer.json.message
      );
    };
    const [old, now] = ["/api/v1", "/apis/events.k8s.io/v1"];
    expect(await names(old, "involvedObject.name=web,reason=Tested")).toEqual(["web.1"]);
    expect(await names(now, "regarding.name=web,reason=Tested")).toEqual(["web.1"]);
    expect(await names(now, "regarding.name=other")).toEqual([]);
    expect(await names(now, "involvedObject.name=web")).toBe(
      "field label not supported: involvedObject.name",
    );
    expect(await names(old, "regarding.name=web")).toBe(
      "field label not supported: regarding.name",
    );
  });
});

describe("watches", () => {
  test("watches: one object, by its path or by a selector", async () => {
    const touch = async (name: string) => {
      await api.create(ConfigMap, { metadata: { namespace: "default", name: `${name}-other` } });
      await api.create(ConfigMap, { metadata: { namespace: "default", name } });
    };
    const query = "watch=true&timeoutSeconds=3";
    expect(told(await watch(`${configMaps}/one?${query}`, () => touch("one")))).toEqual([
      ["ADDED", "one"],
    ]);
    const bySelector = `${configMaps}?${query}&fieldSelector=metadata.name%3Dtwo`;
    expect(told(await watch(bySelector, () => touch("two")))).toEqual([["ADDED", "two"]]);
    const old = "/api/v1/watch/namespaces/default/configmaps/two?timeoutSeconds=1";
    expect(told(await watch(old))).toEqual([["ADDED", "two"]]);
    const both = await ask(`${configMaps}/one?${query}&fieldSelector=metadata.name%3Dtwo`);
    expect(both).toMatchObject({
      code: 400,
      json: { message: "fieldSelector metadata.name doesn't match requested name" },
    });
  });

  test("watches: what is there comes first and its end is marked, or not, as asked", async () => {
    const metadata = { namespace: "default", name: "there", labels: { set: "there" } };
    await api.create(ConfigMap, { metadata });
    const of = (query: string) =>
      watch(`${configMaps}?watch=1&timeoutSeconds=1&labelSelector=set%3Dthere&${query}`);
    const match = "resourceVersionMatch=NotOlderThan";
    const marked = await of(`sendInitialEvents=true&${match}&allowWatchBookmarks=true`);
    expect(marked.map(({ type }) => type)).toEqual(["ADDED", "BOOKMARK", "BOOKMARK"]);
    expect(marked[1]?.object.metadata.annotations).toEqual({ "k8s.io/initial-events-end": "true" });
    expect(marked[2]?.object.metadata.annotations).toBeUndefined();
    expect(told(await of(`sendInitialEvents=true&${match}`))).toEqual([["ADDED", "there"]]);
    expect(await of(`sendInitialEvents=false&${match}`)).toEqual([]);
    expect((await ask(`${configMaps}?watch=1&sendInitialEvents=true`)).code).toBe(422);
  });
});
