/**
 * Garbage collector: deletes what has owners, all of which are gone.
 *
 * Mailbox  reconcile(key)                  `<apiVersion>|<kind>|<namespace/name>`; repeats coalesce
 * Watches  every kind that can be listed and watched, but events; custom kinds while they are defined
 * Owns     nothing that is not in the store: the caches, indexed by owner, are the graph
 * Writes   every kind delete+patch
 * Fails    conflict or api away: repeated, 5 ms .. 16 min. Crash: restart and resync, no state lost.
 * Scales   one owner (Lease `garbage-collector`). A deposed one's writes are refused by its epoch.
 *
 * The rules are those of k8s:pkg/controller/garbagecollector `attemptToDeleteItem`,
 * `processDeletingDependentsItem` and `orphanDependents`. Before anything is deleted the owner's
 * absence is confirmed by the API, because a cache may be behind.
 */

import { isNotFound } from "../../manifests/api-error.ts";
import {
  allKinds,
  CustomResourceDefinition,
  type Kind,
  type KubeObject,
  kindByGvk,
  type OwnerReference,
  storedCustomKind,
  storedKind,
} from "../../manifests/index.ts";
import {
  defineController,
  type Listers,
  type ReconcileContext,
  type Watched,
  type WatchSpec,
  watch,
} from "../kit/controller.ts";
import { type Key, keyIn, keyOf, kindId } from "../kit/object.ts";
import { anyKind } from "../kit/writes.ts";

const foreground = "foregroundDeletion";
const orphan = "orphan";

/** Kinds stored in their own right. Events own nothing, are owned by nothing, and are many. */
const collectedKinds: readonly Kind[] = allKinds().filter(
  ({ verbs, conversion, resource }) =>
    !conversion && resource !== "events" && verbs.includes("watch") && verbs.includes("delete"),
);

export const garbageCollector = defineController({
  name: "garbage-collector",
  watches: collectedKinds.map((kind) =>
    kind === CustomResourceDefinition
      ? watchOwners(CustomResourceDefinition, bring)
      : watchOwners(kind),
  ),
  writes: [anyKind(["delete", "patch"])],
  options: { workers: 10 },
  async reconcile(key, ctx) {
    const item = lookUp(key, ctx);
    if (!item) return;
    const { metadata } = item.object;
    const finalizers = metadata.finalizers ?? [];
    if (metadata.deletionTimestamp) {
      if (finalizers.includes(orphan)) await orphanDependents(item, ctx);
      else if (finalizers.includes(foreground)) await awaitDependents(item, ctx);
      return;
    }
    if (metadata.ownerReferences?.length) await judge(item, metadata.ownerReferences, ctx);
  },
});

function byAnyOwner({ metadata }: KubeObject): string[] {
  return (metadata.ownerReferences ?? []).map(({ uid }) => uid);
}

function watchOwners<T extends KubeObject>(
  kind: Kind<T>,
  brings?: WatchSpec<T>["brings"],
): Watched {
  return watch(kind, {
    keysOf: (object, listers) => concerned(kind, object, listers),
    matters: changesOwnership,
    indexes: [byAnyOwner],
    ...(brings ? { brings } : {}),
  });
}

function bring(definition: CustomResourceDefinition): Watched | undefined {
  const kind = storedCustomKind(definition);
  return kind && watchOwners(kind);
}

/** In whichever version it is named. */
function kindNamed(apiVersion: string, name: string, { kinds }: Listers): Kind | undefined {
  const builtIn = kindByGvk(apiVersion, name);
  if (builtIn) return storedKind(builtIn);
  const group = apiVersion.slice(0, Math.max(0, apiVersion.indexOf("/")));
  return kinds().find((kind) => kind.group === group && kind.kind === name);
}

interface Item {
  kind: Kind;
  object: KubeObject;
}

function itemKey({ kind, object }: Item): Key {
  return `${kind.apiVersion}|${kind.kind}|${keyOf(object)}`;
}

function lookUp(key: Key, listers: Listers): Item | undefined {
  const [apiVersion = "", name = "", of = ""] = key.split("|");
  const kind = kindNamed(apiVersion, name, listers);
  const object = kind && listers.lister(kind).get(of);
  return object && { kind, object };
}

function changesOwnership({ metadata: before }: KubeObject, { metadata: after }: KubeObject) {
  const parts = ({ ownerReferences, finalizers, deletionTimestamp }: typeof before) =>
    JSON.stringify([ownerReferences, finalizers, deletionTimestamp]);
  return parts(before) !== parts(after);
}

/** The object itself, if it has owners or is going; its dependents, if it is going or gone. */
function concerned(kind: Kind, object: KubeObject, listers: Listers): Key[] {
  const { uid = "", ownerReferences, deletionTimestamp } = object.metadata;
  const gone = listers.lister(kind).get(keyOf(object))?.metadata.uid !== uid;
  const keys = gone || deletionTimestamp ? dependentsOf(uid, listers).map(itemKey) : [];
  // An owner that waits for its dependents hears of it through them.
  if (gone) keys.push(...ownerKeys(object, ownerReferences ?? [], listers));
  else if (ownerReferences?.length || deletionTimestamp) keys.push(itemKey({ kind, object }));
  return keys;
}

function ownerKeys(
  { metadata }: KubeObject,
  owners: readonly OwnerReference[],
  listers: Listers,
): Key[] {
  return owners.flatMap(({ apiVersion, kind: name, name: ownerName }) => {
    const kind = kindNamed(apiVersion, name, listers);
    if (!kind) return [];
    const key = keyIn(kind.namespaced ? metadata.namespace : undefined, ownerName);
    return [`${kind.apiVersion}|${kind.kind}|${key}`];
  });
}

