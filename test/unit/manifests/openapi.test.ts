import { expect, test } from "vitest";
import { allKinds, openapiIndex, openapiName, openapiV3 } from "../../../manifests/index.ts";

interface Document {
  paths: Record<string, Record<string, Record<string, unknown>>>;
  components: { schemas: Record<string, Record<string, unknown>> };
}

const index = openapiIndex() as { paths: Record<string, { serverRelativeURL: string }> };

function documentOf(path: string): Document {
  return openapiV3(path) as Document;
}

test("openapi: every group version has a document behind a stable address", () => {
  expect(Object.keys(index.paths)).toContain("api/v1");
  expect(index.paths["apis/apps/v1"]?.serverRelativeURL).toMatch(
    /^\/openapi\/v3\/apis\/apps\/v1\?hash=[0-9A-F]{16}$/,
  );
  expect(openapiIndex()).toEqual(index);
  expect(openapiV3("apis/none/v1")).toBeUndefined();
});

test("openapi: every reference leads somewhere", () => {
  for (const path of Object.keys(index.paths)) {
    const document = documentOf(path);
    const text = JSON.stringify(document);
    for (const [, name = ""] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      expect(document.components.schemas[name], `${name} in ${path}`).toBeDefined();
    }
  }
});

test("openapi: every kind is found by its path, and its schema by its kind", () => {
  for (const kind of allKinds()) {
    const root = `${kind.group === "" ? "api" : "apis"}/${kind.apiVersion}`;
    const document = documentOf(root);
    const scope = kind.namespaced ? "/namespaces/{namespace}" : "";
    const path = `/${root}${scope}/${kind.resource}`;
    expect(document.paths[path] ?? document.paths[`${path}/{name}`], path).toBeDefined();
    const gvk = { group: kind.group, kind: kind.kind, version: kind.version };
    const schema = document.components.schemas[openapiName(kind.typeName)];
    expect(schema?.["x-kubernetes-group-version-kind"]).toEqual([gvk]);
  }
});

test("openapi: says that patches take strategic merge, strict fields and dry runs", () => {
  const path = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}";
  const patch = documentOf("apis/apps/v1").paths[path]?.patch;
  expect(patch).toMatchObject({
    "x-kubernetes-action": "patch",
    "x-kubernetes-group-version-kind": { group: "apps", kind: "Deployment", version: "v1" },
    requestBody: { content: { "application/strategic-merge-patch+json": {} } },
  });
  const names = ((patch?.parameters ?? []) as { name: string }[]).map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(["dryRun", "fieldManager", "fieldValidation"]));
});

test("openapi: lists carry their merge keys", () => {
  const spec = documentOf("api/v1").components.schemas["io.k8s.api.core.v1.PodSpec"];
  expect(spec?.required).toEqual(["containers"]);
  expect(spec?.properties).toMatchObject({
    containers: {
      type: "array",
      items: { allOf: [{ $ref: "#/components/schemas/io.k8s.api.core.v1.Container" }] },
      "x-kubernetes-list-map-keys": ["name"],
      "x-kubernetes-list-type": "map",
      "x-kubernetes-patch-merge-key": "name",
      "x-kubernetes-patch-strategy": "merge",
    },
  });
});
