/** Finds one object for a decision. What is refused because something is absent is read consistently first. */

import type { Kind, KubeObject } from "../../manifests/index.ts";
import { waitUntilFresh } from "./freshness.ts";
import type { Objects } from "./objects.ts";
import { entryOf, type Registry } from "./registry/registry.ts";

export interface LookupContext {
  readonly registry: Registry;
  readonly objects: Objects;
}

/**
 * From the cache, when it holds one that is `good`; else as the store has it now, good or not.
 * Shared with everybody: not to be changed.
 */
export async function lookup<T extends KubeObject>(
  { registry, objects }: LookupContext,
  kind: Kind<T>,
  place: { readonly namespace?: string; readonly name: string },
  good: (object: T) => boolean = () => true,
): Promise<T | undefined> {
  const resource = registry.find(kind.group, kind.version, kind.resource);
  const find = (): T | undefined => {
    const entry = entryOf(resource, place.namespace ?? "", place.name);
    return entry && (objects.parsed(resource, entry) as unknown as T);
  };
  const found = find();
  if (found && good(found)) return found;
  await waitUntilFresh(resource.store, undefined);
  return find();
}
