/** The object model: every kind's type and descriptor, and the pure functions over them. */
export * from "./kinds/builtin.ts";
export * from "./kinds/kind.ts";
export * from "./kinds/lookup.ts";
