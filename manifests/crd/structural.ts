/**
 * What makes a schema structural, so that pruning, defaulting and ownership can go by it (k8s:
 * apiextensions-apiserver/pkg/apiserver/schema/validation.go and pkg/apis/apiextensions/validation).
 */
import equal from "fast-deep-equal";
import { FieldErrors } from "../validation/field-error.ts";
import { compileDefaults } from "./defaults.ts";
import { patternFault } from "./patterns.ts";
import { pruneValueOf } from "./prune.ts";
import { uncorrelatableBelow, validateRules } from "./rules.ts";
import { additionalOf, isFields, itemsOf, propertyOf, type Schema } from "./schema.ts";
import { validateValue } from "./validate-value.ts";

const TYPES = ["array", "boolean", "integer", "number", "object", "string"];
const NOT_STRUCTURAL = "must be empty to be structural";

/** `path` is where the schema stands, such as `spec.validation.openAPIV3Schema`. */
export function validateStructural(errors: FieldErrors, schema: Schema, path: string): void {
  if (!schema.type) errors.required(`${path}.type`, "must not be empty at the root");
  else if (schema.type !== "object") {
    errors.invalid(`${path}.type`, schema.type, "must be object at the root");
  }
  if (schema.additionalProperties !== undefined) {
    errors.forbidden(`${path}.additionalProperties`, "must not be used at the root");
  }
  if (schema.nullable) errors.forbidden(`${path}.nullable`, "nullable cannot be true at the root");
  validateRootMetadata(errors, propertyOf(schema, "metadata"), `${path}.properties[metadata]`);
  validateNode(errors, schema, path);
}

/** Metadata is what it is everywhere; a schema may only narrow the name. */
function validateRootMetadata(errors: FieldErrors, schema: Schema | undefined, path: string): void {
  if (!schema) return;
  const { type, properties = {}, description: _words, ...others } = schema;
  if (type !== undefined && type !== "object") {
    errors.invalid(`${path}.type`, type, "must be object");
  }
  const named = Object.keys(properties).every((name) => ["name", "generateName"].includes(name));
  if (named && Object.keys(others).length === 0) return;
  errors.forbidden(
    path,
    "must not specify anything other than name and generateName, but metadata is implicitly specified",
  );
}

function validateNode(
  errors: FieldErrors,
  schema: Schema,
  path: string,
  uncorrelatable?: string,
): void {
  validateRules(errors, schema, path, uncorrelatable);
  validateForbidden(errors, schema, path);
  validateKeywords(errors, schema, path);
  validateExtensions(errors, schema, path);
  validateChildren(errors, schema, path, uncorrelatableBelow(schema, path, uncorrelatable));
  for (const [name, inner] of junctorsOf(schema)) {
    validateJunctor(errors, schema, inner, `${path}.${name}`, path);
  }
  validateDefault(errors, schema, path);
}

function validateForbidden(errors: FieldErrors, schema: Schema, path: string): void {
  const unsupported = ["$ref", "definitions", "dependencies", "id", "patternProperties"] as const;
  for (const name of unsupported) {
    const value = schema[name];
    if (value !== undefined && value !== "") {
      errors.forbidden(`${path}.${name}`, `${name} is not supported`);
    }
  }
  if (schema.additionalItems !== undefined) {
    errors.forbidden(`${path}.additionalItems`, "additionalItems is not supported");
  }
  if (schema.uniqueItems) {
    const why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
    errors.forbidden(`${path}.uniqueItems`, why);
  }
  if (schema.additionalProperties === false) {
    const why = "additionalProperties cannot be set to false";
    errors.forbidden(`${path}.additionalProperties`, why);
  }
  if (schema.properties && schema.additionalProperties) {
    const why = "additionalProperties and properties are mutual exclusive";
    errors.forbidden(`${path}.additionalProperties`, why);
  }
  if (Array.isArray(schema.items)) {
    errors.forbidden(`${path}.items`, "items must be a schema object and not an array");
  }
}

function validateKeywords(errors: FieldErrors, schema: Schema, path: string): void {
  const { type, pattern } = schema;
  if (type && !TYPES.includes(type)) errors.notSupported(`${path}.type`, type, TYPES);
  const fault = pattern ? patternFault(pattern) : undefined;
  if (fault !== undefined) {
    const why = `must be a valid regular expression, but isn't: ${fault}`;
    errors.invalid(`${path}.pattern`, pattern, why);
  }
}

