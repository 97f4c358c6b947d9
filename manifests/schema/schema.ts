/** The generated table, loaded, and what every walker asks of it. */

import table from "./schema.generated.json" with { type: "json" };
import { SCALARS, type SchemaTable, type TypeSchema } from "./table.ts";

export const SCHEMA = table as unknown as SchemaTable;

const scalars = new Set<string>(SCALARS);

export function isScalar(type: string): boolean {
  return scalars.has(type);
}

/** A name that is not in the table is a bug of ours, not bad input. */
export function typeSchema(name: string): TypeSchema {
  const schema = SCHEMA.types[name];
  if (!schema) throw new Error(`no type ${name} in the schema`);
  return schema;
}

/** `core.v1.Pod` as Go prints it in messages: `v1.Pod`. */
export function goTypeName(name: string): string {
  return name.slice(name.indexOf(".") + 1);
}
