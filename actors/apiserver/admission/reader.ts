/** What plugins read of the cluster: this API actor's own cache, parsed once for all. */

import type { Kind, KubeObject } from "../../../manifests/index.ts";
import type { Entry } from "../../../runtime/store/store.ts";
import { waitUntilFresh } from "../freshness.ts";
import type { Objects } from "../objects.ts";
import { entryOf, prefixOf, type Registry, type Resource } from "../registry/registry.ts";

export interface Reader {
  get<T extends KubeObject>(kind: Kind<T>, namespace: string, name: string): T | undefined;
  /** An absence is read consistently before it is believed. */
  fetch<T extends KubeObject>(
    kind: Kind<T>,
    namespace: string,
    name: string,
  ): Promise<T | undefined> | T;
  /** Of a namespace, or with an empty one of all, in the order of their names. */
  list<T extends KubeObject>(kind: Kind<T>, namespace?: string): readonly T[];
  /** With the key and sequence that a commit needs. */
  entries<T extends KubeObject>(kind: Kind<T>, namespace: string): readonly Found<T>[];
  /** By `group/version` and kind; undefined when none is served. */
  kindOf(apiVersion: string, kind: string): Kind | undefined;
  /** All versions that show what is stored as this one. */
  versionsOf(resource: Resource): readonly Resource[];
  /** Resolves once the cache holds all that was committed before the question. */
  caughtUp(): Promise<void>;
}

export interface Found<T extends KubeObject = KubeObject> {
  readonly entry: Pick<Entry, "key" | "value" | "sequence">;
  readonly object: T;
}

interface Place {
  readonly resource: Resource;
  /** Of all its keys. */
  readonly prefix: string;
}

export function createReader(registry: Registry, objects: Objects): Reader {
  const places = new WeakMap<Kind, Place>();

  /** Asked several times of each write: found once. */
  function placeOf(kind: Kind): Place {
    let place = places.get(kind);
    if (!place) {
      const resource = registry.find(kind.group, kind.version, kind.resource);
      place = { resource, prefix: prefixOf(resource, "") };
      places.set(kind, place);
    }
    return place;
  }

  function get<T extends KubeObject>(kind: Kind<T>, namespace: string, name: string) {
    const { resource } = placeOf(kind);
    const entry = entryOf(resource, kind.namespaced ? namespace : "", name);
    return entry && (objects.parsed(resource, entry) as T);
  }

  function entries<T extends KubeObject>(kind: Kind<T>, namespace: string): Found<T>[] {
    const { resource, prefix } = placeOf(kind);
    const chosen = namespace ? prefixOf(resource, namespace) : prefix;
    const snapshot = resource.store.view.snapshot(chosen);
    if (snapshot.size === 0) return [];
    return [...snapshot.range()].map((entry) => {
      return { entry, object: objects.parsed(resource, entry) as T };
    });
  }

  const versions = new WeakMap<Resource["stored"], readonly Resource[]>();

  return {
    get,
    kindOf: (apiVersion, name) =>
      registry.resources.find(({ kind }) => kind.apiVersion === apiVersion && kind.kind === name)
        ?.kind,
    versionsOf({ stored }) {
      let found = versions.get(stored);
      if (!found) {
        found = registry.resources.filter((one) => one.stored === stored);
        versions.set(stored, found);
      }
      return found;
    },
    entries,
    fetch(kind, namespace, name) {
      const found = get(kind, namespace, name);
      if (found) return found;
      const { store } = placeOf(kind).resource;
      return waitUntilFresh(store, undefined).then(() => get(kind, namespace, name));
    },
    list: (kind, namespace = "") => entries(kind, namespace).map(({ object }) => object),
    caughtUp: () => waitUntilFresh(registry.stores.objects, undefined),
  };
}
