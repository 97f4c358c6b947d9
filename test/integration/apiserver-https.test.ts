/** The HTTPS door, by hand: both HTTP versions, negotiation, health, refusals, streams to a node. */

import { connect as connectHttp2 } from "node:http2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { Api } from "../../actors/kit/client.ts";
import { channels, type OpenExec, type OpenLog } from "../../actors/kubelet/messages.ts";
import { nodeSubject, streamSubject } from "../../actors/subjects.ts";
import {
  ConfigMap,
  HorizontalPodAutoscalerV1,
  Pod,
  Role,
  RoleBinding,
} from "../../manifests/index.ts";
import { createAuthority, issueClientCertificate } from "../../runtime/pki.ts";
import { realClock } from "../../runtime/real.ts";
import { openStream } from "../../runtime/stream.ts";
import {
  type Answer,
  type Ask,
  admin,
  startHttpsApi,
  type TestHttpsApi,
} from "../harness/https.ts";
import { readJson } from "../harness/messages.ts";
import { waitFor } from "../harness/wait.ts";

let env: TestHttpsApi;
let api: Api;

beforeAll(async () => {
  env = await startHttpsApi();
  api = await env.client();
});

afterAll(async () => {
  await env.dispose();
});

const ask = (path: string, options?: Ask): Promise<Answer> => env.ask(path, options);

const configMaps = "/api/v1/namespaces/default/configmaps";
const jsonHeaders = { "content-type": "application/json" };

describe("https: who asks", () => {
  test("https: health and version are for everybody, nothing else is", async () => {
    expect(await ask("/livez", { user: "nobody" })).toMatchObject({ code: 200, text: "ok" });
    expect((await ask("/version", { user: "nobody" })).json.gitVersion).toMatch(
      /^v1\.32\..*\+wherry/,
    );
    const refused = await ask("/api/v1/pods", { user: "nobody" });
    expect(refused).toMatchObject({ code: 403, json: { kind: "Status", reason: "Forbidden" } });
    expect(refused.json.message).toBe(
      'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope',
    );
  });

  test("https: a certificate of another authority is refused", async () => {
    const validity = { clock: realClock, days: 1 };
    const other = await createAuthority({ commonName: "test", ...validity });
    const forged = await issueClientCertificate(other, { ...admin, ...validity });
    const credentials = { key: forged.key, cert: forged.certificate };
    const answer = await ask("/api/v1/pods", { credentials });
    expect(answer).toMatchObject({ code: 401, json: { kind: "Status", reason: "Unauthorized" } });
  });

  test("https: only a master may speak as somebody else", async () => {
    const headers = { "impersonate-user": "bob" };
    expect((await ask("/api/v1/pods", { headers })).json.message).toContain(
      'User "bob" cannot list',
    );
    const user = { user: "eve", groups: [] };
    expect((await ask("/api/v1/pods", { headers, user })).json.message).toContain(
      'User "eve" cannot impersonate resource "users"',
    );
  });
});

