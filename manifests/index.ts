/** The object model: every kind's type and descriptor, and the pure functions over them. */

export * from "./crd/custom-kind.ts";
export * from "./crd/names.ts";
export * from "./decode.ts";
export * from "./defaults.ts";
export * from "./duplicates.ts";
export * from "./encode.ts";
export * from "./field-selectors.ts";
export * from "./kinds/builtin.ts";
export * from "./kinds/endpoint-slice.ts";
export * from "./kinds/int-or-percent.ts";
export * from "./kinds/kind.ts";
export * from "./kinds/lookup.ts";
export type { Model, ScalePaths } from "./kinds/model.ts";
export * from "./patch/index.ts";
export * from "./printing/duration.ts";
export type { Cell, Column } from "./printing/printer.ts";
export * from "./printing/table.ts";
export * from "./quantity.ts";
export * from "./schema/openapi.ts";
export * from "./schema/openapi-v2.ts";
export * from "./selectors.ts";
export * from "./validate.ts";
export * from "./warnings.ts";
export * from "./yaml.ts";
