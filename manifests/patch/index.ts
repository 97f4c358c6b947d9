/** Patches of every sort that the API takes, and the making of those that `apply` sends. */
export * from "./go-value.ts";
export * from "./json-patch.ts";
export * from "./merge-patch.ts";
export { PatchError } from "./patch-error.ts";
export * from "./strategic-merge.ts";
export * from "./three-way.ts";