describe("https: what is asked", () => {
  test("https: readyz says which checks hold", async () => {
    const { code, text } = await ask("/readyz?verbose");
    expect(code).toBe(200);
    expect(text).toContain("[+]store-objects ok");
    expect(text).toContain("readyz check passed");
  });

  test("https: discovery in both forms names every resource once", async () => {
    const legacy = await ask("/apis/apps/v1");
    expect(legacy.json.resources.map(({ name }: { name: string }) => name)).toContain(
      "deployments/scale",
    );
    const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    const { json, headers } = await ask("/apis", { headers: { accept } });
    expect(headers["content-type"]).toContain("as=APIGroupDiscoveryList");
    const apps = json.items.find(
      ({ metadata }: { metadata: { name: string } }) => metadata.name === "apps",
    );
    const names = apps.versions[0].resources.map(({ resource }: { resource: string }) => resource);
    expect(names.sort()).toEqual([...new Set(names)].sort());
    expect(names).toContain("deployments");
    expect((await ask("/openapi/v3")).json.paths["apis/apps/v1"].serverRelativeURL).toContain(
      "/openapi/v3/apis/apps/v1",
    );
  });

  test("https: OpenAPI v2 says who answers, in protobuf for kubectl", async () => {
    const { json } = await ask("/openapi/v2");
    expect(json).toMatchObject({ swagger: "2.0", info: { title: "Kubernetes" } });
    const accept = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
    const { text, headers } = await ask("/openapi/v2", { headers: { accept } });
    expect(headers["content-type"]).toBe(accept.replace("@", "."));
    const { version } = json.info;
    const info = `\n\x0aKubernetes\x12${String.fromCharCode(version.length)}${version}`;
    expect(text).toBe(`\n\x032.0\x12${String.fromCharCode(info.length)}${info}\x42\x00\x4a\x00`);
  });

  test("https: an object in the forms that may be asked for", async () => {
    await api.create(ConfigMap, {
      metadata: { namespace: "default", name: "forms" },
      data: { a: "b" },
    });
    const path = `${configMaps}/forms`;
    const as = (form: string) => ({ accept: `application/json;as=${form};v=v1;g=meta.k8s.io` });
    expect((await ask(path)).json).toMatchObject({ kind: "ConfigMap", data: { a: "b" } });
    const table = (await ask(path, { headers: as("Table") })).json;
    expect(table).toMatchObject({
      kind: "Table",
      rows: [{ object: { kind: "PartialObjectMetadata" } }],
    });
    expect(table.rows[0].cells[0]).toBe("forms");
    const partial = (await ask(path, { headers: as("PartialObjectMetadata") })).json;
    expect(partial).toMatchObject({ kind: "PartialObjectMetadata", metadata: { name: "forms" } });
    expect(partial.data).toBeUndefined();
    const yaml = await ask(path, { headers: { accept: "application/yaml" } });
    expect(yaml.text).toContain("kind: ConfigMap\n");
    expect((await ask(path, { headers: { accept: "text/html" } })).code).toBe(406);
  });

  test("https: a second version of a kind is the same object", async () => {
    const base = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers";
    const scaleTargetRef = { apiVersion: "apps/v1", kind: "Deployment", name: "x" };
    const { apiVersion, kind } = HorizontalPodAutoscalerV1;
    const spec = { scaleTargetRef, maxReplicas: 3, targetCPUUtilizationPercentage: 70 };
    const body = JSON.stringify({ apiVersion, kind, metadata: { name: "two" }, spec });
    const made = await ask(base, { method: "POST", headers: jsonHeaders, body });
    expect(made).toMatchObject({ code: 201, json: { apiVersion, spec } });
    const newer = await ask(`${base.replace("/v1/", "/v2/")}/two`);
    expect(newer.json.spec.metrics[0].resource.target.averageUtilization).toBe(70);
    expect(newer.json.metadata.resourceVersion).toBe(made.json.metadata.resourceVersion);
    const type = { "content-type": "application/merge-patch+json" };
    const patch = JSON.stringify({ spec: { maxReplicas: 9 } });
    const patched = await ask(`${base}/two`, { method: "PATCH", headers: type, body: patch });
    expect(patched.json).toMatchObject({ apiVersion, spec: { ...spec, maxReplicas: 9 } });
  });

  const bad: [string, string, Ask, number, string][] = [
    ["an unknown path", "/nope", {}, 404, "the server could not find the requested resource"],
    [
      "an unknown resource",
      "/api/v1/nonsense",
      {},
      404,
      "the server could not find the requested resource",
    ],
    ["an unknown object", `${configMaps}/absent`, {}, 404, 'configmaps "absent" not found'],
    [
      "a body that is no JSON",
      configMaps,
      { method: "POST", headers: jsonHeaders, body: "{" },
      400,
      "invalid JSON",
    ],
    [
      "a body of another kind",
      configMaps,
      { method: "POST", headers: jsonHeaders, body: '{"apiVersion":"v1","kind":"Pod"}' },
      400,
      "cannot be handled as a ConfigMap",
    ],
    [
      "a type that nobody reads",
      configMaps,
      { method: "POST", headers: { "content-type": "text/csv" }, body: "a,b" },
      415,
      "the body of the request was in an unknown format",
    ],
    [
      "server-side apply in CBOR",
      `${configMaps}/x`,
      { method: "PATCH", headers: { "content-type": "application/apply-patch+cbor" }, body: "{}" },
      415,
      "application/strategic-merge-patch+json, application/apply-patch+yaml",
    ],
    [
      "a method that is not served",
      "/api/v1/componentstatuses",
      { method: "POST", headers: jsonHeaders, body: "{}" },
      405,
      "the server does not allow this method on the requested resource",
    ],
    [
      "a body beyond all measure",
      configMaps,
      { method: "POST", headers: jsonHeaders, body: Buffer.alloc(3 * 1024 * 1024 + 1, 32) },
      413,
      "Request entity too large: limit is 3145728",
    ],
  ];
  test.each(bad)("https: %s is answered with a Status", async (_, path, request, code, message) => {
    const answer = await ask(path, request);
    expect(answer).toMatchObject({ code, json: { kind: "Status", status: "Failure", code } });
    expect(answer.json.message).toContain(message);
  });

  test("https: unknown fields are refused, told, or passed over, as asked", async () => {
    const body = (name: string) =>
      JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, foo: 1 });
    const post = (validation: string) =>
      ask(`${configMaps}?fieldValidation=${validation}`, {
        method: "POST",
        headers: jsonHeaders,
        body: body(`field-${validation.toLowerCase()}`),
      });
    expect(await post("Strict")).toMatchObject({ code: 400 });
    const warned = await post("Warn");
    expect(warned.code).toBe(201);
    expect(warned.headers.warning).toBe('299 - "unknown field \\"foo\\""');
    expect((await post("Ignore")).headers.warning).toBeUndefined();
  });

  test("https: what a patch makes must be an object of the kind", async () => {
    const body = { metadata: { name: "patched" }, data: { a: "b" } };
    await ask(configMaps, { method: "POST", headers: jsonHeaders, body: JSON.stringify(body) });
    const patch = async (form: string, value: unknown) => {
      const { code, json } = await ask(`${configMaps}/patched?fieldValidation=Strict`, {
        method: "PATCH",
        headers: { "content-type": `application/${form}` },
        body: JSON.stringify(value),
      });
      expect(code).toBe(422);
      expect(json.details.causes).toMatchObject([{ reason: "FieldValueInvalid", field: "patch" }]);
      return json.message;
    };
    const misspelt = { dta: { b: [1, null] } };
    expect(await patch("strategic-merge-patch+json", misspelt)).toBe(
      ' "" is invalid: patch: Invalid value: "map[dta:map[b:[1 <nil>]]]": strict decoding error: unknown field "dta"',
    );
    expect(await patch("merge-patch+json", misspelt)).toMatch(
      /patch: Invalid value: "\{.*\\"a\\":\\"b\\".*\}": strict decoding error: unknown field "dta"$/,
    );
    const wrong = [{ op: "add", path: "/data/a", value: {} }];
    expect(await patch("json-patch+json", wrong)).toMatch(
      /patch: Invalid value: ".*": json: cannot unmarshal object into Go struct field/,
    );
  });

  test("https: too large a body is answered, though it is still being sent", async () => {
    const body = JSON.stringify({ metadata: { name: "big" }, data: { a: "x".repeat(6_000_000) } });
    const overOne = await ask(configMaps, { method: "POST", headers: jsonHeaders, body });
    const session = connectHttp2(`https://127.0.0.1:${env.port}`, {
      ca: env.ca,
      ...(await env.credentials(admin)),
    });
    try {
      const overTwo = await new Promise<{ code: number; message: string }>((resolve, reject) => {
        const stream = session.request({ ":method": "POST", ":path": configMaps, ...jsonHeaders });
        let code = 0;
        let text = "";
        stream.on("response", (headers) => {
          code = headers[":status"] ?? 0;
        });
        stream.on("data", (data) => {
          text += data;
        });
        stream.on("end", () => resolve({ code, message: JSON.parse(text).message }));
        stream.on("error", reject).end(body);
      });
      const message = "Request entity too large: limit is 3145728";
      expect(overTwo).toEqual({ code: 413, message });
      expect(overOne).toMatchObject({ code: 413, json: { message } });
    } finally {
      session.close();
    }
  });
});

