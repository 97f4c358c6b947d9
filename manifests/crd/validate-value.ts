/**
 * Validation of a value by a structural schema, in upstream's words (k8s: kube-openapi/pkg/validation, as
 * apiextensions-apiserver/pkg/apiserver/validation turns its findings into field errors).
 *
 * What an update leaves as it was is not judged again: a schema may become stricter than what is stored.
 */
import equal from "fast-deep-equal";
import { FieldErrors, GoText } from "../validation/field-error.ts";
import { validateAnnotations, validateLabels } from "../validation/metadata.ts";
import { hasFormat } from "./formats.ts";
import { matchesPattern } from "./patterns.ts";
import {
  additionalOf,
  type Fields,
  isFields,
  isListMap,
  itemsOf,
  joined,
  keyOfElement,
  propertyOf,
  type Schema,
} from "./schema.ts";

/** `old` is what stood in the same place; undefined when nothing did, or it cannot be told. */
export function validateValue(
  errors: FieldErrors,
  schema: Schema,
  value: unknown,
  old: unknown,
  path = "",
): void {
  if (old !== undefined && equal(value, old)) return;
  if (value === null && schema.nullable) return;
  if (!validateType(errors, schema, value, path)) return;
  if (typeof value === "string") validateText(errors, schema, value, path);
  if (typeof value === "number") validateNumber(errors, schema, value, path);
  if (Array.isArray(value)) validateList(errors, schema, value, old, path);
  else if (isFields(value)) validateFields(errors, schema, value, old, path);
  if (schema["x-kubernetes-embedded-resource"] && isFields(value)) {
    validateEmbedded(errors, value, path);
  }
  validateEnum(errors, schema, value, path);
  validateJunctors(errors, schema, value, path);
}

/** The old values that belong to a value's parts; an element of an atomic list has no past. */
export function oldElement(schema: Schema, value: unknown, old: unknown): unknown {
  if (!isListMap(schema) || !Array.isArray(old)) return undefined;
  const key = keyOfElement(schema, value);
  return key === undefined ? undefined : old.find((item) => keyOfElement(schema, item) === key);
}

export function oldField(old: unknown, name: string): unknown {
  return isFields(old) && Object.hasOwn(old, name) ? old[name] : undefined;
}

function invalid(errors: FieldErrors, path: string, value: unknown, rule: string): void {
  errors.invalid(path, value, `${path} in body ${rule}`);
}

function validateType(errors: FieldErrors, schema: Schema, value: unknown, path: string): boolean {
  const isEither = schema["x-kubernetes-int-or-string"] === true;
  const wanted = isEither ? ["integer", "string"] : schema.type ? [schema.type] : [];
  if (wanted.length === 0) return true;
  const actual = typeNameOf(value);
  if (wanted.includes(actual) || (actual === "integer" && wanted.includes("number"))) return true;
  const rule = `must be of type ${wanted.join(",")}: "${actual}"`;
  errors.add("FieldValueTypeInvalid", path, actual, `${path} in body ${rule}`);
  return false;
}

