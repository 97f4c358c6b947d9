/** Answers larger than any buffer, over both HTTP versions, to clients that do not read them. */

import { connect as connectHttp2 } from "node:http2";
import { request as httpsRequest } from "node:https";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ConfigMap } from "../../manifests/index.ts";
import { admin, startHttpsApi, type TestHttpsApi } from "../harness/https.ts";
import { waitFor } from "../harness/wait.ts";

const stallMs = 300;
const path = "/api/v1/namespaces/default/configmaps";
const objects = 60;
const objectBytes = 500_000;

let env: TestHttpsApi;
let credentials: { key: string; cert: string };

beforeAll(async () => {
  env = await startHttpsApi({}, { stallMs });
  credentials = await env.credentials(admin);
  const api = await env.client();
  const data = { filler: "x".repeat(objectBytes) };
  for (let number = 0; number < objects; number++) {
    await api.create(ConfigMap, { metadata: { namespace: "default", name: `c${number}` }, data });
  }
});

afterAll(async () => {
  await env.dispose();
});

/** How many requests for ConfigMaps the door has done with. */
async function served(verb: string): Promise<number> {
  const client = openOne("/metrics");
  await waitFor("the metrics", () => client.seen.code === 200, { everyMs: 5 });
  client.read();
  await waitFor("all of them", () => client.seen.ended, { everyMs: 5 });
  const lines = client.seen.text
    .split("\n")
    .filter((line) => line.startsWith("apiserver_request_total"));
  const of = lines.filter(
    (line) => line.includes(`verb="${verb.toUpperCase()}"`) && line.includes('"configmaps"'),
  );
  return of.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

/** Sends a request whose answer is not read until `read` is called. */
function openOne(target: string) {
  const seen = { code: 0, bytes: 0, text: "", ended: false, broken: false };
  let read = () => {};
  const options = { port: env.port, host: "127.0.0.1", path: target, ca: env.ca, ...credentials };
  const request = httpsRequest({ ...options, agent: false }, (response) => {
    seen.code = response.statusCode ?? 0;
    response.on("end", () => {
      seen.ended = true;
    });
    response.on("error", () => {
      seen.broken = true;
    });
    read = () => {
      response.on("data", (chunk: Buffer) => {
        seen.bytes += chunk.length;
        if (target === "/metrics") seen.text += chunk;
      });
    };
  });
  request.on("error", () => {
    seen.broken = true;
  });
  request.end();
  return { seen, read: () => read(), close: () => request.destroy() };
}

function openTwo(target: string) {
  const seen = { code: 0, bytes: 0, ended: false, broken: false };
  const session = connectHttp2(`https://127.0.0.1:${env.port}`, { ca: env.ca, ...credentials });
  const stream = session.request({ ":path": target });
  stream.on("response", (headers) => {
    seen.code = headers[":status"] ?? 0;
  });
  stream.on("end", () => {
    seen.ended = true;
  });
  stream.on("close", () => {
    seen.broken = !seen.ended;
  });
  stream.on("error", () => {});
  const read = () => {
    stream.on("data", (chunk: Buffer) => {
      seen.bytes += chunk.length;
    });
  };
  return { seen, read, close: () => session.destroy() };
}

const versions = [
  ["HTTP/1.1", openOne],
  ["HTTP/2", openTwo],
] as const;
const answers = [
  ["list", path],
  ["watch", `${path}?watch=true`],
] as const;
const cases = versions.flatMap(([version, open]) =>
  answers.map(([verb, target]) => [verb, version, open, target] as const),
);

test.each(cases)(
  "https: a %s over %s that nobody reads is cut off",
  async (verb, _of, open, target) => {
    const servedBefore = await served(verb);
    const heldBefore = process.memoryUsage().arrayBuffers;
    const client = open(target);
    try {
      await waitFor("the head", () => client.seen.code === 200);
      // The rest is made when there is room for it, not kept.
      const held = process.memoryUsage().arrayBuffers - heldBefore;
      expect(held).toBeLessThan((objects * objectBytes) / 2);
      await waitFor("the door to give up", async () => (await served(verb)) > servedBefore);
      const { seen } = client;
      client.read();
      await waitFor("the end", () => seen.ended || seen.broken);
      expect(seen).toMatchObject({ ended: false, broken: true });
      expect(seen.bytes).toBeLessThan(objects * objectBytes);
    } finally {
      client.close();
    }
  },
);

test.each(versions)("https: a list over %s waits for one who reads late", async (_of, open) => {
  const client = open(path);
  try {
    await waitFor("the head", () => client.seen.code === 200);
    client.read();
    await waitFor("the end", () => client.seen.ended || client.seen.broken);
    expect(client.seen).toMatchObject({ ended: true, broken: false });
    expect(client.seen.bytes).toBeGreaterThan(objects * objectBytes);
  } finally {
    client.close();
  }
});