test("https: a watch over HTTP/2 streams", async () => {
  const { key, cert } = await env.credentials(admin);
  const session = connectHttp2(`https://127.0.0.1:${env.port}`, { ca: env.ca, key, cert });
  const { json } = await ask(configMaps);
  const query = `watch=true&resourceVersion=${json.metadata.resourceVersion}&timeoutSeconds=30`;
  const stream = session.request({ ":path": `${configMaps}?${query}` });
  let text = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk) => {
    text += chunk;
  });
  await api.create(ConfigMap, { metadata: { namespace: "default", name: "streamed" } });
  await waitFor("the event", () => text.includes("\n"));
  expect(JSON.parse(text)).toMatchObject({
    type: "ADDED",
    object: { metadata: { name: "streamed" } },
  });
  stream.close();
  session.close();
});

describe("https: to the node", () => {
  /** What a kubelet would do: one log, one command. */
  async function startNode(node: string) {
    const bus = await env.connect(`system:node:${node}`);
    const asked: (OpenLog | OpenExec)[] = [];
    const streamOf = (id: string) =>
      openStream(bus, realClock, {
        send: streamSubject(node, id, "up"),
        receive: streamSubject(node, id, "down"),
      });
    bus.subscribe(nodeSubject(node, "logs"), async (message) => {
      const ask = readJson<OpenLog>(message);
      asked.push(ask);
      const stream = streamOf(ask.stream);
      message.respond(JSON.stringify({ type: "opened" }));
      await stream.write(channels.stdout, "one\n");
      await stream.write(channels.stdout, "x".repeat(600_000));
      await stream.write(channels.stdout, "\ntwo\n");
      stream.end(channels.stdout);
      stream.close();
    });
    bus.subscribe(nodeSubject(node, "exec"), async (message) => {
      const ask = readJson<OpenExec>(message);
      asked.push(ask);
      const stream = streamOf(ask.stream);
      message.respond(JSON.stringify({ type: "opened" }));
      for await (const data of stream.read(channels.stdin))
        await stream.write(channels.stdout, data);
      stream.end(channels.stdout);
      stream.end(channels.stderr);
      const status = { kind: "Status", status: "Success" };
      await stream.write(channels.status, JSON.stringify(status));
      stream.end(channels.status);
    });
    await bus.flush();
    return asked;
  }

  async function makePod(name: string, nodeName?: string): Promise<Pod> {
    const containers = [{ name: "main", image: "busybox:1.35" }];
    return await api.create(Pod, {
      metadata: { namespace: "default", name },
      spec: { containers, nodeName },
    } as Pod);
  }

  test("https: a log comes whole, through a window smaller than it", async () => {
    const asked = await startNode("logger");
    const pod = await makePod("logged", "logger");
    const { code, text } = await ask("/api/v1/namespaces/default/pods/logged/log?tailLines=5");
    expect(code).toBe(200);
    expect(text).toBe(`one\n${"x".repeat(600_000)}\ntwo\n`);
    const { uid } = pod.metadata;
    expect(asked[0]).toMatchObject({ pod: "logged", uid, container: "main", tailLines: 5 });
  });

  test("https: a log that cannot be had is refused in upstream's words", async () => {
    await makePod("quiet", "nowhere");
    const path = "/api/v1/namespaces/default/pods/quiet/log";
    expect(await ask(path)).toMatchObject({ code: 503 });
    const wrong = await ask(`${path}?container=other`);
    expect(wrong).toMatchObject({ code: 400 });
    expect(wrong.json.message).toBe("container other is not valid for pod quiet");
  });

  test("https: who may read logs need not be able to read pods", async () => {
    await makePod("told", "nowhere");
    const rules = [{ verbs: ["get"], apiGroups: [""], resources: ["pods/log"] }];
    await api.create(Role, { metadata: { namespace: "default", name: "listener" }, rules });
    await api.create(RoleBinding, {
      metadata: { namespace: "default", name: "listener" },
      subjects: [{ kind: "User", name: "listener" }],
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "listener" },
    });
    const user = { user: "listener", groups: [] };
    const path = "/api/v1/namespaces/default/pods/told";
    expect(await ask(path, { user })).toMatchObject({ code: 403 });
    expect(await ask(`${path}/log?container=other`, { user })).toMatchObject({ code: 400 });
    expect(await ask(`${path}/log`, { user: { user: "eve", groups: [] } })).toMatchObject({
      code: 403,
    });
  });

  test("https: a binding that came the old way is asked of the ledger too", async () => {
    await makePod("unbound");
    const metadata = { name: "unbound" };
    const body = JSON.stringify({
      apiVersion: "v1",
      kind: "Binding",
      metadata,
      target: { name: "n" },
    });
    const path = "/api/v1/namespaces/default/bindings";
    const answer = await ask(path, { method: "POST", headers: jsonHeaders, body });
    // There is no ledger here, and nobody else may bind.
    expect(answer).toMatchObject({ code: 503, json: { reason: "ServiceUnavailable" } });
    expect(answer.json.message).toContain("the ledger did not answer");
  });

  test("https: exec speaks WebSocket, and a closed input reaches the command", async () => {
    const asked = await startNode("runner");
    await makePod("run", "runner");
    const { key, cert } = await env.credentials(admin);
    const query = "command=cat&command=-&stdin=true&stdout=true&container=main";
    const url = `wss://127.0.0.1:${env.port}/api/v1/namespaces/default/pods/run/exec?${query}`;
    const socket = new WebSocket(url, ["v5.channel.k8s.io"], { ca: env.ca, key, cert });
    const heard: Record<number, string> = {};
    socket.on("message", (data: Buffer) => {
      heard[data[0] ?? 9] = (heard[data[0] ?? 9] ?? "") + data.subarray(1).toString();
    });
    const closed = new Promise<number>((resolve) => socket.once("close", resolve));
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    expect(socket.protocol).toBe("v5.channel.k8s.io");
    socket.send(Buffer.concat([Buffer.of(0), Buffer.from("hello")]));
    socket.send(Buffer.of(255, 0));
    expect(await closed).toBe(1000);
    expect(heard[1]).toBe("hello");
    expect(JSON.parse(heard[3] ?? "")).toMatchObject({ status: "Success" });
    expect(asked[0]).toMatchObject({ command: ["cat", "-"], stdin: true, stderr: false });
  });

  test("https: what is no terminal cannot be upgraded", async () => {
    const path = "/api/v1/namespaces/default/pods/run/exec?command=a";
    const headers = { connection: "upgrade", upgrade: "SPDY/3.1" };
    const refused = await ask(path, { method: "POST", headers });
    // As upstream has it where no version of the protocol is one that both speak.
    expect(refused).toMatchObject({ code: 403 });
  });
});
