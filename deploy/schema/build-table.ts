/** Turns parsed Go packages, and the facts written by hand, into the table. Pure. */
import type { FieldSchema, SchemaTable, TypeSchema } from "../../manifests/schema/table.ts";
import { EXTRA_TYPES } from "./extra.ts";
import type { GoField, GoPackage, GoStruct } from "./parse-go.ts";

/** Go's names for scalars; anything else is a struct or an alias that leads to one of these. */
const SCALARS: Record<string, string> = {
  string: "string",
  bool: "boolean",
  int: "int32",
  int32: "int32",
  int64: "int64",
  uint16: "int32",
  float64: "double",
  "[]byte": "bytes",
  "meta.v1.Time": "Time",
  "meta.v1.MicroTime": "MicroTime",
  "meta.v1.Duration": "Duration",
  "meta.v1.FieldsV1": "FieldsV1",
  "resource.Quantity": "Quantity",
  "intstr.IntOrString": "IntOrString",
  "runtime.RawExtension": "Object",
  "types.UID": "string",
  "interface{}": "JSON",
};

interface Shape {
  type: string;
  of?: FieldSchema["of"];
  pointer?: true;
  enum?: string;
}

export class TableBuilder {
  readonly #packages: Map<string, GoPackage>;
  readonly #table: SchemaTable;

  /** Packages by the name that the table uses for them, such as `core.v1`. */
  constructor(release: string, packages: Map<string, GoPackage>) {
    this.#packages = packages;
    this.#table = { release, enums: {}, types: {} };
  }

  build(): SchemaTable {
    for (const [name, pkg] of this.#packages) {
      for (const struct of pkg.structs.values()) {
        if (this.#isData(`${name}.${struct.name}`, struct)) this.#addType(name, struct);
      }
    }
    for (const [name, notation] of Object.entries(EXTRA_TYPES)) {
      this.#table.types[name] = parseNotation(name, notation);
    }
    return this.#table;
  }

  /** Structs without JSON tags are Go's own affair (option structs, wrappers of time). */
  #isData(name: string, struct: GoStruct): boolean {
    if (SCALARS[name] || struct.name === "TypeMeta") return false;
    return struct.fields.every((f) => f.jsonName !== undefined || f.inline);
  }

