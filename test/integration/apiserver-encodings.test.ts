/** Encodings at the HTTPS door: protobuf as client-go speaks it, YAML, indented JSON, gzip. */

import { get } from "node:https";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Api } from "../../actors/kit/client.ts";
import { ConfigMap, parseYaml } from "../../manifests/index.ts";
import { encodeProtobuf, parseProtobuf } from "../../manifests/protobuf/index.ts";
import { type Answer, type Asker, asker } from "../harness/ask.ts";
import { admin, startHttpsApi, type TestHttpsApi } from "../harness/https.ts";
import { waitFor } from "../harness/wait.ts";

const protobuf = "application/vnd.kubernetes.protobuf";
/** As client-go's typed clients ask. */
const clientGo = { accept: `${protobuf},application/json`, "content-type": protobuf };
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

function encode(object: object): Uint8Array {
  const bytes = encodeProtobuf(object);
  if (!bytes) throw new Error("no protobuf form");
  return bytes;
}

// biome-ignore lint/suspicious/noExplicitAny: what a client reads has whatever shape the test says
function read({ headers, body }: Answer): any {
  expect(headers["content-type"]).toBe(protobuf);
  return parseProtobuf(body);
}

function send(method: string, path: string, object: object): Promise<Answer> {
  return ask(path, { method, headers: clientGo, body: encode(object) });
}

