/** How the kit names an object. */

import type { Kind, KubeObject } from "../../manifests/index.ts";

/**
 * `namespace/name`, or `name` where the kind has no namespace. A string, because it is also what
 * a workqueue coalesces by, what a lister is asked for and what a log line shows.
 */
export type Key = string;

export function keyOf(object: KubeObject): Key {
  return keyIn(object.metadata.namespace, object.metadata.name);
}

export function keyIn(namespace: string | undefined, name: string): Key {
  return namespace ? `${namespace}/${name}` : name;
}

/** `apps/deployments`, or `pods` in the core group. */
export function kindId({ group, resource }: Kind): string {
  return keyIn(group, resource);
}

export function splitKey(key: Key): { namespace: string; name: string } {
  const slash = key.indexOf("/");
  if (slash === -1) return { namespace: "", name: key };
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/**
 * Whether a cache at `seen` has everything up to `wanted`. The versions of one resource are
 * positions in one stream, so that they compare as numbers; between resources they mean nothing.
 */
export function hasReached(seen: string, wanted: string): boolean {
  return seen.length === wanted.length ? seen >= wanted : seen.length > wanted.length;
}
