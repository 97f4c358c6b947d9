/** What the stream says is there: for each resource an ordered tree, and where deletions stand. */

import type { JournalRecord } from "./journal.ts";
import { resourceOf } from "./key.ts";
import { isDeletion, isInternal, uidOf } from "./records.ts";
import type { Change, Entry, Snapshot } from "./store.ts";
import { joinSnapshots, Tree } from "./tree.ts";

/** Where a key stands: at a live record, or at the marker of its deletion. */
export interface Standing {
  sequence: number;
  live: boolean;
}

export class Contents {
  readonly #trees = new Map<string, Tree>();
  /** A new object of the key must name the marker as what it replaces. */
  readonly #markers = new Map<string, number>();

  get(key: string): Entry | undefined {
    return this.#trees.get(resourceOf(key) ?? "")?.get(key);
  }

  standing(key: string): Standing | undefined {
    const entry = this.get(key);
    if (entry) return { sequence: entry.sequence, live: true };
    const marker = this.#markers.get(key);
    return marker === undefined ? undefined : { sequence: marker, live: false };
  }

  /** Takes a record in; tells what a watcher of the key would see. */
  apply(key: string, record: JournalRecord): Change[] {
    const { sequence } = record;
    if (isInternal(key)) return [];
    const previous = this.get(key);
    if (isDeletion(record)) {
      this.#markers.set(key, sequence);
      if (!previous) return [];
      this.remove(key);
      const value = record.data.length > 0 ? ownCopy(record.data) : previous.value;
      return [{ type: "deleted", key, value, sequence, previous: previous.value }];
    }
    this.#markers.delete(key);
    const value = ownCopy(record.data);
    const entry = { key, value, sequence, uid: uidOf(record), timestamp: record.timestamp };
    this.#tree(key).set(entry);
    return changesBetween(previous, entry);
  }

  remove(key: string): void {
    this.#trees.get(resourceOf(key) ?? "")?.delete(key);
  }

  /** Forgets markers that the compactor has removed or is about to remove. */
  dropMarkers(upTo: number): void {
    for (const [key, sequence] of this.#markers) {
      if (sequence <= upTo) this.#markers.delete(key);
    }
  }

  snapshot(prefix: string, revision: number): Snapshot {
    const resource = resourceOf(prefix);
    if (resource !== undefined) {
      const tree = this.#trees.get(resource) ?? new Tree();
      return tree.snapshot(prefix, revision);
    }
    const covered = [...this.#trees.keys()].filter((name) => name.startsWith(prefix)).sort();
    const parts = covered.flatMap((name) => this.#trees.get(name)?.snapshot(name, revision) ?? []);
    return joinSnapshots(parts, revision);
  }

  *entries(): Iterable<Entry> {
    yield* this.snapshot("", 0).range();
  }

  #tree(key: string): Tree {
    const resource = resourceOf(key) ?? "";
    let tree = this.#trees.get(resource);
    if (!tree) {
      tree = new Tree();
      this.#trees.set(resource, tree);
    }
    return tree;
  }
}

/** An object that took the place of another of the same key is told as two events. */
export function changesBetween(previous: Entry | undefined, entry: Entry): Change[] {
  const { key, value, sequence } = entry;
  if (!previous) return [{ type: "added", key, value, sequence, previous: undefined }];
  const replaced = previous.uid !== undefined && entry.uid !== undefined;
  if (!replaced || previous.uid === entry.uid) {
    return [{ type: "modified", key, value, sequence, previous: previous.value }];
  }
  const { value: old } = previous;
  return [
    { type: "deleted", key, value: old, sequence, previous: old },
    { type: "added", key, value, sequence, previous: undefined },
  ];
}

/** Payloads are views into a socket's buffer, or into a pool: keeping one would keep all of it. */
function ownCopy(data: Uint8Array): Uint8Array {
  const copy = Buffer.allocUnsafeSlow(data.length);
  copy.set(data);
  return copy;
}