function typeNameOf(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

function validateText(errors: FieldErrors, schema: Schema, value: string, path: string): void {
  const { maxLength, minLength, pattern, format } = schema;
  // Characters, not the halves of them that JavaScript counts.
  const length = maxLength === undefined && minLength === undefined ? 0 : [...value].length;
  if (maxLength !== undefined && length > maxLength) errors.tooLong(path, maxLength);
  if (minLength !== undefined && length < minLength) {
    invalid(errors, path, value, `should be at least ${minLength} chars long`);
  }
  if (pattern && !matchesPattern(pattern, value)) {
    invalid(errors, path, value, `should match '${pattern}'`);
  }
  if (format && !hasFormat(format, value)) {
    const rule = `${path} in body must be of type ${format}: ${JSON.stringify(value)}`;
    errors.add("FieldValueTypeInvalid", path, value, rule);
  }
}

function validateNumber(errors: FieldErrors, schema: Schema, value: number, path: string): void {
  const { maximum, minimum, multipleOf, exclusiveMaximum, exclusiveMinimum } = schema;
  const refuse = (rule: string) => invalid(errors, path, value, `should be ${rule}`);
  if (maximum !== undefined) {
    if (exclusiveMaximum && value >= maximum) refuse(`less than ${maximum}`);
    else if (value > maximum) refuse(`less than or equal to ${maximum}`);
  }
  if (minimum !== undefined) {
    if (exclusiveMinimum && value <= minimum) refuse(`greater than ${minimum}`);
    else if (value < minimum) refuse(`greater than or equal to ${minimum}`);
  }
  if (multipleOf !== undefined && !isMultiple(value, multipleOf)) {
    refuse(`a multiple of ${multipleOf}`);
  }
}

/** 0.3 is a multiple of 0.1, though not to a machine that counts in halves. */
function isMultiple(value: number, of: number): boolean {
  const times = value / of;
  return Math.abs(times - Math.round(times)) < 1e-9 * Math.max(1, Math.abs(times));
}

function validateList(
  errors: FieldErrors,
  schema: Schema,
  value: readonly unknown[],
  old: unknown,
  path: string,
): void {
  const { maxItems, minItems } = schema;
  if (maxItems !== undefined && value.length > maxItems)
    tooMany(errors, path, value.length, maxItems);
  if (minItems !== undefined && value.length < minItems) {
    invalid(errors, path, value.length, `should have at least ${minItems} items`);
  }
  const items = itemsOf(schema);
  if (!items) return;
  value.forEach((item, at) => {
    validateValue(errors, items, item, oldElement(schema, item, old), `${path}[${at}]`);
  });
}

function tooMany(errors: FieldErrors, path: string, actual: number, most: number): void {
  const noun = most === 1 ? "item" : "items";
  errors.add("FieldValueTooMany", path, actual, `must have at most ${most} ${noun}`);
}

function validateFields(
  errors: FieldErrors,
  schema: Schema,
  value: Fields,
  old: unknown,
  path: string,
): void {
  const { maxProperties, minProperties, required = [] } = schema;
  const count = Object.keys(value).length;
  if (maxProperties !== undefined && count > maxProperties) {
    invalid(errors, path, count, `should have at most ${maxProperties} properties`);
  }
  if (minProperties !== undefined && count < minProperties) {
    invalid(errors, path, count, `should have at least ${minProperties} properties`);
  }
  for (const name of required) {
    if (!Object.hasOwn(value, name) || value[name] === undefined) {
      errors.required(joined(path, name));
    }
  }
  const additional = additionalOf(schema);
  for (const [key, item] of Object.entries(value)) {
    const inner = propertyOf(schema, key) ?? additional;
    if (inner) validateValue(errors, inner, item, oldField(old, key), joined(path, key));
  }
}

function validateEnum(errors: FieldErrors, schema: Schema, value: unknown, path: string): void {
  if (!schema.enum || schema.enum.some((allowed) => equal(allowed, value))) return;
  const values = schema.enum.map((allowed) =>
    typeof allowed === "string" ? allowed : JSON.stringify(allowed),
  );
  errors.notSupported(path, value, values);
}

/** The logic around schemas; upstream names the place in the message alone. */
function validateJunctors(errors: FieldErrors, schema: Schema, value: unknown, path: string): void {
  const refuse = (rule: string) => errors.invalid("<nil>", "", `"${path}" must ${rule}`);
  const attempts = (schemas: readonly Schema[]) =>
    schemas.map((inner) => faultsOf(inner, value, path));
  const holds = (found: FieldErrors) => found.list.length === 0;

  if (schema.anyOf?.length) {
    const found = attempts(schema.anyOf);
    if (!found.some(holds)) {
      refuse("validate at least one schema (anyOf)");
      errors.list.push(...fewest(found));
    }
  }
  if (schema.oneOf?.length) {
    const found = attempts(schema.oneOf);
    const valid = found.filter(holds).length;
    if (valid !== 1) {
      const how = valid === 0 ? "Found none valid" : `Found ${valid} valid alternatives`;
      refuse(`validate one and only one schema (oneOf). ${how}`);
      if (valid === 0) errors.list.push(...fewest(found));
    }
  }
  if (schema.allOf?.length) {
    const found = attempts(schema.allOf);
    for (const { list } of found) errors.list.push(...list);
    if (!found.every(holds)) {
      refuse(`validate all the schemas (allOf)${found.some(holds) ? "" : ". None validated"}`);
    }
  }
  if (schema.not && holds(faultsOf(schema.not, value, path))) {
    refuse("not validate the schema (not)");
  }
}

function faultsOf(schema: Schema, value: unknown, path: string): FieldErrors {
  const found = new FieldErrors();
  validateValue(found, schema, value, undefined, path);
  return found;
}

function fewest(found: readonly FieldErrors[]) {
  return [...found].sort((a, b) => a.list.length - b.list.length)[0]?.list ?? [];
}

/** An embedded object is one: it says what it is (k8s: structural-schema/objectmeta). */
function validateEmbedded(errors: FieldErrors, value: Fields, path: string): void {
  for (const name of ["apiVersion", "kind"]) {
    if (!value[name]) errors.required(joined(path, name), "must not be empty");
  }
  const { metadata } = value;
  if (!isFields(metadata)) return;
  const { labels, annotations } = metadata as Record<string, Record<string, string>>;
  validateLabels(errors, labels, joined(path, "metadata.labels"));
  validateAnnotations(errors, annotations, joined(path, "metadata.annotations"));
}

/** Elements that a list of type `set` or `map` holds twice (k8s: structural-schema/listtype). */
export function validateListTypes(
  errors: FieldErrors,
  schema: Schema,
  value: unknown,
  old: unknown,
  path = "",
): void {
  if (old !== undefined && equal(value, old)) return;
  if (Array.isArray(value)) {
    validateUnique(errors, schema, value, path);
    const items = itemsOf(schema);
    if (!items) return;
    value.forEach((item, at) => {
      validateListTypes(errors, items, item, oldElement(schema, item, old), `${path}[${at}]`);
    });
  } else if (isFields(value)) {
    for (const [key, item] of Object.entries(value)) {
      const property = propertyOf(schema, key);
      const inner = property ?? additionalOf(schema);
      const at = property ? joined(path, key) : `${path}[${key}]`;
      if (inner) validateListTypes(errors, inner, item, oldField(old, key), at);
    }
  }
}

function validateUnique(
  errors: FieldErrors,
  schema: Schema,
  value: readonly unknown[],
  path: string,
): void {
  const type = schema["x-kubernetes-list-type"];
  if (type !== "set" && type !== "map") return;
  const seen = new Set<string>();
  value.forEach((item, at) => {
    const id = type === "set" ? JSON.stringify(item) : keyOfElement(schema, item);
    if (id === undefined) return;
    if (seen.has(id)) {
      errors.duplicate(`${path}[${at}]`, type === "set" ? item : goKeys(schema, item as Fields));
    }
    seen.add(id);
  });
}

function goKeys(schema: Schema, item: Fields): GoText {
  const keys = [...(schema["x-kubernetes-list-map-keys"] ?? [])].sort();
  const shown = keys.flatMap((key) =>
    item[key] === undefined ? [] : [`${JSON.stringify(key)}:${JSON.stringify(item[key])}`],
  );
  return new GoText(`map[string]interface {}{${shown.join(", ")}}`);
}
