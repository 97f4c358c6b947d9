/**
 * A snapshot as it was at an earlier revision, for the later pages of a list that another API
 * actor began: the present, with everything that has changed since put back from history.
 */

import { type Entry, type Snapshot, type Store, StoreError } from "../../runtime/store/store.ts";

/** More changes than this and beginning the list again costs less. */
const mostRestored = 2_000;
const parallelReads = 32;

/** Undefined when neither the window nor history reaches back so far. */
export async function snapshotAt(
  store: Store,
  prefix: string,
  revision: number,
): Promise<Snapshot | undefined> {
  const { view } = store;
  const changed = new Set<string>();
  try {
    // Both in one turn: what has changed since is exactly what the snapshot differs by.
    view.subscribe(prefix, revision, ({ key }) => changed.add(key)).close();
    const now = view.snapshot(prefix);
    if (changed.size > mostRestored) return undefined;
    return restored(revision, now, changed, await readAll(store, [...changed], revision));
  } catch (error) {
    if (error instanceof StoreError && error.code === "expired") return undefined;
    throw error;
  }
}

async function readAll(store: Store, keys: readonly string[], revision: number): Promise<Entry[]> {
  const found: Entry[] = [];
  const queue = keys.values();
  const lane = async () => {
    for (const key of queue) {
      const entry = await store.at(key, revision);
      if (entry) found.push(entry);
    }
  };
  await Promise.all(Array.from({ length: parallelReads }, lane));
  return found.sort((a, b) => (a.key < b.key ? -1 : 1));
}

function restored(
  revision: number,
  now: Snapshot,
  changed: ReadonlySet<string>,
  before: readonly Entry[],
): Snapshot {
  function* range(after = "", limit = Number.POSITIVE_INFINITY): Generator<Entry> {
    let left = limit;
    let at = before.findIndex(({ key }) => key > after);
    if (at < 0) at = before.length;
    for (const entry of now.range(after || undefined)) {
      if (changed.has(entry.key)) continue;
      for (let old = before[at]; old && old.key < entry.key; old = before[++at]) {
        if (left-- <= 0) return;
        yield old;
      }
      if (left-- <= 0) return;
      yield entry;
    }
    for (const old of before.slice(at)) {
      if (left-- <= 0) return;
      yield old;
    }
  }
  let gone = 0;
  for (const { key } of now.range()) if (changed.has(key)) gone++;
  return { revision, size: now.size - gone + before.length, range };
}
