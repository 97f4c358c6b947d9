/** The buckets as any key-value client of NATS sees them: what `nats kv get` and `ls` would show. */

import { type KV, Kvm } from "@nats-io/kv";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Api } from "../../actors/kit/client.ts";
import { ClusterRole, ConfigMap, Namespace } from "../../manifests/index.ts";
import { apiPrincipal, startApi, type TestApi } from "../harness/api.ts";

let env: TestApi;
let api: Api;
let bucket: KV;

beforeAll(async () => {
  env = await startApi();
  api = await env.client();
  const { connection } = await env.connect(apiPrincipal);
  bucket = await new Kvm(connection).open("wherry");
});

afterAll(async () => {
  await env.dispose();
});

const namespace = "default";

async function all<T>(found: Promise<AsyncIterable<T>>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of await found) items.push(item);
  return items;
}

test("kv: get shows an object at the revision that is its resourceVersion", async () => {
  const metadata = { namespace, name: "shown" };
  const first = await api.create(ConfigMap, { metadata, data: { a: "1" } });
  const second = await api.update(ConfigMap, { metadata: first.metadata, data: { a: "2" } });
  const entry = await bucket.get("core.configmaps.default.shown");
  expect(entry).toMatchObject({ operation: "PUT", delta: 0 });
  expect(String(entry?.revision)).toBe(second.metadata.resourceVersion);
  expect(entry?.json()).toMatchObject({ metadata: { ...metadata, uid: first.metadata.uid } });
  expect(entry?.json()).toMatchObject({ data: { a: "2" } });
  const revision = Number(first.metadata.resourceVersion);
  const before = await bucket.get("core.configmaps.default.shown", { revision });
  expect(before?.json()).toMatchObject({ data: { a: "1" } });
});

test("kv: history has every revision, the deletion as a marker; keys hide what was deleted", async () => {
  const make = (name: string) =>
    api.create(ConfigMap, { metadata: { namespace, name }, data: { a: "1" } });
  const kept = await make("kept");
  const gone = await make("gone");
  await api.update(ConfigMap, { metadata: gone.metadata, data: { a: "2" } });
  await api.delete(ConfigMap, `${namespace}/gone`);
  const key = "core.configmaps.default.gone";
  const history = await all(bucket.history({ key }));
  expect(history.map(({ operation }) => operation)).toEqual(["PUT", "PUT", "DEL"]);
  const revisions = history.map(({ revision }) => revision);
  expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
  expect((await bucket.get(key))?.operation).toBe("DEL");
  const keys = await all(bucket.keys("core.configmaps.default.>"));
  expect(keys).toContain("core.configmaps.default.kept");
  expect(keys).not.toContain(key);
  // Made anew, it is there again.
  await make("gone");
  expect(await all(bucket.keys("core.configmaps.default.>"))).toContain(key);
  expect((await bucket.get("core.configmaps.default.kept"))?.revision).toBe(
    Number(kept.metadata.resourceVersion),
  );
});

test("kv: names that no key may hold are escaped, and stay readable", async () => {
  await api.create(ClusterRole, { metadata: { name: "system:node.one" }, rules: [] });
  const key = "rbac=2Eauthorization=2Ek8s=2Eio.clusterroles._.system=3Anode=2Eone";
  expect((await bucket.get(key))?.json()).toMatchObject({ metadata: { name: "system:node.one" } });
  // Beside the roles that every cluster has.
  expect(await all(bucket.keys("rbac=2Eauthorization=2Ek8s=2Eio.>"))).toContain(key);
});

test("kv: a watcher is told of what actors write", async () => {
  const watcher = await bucket.watch({ key: "core.configmaps.watched.>", include: "updates" });
  const metadata = { namespace: "watched", name: "a" };
  const told: string[] = [];
  const watching = (async () => {
    for await (const { key, operation } of watcher) {
      told.push(`${operation} ${key}`);
      if (told.length === 2) watcher.stop();
    }
  })();
  await api.create(Namespace, { metadata: { name: "watched" }, spec: {} });
  await api.create(ConfigMap, { metadata });
  await api.delete(ConfigMap, "watched/a");
  await watching;
  expect(told).toEqual(["PUT", "DEL"].map((operation) => `${operation} core.configmaps.watched.a`));
});
