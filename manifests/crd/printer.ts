/** The columns of a custom kind in tables (k8s: apiextensions-apiserver/pkg/registry/customresource/tableconvertor). */
import type { KubeObject } from "../kinds/kind.ts";
import { type Cell, type Column, type Printer, since } from "../printing/printer.ts";
import type { CustomResourceColumnDefinition } from "../schema/types.generated.ts";
import { compileJsonPath } from "./json-path.ts";
import { isFields } from "./schema.ts";

const NAME: Column = { name: "Name", type: "string", format: "name", description: "", priority: 0 };

/** What a version without columns of its own shows beside the name. */
const AGE: CustomResourceColumnDefinition = {
  name: "Age",
  type: "date",
  jsonPath: ".metadata.creationTimestamp",
};

export function customPrinter(
  given: readonly CustomResourceColumnDefinition[] | undefined,
): Printer<KubeObject> {
  const shown = given?.length ? given : [AGE];
  const cells = shown.map(({ type, jsonPath }) => {
    const find = compileJsonPath(jsonPath);
    return (object: KubeObject, nowMs: number) => cellOf(type, find(object)[0], nowMs);
  });
  return {
    columns: [NAME, ...shown.map(columnOf)],
    cells: (object, nowMs) => [object.metadata.name, ...cells.map((cell) => cell(object, nowMs))],
  };
}

function columnOf(column: CustomResourceColumnDefinition): Column {
  const { name, type, format = "", description = "", priority = 0 } = column;
  return { name, type, format, description, priority };
}

/** What is absent, or not of the column's type, is left blank. */
function cellOf(type: string, value: unknown, nowMs: number): Cell {
  if (value === undefined || value === null) return null;
  switch (type) {
    case "integer":
      return typeof value === "number" ? Math.trunc(value) : null;
    case "number":
      return typeof value === "number" ? value : null;
    case "boolean":
      return typeof value === "boolean" ? value : null;
    case "date":
      return typeof value === "string" ? ageOf(value, nowMs) : null;
    default:
      return isFields(value) || Array.isArray(value) ? JSON.stringify(value) : String(value);
  }
}

function ageOf(timestamp: string, nowMs: number): string {
  return Number.isNaN(Date.parse(timestamp)) ? "<invalid>" : since(timestamp, nowMs);
}
