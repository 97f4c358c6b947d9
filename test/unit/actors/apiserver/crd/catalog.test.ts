/** Custom kinds as one API actor's view shows them, on a real store in virtual time. */

import { expect, test } from "vitest";
import { commit } from "../../../../../actors/apiserver/commit.ts";
import { createCatalog } from "../../../../../actors/apiserver/crd/catalog.ts";
import { Objects } from "../../../../../actors/apiserver/objects.ts";
import {
  createRegistry,
  findFresh,
  type Registry,
} from "../../../../../actors/apiserver/registry/registry.ts";
import { type ApiError, isNotFound } from "../../../../../manifests/api-error.ts";
import {
  type CustomResourceDefinition,
  encodeStored,
  type KubeObject,
} from "../../../../../manifests/index.ts";
import { objectKey } from "../../../../../runtime/store/key.ts";
import { createStore } from "../../../../../runtime/store/objects.ts";
import type { Stores } from "../../../../../runtime/store/open.ts";
import { recordOf } from "../../../../../runtime/store/records.ts";
import { createScene, settle } from "../../../runtime/store/scene.ts";

const encoder = new TextEncoder();
const group = "example.com";
const widgets = { group, version: "v1", resource: "widgets" };
const definitionKey = objectKey({
  group: "apiextensions.k8s.io",
  resource: "customresourcedefinitions",
  namespace: "",
  name: "widgets.example.com",
});

function definition(sizes: object = {}, established = "True"): CustomResourceDefinition {
  const spec = { type: "object", properties: { size: { type: "integer", ...sizes } } };
  const schema = { openAPIV3Schema: { type: "object", properties: { spec } } };
  return {
    metadata: { name: "widgets.example.com", generation: 1 },
    spec: {
      group,
      scope: "Cluster",
      names: { plural: "widgets", kind: "Widget" },
      versions: [
        { name: "v1", served: true, storage: false, schema },
        { name: "v2", served: false, storage: true, schema },
      ],
    },
    status: {
      acceptedNames: { plural: "widgets", kind: "Widget" },
      conditions: [{ type: "Established", status: established }],
      storedVersions: ["v2"],
    },
  };
}

async function openScene() {
  const { world, stream } = createScene();
  const store = createStore({ ...world, journal: stream.connect() });
  await world.run({ until: () => store.ready, maxVirtualMs: 10_000 });
  const stores = { objects: store, of: () => store } as unknown as Stores;
  const ask = () => Promise.reject(new Error("nobody asks"));
  const catalog = createCatalog({ stores, conversion: { ask, uuid: () => "" } });
  const registry = createRegistry(stores, () => ({}), catalog);
  /** Past this store, as another API actor does it. */
  async function append(key: string, object: KubeObject, expected = 0): Promise<void> {
    const operation = { key, value: encoder.encode(encodeStored(object)), expected };
    const { prefix } = stream.connect().stream;
    await settle(world, stream.connect().append([recordOf(prefix, operation, expected, "else")]));
  }
  return { world, stream, store, registry, append, objects: new Objects(world.clock) };
}

const served = (registry: Registry) =>
  registry.resources.filter(({ custom }) => custom).map(({ kind }) => kind.apiVersion);

test("catalog: a kind that the view does not show yet is found by looking once more", async () => {
  const scene = await openScene();
  scene.stream.stallConsumers();
  await scene.append(definitionKey, definition());
  expect(() => scene.registry.find(group, "v1", "widgets")).toThrow("could not find the requested");
  const found = await settle(scene.world, findFresh(scene.registry, widgets));
  expect(found.kind.kind).toBe("Widget");
  await settle(scene.world, scene.store.close());
});

test("catalog: what is not there after that is not found", async () => {
  const scene = await openScene();
  const error = await settle(
    scene.world,
    findFresh(scene.registry, widgets).catch((thrown: unknown) => thrown),
  );
  expect(isNotFound(error)).toBe(true);
  await settle(scene.world, scene.store.close());
});

test("catalog: only served versions are shown, and the stored one is there for who names none", async () => {
  const scene = await openScene();
  await scene.append(definitionKey, definition());
  await settle(scene.world, scene.store.consistent());
  const { registry } = scene;
  expect(served(registry)).toEqual(["example.com/v1"]);
  expect(() => registry.find(group, "v2", "widgets")).toThrow("could not find the requested");
  expect(registry.find(group, "", "widgets").kind.version).toBe("v2");
  await settle(scene.world, scene.store.close());
});

test("catalog: a definition whose names are not accepted brings nothing", async () => {
  const scene = await openScene();
  await scene.append(definitionKey, definition({}, "False"));
  await settle(scene.world, scene.store.consistent());
  expect(served(scene.registry)).toEqual([]);
  await settle(scene.world, scene.store.close());
});

test("catalog: objects are read by the schema that is there now, and compiled once for it", async () => {
  const scene = await openScene();
  const { registry, objects, store } = scene;
  await scene.append(definitionKey, definition());
  const key = objectKey({ group, resource: "widgets", namespace: "", name: "a" });
  const kept = {
    apiVersion: "example.com/v2",
    kind: "Widget",
    metadata: { name: "a" },
    spec: { old: 1 },
  };
  await scene.append(key, kept as KubeObject);
  await settle(scene.world, store.consistent());
  const entry = store.view.get(key);
  if (!entry) throw new Error("nothing was kept");
  const find = () => registry.find(group, "v1", "widgets");
  expect(find()).toBe(find());
  const before = objects.shown(find(), entry);
  expect(before).toEqual({
    apiVersion: "example.com/v1",
    kind: "Widget",
    metadata: { name: "a", resourceVersion: String(entry.sequence) },
    spec: {},
  });
  expect(objects.shown(find(), entry)).toBe(before);
  const { revision } = registry;
  const sequence = store.view.get(definitionKey)?.sequence;
  await scene.append(definitionKey, definition({ default: 7 }), sequence);
  await settle(scene.world, store.consistent());
  expect(registry.revision).not.toBe(revision);
  expect(objects.shown(find(), entry)).toMatchObject({ spec: { size: 7 } });
  await settle(scene.world, store.close());
});

test("catalog: nothing comes to be under a definition that is another by now", async () => {
  const scene = await openScene();
  await scene.append(definitionKey, definition());
  await settle(scene.world, scene.store.consistent());
  const resource = scene.registry.find(group, "v1", "widgets");
  const sequence = scene.store.view.get(definitionKey)?.sequence;
  const write = (name: string) => {
    const object = { apiVersion: "example.com/v1", kind: "Widget", metadata: { name } };
    const guard = resource.custom?.guard;
    return settle(scene.world, commit({ resource, object, expected: 0, guard }));
  };
  expect((await write("early")).type).toBe("committed");
  await scene.append(definitionKey, definition({}, "False"), sequence);
  const error = await write("late").catch((thrown: unknown) => thrown);
  expect((error as ApiError).status).toMatchObject({
    reason: "ServiceUnavailable",
    message: "the definition of this kind has just changed: try again",
    details: { retryAfterSeconds: 1 },
  });
  await settle(scene.world, scene.store.close());
});
