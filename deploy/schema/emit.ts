/** Writes the table as JSON, one type on a line, and as TypeScript interfaces. Pure. */
import type { FieldSchema, SchemaTable, TypeSchema } from "../../manifests/schema/table.ts";

export function emitJson(table: SchemaTable): string {
  const types = Object.entries(table.types).map(
    ([name, type]) => `  ${JSON.stringify(name)}: ${JSON.stringify(type)}`,
  );
  const enums = Object.entries(table.enums)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, values]) => `  ${JSON.stringify(name)}: ${JSON.stringify(values)}`);
  return [
    "{",
    `"release": ${JSON.stringify(table.release)},`,
    `"enums": {\n${enums.join(",\n")}\n},`,
    `"types": {\n${types.join(",\n")}\n}`,
    "}\n",
  ].join("\n");
}

const TS_SCALARS: Record<string, string> = {
  string: "string",
  boolean: "boolean",
  int32: "number",
  int64: "number",
  double: "number",
  bytes: "string",
  Time: "string",
  MicroTime: "string",
  Duration: "string",
  Quantity: "string",
  IntOrString: "number | string",
  Object: "Record<string, unknown>",
  FieldsV1: "Record<string, unknown>",
  JSON: "unknown",
};

/**
 * Gives each type its TypeScript name: the plain one to the first group that has it, in the table's order. After
 * that another group puts its name in front (`FlowcontrolSubject`), another version its version behind
 * (`HorizontalPodAutoscalerV1`).
 */
export function typeScriptNames(names: string[]): Map<string, string> {
  const groupByName = new Map<string, string>();
  const result = new Map<string, string>();
  for (const full of names) {
    const [group = "", version = "", name = ""] = full.split(".");
    const prefix = group.charAt(0).toUpperCase() + group.slice(1);
    const owner = groupByName.get(name);
    const free = !owner ? name : owner === group ? name + version.toUpperCase() : prefix + name;
    if (groupByName.has(free)) throw new Error(`no free name for ${full}`);
    groupByName.set(free, group);
    result.set(full, free);
  }
  return result;
}

export function emitTypes(table: SchemaTable): string {
  const names = typeScriptNames([...Object.keys(table.types), ...Object.keys(table.enums)]);
  const out = ["// Written by `npm run schema`. Do not edit.", ""];
  for (const [full, values] of Object.entries(table.enums)) {
    const union = values.map((value) => JSON.stringify(value)).join(" | ");
    out.push(`export type ${names.get(full)} = ${union};`);
  }
  out.push("");
  out.push(
    "/** Metadata of an object inside another one, such as a pod template: nothing in it is required. */",
  );
  out.push("export type TemplateMeta = Partial<ObjectMeta>;", "");
  for (const [full, type] of Object.entries(table.types)) {
    out.push(`export interface ${names.get(full)} {`);
    if (type.object) out.push("  apiVersion?: string;", "  kind?: string;");
    for (const [field, schema] of Object.entries(type.fields)) {
      const key = /^\w+$/.test(field) ? field : JSON.stringify(field);
      const mark = isRequired(full, type, field, schema) ? "" : "?";
      out.push(`  ${key}${mark}: ${tsType(names, type, schema)};`);
    }
    out.push("}", "");
  }
  return out.join("\n");
}

/**
 * As OpenAPI has it, with three exceptions that make reading pleasant and that decoding guarantees: an object has
 * metadata; metadata has a name (empty until one is generated); and an object whose spec is a plain struct has one.
 */
function isRequired(full: string, type: TypeSchema, field: string, schema: FieldSchema): boolean {
  if (full === "meta.v1.ObjectMeta") return field === "name";
  if (type.object && field === "metadata") {
    return schema.type === "meta.v1.ObjectMeta" || "items" in type.fields;
  }
  if (type.object && field === "spec" && !schema.pointer) return true;
  return schema.required === true;
}

function tsType(names: Map<string, string>, owner: TypeSchema, schema: FieldSchema): string {
  let type = TS_SCALARS[schema.type] ?? names.get(schema.enum ?? schema.type);
  if (schema.enum) type = names.get(schema.enum);
  if (schema.type === "meta.v1.ObjectMeta" && !owner.object) type = "TemplateMeta";
  if (!type) throw new Error(`no TypeScript type for ${schema.type}`);
  const element = type.includes(" ") ? `(${type})` : type;
  if (schema.of === "list") return `${element}[]`;
  if (schema.of === "map") return `Record<string, ${type}>`;
  if (schema.of === "listMap") return `Record<string, ${element}[]>`;
  return type;
}