describe("encodings: protobuf as client-go speaks it", () => {
  test("protobuf: an object's whole life", async () => {
    const metadata = { name: "life", labels: { b: "2", a: "1" } };
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata, data: { k: "é" } };
    const made = await send("POST", configMaps, { ...object, binaryData: { raw: "/wA=" } });
    expect(made.code).toBe(201);
    const first = read(made);
    expect(first).toMatchObject({ ...object, binaryData: { raw: "/wA=" } });
    expect(first.metadata.uid).not.toBe("");

    const path = `${configMaps}/life`;
    expect(read(await ask(path, { headers: clientGo }))).toEqual(first);
    const changed = await send("PUT", path, { ...first, data: { k: "v" } });
    expect(changed.code).toBe(200);
    const { resourceVersion } = read(changed).metadata;
    expect(resourceVersion).not.toBe(first.metadata.resourceVersion);

    const stale = await send("PUT", path, first);
    expect(stale.code).toBe(409);
    expect(read(stale)).toMatchObject({
      kind: "Status",
      reason: "Conflict",
      details: { name: "life" },
    });

    const type = { ...clientGo, "content-type": "application/merge-patch+json" };
    const patch = { method: "PATCH", headers: type, body: '{"data":{"p":"1"}}' };
    expect(read(await ask(path, patch)).data).toEqual({ k: "v", p: "1" });

    const options = { apiVersion: "v1", kind: "DeleteOptions", preconditions: { uid: "another" } };
    expect(read(await send("DELETE", path, options))).toMatchObject({ reason: "Conflict" });
    const right = { ...options, preconditions: { uid: first.metadata.uid } };
    expect(read(await send("DELETE", path, right))).toMatchObject({
      kind: "Status",
      status: "Success",
    });
    expect(read(await ask(path, { headers: clientGo }))).toMatchObject({
      reason: "NotFound",
      code: 404,
    });
  });

  test("protobuf: a list is to the byte what encoding the whole of it gives", async () => {
    const names = ["list-a", "list-b", "list-c"];
    for (const name of names) {
      const metadata = { namespace: "default", name, labels: { set: "listed" } };
      await api.create(ConfigMap, { metadata, data: { long: name.repeat(100) } });
    }
    const path = `${configMaps}?labelSelector=set%3Dlisted`;
    const { json } = await ask(path);
    const { body } = await ask(path, { headers: clientGo });
    expect(body.equals(encode(json))).toBe(true);
    expect(json.items.map((item: { metadata: { name: string } }) => item.metadata.name)).toEqual(
      names,
    );
    const accept = `${protobuf};as=PartialObjectMetadataList;v=v1;g=meta.k8s.io`;
    const partial = read(await ask(path, { headers: { accept } }));
    expect(partial).toMatchObject({
      apiVersion: "meta.k8s.io/v1",
      kind: "PartialObjectMetadataList",
    });
    expect(partial.items[2].metadata.name).toBe("list-c");
    const page = read(await ask(`${configMaps}?limit=1`, { headers: clientGo }));
    expect(page.metadata).toMatchObject({ continue: expect.stringMatching(/./) });
  });

  test("protobuf: what is no object of its own: scale, binding, eviction, a review", async () => {
    const labels = { app: "scaled" };
    const template = {
      metadata: { labels },
      spec: { containers: [{ name: "main", image: "nginx" }] },
    };
    const spec = { replicas: 1, selector: { matchLabels: labels }, template };
    const deployments = "/apis/apps/v1/namespaces/default/deployments";
    const metadata = { name: "scaled", namespace: "default" };
    await send("POST", deployments, { apiVersion: "apps/v1", kind: "Deployment", metadata, spec });
    const path = `${deployments}/scaled/scale`;
    const scale = read(await ask(path, { headers: clientGo }));
    expect(scale).toMatchObject({
      apiVersion: "autoscaling/v1",
      kind: "Scale",
      spec: { replicas: 1 },
    });
    const scaled = await send("PUT", path, { ...scale, spec: { replicas: 4 } });
    expect(read(scaled).spec.replicas).toBe(4);

    const absent = "/api/v1/namespaces/default/pods/absent";
    const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: "absent" } };
    expect(read(await send("POST", `${absent}/eviction`, eviction))).toMatchObject({ code: 404 });
    const target = { kind: "Node", name: "n" };
    const binding = { apiVersion: "v1", kind: "Binding", metadata: { name: "absent" }, target };
    expect(read(await send("POST", `${absent}/binding`, binding))).toMatchObject({ code: 404 });

    const attributes = { verb: "get", resource: "pods", namespace: "default" };
    const review = await send("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes: attributes },
    });
    expect(read(review).status).toMatchObject({ allowed: true });
  });

  test("protobuf: a watch comes in frames with their length before them", async () => {
    const metadata = { namespace: "default", name: "framed", labels: { set: "framed" } };
    await api.create(ConfigMap, { metadata, data: { a: "1" } });
    const query = "watch=true&allowWatchBookmarks=true&timeoutSeconds=2&labelSelector=set%3Dframed";
    const frames: { type: string; object: ReturnType<typeof read> }[] = [];
    const { key, cert } = await env.credentials(admin);
    const ended = new Promise<string>((resolve, reject) => {
      const place = { host: "127.0.0.1", port: env.port, path: `${configMaps}?${query}` };
      const request = get({ ...place, ca: env.ca, key, cert, headers: clientGo }, (response) => {
        let pending = Buffer.alloc(0);
        response.on("data", (chunk: Buffer) => {
          pending = Buffer.concat([pending, chunk]);
          for (let size = 0; pending.length >= 4; pending = pending.subarray(4 + size)) {
            size = pending.readUInt32BE(0);
            if (pending.length < 4 + size) break;
            frames.push(eventOf(pending.subarray(4, 4 + size)));
          }
        });
        response.on("end", () => resolve(String(response.headers["content-type"])));
      });
      request.on("error", reject);
    });
    await waitFor("what is there", () => frames[1]);
    await api.delete(ConfigMap, "default/framed");
    expect(await ended).toBe(`${protobuf};stream=watch`);
    expect(frames.map(({ type }) => type)).toEqual(["ADDED", "BOOKMARK", "DELETED", "BOOKMARK"]);
    expect(frames[0]?.object).toMatchObject({ kind: "ConfigMap", data: { a: "1" } });
    const marked = { "k8s.io/initial-events-end": "true" };
    expect(frames[1]?.object.metadata.annotations).toEqual(marked);
    expect(Number(frames[3]?.object.metadata.resourceVersion)).toBeGreaterThan(0);
  });

  test("protobuf: a watch of what is gone says so in a frame", async () => {
    const path = `${configMaps}?watch=true&resourceVersion=99999999`;
    const late = await ask(path, { headers: clientGo });
    expect(late.code).toBe(504);
    expect(read(late)).toMatchObject({ reason: "Timeout", details: { retryAfterSeconds: 1 } });
    expect(late.headers["retry-after"]).toBe("1");
  });

  const refused: [string, Uint8Array, string][] = [
    ["no protobuf", Buffer.from("{}"), "does not appear to be a protobuf message"],
    [
      "cut off",
      encode({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "x" } }).subarray(0, 30),
      "unexpected EOF",
    ],
    [
      "another kind",
      encode({ apiVersion: "v1", kind: "Pod", metadata: { name: "x" } }),
      "cannot be handled as a ConfigMap",
    ],
  ];
  test.each(refused)("protobuf: a body that is %s is refused", async (_, body, message) => {
    const answer = await ask(configMaps, { method: "POST", headers: clientGo, body });
    expect(answer.code).toBe(400);
    expect(read(answer).message).toContain(message);
  });
});

