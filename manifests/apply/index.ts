/** Server-side apply: who owns which fields, and what an applied configuration makes of an object. */
export * from "./compare.ts";
export * from "./field-set.ts";
export * from "./managers.ts";
export * from "./owned-fields.ts";
export * from "./ownership.ts";
export * from "./type-ref.ts";
export * from "./typed-merge.ts";
export { ApplyError } from "./values.ts";
