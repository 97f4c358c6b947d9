import { afterEach, beforeEach, expect, test } from "vitest";
import { computeStatus } from "../../../../actors/controllers/custom-resource-definition.ts";
import { controllers } from "../../../../actors/controllers/index.ts";
import { type ApiError, isNotFound } from "../../../../manifests/api-error.ts";
import {
  ConfigMap,
  CustomResourceDefinition,
  defineKind,
  type KubeObject,
  Namespace,
} from "../../../../manifests/index.ts";
import type { SimProcess } from "../../../../runtime/sim/process.ts";
import { type Scene, startScene } from "../../../harness/controller.ts";

interface Widget extends KubeObject {
  spec?: { size?: number };
}

const Widget = defineKind<Widget>("example.com/v1", "Widget");

function definition(
  plural: string,
  kind: string,
  names: Partial<CustomResourceDefinition["spec"]["names"]> = {},
): CustomResourceDefinition {
  const openAPIV3Schema = {
    type: "object",
    properties: { spec: { type: "object", properties: { size: { type: "integer" } } } },
  };
  return {
    metadata: { name: `${plural}.example.com` },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural, kind, ...names },
      versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema } }],
    },
  };
}

let scene: Scene;
let controllersProcess: SimProcess;
const all = controllers({ caPem: "the certificate" });

beforeEach(async () => {
  scene = await startScene({ apis: 2, writes: all.flatMap(({ writes }) => writes) });
  controllersProcess = scene.run(...all);
});

afterEach(async () => {
  await scene.dispose();
});

async function conditionOf(name: string, type: string): Promise<string> {
  const { status } = await scene.settle(scene.api.get(CustomResourceDefinition, name));
  const found = status?.conditions?.find((each) => each.type === type);
  return `${found?.status} ${found?.reason}`;
}

async function define(made: CustomResourceDefinition): Promise<void> {
  const { name = "" } = made.metadata;
  await scene.settle(scene.api.create(CustomResourceDefinition, made));
  await scene.until(`${name} to be judged`, async () =>
    /^(True|False)/.test(await conditionOf(name, "Established")),
  );
}

async function isGone(work: Promise<unknown>): Promise<boolean> {
  const error = await scene.settle(work.then(() => undefined).catch((thrown: unknown) => thrown));
  return isNotFound(error);
}

const widget = (name: string, namespace = "default"): Widget => ({ metadata: { name, namespace } });

test("custom kinds: a namespace takes their objects along", async () => {
  await define(definition("widgets", "Widget"));
  await scene.settle(scene.api.create(Namespace, { metadata: { name: "shop" }, spec: {} }));
  await scene.settle(scene.api.create(Widget, widget("a", "shop")));
  await scene.settle(scene.api.delete(Namespace, "shop"));
  await scene.until("the namespace to go", () => isGone(scene.api.get(Namespace, "shop")));
  await define(definition("gadgets", "Gadget"));
  expect((await scene.settle(scene.api.list(Widget))).items).toEqual([]);
});

test("custom kinds: what a custom object owns goes after it, and a custom object after its owner", async () => {
  await define(definition("widgets", "Widget"));
  const owner = await scene.settle(scene.api.create(Widget, widget("owner")));
  const reference = (kind: string, apiVersion: string, of: KubeObject) => ({
    ownerReferences: [{ apiVersion, kind, name: of.metadata.name, uid: of.metadata.uid ?? "" }],
  });
  const ofOwner = reference("Widget", "example.com/v1", owner);
  const config = await scene.settle(
    scene.api.create(ConfigMap, { metadata: { name: "of", namespace: "default", ...ofOwner } }),
  );
  const ofConfig = reference("ConfigMap", "v1", config);
  await scene.settle(
    scene.api.create(Widget, { metadata: { ...widget("last").metadata, ...ofConfig } }),
  );
  await scene.settle(scene.api.delete(Widget, "default/owner"));
  await scene.until("the ConfigMap to go", () => isGone(scene.api.get(ConfigMap, "default/of")));
  await scene.until("the Widget after it", () => isGone(scene.api.get(Widget, "default/last")));
});

