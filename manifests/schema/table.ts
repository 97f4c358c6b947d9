/**
 * The shape of the generated table: every type of the built-in API, as facts.
 *
 * One table gives discovery, OpenAPI, strict decoding, pruning, defaults, patches and the TypeScript types.
 * It is written by `npm run schema` (deploy/schema/) and never by hand.
 */

/** What a value is when it is not another type of the table. A type of the table has a dot in its name. */
export const SCALARS = [
  "string",
  "boolean",
  "int32",
  "int64",
  "double",
  "bytes",
  "Time",
  "MicroTime",
  "Duration",
  "Quantity",
  "IntOrString",
  /** An object of any kind (upstream's RawExtension). */
  "Object",
  "FieldsV1",
  /** Any JSON value. */
  "JSON",
] as const;

export type Scalar = (typeof SCALARS)[number];

export interface FieldSchema {
  /** A scalar, or the name of a type in the table. */
  type: string;
  /** `list`, `map` (of strings to the type), or `listMap` (a map of lists). */
  of?: "list" | "map" | "listMap";
  /** Protobuf field numbers, from the outside in: a field of an inlined struct has two. None: not in protobuf. */
  num?: number[];
  /** Required by OpenAPI. */
  required?: true;
  /** Go leaves it out when it is zero; without this mark the zero value is written out. */
  omitEmpty?: true;
  /** A pointer in Go: absent and zero are different things. */
  pointer?: true;
  /** Name of an entry in `enums`. */
  enum?: string;
  default?: unknown;
  mergeKey?: string;
  /** Strategic merge: `merge`, `replace`, `retainKeys`, or several joined by a comma. */
  strategy?: string;
  listType?: "atomic" | "set" | "map";
  listKeys?: string[];
  mapType?: "atomic" | "granular";
  structType?: "atomic" | "granular";
}

export interface TypeSchema {
  fields: Record<string, FieldSchema>;
  /** Has kind and apiVersion, which are not listed among the fields. */
  object?: true;
  union?: true;
  /** Owned as a whole, wherever it is a field that does not say otherwise (`structType`). */
  atomic?: true;
}

export interface SchemaTable {
  /** The release of Kubernetes that the facts were read from. */
  release: string;
  enums: Record<string, string[]>;
  types: Record<string, TypeSchema>;
}
