/**
 * Structural schemas: what a CustomResourceDefinition says of its objects, as the tree that pruning, defaulting,
 * validation and ownership walk (k8s-docs: extend-kubernetes/custom-resources/custom-resource-definitions).
 */
import type { JSONSchemaProps } from "../schema/types.generated.ts";

export type Schema = JSONSchemaProps;
export type Fields = Record<string, unknown>;

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Of the elements of a list. A list of schemas, one for each place, is not structural. */
export function itemsOf(schema: Schema | undefined): Schema | undefined {
  return isFields(schema?.items) ? (schema.items as Schema) : undefined;
}

/** Of the values of a map; undefined also when any value will do. */
export function additionalOf(schema: Schema | undefined): Schema | undefined {
  const additional = schema?.additionalProperties;
  return isFields(additional) ? (additional as Schema) : undefined;
}

/** A map of any keys, whatever its values. */
export function hasAdditional(schema: Schema): boolean {
  return schema.additionalProperties !== undefined && schema.additionalProperties !== false;
}

export function propertyOf(schema: Schema | undefined, name: string): Schema | undefined {
  const { properties } = schema ?? {};
  return properties && Object.hasOwn(properties, name) ? properties[name] : undefined;
}

/** Of the value under a key, named or not. */
export function schemaUnder(schema: Schema | undefined, key: string): Schema | undefined {
  return propertyOf(schema, key) ?? additionalOf(schema);
}

/** A key may be called `__proto__`; plain assignment would change the object's prototype instead. */
export function setField(target: Fields, key: string, value: unknown): void {
  if (key !== "__proto__") target[key] = value;
  else
    Object.defineProperty(target, key, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
}

export function joined(path: string, field: string): string {
  return path === "" ? field : `${path}.${field}`;
}

export function isListMap(schema: Schema): boolean {
  return schema["x-kubernetes-list-type"] === "map";
}

/** What tells the elements of a list of type `map` apart, as one text. */
export function keyOfElement(schema: Schema, element: unknown): string | undefined {
  if (!isFields(element)) return undefined;
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  return JSON.stringify(
    keys.map((key) => element[key] ?? propertyOf(itemsOf(schema), key)?.default),
  );
}
