/** Every resource that is served: its kind, where it is stored, and what is special to it. */

import { apiError } from "../../../manifests/api-error.ts";
import type { Version } from "../../../manifests/apply/index.ts";
import { allKinds, type Kind, kindByGvk, storedKind } from "../../../manifests/index.ts";
import { namespacePrefix, objectKey, resourcePrefix } from "../../../runtime/store/key.ts";
import type { Stores } from "../../../runtime/store/open.ts";
import type { ChangeStream, Entry, Guard, Store } from "../../../runtime/store/store.ts";
import type { Catalog } from "../crd/catalog.ts";
import type { StoredForm } from "../crd/stored-form.ts";
import { waitUntilFresh } from "../freshness.ts";
import type { ApiRequest } from "../request.ts";
import type { Hooks } from "./hooks.ts";

export interface Resource {
  readonly kind: Kind;
  /** The kind under which it is stored; another one for second versions of the same object. */
  readonly stored: Kind;
  readonly store: Store;
  readonly hooks: Hooks;
  /** Of a kind that a CustomResourceDefinition brought. */
  readonly custom?: CustomResource;
}

export interface CustomResource {
  readonly form: StoredForm;
  readonly isStorage: boolean;
  readonly isServed: boolean;
  /** How owners of fields see the objects, by the apiVersions that are served. */
  readonly versions: ReadonlyMap<string, Version>;
  /** The definition as it was read: nothing may come to be under one that is another by now, or gone. */
  readonly guard: Guard;
  /** Calls back once the definition is another, or gone. */
  follow(onChange: () => void): ChangeStream;
  /** Of a deprecated version, for whoever asks for it. */
  readonly warning?: string;
}

export interface Registry {
  readonly stores: Stores;
  /** All that is served now. */
  readonly resources: readonly Resource[];
  /** Changes whenever `resources` may. */
  readonly revision: string;
  /** An empty version means the preferred one. */
  get(group: string, version: string, resource: string): Resource | undefined;
  /** The same, but throws NotFound in the REST API's words. */
  find(group: string, version: string, resource: string): Resource;
  kind(apiVersion: string, kind: string): Kind | undefined;
  /** By the stored kind's group and resource, as keys have them; what is read through it is just as it is stored. */
  stored(group: string, resource: string): Resource | undefined;
}

export function createRegistry(
  stores: Stores,
  hooksOf: (kind: Kind) => Hooks,
  catalog: Catalog,
): Registry {
  const resources = allKinds().map((kind): Resource => {
    const stored = storedKind(kind);
    const store = stores.of(stored.group, stored.resource);
    return { kind, stored, store, hooks: hooksOf(stored) };
  });
  const byPath = new Map<string, Resource>();
  for (const resource of resources) {
    const { group, version, resource: plural } = resource.kind;
    byPath.set(`${group}/${version}/${plural}`, resource);
    // The stored version is the one that a request without a version means.
    const preferred = byPath.get(`${group}//${plural}`);
    if (!preferred || resource.kind === resource.stored)
      byPath.set(`${group}//${plural}`, resource);
  }
  function asStored(group: string, plural: string): Resource | undefined {
    const found = catalog.find(group, "", plural);
    if (!found) return undefined;
    const { custom: _custom, ...resource } = found;
    return resource;
  }

  function get(group: string, version: string, plural: string): Resource | undefined {
    return byPath.get(`${group}/${version}/${plural}`) ?? catalog.find(group, version, plural);
  }

  return {
    stores,
    get,
    get resources() {
      return [...resources, ...catalog.all()];
    },
    get revision() {
      return catalog.revision;
    },
    kind: (apiVersion, kind) =>
      kindByGvk(apiVersion, kind) ??
      catalog
        .all()
        .find((known) => known.kind.apiVersion === apiVersion && known.kind.kind === kind)?.kind,
    stored: (group, plural) => byPath.get(`${group}//${plural}`) ?? asStored(group, plural),
    find(group, version, plural) {
      const found = get(group, version, plural);
      if (!found) throw pathNotFound();
      return found;
    },
  };
}

/** A kind that another API actor has just taken up may not be in this one's view yet. */
export async function findFresh(
  registry: Registry,
  { group, version, resource }: Pick<ApiRequest, "group" | "version" | "resource">,
): Promise<Resource> {
  const found = registry.get(group, version, resource);
  if (found) return found;
  await waitUntilFresh(registry.stores.objects, undefined);
  return registry.find(group, version, resource);
}

/** What upstream answers for any path that it does not know. */
export function pathNotFound(): Error {
  return apiError("NotFound", "the server could not find the requested resource", {});
}

export function keyOf(resource: Resource, namespace: string, name: string): string {
  const { group, resource: plural } = resource.stored;
  return objectKey({ group, resource: plural, namespace, name });
}

/** Of a namespace, or with an empty one of all. */
export function prefixOf(resource: Resource, namespace: string): string {
  const { group, resource: plural } = resource.stored;
  return namespace && resource.kind.namespaced
    ? namespacePrefix(group, plural, namespace)
    : resourcePrefix(group, plural);
}

/** What errors about this resource name. */
export function nameOf(resource: Resource): { group: string; resource: string } {
  return { group: resource.kind.group, resource: resource.kind.resource };
}

export function entryOf(resource: Resource, namespace: string, name: string): Entry | undefined {
  return resource.store.view.get(keyOf(resource, namespace, name));
}
