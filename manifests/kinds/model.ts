/**
 * What the pipeline needs to know of the objects of a kind that arrived at run time. A built-in kind has none: the
 * functions that ask for it (`decode`, `setDefaults`, `validateCreate` and their like) read the table instead.
 */
import type { TypeRef } from "../apply/type-ref.ts";
import type { Printer } from "../printing/printer.ts";
import type { FieldErrors } from "../validation/field-error.ts";
import type { KubeObject } from "./kind.ts";

export interface Model {
  /** Throws DecodeError. Unknown fields are dropped and told in `unknown`. */
  decode(value: unknown, unknown: string[]): KubeObject;
  /** In place. */
  setDefaults(object: KubeObject): void;
  /** Everything but the metadata, which is what it is everywhere. */
  validate(errors: FieldErrors, object: KubeObject, old: KubeObject | undefined): void;
  /** As ownership sees it. */
  readonly type: TypeRef;
  /** At the top, but for apiVersion and kind. */
  readonly fields: readonly string[];
  readonly printer: Printer<KubeObject>;
  /** What objects may be selected by, beside name and namespace. */
  readonly selectable: Readonly<Record<string, (object: KubeObject) => unknown>>;
  readonly scale?: ScalePaths;
  /** The schema of one object, as OpenAPI documents show it. */
  openapi(): Record<string, unknown>;
}

/** Names on the way to each value, from the outside in. */
export interface ScalePaths {
  readonly specReplicas: readonly string[];
  readonly statusReplicas: readonly string[];
  readonly labelSelector?: readonly string[];
}
