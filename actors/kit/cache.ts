/**
 * The objects of one kind as last seen, and the indexes over them. What is handed out is shared
 * by everybody in the process: never change it. Frozen deep when asked, which tests do.
 */

import type { KubeObject } from "../../manifests/index.ts";
import { type Key, keyOf } from "./object.ts";

export interface Lister<T> {
  /** Undefined means deleted, or not seen yet. */
  get(key: Key): T | undefined;
  list(): T[];
  inNamespace(namespace: string): T[];
  /** Objects for which the index `name` gave `value`; `byOwner` exists for every kind. */
  by(index: string, value: string): T[];
  readonly size: number;
}

/** The values under which an object is found. */
export type IndexFunction<T> = (object: T) => readonly string[];

/** Index by the uid of the controlling owner, kept for every kind. */
export const byOwner = "owner";
const byNamespace = "namespace";

export class Cache<T extends KubeObject> implements Lister<T> {
  readonly #objects = new Map<Key, T>();
  readonly #indexes = new Map<string, Index<T>>();

  constructor() {
    this.addIndex(byNamespace, ({ metadata }) => [metadata.namespace ?? ""]);
    this.addIndex(byOwner, ({ metadata }) => {
      const owner = metadata.ownerReferences?.find(({ controller }) => controller);
      return owner ? [owner.uid] : [];
    });
  }

  /** Adding an index of a name that exists does nothing: several users may ask for the same. */
  addIndex(name: string, valuesOf: IndexFunction<T>): void {
    if (this.#indexes.has(name)) return;
    const index: Index<T> = { valuesOf, keys: new Map() };
    this.#indexes.set(name, index);
    for (const [key, object] of this.#objects) insert(index, key, object);
  }

  get size(): number {
    return this.#objects.size;
  }

  keys(): Iterable<Key> {
    return this.#objects.keys();
  }

  get(key: Key): T | undefined {
    return this.#objects.get(key);
  }

  list(): T[] {
    return [...this.#objects.values()];
  }

  inNamespace(namespace: string): T[] {
    return this.by(byNamespace, namespace);
  }

  by(index: string, value: string): T[] {
    const found: T[] = [];
    for (const key of this.#indexes.get(index)?.keys.get(value) ?? []) {
      const object = this.#objects.get(key);
      if (object) found.push(object);
    }
    return found;
  }

  set(object: T): void {
    const key = keyOf(object);
    this.delete(key);
    this.#objects.set(key, object);
    for (const index of this.#indexes.values()) insert(index, key, object);
  }

  delete(key: Key): void {
    const object = this.#objects.get(key);
    if (!object) return;
    this.#objects.delete(key);
    for (const { valuesOf, keys } of this.#indexes.values()) {
      for (const value of valuesOf(object)) {
        const under = keys.get(value);
        under?.delete(key);
        if (under?.size === 0) keys.delete(value);
      }
    }
  }
}

interface Index<T> {
  valuesOf: IndexFunction<T>;
  keys: Map<string, Set<Key>>;
}

function insert<T>({ valuesOf, keys }: Index<T>, key: Key, object: T): void {
  for (const value of valuesOf(object)) {
    const under = keys.get(value);
    if (under) under.add(key);
    else keys.set(value, new Set([key]));
  }
}

export function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const part of Object.values(value)) deepFreeze(part);
  return value;
}
