/** A custom kind's schema as OpenAPI documents publish it (k8s: apiextensions-apiserver controller/openapi/builder). */
import type { Kind } from "../kinds/kind.ts";
import type { Schema } from "./schema.ts";

const META_REF = "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/** What OpenAPI v3 has no word for stays away; everything else is as the author wrote it. */
export function publishedSchema(schema: Schema, kind: Kind): Record<string, unknown> {
  const { group, version } = kind;
  const { properties = {}, ...rest } = schema;
  return {
    ...rest,
    type: "object",
    properties: {
      apiVersion: { type: "string", description: API_VERSION },
      kind: { type: "string", description: KIND },
      metadata: { allOf: [{ $ref: META_REF }], default: {} },
      ...Object.fromEntries(Object.entries(properties).filter(([name]) => !META_FIELDS.has(name))),
    },
    "x-kubernetes-group-version-kind": [{ group, kind: kind.kind, version }],
  };
}

const META_FIELDS = new Set(["apiVersion", "kind", "metadata"]);
const API_VERSION = "The group and version of the schema that this object follows.";
const KIND = "The kind of this object, in CamelCase.";

export function publishedListSchema(kind: Kind): Record<string, unknown> {
  const { group, version } = kind;
  return {
    type: "object",
    required: ["items"],
    properties: {
      apiVersion: { type: "string", description: API_VERSION },
      items: { type: "array", items: { $ref: `#/components/schemas/${kind.typeName}` } },
      kind: { type: "string", description: KIND },
      metadata: {
        $ref: "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta",
      },
    },
    "x-kubernetes-group-version-kind": [{ group, kind: kind.listKind, version }],
  };
}