function validateExtensions(errors: FieldErrors, schema: Schema, path: string): void {
  const type = schema.type ?? "";
  const wants = (wanted: string, because: string) => {
    if (type !== wanted) errors.invalid(`${path}.type`, type, `must be ${wanted} if ${because}`);
  };
  const keepsAll = schema["x-kubernetes-preserve-unknown-fields"] === true;
  if (schema["x-kubernetes-embedded-resource"]) {
    wants("object", "x-kubernetes-embedded-resource is true");
    if (!keepsAll && !schema.properties) {
      const why =
        "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
      errors.required(`${path}.properties`, why);
    }
  }
  if (keepsAll && type !== "" && type !== "object" && type !== "array") {
    wants("object", "x-kubernetes-preserve-unknown-fields is true");
  }
  if (schema["x-kubernetes-int-or-string"] && type !== "") {
    errors.invalid(`${path}.type`, type, "must be empty if x-kubernetes-int-or-string is true");
  }
  const mapType = schema["x-kubernetes-map-type"];
  if (mapType !== undefined) {
    wants("object", "x-kubernetes-map-type is specified");
    const known = ["atomic", "granular"];
    if (!known.includes(mapType)) {
      errors.notSupported(`${path}.x-kubernetes-map-type`, mapType, known);
    }
  }
  validateListType(errors, schema, path, wants);
}

function validateListType(
  errors: FieldErrors,
  schema: Schema,
  path: string,
  wants: (type: string, because: string) => void,
): void {
  const listType = schema["x-kubernetes-list-type"];
  const keys = schema["x-kubernetes-list-map-keys"];
  const keysPath = `${path}.x-kubernetes-list-map-keys`;
  if (keys?.length && listType !== "map") {
    errors.invalid(`${path}.x-kubernetes-list-type`, listType ?? "", listMapRule);
  }
  if (listType === undefined) return;
  wants("array", "x-kubernetes-list-type is specified");
  const known = ["atomic", "set", "map"];
  if (!known.includes(listType)) {
    errors.notSupported(`${path}.x-kubernetes-list-type`, listType, known);
  }
  const items = itemsOf(schema);
  if (listType === "set" && items && !isAtomic(items)) validateSetItems(errors, items, path);
  if (listType !== "map") return;
  if (!keys?.length) {
    errors.required(keysPath, "must not be empty if x-kubernetes-list-type is map");
  }
  if (items?.type !== "object") {
    const why = "must only specify object items if x-kubernetes-list-type is map";
    errors.invalid(`${path}.items.type`, items?.type ?? "", why);
  }
  (keys ?? []).forEach((key, at) => {
    validateListKey(errors, items, key, `${keysPath}[${at}]`, path);
  });
}

const listMapRule = "must be map if x-kubernetes-list-map-keys is non-empty";

function isAtomic({ type, ...schema }: Schema): boolean {
  if (type === "array") return (schema["x-kubernetes-list-type"] ?? "atomic") === "atomic";
  return type !== "object" || schema["x-kubernetes-map-type"] === "atomic";
}

function validateSetItems(errors: FieldErrors, items: Schema, path: string): void {
  const isMap = items.type === "object";
  const extension = isMap ? "x-kubernetes-map-type" : "x-kubernetes-list-type";
  const why = `must be atomic as item of a list with x-kubernetes-list-type=set`;
  errors.invalid(`${path}.items.${extension}`, items[extension] ?? "", why);
}

function validateListKey(
  errors: FieldErrors,
  items: Schema | undefined,
  key: string,
  keyPath: string,
  path: string,
): void {
  const property = propertyOf(items, key);
  if (!property) {
    errors.invalid(keyPath, key, "entries must all be names of item properties");
    return;
  }
  const itemPath = `${path}.items.properties[${key}]`;
  if (property.type === "array" || property.type === "object") {
    errors.invalid(
      `${itemPath}.type`,
      property.type,
      `must be a scalar type if parent array's ${keyWords}`,
    );
  }
  if (property.default !== undefined || items?.required?.includes(key)) return;
  const why =
    "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
  errors.required(`${itemPath}.default`, why);
}

const keyWords = "x-kubernetes-list-type is map";