  #addType(pkg: string, struct: GoStruct): void {
    const type: TypeSchema = { fields: {} };
    this.#addFields(type, pkg, struct, []);
    if (struct.markers.get("structType")?.[0] === "atomic") type.atomic = true;
    this.#table.types[`${pkg}.${struct.name}`] = type;
  }

  #addFields(type: TypeSchema, pkg: string, struct: GoStruct, outer: number[]): void {
    for (const field of struct.fields) {
      if (field.goName === "TypeMeta") {
        type.object = true;
        continue;
      }
      const number = field.protobuf === undefined ? [] : [...outer, field.protobuf];
      if (field.inline && field.jsonName === undefined) {
        const [innerPkg, inner] = this.#findStruct(pkg, field.goType);
        this.#addFields(type, innerPkg, inner, number);
        continue;
      }
      if (field.jsonName === undefined) throw new Error(`${pkg}.${struct.name}.${field.goName}`);
      type.fields[field.jsonName] = this.#fieldSchema(pkg, field, number);
    }
  }

  /** The table's name for a Go type as it is written inside a package. */
  #qualify(pkg: string, goType: string): string {
    const [prefix = "", name] = goType.split(".");
    if (name === undefined) return `${pkg}.${goType}`;
    return `${this.#packages.get(pkg)?.imports.get(prefix) ?? prefix}.${name}`;
  }

  #findStruct(pkg: string, goType: string): [string, GoStruct] {
    const full = this.#qualify(pkg, goType.replace(/^\*/, ""));
    const cut = full.lastIndexOf(".");
    const found = this.#packages.get(full.slice(0, cut))?.structs.get(full.slice(cut + 1));
    if (!found) throw new Error(`${pkg}: no struct ${goType}`);
    return [full.slice(0, cut), found];
  }

  #fieldSchema(pkg: string, field: GoField, num: number[]): FieldSchema {
    const marker = (name: string) => field.markers.get(name)?.[0];
    const shape = this.#shape(pkg, field.goType);
    const optional = field.omitEmpty || field.markers.has("optional");
    return {
      type: shape.type,
      of: shape.of,
      num: num.length > 0 ? num : undefined,
      required: optional ? undefined : true,
      omitEmpty: field.omitEmpty || undefined,
      pointer: shape.pointer,
      enum: shape.enum,
      default: this.#defaultValue(pkg, marker("default")),
      mergeKey: marker("patchMergeKey"),
      strategy: marker("patchStrategy"),
      listType: marker("listType") as FieldSchema["listType"],
      listKeys: field.markers.get("listMapKey"),
      mapType: marker("mapType") as FieldSchema["mapType"],
      structType: marker("structType") as FieldSchema["structType"],
    };
  }

  #defaultValue(pkg: string, marker: string | undefined): unknown {
    if (marker === undefined) return undefined;
    const ref = /^ref\((\w+)\)$/.exec(marker)?.[1];
    if (!ref) return JSON.parse(marker) as unknown;
    const constant = this.#packages.get(pkg)?.constants.find((c) => c.name === ref);
    if (!constant) throw new Error(`${pkg}: no constant ${ref}`);
    return constant.value;
  }

  #shape(pkg: string, goType: string): Shape {
    if (goType.startsWith("*")) return { ...this.#shape(pkg, goType.slice(1)), pointer: true };
    const scalar = SCALARS[goType] ?? SCALARS[this.#qualify(pkg, goType)];
    if (scalar) return { type: scalar };
    if (goType.startsWith("[]")) {
      return { ...this.#shape(pkg, goType.slice(2)), of: "list", pointer: undefined };
    }
    if (goType.startsWith("map[")) {
      const value = this.#shape(pkg, goType.slice(goType.indexOf("]") + 1));
      return { ...value, of: value.of === "list" ? "listMap" : "map", pointer: undefined };
    }
    return this.#named(this.#qualify(pkg, goType));
  }

  #named(full: string): Shape {
    const cut = full.lastIndexOf(".");
    const [pkgName, name] = [full.slice(0, cut), full.slice(cut + 1)];
    const pkg = this.#packages.get(pkgName);
    const underlying = pkg?.aliases.get(name);
    if (!pkg || !underlying) {
      if (!pkg?.structs.has(name)) throw new Error(`no type ${full}`);
      return { type: full };
    }
    if (!pkg.enums.has(name)) return this.#shape(pkgName, underlying);
    const values = pkg.constants.filter((c) => c.type === name).map((c) => c.value);
    if (values.length === 0) return { type: "string" };
    this.#table.enums[full] = [...new Set(values)].sort();
    return { type: "string", enum: full };
  }
}

function parseNotation(typeName: string, notation: string): TypeSchema {
  const pkg = typeName.slice(0, typeName.lastIndexOf("."));
  const type: TypeSchema = { fields: {} };
  for (const [token] of notation.matchAll(/@object|[^\s[]+:(?:\[\])?[^\s[]+(?:\[[^\]]*\])?/g)) {
    if (token === "@object") {
      type.object = true;
      continue;
    }
    const match = /^([^:]+):(\*|\[\]|\{\})?(\.?)([\w.]+)=(\d+)(!)?(?:\[(.*)\])?$/.exec(token);
    if (!match) throw new Error(`${typeName}: cannot read ${token}`);
    const [, name = "", wrap, dot, base = "", number, required, marks = ""] = match;
    const marked = (key: string) => new RegExp(`${key}=(\\S+)`).exec(marks)?.[1];
    const key = marked("map");
    type.fields[name] = {
      type: dot ? `${pkg}.${base}` : base,
      of: wrap === "[]" ? "list" : wrap === "{}" ? "map" : undefined,
      num: [Number(number)],
      required: required ? true : undefined,
      omitEmpty: required ? undefined : true,
      pointer: wrap === "*" ? true : undefined,
      mergeKey: marked("merge"),
      strategy: marked("merge") ? "merge" : undefined,
      listType: key ? "map" : marks === "atomic" ? "atomic" : undefined,
      listKeys: key ? [key] : undefined,
    };
  }
  return type;
}
