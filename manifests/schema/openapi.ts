/**
 * OpenAPI v3 documents, one for each group version, made from the table.
 *
 * Schemas are named, and carry the x-kubernetes-* extensions, as upstream's do: stock clients find merge keys, the
 * kind behind a path and the support of `fieldValidation` and `dryRun` by them. There are no descriptions: the table
 * holds facts, and prose comes from a package at build time.
 */
import { publishedListSchema } from "../crd/openapi.ts";
import type { Kind } from "../kinds/kind.ts";
import { allKinds } from "../kinds/lookup.ts";
import { openapiPaths } from "./openapi-paths.ts";
import { isScalar, SCHEMA, typeSchema } from "./schema.ts";
import type { FieldSchema, Scalar } from "./table.ts";

type Schema = Record<string, unknown>;

const GROUPS: Record<string, string> = {
  meta: "io.k8s.apimachinery.pkg.apis.meta",
  apiextensions: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions",
  apiregistration: "io.k8s.kube-aggregator.pkg.apis.apiregistration",
};

const META = `${GROUPS.meta}.v1`;

/** Scalars that upstream has as types of their own; the others are written where they stand. */
const NAMED: Partial<Record<Scalar, [name: string, schema: Schema]>> = {
  Time: [`${META}.Time`, { type: "string", format: "date-time" }],
  MicroTime: [`${META}.MicroTime`, { type: "string", format: "date-time" }],
  Duration: [`${META}.Duration`, { type: "string" }],
  FieldsV1: [`${META}.FieldsV1`, { type: "object" }],
  Quantity: [
    "io.k8s.apimachinery.pkg.api.resource.Quantity",
    { oneOf: [{ type: "string" }, { type: "number" }] },
  ],
  IntOrString: [
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
    { format: "int-or-string", oneOf: [{ type: "integer" }, { type: "string" }] },
  ],
  Object: ["io.k8s.apimachinery.pkg.runtime.RawExtension", { type: "object" }],
  JSON: [`${GROUPS.apiextensions}.v1.JSON`, {}],
};

const PLAIN: Partial<Record<Scalar, Schema>> = {
  string: { type: "string" },
  boolean: { type: "boolean" },
  int32: { type: "integer", format: "int32" },
  int64: { type: "integer", format: "int64" },
  double: { type: "number", format: "double" },
  bytes: { type: "string", format: "byte" },
};

/** What every path may answer or take, beside the kinds themselves. */
const COMMON = ["meta.v1.Status", "meta.v1.DeleteOptions", "meta.v1.WatchEvent"];
const EXTRA: Record<string, string[]> = {
  "apps/v1": ["autoscaling.v1.Scale"],
  v1: [
    "autoscaling.v1.Scale",
    "policy.v1.Eviction",
    "authentication.v1.TokenRequest",
    "core.v1.Binding",
  ],
};

/** `io.k8s.api.core.v1.Pod` for `core.v1.Pod`. */
export function openapiName(typeName: string): string {
  const [group = "", ...rest] = typeName.split(".");
  return [GROUPS[group] ?? `io.k8s.api.${group}`, ...rest].join(".");
}

function reference(name: string): string {
  return `#/components/schemas/${name}`;
}

interface Described {
  readonly kinds: readonly Kind[];
  readonly document: object;
  readonly hash: string;
}

/** By path; made anew when the kinds there have changed. */
const documents = new Map<string, Described>();

/**
 * The document of `api/v1`, `apis/apps/v1` and so on; undefined when nothing is served there. `custom` are the kinds
 * that arrived at run time.
 */
export function openapiV3(path: string, custom: readonly Kind[] = []): object | undefined {
  return described(path, custom)?.document;
}

/** By which clients know that a document is still the same. */
export function openapiHash(path: string, custom: readonly Kind[] = []): string | undefined {
  return described(path, custom)?.hash;
}