function dependentsOf(uid: string, { lister, kinds }: Listers): Item[] {
  return kinds().flatMap((kind) =>
    lister(kind)
      .by(byAnyOwner, uid)
      .map((object) => ({ kind, object })),
  );
}

interface Owners {
  solid: OwnerReference[];
  dangling: OwnerReference[];
  /** Going, and waiting for this object to go first. */
  waiting: OwnerReference[];
}

async function judge(
  item: Item,
  references: readonly OwnerReference[],
  ctx: ReconcileContext,
): Promise<void> {
  const { solid, dangling, waiting } = await classify(item, references, ctx);
  if (solid.length > 0) {
    if (dangling.length + waiting.length > 0) await release(item, [...dangling, ...waiting], ctx);
    return;
  }
  const uid = item.object.metadata.uid ?? "";
  const dependents = waiting.length > 0 && dependentsOf(uid, ctx).length > 0;
  await remove(item, dependents ? "Foreground" : policyOf(item), ctx);
}

/** A deletion that was asked for in a certain way before goes on in that way. */
function policyOf({ object }: Item): "Orphan" | "Foreground" | "Background" {
  const finalizers = object.metadata.finalizers ?? [];
  if (finalizers.includes(orphan)) return "Orphan";
  return finalizers.includes(foreground) ? "Foreground" : "Background";
}

async function classify(
  item: Item,
  references: readonly OwnerReference[],
  ctx: ReconcileContext,
): Promise<Owners> {
  const owners: Owners = { solid: [], dangling: [], waiting: [] };
  for (const reference of references) {
    const owner = await ownerOf(item, reference, ctx);
    if (owner === undefined) owners.dangling.push(reference);
    else if (owner !== "unknown" && isWaiting(owner) && reference.blockOwnerDeletion) {
      owners.waiting.push(reference);
    } else owners.solid.push(reference);
  }
  return owners;
}

function isWaiting({ metadata }: KubeObject): boolean {
  return Boolean(metadata.deletionTimestamp && metadata.finalizers?.includes(foreground));
}

/** Undefined when the owner is gone for sure; "unknown" when its kind is none that we know. */
async function ownerOf(
  { object }: Item,
  { apiVersion, kind: name, name: ownerName, uid }: OwnerReference,
  ctx: ReconcileContext,
): Promise<KubeObject | "unknown" | undefined> {
  const { api, lister, kinds } = ctx;
  const kind = kindNamed(apiVersion, name, ctx);
  if (!kind) return "unknown";
  const key = keyIn(kind.namespaced ? object.metadata.namespace : undefined, ownerName);
  const cached = kinds().some((known) => kindId(known) === kindId(kind))
    ? lister(kind).get(key)
    : undefined;
  if (cached?.metadata.uid === uid) return cached;
  try {
    const owner = await api.get(kind, key);
    return owner.metadata.uid === uid ? owner : undefined;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** The owner may go once nothing is left that blocks it; until then its dependents go. */
async function awaitDependents(item: Item, ctx: ReconcileContext): Promise<void> {
  const { uid = "" } = item.object.metadata;
  const blocking = dependentsOf(uid, ctx).filter(({ object }) =>
    object.metadata.ownerReferences?.some(
      (reference) => reference.uid === uid && reference.blockOwnerDeletion,
    ),
  );
  if (blocking.length === 0) await dropFinalizer(item, foreground, ctx);
}

async function orphanDependents(item: Item, ctx: ReconcileContext): Promise<void> {
  const { uid = "" } = item.object.metadata;
  for (const dependent of dependentsOf(uid, ctx)) {
    const references = dependent.object.metadata.ownerReferences ?? [];
    const ours = references.filter((reference) => reference.uid === uid);
    await release(dependent, ours, ctx);
  }
  await dropFinalizer(item, orphan, ctx);
}

/** A JSON merge replaces the whole list, so that the version says which list was meant. */
async function release(
  { kind, object }: Item,
  references: readonly OwnerReference[],
  { api }: ReconcileContext,
): Promise<void> {
  const { uid, resourceVersion } = object.metadata;
  const gone = new Set(references.map((reference) => reference.uid));
  const ownerReferences = object.metadata.ownerReferences?.filter((kept) => !gone.has(kept.uid));
  const change = { metadata: { uid, resourceVersion, ownerReferences } };
  await api.patch(kind, keyOf(object), change, { type: "merge" }).catch(ignoreNotFound);
}

async function dropFinalizer(
  { kind, object }: Item,
  finalizer: string,
  { api }: ReconcileContext,
): Promise<void> {
  const { uid, resourceVersion } = object.metadata;
  const finalizers = object.metadata.finalizers?.filter((name) => name !== finalizer);
  const change = { metadata: { uid, resourceVersion, finalizers } };
  await api.patch(kind, keyOf(object), change, { type: "merge" }).catch(ignoreNotFound);
}

async function remove(
  { kind, object }: Item,
  propagationPolicy: "Orphan" | "Foreground" | "Background",
  { api }: ReconcileContext,
): Promise<void> {
  const { uid, resourceVersion } = object.metadata;
  // The version too: owners may have changed since this was seen.
  const options = { uid, resourceVersion, propagationPolicy };
  await api.delete(kind, keyOf(object), options).catch(ignoreNotFound);
}

function ignoreNotFound(error: unknown): void {
  if (!isNotFound(error)) throw error;
}
