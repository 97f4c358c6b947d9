/**
 * What is special to a kind. Every hook is optional; a kind without any is stored as it is
 * validated. Hooks see objects, decide, and return: the pipeline commits.
 */

import type { FieldError, KubeObject } from "../../../manifests/index.ts";
import type { Operation, View } from "../../../runtime/store/store.ts";
import type { User } from "../request.ts";

export interface Hooks<T extends KubeObject = KubeObject> {
  /** Rejects what the verb alone does not allow. Before validation. */
  permit?(object: T, old: T | undefined, user: User): Promise<void>;
  /**
   * Has metadata.generation: 1 on create, one more whenever anything but metadata or status changes.
   * `annotations`: theirs count, too.
   */
  readonly generation?: boolean | "annotations";
  /** The one kind whose creator may say its status: a node. */
  readonly statusOnCreate?: boolean;
  /** Sets what a new object of this kind always starts with. After defaults and admission. */
  prepareCreate?(object: T, context: HookContext): T;
  /** Puts back what a client may not change. After defaults and admission. */
  prepareUpdate?(object: T, old: T, context: HookContext): T;
  /** What the schema cannot say. After validation. */
  check?(object: T, old: T | undefined, context: HookContext): FieldError[];
  /**
   * Claims that must be committed with the object, or given back with it: addresses, ports. May
   * fill them into the object. Called again when another writer was faster.
   */
  allocate?(object: T, old: T | undefined, context: HookContext): Allocation<T>;
  release?(object: T, context: HookContext): Operation[];
  /** Seconds between the first delete and the last one; 0: gone at once. */
  grace?(object: T, asked: number | undefined): number;
  /** What a kind gains on its first delete, such as a phase. */
  terminating?(object: T): T;
  /** Gained on the first delete; whoever carries out what must come before the end takes it off. */
  readonly finalizer?: string;
  /** True while something other than metadata.finalizers keeps a deleted object. */
  held?(object: T): boolean;
}

export interface Allocation<T extends KubeObject = KubeObject> {
  readonly object: T;
  readonly operations: Operation[];
}

export interface HookContext {
  readonly user: User;
  /** Of the objects bucket. */
  readonly view: View;
  /** RFC 3339, to the second. */
  readonly now: string;
  readonly random: { int(bound: number): number };
  readonly subresource: string;
  warn(message: string): void;
  /** Kept with the request's audit event. */
  annotate(key: string, value: string): void;
}
