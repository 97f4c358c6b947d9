/** What ownership asks of a structural schema: x-kubernetes-list-type, -list-map-keys and -map-type. */
import {
  DEDUCED,
  LEAF,
  type MapField,
  type MapType,
  mapType,
  namedField,
  type TypeRef,
  tableType,
} from "../apply/type-ref.ts";
import { additionalOf, itemsOf, propertyOf, type Schema } from "./schema.ts";

/** Of a whole object. */
export function objectType(schema: Schema): MapType {
  return structType(schema, true);
}

function typeOf(schema: Schema | undefined): TypeRef {
  if (!schema) return DEDUCED;
  if (schema["x-kubernetes-int-or-string"]) return LEAF;
  switch (schema.type) {
    case "object":
      return fieldsType(schema);
    case "array":
      return listType(schema);
    case undefined:
    case "":
      return DEDUCED;
    default:
      return LEAF;
  }
}

function fieldsType(schema: Schema): TypeRef {
  if (schema["x-kubernetes-map-type"] === "atomic") return LEAF;
  const isResource = schema["x-kubernetes-embedded-resource"] === true;
  const additional = additionalOf(schema);
  if (schema.properties || isResource) return structType(schema, isResource);
  return additional ? mapType(typeOf(additional)) : DEDUCED;
}

function structType(schema: Schema, isResource: boolean): MapType {
  const fields = new Map<string, MapField>();
  if (isResource) {
    fields.set("apiVersion", namedField("apiVersion", LEAF));
    fields.set("kind", namedField("kind", LEAF));
    fields.set("metadata", namedField("metadata", tableType("meta.v1.ObjectMeta")));
  }
  const keepsAll = schema["x-kubernetes-preserve-unknown-fields"] === true;
  const rest = additionalOf(schema);
  return {
    shape: "map",
    struct: true,
    field(name) {
      let field = fields.get(name);
      if (field) return field;
      const property = propertyOf(schema, name) ?? rest;
      if (property) field = namedField(name, typeOf(property));
      else if (keepsAll) field = namedField(name, DEDUCED);
      if (field) fields.set(name, field);
      return field;
    },
  };
}

function listType(schema: Schema): TypeRef {
  const items = itemsOf(schema);
  switch (schema["x-kubernetes-list-type"]) {
    case "set":
      return { shape: "set" };
    case "map": {
      const keys = [...(schema["x-kubernetes-list-map-keys"] ?? [])].sort();
      return {
        shape: "list",
        element: typeOf(items),
        keys: keys.map((name) => ({ name, default: propertyOf(items, name)?.default })),
      };
    }
    default:
      return LEAF;
  }
}
