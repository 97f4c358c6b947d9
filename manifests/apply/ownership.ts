/**
 * Who owns which fields after a write: the decisions of server-side apply, as values.
 *
 * An update owns what it changes, and takes it from whoever had it. Who applies owns what their configuration says; it
 * is a conflict when that changes what somebody else owns, unless they force it; and what they said last time and
 * leave out now goes away when nobody else owns it.
 */
import { type Comparison, compare, ignoring, isSame } from "./compare.ts";
import {
  difference,
  EMPTY_SET,
  type FieldSet,
  fieldSet,
  intersection,
  intersects,
  isEmptySet,
  pathsOf,
  union,
  withoutBelow,
} from "./field-set.ts";
import {
  capped,
  type Entries,
  type Entry,
  entryOf,
  isSameManager,
  type Manager,
  ordered,
} from "./managers.ts";
import { ownedFields, withStructs } from "./owned-fields.ts";
import type { TypeRef } from "./type-ref.ts";
import { removeFields, typedMerge } from "./typed-merge.ts";

/** Nobody owns what the API itself keeps, nor what says which object this is. */
const NOBODYS = fieldSet(
  ["f:apiVersion"],
  ["f:kind"],
  ["f:metadata"],
  ["f:metadata", "f:name"],
  ["f:metadata", "f:namespace"],
  ["f:metadata", "f:creationTimestamp"],
  ["f:metadata", "f:selfLink"],
  ["f:metadata", "f:uid"],
  ["f:metadata", "f:clusterName"],
  ["f:metadata", "f:generation"],
  ["f:metadata", "f:managedFields"],
  ["f:metadata", "f:resourceVersion"],
);

/** An object as the version that an entry's fields are of sees it. */
export interface Version {
  readonly type: TypeRef;
  show(object: object): object;
}

export interface OwnershipContext {
  /** Undefined for a version that is no longer served: what was owned in it is nobody's. */
  version(apiVersion: string): Version | undefined;
  /** What a write at this place cannot change, whatever it says. */
  readonly ignored: FieldSet;
  /** RFC 3339, to the second. */
  readonly now: string;
}

/** The owners after `after` has replaced `before`. Gives `entries` itself when nothing they own has changed. */
export function ownersAfterUpdate(
  context: OwnershipContext,
  manager: Manager,
  entries: Entries,
  before: object,
  after: object,
): Entries {
  const changes = comparisons(context, before, after);
  const own = changes(manager.apiVersion);
  if (!own || isSame(own)) return entries;
  const left = entries.flatMap((entry) => withoutChanged(entry, changes(entry.apiVersion ?? "")));
  const taken = difference(union(own.modified, own.added), NOBODYS);
  if (isEmptySet(taken)) return left;
  const mine = entryOf(manager, EMPTY_SET, undefined);
  const previous = left.find((entry) => isSameManager(entry, mine));
  const fields = previous ? union(taken, previous.fieldsV1) : taken;
  const others = left.filter((entry) => entry !== previous);
  return ordered(capped([...others, entryOf(manager, fields, context.now)]));
}

/** Undefined for a version that is gone. Each version is compared once. */
function comparisons(context: OwnershipContext, before: object, after: object) {
  const known = new Map<string, Comparison | undefined>();
  return (apiVersion: string): Comparison | undefined => {
    if (!known.has(apiVersion)) {
      const version = context.version(apiVersion);
      const found = version && compare(version.type, version.show(before), version.show(after));
      known.set(apiVersion, found && ignoring(found, context.ignored));
    }
    return known.get(apiVersion);
  };
}

function withoutChanged(entry: Entry, changes: Comparison | undefined): Entry[] {
  if (!changes) return [];
  const { added, modified, removed } = changes;
  const fields = [added, modified, removed].reduce(difference, entry.fieldsV1);
  if (fields === entry.fieldsV1) return [entry];
  return isEmptySet(fields) ? [] : [{ ...entry, fieldsV1: fields }];
}

export interface Conflict {
  readonly owner: Entry;
  /** As messages spell it. */
  readonly field: string;
}

export type Applied =
  | { readonly type: "applied"; readonly object: object; readonly entries: Entries }
  | { readonly type: "conflicts"; readonly conflicts: readonly Conflict[] };

