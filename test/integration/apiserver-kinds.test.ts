/** Every built-in kind is created, read, listed, watched, patched, updated and deleted alike. */

import { afterAll, beforeAll, expect, test } from "vitest";
import type { Api } from "../../actors/kit/client.ts";
import { isNotFound } from "../../manifests/api-error.ts";
import { allKinds, type Kind, type KubeObject } from "../../manifests/index.ts";
import { refusal, startApi, type TestApi } from "../harness/api.ts";
import { minimalObjects } from "../harness/minimal-objects.ts";
import { waitFor } from "../harness/wait.ts";

let env: TestApi;
let api: Api;

beforeAll(async () => {
  // Without controllers nobody would take the finalizers of claims and volumes away.
  env = await startApi({ admission: { disable: ["StorageObjectInUseProtection"] } });
  api = await env.client();
});

afterAll(async () => {
  await env.dispose();
});

/** A subject names no version, so that the second version of a kind is the HTTPS door's alone. */
const served = allKinds().filter(
  ({ verbs, apiVersion }) =>
    verbs.includes("create") && verbs.includes("list") && apiVersion !== "autoscaling/v1",
);
const cases = served.map((kind) => [`${kind.apiVersion} ${kind.kind}`, kind] as const);

/** They go when a controller, which is not here, has taken away what is theirs. */
const outlasting = new Set(["CustomResourceDefinition", "Namespace"]);

function minimal(kind: Kind): KubeObject {
  const body = minimalObjects[`${kind.group}/${kind.kind}`] ?? minimalObjects[kind.kind];
  if (!body) throw new Error(`no minimal object of ${kind.kind}`);
  const name = `one-${kind.version}`;
  const { metadata } = body as Partial<KubeObject>;
  const namespace = kind.namespaced ? "default" : undefined;
  return { ...body, metadata: { name, namespace, ...metadata } } as KubeObject;
}

test.each(cases)("apiserver: %s goes through its whole life", async (_, kind) => {
  const object = minimal(kind);
  const { name, namespace } = object.metadata;
  const key = namespace ? `${namespace}/${name}` : String(name);
  const seen: string[] = [];
  const { metadata: at } = await api.list(kind, { namespace });
  const watch = api.watch(
    kind,
    { namespace, resourceVersion: at.resourceVersion },
    {
      onEvent: (type, { metadata }) => metadata.name === name && seen.push(type),
      onEnd: (error) => seen.push(error.message),
    },
  );

  const made = await api.create(kind, object);
  expect(made).toMatchObject({ apiVersion: kind.apiVersion, kind: kind.kind });
  expect(await api.get(kind, key)).toEqual(made);
  const { items } = await api.list(kind, { namespace, fieldSelector: `metadata.name=${name}` });
  expect(items).toEqual([made]);

  const labels = { life: "full" };
  const patched = await api.patch(kind, key, { metadata: { labels } }, { type: "strategic" });
  expect(patched.metadata.labels).toMatchObject(labels);
  const annotated = { ...patched, metadata: { ...patched.metadata, annotations: { a: "b" } } };
  const updated = await api.update(kind, annotated);
  expect(updated.metadata.annotations).toMatchObject({ a: "b" });
  const selected = await api.list(kind, { namespace, labelSelector: "life=full" });
  expect(selected.items).toEqual([updated]);

  await api.delete(kind, key, { gracePeriodSeconds: 0 });
  if (!outlasting.has(kind.kind)) {
    expect(isNotFound(await refusal(api.get(kind, key)))).toBe(true);
    const all = ["ADDED", "MODIFIED", "MODIFIED", "DELETED"];
    await waitFor(`all events, not ${seen}`, () => seen.length >= all.length);
    expect(seen).toEqual(all);
  }
  watch.close();
});