/** Clients keep a document as long as its address stays, so the address holds the content's hash. */
export function openapiIndex(custom: readonly Kind[] = []): object {
  const paths: Record<string, { serverRelativeURL: string }> = {};
  for (const path of kindsByPath(custom).keys()) {
    const hash = openapiHash(path, custom);
    paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` };
  }
  return { paths };
}

function described(path: string, custom: readonly Kind[]): Described | undefined {
  const kinds = kindsByPath(custom).get(path) ?? [];
  const known = documents.get(path);
  const same =
    known?.kinds.length === kinds.length && kinds.every((k, at) => k === known.kinds[at]);
  if (known && same) return known;
  documents.delete(path);
  if (kinds.length === 0) return undefined;
  const document = {
    openapi: "3.0.0",
    info: { title: "Kubernetes", version: SCHEMA.release },
    paths: openapiPaths(`/${path}`, kinds, referTo(kinds)),
    components: { schemas: componentSchemas(kinds) },
  };
  const made = { kinds, document, hash: fnv(JSON.stringify(document)) };
  documents.set(path, made);
  return made;
}

/** A custom kind's type is called as its schema. */
function referTo(kinds: readonly Kind[]): (typeName: string) => string {
  const own = kinds.filter(({ model }) => model).map(({ typeName }) => typeName);
  const custom = new Set(own.flatMap((name) => [name, `${name}List`]));
  return (typeName) => reference(custom.has(typeName) ? typeName : openapiName(typeName));
}

function kindsByPath(custom: readonly Kind[]): Map<string, Kind[]> {
  const paths = new Map<string, Kind[]>();
  for (const kind of [...allKinds(), ...custom]) {
    const path = `${kind.group === "" ? "api" : "apis"}/${kind.apiVersion}`;
    paths.set(path, [...(paths.get(path) ?? []), kind]);
  }
  return paths;
}

/** FNV-1a, twice over 32 bits: to tell versions of a document apart, not to keep anybody out. */
function fnv(text: string): string {
  let [a, b] = [0x811c9dc5, 0x01000193];
  for (let i = 0; i < text.length; i++) {
    a = Math.imul(a ^ text.charCodeAt(i), 0x01000193);
    b = Math.imul(b ^ text.charCodeAt(i), 0x85ebca6b);
  }
  const hex = (n: number) => (n >>> 0).toString(16).toUpperCase().padStart(8, "0");
  return hex(a) + hex(b);
}

function componentSchemas(kinds: readonly Kind[]): Record<string, Schema> {
  const schemas: Record<string, Schema> = {};
  const waiting = [...COMMON];
  for (const kind of kinds) {
    if (kind.model) {
      schemas[kind.typeName] = kind.model.openapi();
      schemas[`${kind.typeName}List`] = publishedListSchema(kind);
      waiting.push("meta.v1.ObjectMeta", "meta.v1.ListMeta");
      if (kind.model.scale) waiting.push("autoscaling.v1.Scale");
      continue;
    }
    waiting.push(kind.typeName, ...(EXTRA[kind.apiVersion] ?? []));
    if (kind.verbs.includes("list")) waiting.push(`${kind.typeName}List`);
  }
  for (let type = waiting.pop(); type !== undefined; type = waiting.pop()) {
    const name = isScalar(type) ? NAMED[type as Scalar]?.[0] : openapiName(type);
    if (name === undefined || schemas[name]) continue;
    schemas[name] = isScalar(type) ? (NAMED[type as Scalar]?.[1] ?? {}) : typeComponent(type);
    if (isScalar(type)) continue;
    for (const field of Object.values(typeSchema(type).fields)) waiting.push(field.type);
  }
  schemas[`${META}.Patch`] = { type: "object" };
  return Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function typeComponent(typeName: string): Schema {
  const type = typeSchema(typeName);
  const properties: Record<string, Schema> = {};
  if (type.object) {
    properties.apiVersion = { type: "string" };
    properties.kind = { type: "string" };
  }
  for (const [name, field] of Object.entries(type.fields)) {
    properties[name] = fieldComponent(field);
  }
  const required = Object.entries(type.fields)
    .filter(([, field]) => field.required)
    .map(([name]) => name);
  return {
    type: "object",
    ...(required.length > 0 && { required }),
    ...(Object.keys(properties).length > 0 && { properties }),
    ...(type.atomic && { "x-kubernetes-map-type": "atomic" }),
    ...(type.object && { "x-kubernetes-group-version-kind": [gvkOf(typeName)] }),
  };
}

/** A list's kind, and a type that only subresources use, are not among the kinds, but named alike. */
function gvkOf(typeName: string): { group: string; kind: string; version: string } {
  const cut = typeName.lastIndexOf(".");
  const [pkg, kind] = [typeName.slice(0, cut), typeName.slice(cut + 1)];
  const sibling = allKinds().find((other) => other.typeName.startsWith(`${pkg}.`));
  return { group: sibling?.group ?? "", kind, version: pkg.slice(pkg.indexOf(".") + 1) };
}

function fieldComponent(field: FieldSchema): Schema {
  const element = elementComponent(field);
  const extensions = {
    ...(field.listKeys && { "x-kubernetes-list-map-keys": field.listKeys }),
    ...(field.listType && { "x-kubernetes-list-type": field.listType }),
    ...(field.mapType && { "x-kubernetes-map-type": field.mapType }),
    ...(field.structType && { "x-kubernetes-map-type": field.structType }),
    ...(field.mergeKey && { "x-kubernetes-patch-merge-key": field.mergeKey }),
    ...(field.strategy && { "x-kubernetes-patch-strategy": field.strategy }),
  };
  if (field.of === "list") return { type: "array", items: element, ...extensions };
  if (field.of === "map") return { type: "object", additionalProperties: element, ...extensions };
  if (field.of === "listMap") {
    const additionalProperties = { type: "array", items: element };
    return { type: "object", additionalProperties, ...extensions };
  }
  return { ...element, ...extensions };
}

function elementComponent(field: FieldSchema): Schema {
  const plain = PLAIN[field.type as Scalar];
  if (!plain) {
    const name = NAMED[field.type as Scalar]?.[0] ?? openapiName(field.type);
    return { allOf: [{ $ref: reference(name) }] };
  }
  return {
    ...plain,
    ...(field.enum && { enum: SCHEMA.enums[field.enum] }),
    ...(field.default !== undefined && { default: field.default }),
  };
}
