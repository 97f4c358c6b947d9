/**
 * What ownership asks of a type: which values are owned as a whole, and how the rest is taken apart.
 *
 * One implementation reads the generated table; a CRD's structural schema is to be another, and `DEDUCED` stands for
 * what nobody described: maps field by field, lists and scalars as a whole.
 */

import { isScalar, typeSchema } from "../schema/schema.ts";
import type { FieldSchema } from "../schema/table.ts";
import { fieldElement } from "./field-set.ts";

export type TypeRef = LeafType | MapType | SetType | ListType | DeducedType;

/** A scalar, or something that has one owner as a whole. */
export interface LeafType {
  readonly shape: "leaf";
}

/** A struct, or a map of any names. */
export interface MapType {
  readonly shape: "map";
  /** Undefined: not declared. */
  field(name: string): MapField | undefined;
  /** A struct's field is part of what it is in; a map's entry comes and goes on its own. */
  readonly struct: boolean;
}

export interface MapField {
  /** In field sets. */
  readonly element: string;
  readonly type: TypeRef;
}

/** A list of scalars in which each is there once. */
export interface SetType {
  readonly shape: "set";
}

/** A list of structs that some of their fields tell apart. */
export interface ListType {
  readonly shape: "list";
  readonly element: TypeRef;
  /** In the order of their names. */
  readonly keys: readonly ListKey[];
}

export interface ListKey {
  readonly name: string;
  /** What an absent field stands for. */
  readonly default: unknown;
}

/** By the value alone. */
export interface DeducedType {
  readonly shape: "deduced";
}

export const LEAF: LeafType = { shape: "leaf" };
const SET: SetType = { shape: "set" };
export const DEDUCED: DeducedType = { shape: "deduced" };

const types = new Map<string, TypeRef>();

/** A type of the table, compiled when it is first met. */
export function tableType(typeName: string): TypeRef {
  let type = types.get(typeName);
  if (!type) {
    type = structType(typeName);
    types.set(typeName, type);
  }
  return type;
}

function structType(typeName: string): MapType {
  const schema = typeSchema(typeName);
  const fields = new Map<string, MapField>();
  if (schema.object) {
    fields.set("apiVersion", namedField("apiVersion", LEAF));
    fields.set("kind", namedField("kind", LEAF));
  }
  return {
    shape: "map",
    struct: true,
    field(name) {
      let field = fields.get(name);
      // Types may hold themselves, so each field waits for its first value.
      if (!field && Object.hasOwn(schema.fields, name)) {
        field = namedField(name, fieldType(schema.fields[name] as FieldSchema));
        fields.set(name, field);
      }
      return field;
    },
  };
}

/** A map from any names to values of one type. */
export function mapType(element: TypeRef): MapType {
  return { shape: "map", struct: false, field: (name) => namedField(name, element) };
}

export function namedField(name: string, type: TypeRef): MapField {
  return { element: fieldElement(name), type };
}

function fieldType(field: FieldSchema): TypeRef {
  if (field.of === "list") return listType(field);
  if (field.of === "map" || field.of === "listMap") {
    if (field.mapType === "atomic") return LEAF;
    const element = field.of === "map" ? elementType(field) : LEAF;
    return mapType(element);
  }
  if (isScalar(field.type)) return LEAF;
  const relation = field.structType ?? (typeSchema(field.type).atomic ? "atomic" : "granular");
  return relation === "atomic" ? LEAF : tableType(field.type);
}

function elementType({ type }: FieldSchema): TypeRef {
  if (isScalar(type)) return LEAF;
  return typeSchema(type).atomic ? LEAF : tableType(type);
}

function listType(field: FieldSchema): TypeRef {
  if (field.listType === "set") return SET;
  if (field.listType !== "map") return LEAF;
  const fields = isScalar(field.type) ? {} : typeSchema(field.type).fields;
  const keys = [...(field.listKeys ?? [])].sort().map((name) => ({
    name,
    default: fields[name]?.default,
  }));
  return { shape: "list", element: elementType(field), keys };
}
