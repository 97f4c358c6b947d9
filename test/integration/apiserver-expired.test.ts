/** Over HTTPS: what was asked is too old, what is said of it, and how a client goes on from there. */

import { afterAll, beforeAll, expect, test } from "vitest";
import type { Api } from "../../actors/kit/client.ts";
import { ConfigMap } from "../../manifests/index.ts";
import { startHttpsApi, type TestHttpsApi } from "../harness/https.ts";

const keptChanges = 20;

let env: TestHttpsApi;
let api: Api;

beforeAll(async () => {
  env = await startHttpsApi({ window: { changes: keptChanges } });
  api = await env.client();
});

afterAll(async () => {
  await env?.dispose();
});

const configMaps = "/api/v1/namespaces/default/configmaps";
const gone = { kind: "Status", status: "Failure", code: 410, reason: "Expired" };

/** More changes than a watcher can come back to. */
async function churn(name: string): Promise<void> {
  const metadata = { namespace: "default", name };
  let latest = await api.create(ConfigMap, { metadata });
  for (let turn = 0; turn < 2 * keptChanges; turn++) {
    latest = await api.update(ConfigMap, { metadata: latest.metadata, data: { turn: `${turn}` } });
  }
}

const frames = (text: string): ReturnType<typeof JSON.parse>[] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

test("https: a watch from too old a revision is told so in its stream, and a new list mends it", async () => {
  const { json: before } = await env.ask(configMaps);
  const { resourceVersion: old } = before.metadata;
  await churn("watched");
  const answer = await env.ask(`${configMaps}?watch=true&resourceVersion=${old}`);
  expect(answer.code).toBe(200);
  expect(frames(answer.text)).toEqual([{ type: "ERROR", object: expect.objectContaining(gone) }]);
  const { message } = frames(answer.text)[0].object;
  expect(message).toMatch(new RegExp(`^too old resource version: ${old} \\(\\d+\\)$`));
  // The second number is the oldest revision that a watch can still begin after.
  const floor = /\((\d+)\)$/.exec(message)?.[1];
  const brief = "watch=true&timeoutSeconds=1";
  const fromFloor = await env.ask(`${configMaps}?${brief}&resourceVersion=${floor}`);
  expect(frames(fromFloor.text).map(({ type }) => type)).toEqual(
    Array.from({ length: keptChanges }, () => "MODIFIED"),
  );

  // As an informer does: list again, and watch from there.
  const { json: list } = await env.ask(configMaps);
  expect(list.items.map(({ metadata }: ConfigMap) => metadata.name)).toEqual(["watched"]);
  const { resourceVersion } = list.metadata;
  const resumed = env.ask(`${configMaps}?${brief}&resourceVersion=${resourceVersion}`);
  await api.create(ConfigMap, { metadata: { namespace: "default", name: "mended" } });
  expect(frames((await resumed).text)).toMatchObject([
    { type: "ADDED", object: { metadata: { name: "mended" } } },
  ]);
});

test("https: a list at exactly too old a revision is refused", async () => {
  const { resourceVersion } = (await env.ask(configMaps)).json.metadata;
  await churn("exact");
  const query = `resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`;
  const { code, json } = await env.ask(`${configMaps}?${query}`);
  expect(code).toBe(410);
  const message = "The resourceVersion for the provided list is too old.";
  expect(json).toMatchObject({ ...gone, message });
});

test("https: a list goes on, though inconsistent, where its pages are kept no more", async () => {
  for (const name of ["page-a", "page-b", "page-c"]) {
    await api.create(ConfigMap, { metadata: { namespace: "default", name } });
  }
  const { json: first } = await env.ask(`${configMaps}?limit=1`);
  const { continue: token } = first.metadata;
  await churn("paged");
  const next = (it: string) => `${configMaps}?limit=500&continue=${encodeURIComponent(it)}`;
  // Whoever began the list has it pinned.
  expect((await env.ask(next(token))).code).toBe(200);

  await env.start();
  const { code, json } = await env.ask(next(token));
  expect(code).toBe(410);
  expect(json).toMatchObject(gone);
  expect(json.message).toMatch(/^The provided continue parameter is too old to display/);
  const rest = await env.ask(next(json.metadata.continue));
  expect(rest.code).toBe(200);
  const names = [...first.items, ...rest.json.items].map((it: ConfigMap) => it.metadata.name);
  // The rest shows the list as it is now: with what came since.
  expect(names).toEqual(expect.arrayContaining(["page-a", "page-b", "page-c", "paged"]));
  expect(new Set(names).size).toBe(names.length);

  // Stock kubectl, page by page, sees the same.
  const listed = await env.kubectl(["get", "configmaps", "--chunk-size=1", "-o", "name"]);
  expect(listed.trim().split("\n")).toHaveLength(names.length);
});
