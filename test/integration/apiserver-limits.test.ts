/** Clients that say too much, too slowly, or nothing at all: each is refused or cut off, others unharmed. */

import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { encodeProtobuf } from "../../manifests/protobuf/index.ts";
import { type Asker, asker } from "../harness/ask.ts";
import { admin, startHttpsApi, type TestHttpsApi } from "../harness/https.ts";
import { waitFor } from "../harness/wait.ts";

const patience = { handshakeMs: 200, headMs: 200, bodyMs: 200, idleMs: 400 };
const configMaps = "/api/v1/namespaces/default/configmaps";

let env: TestHttpsApi;
let ask: Asker;
let credentials: { key: string; cert: string };

beforeAll(async () => {
  env = await startHttpsApi({}, { patience });
  ask = asker(env);
  credentials = await env.credentials(admin);
});

afterEach(async () => {
  expect((await ask("/livez")).code).toBe(200);
});

afterAll(async () => {
  await env.dispose();
});

/** Sends a text over TLS and hears what comes back until the connection ends. */
function speak(text: string) {
  const heard = { text: "", ended: false };
  const place = { host: "127.0.0.1", port: env.port, ca: env.ca, ...credentials };
  const socket = connectTls({ ...place, ALPNProtocols: ["http/1.1"] }, () => socket.write(text));
  socket.on("data", (chunk) => {
    heard.text += chunk;
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    heard.ended = true;
  });
  return { heard, socket };
}

const head = (path: string, ...headers: string[]) =>
  `${[`POST ${path} HTTP/1.1`, "Host: x", "Content-Type: application/json", ...headers].join("\r\n")}\r\n\r\n`;

describe("limits: too slow", () => {
  test("limits: a connection on which no TLS comes is closed", async () => {
    let closed = false;
    const socket = connectTcp(env.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.on("close", () => {
      closed = true;
    });
    await waitFor("the end", () => closed);
  });

  test("limits: a head that does not end is answered and cut off", async () => {
    const { heard } = speak("GET /api HTTP/1.1\r\nHost: x\r\n");
    await waitFor("the end", () => heard.ended);
    expect(heard.text).toContain('"kind":"Status"');
    expect(heard.text).toMatch(/^HTTP\/1.1 408 /);
  });

  test("limits: a body that does not come is answered over HTTP/1.1, and who goes on is cut off", async () => {
    const { heard, socket } = speak(`${head(configMaps, "Content-Length: 100")}{`);
    await waitFor("the answer", () => heard.text.includes("allotted timeout"));
    expect(heard.text).toMatch(/^HTTP\/1.1 504 /);
    await waitFor("the end", () => heard.ended);
    socket.destroy();
  });

  test("limits: a body that does not come is answered over HTTP/2, and the stream is closed", async () => {
    const session = connectHttp2(`https://127.0.0.1:${env.port}`, { ca: env.ca, ...credentials });
    const stream = session.request(
      { ":method": "POST", ":path": configMaps, "content-type": "application/json" },
      { endStream: false },
    );
    let code = 0;
    let text = "";
    stream.on("response", (headers) => {
      code = headers[":status"] ?? 0;
    });
    stream.on("data", (chunk) => {
      text += chunk;
    });
    stream.on("error", () => {});
    stream.write("{");
    await waitFor("the stream's end", () => stream.closed);
    expect(code).toBe(504);
    expect(JSON.parse(text)).toMatchObject({ reason: "Timeout" });
    session.destroy();
  });

  test("limits: a session of HTTP/2 on which nothing is asked is closed, one with a watch is not", async () => {
    const open = () =>
      connectHttp2(`https://127.0.0.1:${env.port}`, { ca: env.ca, ...credentials });
    const [busy, idle] = [open(), open()];
    const watch = busy.request({ ":path": `${configMaps}?watch=true` });
    watch.resume();
    await waitFor("the idle session's end", () => idle.closed || idle.destroyed);
    const stream = busy.request({ ":path": "/livez" });
    let text = "";
    stream.on("data", (chunk) => {
      text += chunk;
    });
    await waitFor("an answer beside the watch", () => text === "ok");
    expect(watch.closed).toBe(false);
    busy.destroy();
  });
});

describe("limits: too much", () => {
  const post = (contentType: string, body: string | Uint8Array) =>
    ask(configMaps, { method: "POST", headers: { "content-type": contentType }, body });

  test("limits: a long query is read, a head beyond all measure is not", async () => {
    const long = await ask(
      `${configMaps}?labelSelector=${encodeURIComponent(`a in (${"x,".repeat(30_000)}x)`)}`,
    );
    expect(long).toMatchObject({ code: 200 });
    const { heard } = speak(`GET /api HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(1_100_000)}\r\n\r\n`);
    await waitFor("the end", () => heard.ended);
    expect(heard.text === "" || heard.text.startsWith("HTTP/1.1 431 ")).toBe(true);
  });

  test("limits: what is no HTTP is answered with a Status", async () => {
    const { heard } = speak("nonsense\r\n\r\n");
    await waitFor("the end", () => heard.ended);
    expect(heard.text).toMatch(/^HTTP\/1.1 400 [\s\S]*"message":"the request is not HTTP"/);
  });

  const nested = (open: string, close: string, depth: number) =>
    `${open.repeat(depth)}${close.repeat(depth)}`;
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x,x]\n${"bcdefghi"
    .split("")
    .map((name, at) => `${name}: &${name} [${Array(10).fill(`*${"abcdefghi"[at]}`).join(",")}]`)
    .join("\n")}\n`;
  const schema = encodeProtobuf({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "x" },
  });
  const cases: [string, string, string | Uint8Array, string][] = [
    ["JSON 10,001 deep", "application/json", nested("[", "]", 10_001), "exceeded max depth"],
    [
      "JSON a million deep",
      "application/json",
      nested('{"a":', "}", 500_000).replace(":}", ":1}"),
      "exceeded max depth",
    ],
    ["YAML that nests", "application/yaml", nested("[", "]", 100_000), "exceeded max depth"],
    ["YAML whose aliases multiply", "application/yaml", bomb, "excessive aliasing"],
    [
      "protobuf cut off",
      "application/vnd.kubernetes.protobuf",
      (schema ?? Buffer.alloc(0)).subarray(0, 50),
      "unexpected EOF",
    ],
  ];
  test.each(cases)("limits: %s is refused", async (_, type, body, message) => {
    const answer = await post(type, body);
    expect(answer).toMatchObject({ code: 400, json: { kind: "Status", reason: "BadRequest" } });
    expect(answer.json.message).toContain(message);
  });

  test("limits: what nests as deeply as may be, in a kind that nests, takes nobody's stack", async () => {
    const depth = 4_000;
    const schemas = `${'{"not":'.repeat(depth)}{}${"}".repeat(depth)}`;
    const body = `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"as.x.io"},"spec":{"group":"x.io","names":{"plural":"as","kind":"A"},"scope":"Cluster","versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":${schemas}}}]}}`;
    const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    const headers = { "content-type": "application/json" };
    const answer = await ask(path, { method: "POST", headers, body });
    expect(answer.json).toMatchObject({ kind: "Status", status: "Failure" });
    expect(Math.floor(answer.code / 100)).toBe(4);
  });
});
