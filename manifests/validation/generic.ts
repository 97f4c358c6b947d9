/**
 * What the table alone can check: that what OpenAPI requires is there, and that enumerated values are among theirs.
 *
 * Used for kinds that have no validator of their own, and never for status, which only our own actors write.
 */
import { isScalar, SCHEMA, typeSchema } from "../schema/schema.ts";
import type { FieldSchema } from "../schema/table.ts";
import type { FieldErrors } from "./field-error.ts";

type Fields = Record<string, unknown>;
/** Says whether it has dealt with the value of the type, so that the walk need not. */
type Special = (typeName: string, value: Fields, path: string) => boolean;

/** Required by OpenAPI, but empty is a value like any other. */
const MAY_BE_EMPTY = new Set(["HTTPHeader.value", "KeyToPath.path", "RoleRef.apiGroup"]);
const SKIPPED = new Set(["metadata", "status"]);

export function validateGeneric(
  errors: FieldErrors,
  typeName: string,
  value: Fields,
  path: string,
  special: Special,
): void {
  const type = typeSchema(typeName);
  const owner = typeName.slice(typeName.lastIndexOf(".") + 1);
  for (const [name, field] of Object.entries(type.fields)) {
    if (path === "" && SKIPPED.has(name)) continue;
    const at = path === "" ? name : `${path}.${name}`;
    const item = value[name];
    if (isMissing(field, item) && !MAY_BE_EMPTY.has(`${owner}.${name}`)) errors.required(at);
    else if (item !== undefined) validateItem(errors, field, item, at, special);
  }
}

function isMissing(field: FieldSchema, item: unknown): boolean {
  if (!field.required) return false;
  if (field.pointer && !field.of) return item === undefined;
  return !field.of && field.type === "string" && (item === undefined || item === "");
}

function validateItem(
  errors: FieldErrors,
  field: FieldSchema,
  item: unknown,
  at: string,
  special: Special,
): void {
  if (field.of === "list" && Array.isArray(item)) {
    item.forEach((element: unknown, i) => {
      validateElement(errors, field, element, `${at}[${i}]`, special);
    });
  } else if (field.of === "map") {
    for (const [key, element] of Object.entries(item as Fields)) {
      validateElement(errors, field, element, `${at}[${key}]`, special);
    }
  } else if (!field.of) validateElement(errors, field, item, at, special);
}

function validateElement(
  errors: FieldErrors,
  field: FieldSchema,
  element: unknown,
  at: string,
  special: Special,
): void {
  const supported = field.enum ? (SCHEMA.enums[field.enum] ?? []) : undefined;
  if (supported && typeof element === "string" && element && !supported.includes(element)) {
    errors.notSupported(at, element, supported);
  }
  if (isScalar(field.type) || typeof element !== "object" || element === null) return;
  if (special(field.type, element as Fields, at)) return;
  validateGeneric(errors, field.type, element as Fields, at, special);
}
