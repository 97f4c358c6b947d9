/** Keeps something current with a part of the store's view: what is there now, then every change. */

import { type Change, type Entry, type Store, StoreError } from "../../../runtime/store/store.ts";

export interface Follower {
  put(entry: Pick<Entry, "key" | "value" | "sequence">): void;
  remove(key: string): void;
}

/**
 * Begins at the first call that finds the view loaded; true from then on. A view that is loaded
 * anew tells its followers of the difference, so one beginning is enough.
 */
export function follow(store: Store, prefixes: readonly string[], follower: Follower) {
  let begun = false;
  const changed = (change: Change): void => {
    if (change.type === "deleted") follower.remove(change.key);
    else follower.put(change);
  };
  return function begin(): boolean {
    if (begun) return true;
    const { view } = store;
    const { revision } = view;
    try {
      // The changes come last: whoever cannot subscribe has loaded nothing either.
      for (const prefix of prefixes) view.subscribe(prefix, revision, changed);
    } catch (error) {
      if (error instanceof StoreError && error.code === "expired") return false;
      throw error;
    }
    for (const prefix of prefixes) {
      for (const entry of view.snapshot(prefix).range()) follower.put(entry);
    }
    begun = true;
    return true;
  };
}
