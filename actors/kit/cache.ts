/**
 * The objects of one kind as last seen, and the indexes over them. What is handed out is shared
 * by everybody in the process: never change it. Frozen deep when asked, which tests do.
 */

import type { KubeObject } from "../../manifests/index.ts";
import { assert } from "../../runtime/errors.ts";
import { type Key, keyOf } from "./object.ts";

export interface Lister<T> {
  /** Undefined means deleted, or not seen yet. */
  get(key: Key): T | undefined;
  list(): T[];
  inNamespace(namespace: string): T[];
  /** Objects for which `index` gave `value`; `byOwner` exists for every kind. */
  by(index: IndexFunction<T>, value: string): T[];
  readonly size: number;
}

/**
 * The values under which an object is found. The function itself is the index's name: caches are
 * shared, and two users who called theirs alike would find what the other one meant.
 */
export type IndexFunction<T> = (object: T) => readonly string[];

/** Index by the uid of the controlling owner, kept for every kind. */
export function byOwner({ metadata }: KubeObject): string[] {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller);
  return owner ? [owner.uid] : [];
}

function byNamespace({ metadata }: KubeObject): string[] {
  return [metadata.namespace ?? ""];
}

export class Cache<T extends KubeObject> implements Lister<T> {
  readonly #objects = new Map<Key, T>();
  /** The keys of the objects, by value, for each index. */
  readonly #indexes = new Map<IndexFunction<T>, Map<string, Set<Key>>>();

  constructor() {
    this.addIndex(byNamespace);
    this.addIndex(byOwner);
  }

  /** Adding one that exists does nothing: several users may ask for the same. */
  addIndex(index: IndexFunction<T>): void {
    if (this.#indexes.has(index)) return;
    const keys = new Map<string, Set<Key>>();
    this.#indexes.set(index, keys);
    for (const [key, object] of this.#objects) insert(index, keys, key, object);
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

  by(index: IndexFunction<T>, value: string): T[] {
    const keys = this.#indexes.get(index);
    assert(keys, `No index ${index.name} was added`);
    const found: T[] = [];
    for (const key of keys.get(value) ?? []) {
      const object = this.#objects.get(key);
      if (object) found.push(object);
    }
    return found;
  }

  set(object: T): void {
    const key = keyOf(object);
    this.delete(key);
    this.#objects.set(key, object);
    for (const [index, keys] of this.#indexes) insert(index, keys, key, object);
  }

  delete(key: Key): void {
    const object = this.#objects.get(key);
    if (!object) return;
    this.#objects.delete(key);
    for (const [index, keys] of this.#indexes) {
      for (const value of index(object)) {
        const under = keys.get(value);
        under?.delete(key);
        if (under?.size === 0) keys.delete(value);
      }
    }
  }
}

function insert<T>(
  index: IndexFunction<T>,
  keys: Map<string, Set<Key>>,
  key: Key,
  object: T,
): void {
  for (const value of index(object)) {
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
