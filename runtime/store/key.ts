/**
 * Keys of the store: `<group>.<resource>.<namespace>.<name>`, each token escaped so that any name
 * is legal in a NATS subject and `nats kv ls` stays readable. The empty group is `core`, which no
 * real group can be called (groups other than the built-in ones hold a dot, and no built-in one
 * has this name); the namespace of what has none is `_`.
 */

import { decodeToken, encodeToken } from "../token.ts";

export interface ObjectKey {
  group: string;
  resource: string;
  /** Empty for what belongs to no namespace. */
  namespace: string;
  name: string;
}

export function objectKey({ group, resource, namespace, name }: ObjectKey): string {
  return `${namespacePrefix(group, resource, namespace)}${encodeToken(name)}`;
}

/** Undefined for what is not an object's key, such as the store's own records. */
export function parseObjectKey(key: string): ObjectKey | undefined {
  const [group, resource, namespace, name, ...rest] = key.split(".");
  if (!group || !resource || !namespace || !name || rest.length > 0) return undefined;
  return {
    group: group === "core" ? "" : decodeToken(group),
    resource: decodeToken(resource),
    namespace: decodeToken(namespace),
    name: decodeToken(name),
  };
}

/** What the keys of one resource begin with: `apps.deployments.`. */
export function resourcePrefix(group: string, resource: string): string {
  return `${group === "" ? "core" : encodeToken(group)}.${encodeToken(resource)}.`;
}

/** What the keys of one resource in one namespace begin with: `apps.deployments.default.`. */
export function namespacePrefix(group: string, resource: string, namespace: string): string {
  return `${resourcePrefix(group, resource)}${encodeToken(namespace)}.`;
}

/** The first two tokens of a key or longer prefix; undefined when it has fewer. */
export function resourceOf(key: string): string | undefined {
  const first = key.indexOf(".");
  const second = first < 0 ? -1 : key.indexOf(".", first + 1);
  return second < 0 ? undefined : key.slice(0, second + 1);
}