export interface ApplyOptions {
  readonly manager: Manager;
  /** In the manager's version, as is the outcome. */
  readonly config: object;
  readonly force: boolean;
  /** Conflicts about these fields are none. */
  readonly mayTake?: FieldSet;
}

/**
 * `live` is in the manager's version too. Throws ApplyError for a configuration that does not fit its type.
 * `stored` makes of it the version that other versions are shown from.
 */
export function apply(
  context: OwnershipContext,
  entries: Entries,
  live: object,
  stored: (object: object) => object,
  options: ApplyOptions,
): Applied {
  const { manager, config, force } = options;
  const type = context.version(manager.apiVersion)?.type;
  if (!type) throw new Error(`no type for ${manager.apiVersion}`);
  const wanted = withoutBelow(ownedFields(type, config), context.ignored);
  const mine = entryOf(manager, EMPTY_SET, undefined);
  const last = entries.find((entry) => isSameManager(entry, mine));
  const others = entries.filter((entry) => entry !== last);

  const merged = typedMerge(type, live, config) as object;
  const object = prune(context, type, merged, last, [wanted, ...others.map((e) => e.fieldsV1)]);
  const changes = comparisons(context, stored(live), stored(object));
  const taken = (entry: Entry) => takenFrom(entry, changes(entry.apiVersion ?? ""));
  if (!force) {
    const conflicts = others.flatMap((owner) =>
      pathsOf(difference(taken(owner), options.mayTake ?? EMPTY_SET)).map((field) => ({
        owner,
        field,
      })),
    );
    if (conflicts.length > 0) return { type: "conflicts", conflicts: inOrder(conflicts) };
  }
  const left = others.flatMap((entry) => withoutChanged(entry, changes(entry.apiVersion ?? "")));
  const fields = difference(wanted, NOBODYS);
  if (isEmptySet(fields)) return { type: "applied", object, entries: ordered(left) };
  const sameSet =
    last &&
    isEmptySet(difference(fields, last.fieldsV1)) &&
    isEmptySet(difference(last.fieldsV1, fields));
  const own = changes(manager.apiVersion);
  const untouched = sameSet && own !== undefined && isSame(own);
  const time = untouched ? last.time : context.now;
  return { type: "applied", object, entries: ordered([...left, entryOf(manager, fields, time)]) };
}

function takenFrom(entry: Entry, changes: Comparison | undefined): FieldSet {
  if (!changes) return EMPTY_SET;
  const changed = union(changes.modified, changes.added);
  return intersects(entry.fieldsV1, changed) ? intersection(entry.fieldsV1, changed) : EMPTY_SET;
}

function inOrder(conflicts: readonly Conflict[]): Conflict[] {
  const name = ({ owner }: Conflict) => owner.manager ?? "";
  return [...conflicts].sort((a, b) => (name(a) < name(b) ? -1 : name(a) > name(b) ? 1 : 0));
}

/** Takes out what the manager applied last time and now neither they nor anybody else owns. */
function prune(
  context: OwnershipContext,
  type: TypeRef,
  merged: object,
  last: Entry | undefined,
  owned: readonly FieldSet[],
): object {
  if (!last) return merged;
  const still = withStructs(type, owned.reduce(union));
  const gone = difference(withStructs(type, last.fieldsV1), still);
  // What was applied in another version has other names here; only what both call the same can be told.
  if (!context.version(last.apiVersion ?? "")) return merged;
  return removeFields(type, merged, gone) as object;
}

/**
 * For `kubectl`, which used to apply by itself: what its annotation says and the object still is, it may take from
 * anybody, for it was its own.
 */
export function ownedByLastApplied(type: TypeRef, lastApplied: object, live: object): FieldSet {
  const { added, modified, removed } = compare(type, lastApplied, live);
  return [added, modified, removed].reduce(difference, ownedFields(type, lastApplied));
}

/** The owners of an object from before there were any: everything is one manager's. */
export function ownersBeforeApply(
  context: OwnershipContext,
  apiVersion: string,
  empty: object,
  live: object,
): Entries {
  const manager: Manager = {
    manager: "before-first-apply",
    operation: "Update",
    apiVersion,
    subresource: "",
  };
  return ownersAfterUpdate(context, manager, [], empty, live);
}