/** WatchEvent: type, and the object in an envelope within a RawExtension; lengths are of two bytes at most. */
function eventOf(frame: Buffer): { type: string; object: ReturnType<typeof read> } {
  const typeEnd = 2 + (frame[1] ?? 0);
  const type = frame.subarray(2, typeEnd).toString();
  const start = frame.indexOf("k8s\0");
  expect([frame[0], frame[typeEnd]]).toEqual([0x0a, 0x12]);
  return { type, object: parseProtobuf(frame.subarray(start)) };
}

describe("encodings: text", () => {
  test("encodings: YAML both ways", async () => {
    const headers = { accept: "application/yaml", "content-type": "application/yaml" };
    const body = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: spoken}\ndata: {a: 'yes'}\n";
    const made = await ask(configMaps, { method: "POST", headers, body });
    expect(made).toMatchObject({ code: 201, headers: { "content-type": "application/yaml" } });
    expect(parseYaml(made.body.toString())).toMatchObject({
      kind: "ConfigMap",
      data: { a: "yes" },
    });
  });

  test("encodings: JSON is indented when asked, and for who reads by eye", async () => {
    const path = "/api/v1/namespaces/default";
    const compact = (await ask(path)).body.toString();
    const indented = `${JSON.stringify(JSON.parse(compact), null, 2)}\n`;
    const curl = { "user-agent": "curl/8.14.1" };
    expect((await ask(`${path}?pretty=true`)).body.toString()).toBe(indented);
    expect((await ask(path, { headers: curl })).body.toString()).toBe(indented);
    expect((await ask(`${path}?pretty=0`, { headers: curl })).body.toString()).toBe(compact);
  });

  test("encodings: a long answer is compressed for who can read that, a short one is not", async () => {
    for (let at = 0; at < 4; at++) {
      const metadata = { namespace: "default", name: `long-${at}`, labels: { set: "long" } };
      await api.create(ConfigMap, { metadata, data: { a: `${at}`.repeat(50_000) } });
    }
    const path = `${configMaps}?labelSelector=set%3Dlong`;
    const plain = await ask(path);
    const headers = { "accept-encoding": "br, gzip" };
    const packed = await ask(path, { headers });
    expect(packed.headers).toMatchObject({ "content-encoding": "gzip", vary: "Accept-Encoding" });
    expect(packed.body.length).toBeLessThan(plain.body.length / 10);
    expect(gunzipSync(packed.body).equals(plain.body)).toBe(true);
    const inProtobuf = await ask(path, { headers: { ...clientGo, ...headers } });
    expect(parseProtobuf(gunzipSync(inProtobuf.body))).toMatchObject({ kind: "ConfigMapList" });
    const short = await ask(`${configMaps}/long-0`, { headers });
    expect(short.headers["content-encoding"]).toBeUndefined();
    expect(plain.headers["content-encoding"]).toBeUndefined();
  });

  const unspoken: [string, string, object, number, string][] = [
    [
      "Accept: CBOR",
      "GET",
      { accept: "application/cbor" },
      406,
      "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf",
    ],
    [
      "a watch in YAML",
      "GET",
      { accept: "application/yaml" },
      406,
      "application/json;stream=watch",
    ],
    [
      "a body in CBOR",
      "POST",
      { "content-type": "application/cbor" },
      415,
      "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf",
    ],
  ];
  test.each(unspoken)("encodings: %s is refused", async (what, method, headers, code, message) => {
    const path = what.includes("watch") ? `${configMaps}?watch=1` : configMaps;
    const options = { method, headers: headers as Record<string, string> };
    const answer = await ask(path, { ...options, ...(method === "POST" ? { body: "x" } : {}) });
    expect(answer).toMatchObject({ code, json: { kind: "Status", code } });
    expect(answer.json.message).toContain(message);
  });
});
