/**
 * The entries of metadata.managedFields: who they are of, how they are ordered, and how many there may be.
 * After k8s:apimachinery/pkg/util/managedfields, whose order and limits clients see.
 */
import type { ManagedFieldsEntry } from "../schema/types.generated.ts";
import { type FieldSet, parseFieldSet, union } from "./field-set.ts";

/** An entry whose fields are a set. */
export type Entry = Omit<ManagedFieldsEntry, "fieldsV1"> & { readonly fieldsV1: FieldSet };
export type Entries = readonly Entry[];

/** Updaters beyond so many are put together, the oldest first. */
const MOST_UPDATERS = 10;
const OLD_UPDATES = "ancient-changes";
const FIELDS_TYPE = "FieldsV1";

/** One who applies is the same whichever version they apply in. */
export function isSameManager(a: Entry, b: Entry): boolean {
  return (
    a.manager === b.manager &&
    a.operation === b.operation &&
    a.subresource === b.subresource &&
    (a.operation === "Apply" || a.apiVersion === b.apiVersion)
  );
}

/**
 * What a write of the object itself says of its owners, or undefined when it says nothing that could be kept: then the
 * object's owners stay who they are. An entry without anything in it alone means that nobody owns anything.
 */
export function givenEntries(
  given: readonly ManagedFieldsEntry[] | undefined,
): Entries | undefined {
  if (!given || given.length === 0) return undefined;
  const [first] = given;
  if (given.length === 1 && first && Object.keys(first).length === 0) return [];
  const entries: Entry[] = [];
  for (const entry of given) {
    const fieldsV1 = parseFieldSet(entry.fieldsV1 ?? {});
    const known = entry.operation === "Apply" || entry.operation === "Update";
    if (!fieldsV1 || !known || !entry.apiVersion || entry.fieldsType !== FIELDS_TYPE) {
      return undefined;
    }
    entries.push({ ...entry, fieldsV1 });
  }
  return entries;
}

/** What is stored was made here. */
export function storedEntries(stored: readonly ManagedFieldsEntry[] | undefined): Entries {
  return (stored ?? []) as Entries;
}

export interface Manager {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  readonly subresource: string;
}

export function entryOf(manager: Manager, fieldsV1: FieldSet, time: string | undefined): Entry {
  return {
    ...(manager.manager ? { manager: manager.manager } : {}),
    operation: manager.operation,
    apiVersion: manager.apiVersion,
    ...(time ? { time } : {}),
    fieldsType: FIELDS_TYPE,
    fieldsV1,
    ...(manager.subresource ? { subresource: manager.subresource } : {}),
  };
}

/** Who applies comes before who updates, then the older before the newer. */
export function ordered(entries: Entries): Entry[] {
  const texts = (entry: Entry) => [
    entry.operation,
    entry.time,
    entry.manager,
    entry.apiVersion,
    entry.subresource,
  ];
  return [...entries].sort((a, b) => compareTexts(texts(a), texts(b)));
}

function compareTexts(
  a: readonly (string | undefined)[],
  b: readonly (string | undefined)[],
): number {
  for (const [at, text] of a.entries()) {
    const [mine, theirs] = [text ?? "", b[at] ?? ""];
    if (mine !== theirs) return mine < theirs ? -1 : 1;
  }
  return 0;
}

/** Puts the oldest updaters of one version into one entry while there are too many. */
export function capped(entries: Entries): Entries {
  const updaters = ordered(entries.filter(({ operation }) => operation === "Update"));
  let excess = updaters.length - MOST_UPDATERS;
  if (excess <= 0) return entries;
  const gone = new Set<Entry>();
  const buckets = new Map<string, Entry>();
  const firsts = new Map<string, Entry>();
  for (const entry of updaters) {
    if (excess <= 0) break;
    const version = entry.apiVersion ?? "";
    const known = buckets.get(version) ?? firsts.get(version);
    if (!known) {
      firsts.set(version, entry);
      continue;
    }
    gone.add(known).add(entry);
    const bucket = { manager: OLD_UPDATES, operation: "Update", apiVersion: version } as const;
    const fields = union(entry.fieldsV1, known.fieldsV1);
    buckets.set(version, entryOf({ ...bucket, subresource: "" }, fields, entry.time));
    excess--;
  }
  return [...entries.filter((entry) => !gone.has(entry)), ...buckets.values()];
}

/** Whether the entries say the same but for when. */
export function isSameOwners(
  a: readonly ManagedFieldsEntry[],
  b: readonly ManagedFieldsEntry[],
  isEqual: (a: unknown, b: unknown) => boolean,
): boolean {
  if (a === b) return true;
  const timeless = (entries: readonly ManagedFieldsEntry[]) =>
    entries.map(({ time: _time, ...entry }) => entry);
  return isEqual(timeless(a), timeless(b));
}
