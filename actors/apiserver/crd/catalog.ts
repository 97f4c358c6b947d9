/**
 * The custom kinds that are served now: a pure function of the CustomResourceDefinitions in this API actor's own view.
 * Nothing is subscribed to and nothing can be missed: whoever asks looks at the view, and what was compiled from a
 * definition is kept for as long as the definition stays as it is.
 */

import equal from "fast-deep-equal";
import type { Version } from "../../../manifests/apply/index.ts";
import {
  CustomResourceDefinition,
  customKind,
  deprecationWarning,
  isEstablished,
  type Kind,
  storageVersion,
} from "../../../manifests/index.ts";
import { objectKey, resourcePrefix } from "../../../runtime/store/key.ts";
import type { Stores } from "../../../runtime/store/open.ts";
import type { ChangeStream, Entry } from "../../../runtime/store/store.ts";
import type { Resource } from "../registry/registry.ts";
import { type ConversionContext, converterOf } from "./conversion.ts";
import { customHooks } from "./hooks.ts";
import { storedForm } from "./stored-form.ts";

export interface Catalog {
  all(): readonly Resource[];
  /** An empty version means the stored one. */
  find(group: string, version: string, resource: string): Resource | undefined;
  /** Changes whenever what `all` gives may. */
  readonly revision: string;
}

interface CatalogContext {
  readonly stores: Stores;
  readonly conversion: ConversionContext;
}

interface Compiled {
  readonly sequence: number;
  /** In the order in which they are declared. */
  readonly resources: readonly Resource[];
}

const { group: definitionGroup, resource: definitions } = CustomResourceDefinition;
const prefix = resourcePrefix(definitionGroup, definitions);
const decoder = new TextDecoder();

export function createCatalog(context: CatalogContext): Catalog {
  const { stores } = context;
  const { view } = stores.objects;
  const compiled = new Map<string, Compiled>();

  function resourcesOf(entry: Entry): readonly Resource[] {
    const known = compiled.get(entry.key);
    if (known?.sequence === entry.sequence) return known.resources;
    const definition = JSON.parse(decoder.decode(entry.value)) as CustomResourceDefinition;
    const resources = compile(context, definition, entry);
    compiled.set(entry.key, { sequence: entry.sequence, resources });
    return resources;
  }

  function entries(): Entry[] {
    const found = [...view.snapshot(prefix).range()];
    if (compiled.size > found.length) {
      const present = new Set(found.map(({ key }) => key));
      for (const key of compiled.keys()) if (!present.has(key)) compiled.delete(key);
    }
    return found;
  }

  return {
    all: () => entries().flatMap((entry) => resourcesOf(entry).filter(isServed)),
    find(group, version, resource) {
      if (!group) return undefined;
      const place = { group: definitionGroup, resource: definitions, namespace: "" };
      const entry = view.get(objectKey({ ...place, name: `${resource}.${group}` }));
      const resources = entry ? resourcesOf(entry) : [];
      if (!version) return resources.find(({ custom }) => custom?.isStorage);
      return resources.find((known) => isServed(known) && known.kind.version === version);
    },
    get revision() {
      return entries()
        .map(({ key, sequence }) => `${key}@${sequence}`)
        .join();
    },
  };
}

function isServed({ custom }: Resource): boolean {
  return custom?.isServed === true;
}

/** Its status says nothing of what objects look like, but for whether they are served. */
function followDefinition(stores: Stores, entry: Entry, onChange: () => void): ChangeStream {
  const { view } = stores.objects;
  const read = (bytes: Uint8Array) => JSON.parse(decoder.decode(bytes)) as CustomResourceDefinition;
  const begun = read(entry.value);
  return view.subscribe(entry.key, view.revision, ({ key, type, value }) => {
    if (key !== entry.key) return;
    const now = read(value);
    const same = equal(now.spec, begun.spec) && isEstablished(now);
    if (type === "deleted" || !same) onChange();
  });
}

/** Nothing is served before the names are accepted. */
function compile(
  { stores, conversion }: CatalogContext,
  definition: CustomResourceDefinition,
  entry: Entry,
): Resource[] {
  const storage = storageVersion(definition);
  if (!storage || !isEstablished(definition)) return [];
  const { group, names, versions } = definition.spec;
  const store = stores.of(group, names.plural);
  const hooks = customHooks(definition.metadata.deletionTimestamp !== undefined);
  // The stored version is there for those who name none, such as whoever empties a namespace.
  const known = versions.filter((version) => version.served || version === storage);
  const kinds = new Map(known.map((version) => [version, customKind(definition, version)]));
  const seen = versionsOf([...kinds.values()]);
  const stored = kinds.get(storage);
  const convert = converterOf(definition, conversion);
  return [...kinds].map(([version, kind]): Resource => {
    const isStorage = version === storage;
    const isServed = version.served;
    const form = storedForm(kind, stored ?? kind, `${kind.apiVersion}@${entry.sequence}`, convert);
    const warning = deprecationWarning(definition, version);
    const follow = (onChange: () => void) => followDefinition(stores, entry, onChange);
    const custom = {
      isStorage,
      isServed,
      form,
      versions: seen,
      guard: { key: entry.key, sequence: entry.sequence },
      follow,
      ...(warning ? { warning } : {}),
    };
    return { kind, stored: kind, store, hooks, custom };
  });
}

/** Differs from Kubernetes: fields keep their owner in another version when they are called the same in both. */
function versionsOf(kinds: readonly Kind[]): Map<string, Version> {
  return new Map(
    kinds.flatMap(({ apiVersion, model }) => {
      const show = (object: object) => ({ ...object, apiVersion });
      return model ? [[apiVersion, { type: model.type, show }]] : [];
    }),
  );
}