function validateChildren(
  errors: FieldErrors,
  schema: Schema,
  path: string,
  uncorrelatable: string | undefined,
): void {
  const check = (inner: Schema, name: string, what: string) =>
    validateTyped(errors, inner, `${path}.${name}`, what, uncorrelatable);
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    check(property, `properties[${name}]`, "object fields");
  }
  const additional = additionalOf(schema);
  if (additional) check(additional, "additionalProperties", "object fields");
  const items = itemsOf(schema);
  if (items) check(items, "items", "array items");
  else if (schema.type === "array" && !Array.isArray(schema.items)) {
    errors.required(`${path}.items`, "must be specified");
  }
}

function validateTyped(
  errors: FieldErrors,
  schema: Schema,
  path: string,
  what: string,
  uncorrelatable: string | undefined,
): void {
  const needsNone =
    schema["x-kubernetes-int-or-string"] || schema["x-kubernetes-preserve-unknown-fields"];
  if (!schema.type && !needsNone) {
    errors.required(`${path}.type`, `must not be empty for specified ${what}`);
  }
  validateNode(errors, schema, path, uncorrelatable);
}

function junctorsOf({ allOf, anyOf, oneOf, not }: Schema): [string, Schema][] {
  const each = (name: string, schemas: readonly Schema[] | undefined): [string, Schema][] =>
    (schemas ?? []).map((schema, at) => [`${name}[${at}]`, schema]);
  const negated: [string, Schema][] = not ? [["not", not]] : [];
  return [...each("allOf", allOf), ...each("anyOf", anyOf), ...each("oneOf", oneOf), ...negated];
}

/** What shapes an object belongs outside the logic, where there is one answer. */
const SHAPING = [
  "type",
  "title",
  "description",
  "default",
  "nullable",
  "additionalProperties",
  "x-kubernetes-preserve-unknown-fields",
  "x-kubernetes-embedded-resource",
  "x-kubernetes-int-or-string",
  "x-kubernetes-list-type",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-map-type",
  "x-kubernetes-validations",
] as const;

function validateJunctor(
  errors: FieldErrors,
  outer: Schema | undefined,
  schema: Schema,
  path: string,
  outerPath: string,
): void {
  // The one shape that upstream lets be: what an integer or string is, said at length.
  const isEither =
    outer?.["x-kubernetes-int-or-string"] && ["integer", "string"].includes(schema.type ?? "");
  for (const name of SHAPING) {
    if (schema[name] === undefined || (name === "type" && isEither)) continue;
    errors.forbidden(`${path}.${name}`, NOT_STRUCTURAL);
  }
  validateKeywords(errors, { ...schema, type: undefined }, path);
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const own = propertyOf(outer, name);
    const at = `properties[${name}]`;
    if (!own && outer?.type !== undefined) {
      errors.required(`${outerPath}.${at}`, `because it is defined in ${path}.${at}`);
    }
    validateJunctor(errors, own, property, `${path}.${at}`, `${outerPath}.${at}`);
  }
  const items = itemsOf(schema);
  if (items) {
    const own = itemsOf(outer);
    if (!own) errors.required(`${outerPath}.items`, `because it is defined in ${path}.items`);
    validateJunctor(errors, own, items, `${path}.items`, `${outerPath}.items`);
  }
  for (const [name, inner] of junctorsOf(schema)) {
    validateJunctor(errors, outer, inner, `${path}.${name}`, outerPath);
  }
}

/** A default must be what the schema would leave as it is. */
function validateDefault(errors: FieldErrors, schema: Schema, path: string): void {
  const { default: value } = schema;
  if (value === undefined) return;
  const at = `${path}.default`;
  const pruned = pruneValueOf(schema, value);
  if (!equal(pruned, value)) {
    errors.invalid(at, value, "must not have unknown fields");
    return;
  }
  const filled = structuredClone(value);
  compileDefaults(schema)?.(filled);
  const found = new FieldErrors();
  validateValue(found, schema, filled, undefined, at);
  errors.list.push(...found.list);
}

/** Whether a schema has a field of one of these types at the end of a path. */
export function leafType(schema: Schema, path: readonly string[]): string | undefined {
  let inner: Schema | undefined = schema;
  for (const name of path) inner = isFields(inner) ? propertyOf(inner, name) : undefined;
  return inner?.type;
}