test("custom kinds: a name that is taken is refused, and given once it is free", async () => {
  await define(definition("widgets", "Widget", { shortNames: ["w"] }));
  await define(definition("wheels", "Wheel", { shortNames: ["w", "wh"] }));
  expect(await conditionOf("wheels.example.com", "NamesAccepted")).toBe("False ShortNamesConflict");
  expect(await conditionOf("wheels.example.com", "Established")).toBe("False NotAccepted");
  const Wheel = defineKind("example.com/v1", "Wheel");
  expect(await isGone(scene.api.list(Wheel))).toBe(true);
  await scene.settle(scene.api.delete(CustomResourceDefinition, "widgets.example.com"));
  await scene.until(
    "the other to be established",
    async () =>
      (await conditionOf("wheels.example.com", "Established")) === "True InitialNamesAccepted",
  );
  expect((await scene.settle(scene.api.list(Wheel))).items).toEqual([]);
});

test("custom kinds: a watch ends with the definition that it was opened under", async () => {
  await define(definition("widgets", "Widget"));
  const ended: string[] = [];
  scene.api.watch(
    Widget,
    { namespace: "default" },
    {
      onEvent: () => undefined,
      onBookmark: () => undefined,
      onEnd: (error) => ended.push(error.message),
    },
  );
  await scene.passes(2_000);
  expect(ended).toEqual([]);
  await scene.settle(scene.api.delete(CustomResourceDefinition, "widgets.example.com"));
  await scene.until("the watch to end", () => ended.length > 0);
  expect(ended[0]).toContain("could not find the requested resource");
});

test("custom kinds: a version that objects are stored in stays in its definition", async () => {
  await define(definition("widgets", "Widget"));
  await scene.settle(scene.api.create(Widget, { ...widget("a"), spec: { size: 3 } }));
  const change = {
    spec: { versions: [{ ...definition("widgets", "Widget").spec.versions[0], name: "v2" }] },
  };
  const refused = await scene.settle(
    scene.api
      .patch(CustomResourceDefinition, "widgets.example.com", change, { type: "merge" })
      .then(() => undefined)
      .catch((error: unknown) => error),
  );
  expect((refused as ApiError).message).toContain(
    'status.storedVersions[0]: Invalid value: "v1": must appear in spec.versions',
  );
});

test("custom kinds: one that cannot be listed does not keep the collector from the others", async () => {
  const two = definition("widgets", "Widget");
  const [v1] = two.spec.versions;
  if (!v1) throw new Error("no version");
  // Nobody here reaches a webhook, so that what was kept as v1 cannot be read once v2 is stored.
  const webhook = { clientConfig: { url: "https://nowhere" }, conversionReviewVersions: ["v1"] };
  two.spec.conversion = { strategy: "Webhook", webhook };
  two.spec.versions.push({ ...v1, name: "v2", storage: false });
  await define(two);
  await scene.settle(scene.api.create(Widget, widget("kept")));
  const versions = [
    { ...v1, storage: false },
    { ...v1, name: "v2" },
  ];
  const change = { spec: { versions } };
  const key = "widgets.example.com";
  await scene.settle(scene.api.patch(CustomResourceDefinition, key, change, { type: "merge" }));
  await expect(scene.settle(scene.api.list(Widget))).rejects.toThrow("cannot reach webhooks");
  await scene.settle(controllersProcess.stop());
  const owner = await scene.settle(
    scene.api.create(ConfigMap, { metadata: { name: "owner", namespace: "default" } }),
  );
  const reference = {
    apiVersion: "v1",
    kind: "ConfigMap",
    name: "owner",
    uid: owner.metadata.uid ?? "",
  };
  const owned = { name: "owned", namespace: "default", ownerReferences: [reference] };
  await scene.settle(scene.api.create(ConfigMap, { metadata: owned }));
  await scene.settle(scene.api.delete(ConfigMap, "default/owner"));
  scene.run(...all);
  await scene.until("the owned to go", () => isGone(scene.api.get(ConfigMap, "default/owned")));
});

test("custom kinds: names are given and conditions set in upstream's words", () => {
  const status = computeStatus(definition("widgets", "Widget"), [], "2026-01-01T00:00:00Z");
  expect(status).toEqual({
    acceptedNames: { plural: "widgets", kind: "Widget" },
    conditions: [
      {
        type: "NamesAccepted",
        status: "True",
        reason: "NoConflicts",
        message: "no conflicts found",
        lastTransitionTime: "2026-01-01T00:00:00Z",
      },
      {
        type: "Established",
        status: "True",
        reason: "InitialNamesAccepted",
        message: "the initial names have been accepted",
        lastTransitionTime: "2026-01-01T00:00:00Z",
      },
    ],
  });
});
