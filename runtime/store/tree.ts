/**
 * Entries in key order, with immutable snapshots for nothing: a list of sorted chunks, copied on
 * write once a snapshot may be looking. With 128 entries to a chunk, a write after a snapshot of
 * 150,000 entries copies one chunk and 1,200 pointers.
 */

import type { Entry, Snapshot } from "./store.ts";

const chunkLimit = 128;

interface Chunk {
  /** The writer that may change it in place; a snapshot makes the tree a new writer. */
  owner: object;
  entries: Entry[];
}

export class Tree {
  #owner = {};
  #listOwner: object = this.#owner;
  #chunks: Chunk[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): Entry | undefined {
    const entries = this.#chunks[chunkAt(this.#chunks, key)]?.entries;
    const entry = entries?.[lowerBound(entries, key)];
    return entry?.key === key ? entry : undefined;
  }

  set(entry: Entry): void {
    const at = Math.max(0, chunkAt(this.#chunks, entry.key));
    const chunk = this.#writable(at);
    const position = lowerBound(chunk.entries, entry.key);
    if (chunk.entries[position]?.key === entry.key) {
      chunk.entries[position] = entry;
      return;
    }
    chunk.entries.splice(position, 0, entry);
    this.#size++;
    if (chunk.entries.length <= chunkLimit) return;
    // Appending in order, as a load does, leaves full chunks behind.
    const kept = position === chunkLimit ? chunkLimit : chunkLimit / 2;
    const split = { owner: this.#owner, entries: chunk.entries.splice(kept) };
    this.#chunks.splice(at + 1, 0, split);
  }

  delete(key: string): boolean {
    if (!this.get(key)) return false;
    const at = chunkAt(this.#chunks, key);
    const chunk = this.#writable(at);
    chunk.entries.splice(lowerBound(chunk.entries, key), 1);
    this.#size--;
    if (chunk.entries.length === 0) this.#chunks.splice(at, 1);
    return true;
  }

  /** What is below `prefix` now, whatever is written later. */
  snapshot(prefix: string, revision: number): Snapshot {
    this.#owner = {};
    return new TreeSnapshot(this.#chunks, prefix, revision);
  }

  #writable(at: number): Chunk {
    if (this.#listOwner !== this.#owner) {
      this.#chunks = this.#chunks.slice();
      this.#listOwner = this.#owner;
    }
    const chunk = this.#chunks[at];
    if (chunk?.owner === this.#owner) return chunk;
    const own = { owner: this.#owner, entries: chunk ? chunk.entries.slice() : [] };
    this.#chunks[at] = own;
    return own;
  }
}

class TreeSnapshot implements Snapshot {
  readonly revision: number;
  readonly #chunks: readonly Chunk[];
  readonly #prefix: string;
  #size: number | undefined;

  constructor(chunks: readonly Chunk[], prefix: string, revision: number) {
    this.#chunks = chunks;
    this.#prefix = prefix;
    this.revision = revision;
  }

  get size(): number {
    this.#size ??= this.#rank(endOfPrefix(this.#prefix)) - this.#rank(this.#prefix);
    return this.#size;
  }

  *range(after?: string, limit = Number.POSITIVE_INFINITY): Iterable<Entry> {
    const from = after !== undefined && after >= this.#prefix ? after : undefined;
    const start = from ?? this.#prefix;
    let left = limit;
    for (let at = Math.max(0, chunkAt(this.#chunks, start)); at < this.#chunks.length; at++) {
      const entries = this.#chunks[at]?.entries ?? [];
      for (let position = lowerBound(entries, start); position < entries.length; position++) {
        const entry = entries[position];
        if (!entry || entry.key === from) continue;
        if (left-- <= 0 || !entry.key.startsWith(this.#prefix)) return;
        yield entry;
      }
    }
  }

  /** How many entries sort before `key`. */
  #rank(key: string): number {
    const last = chunkAt(this.#chunks, key);
    let rank = 0;
    for (let at = 0; at < last; at++) rank += this.#chunks[at]?.entries.length ?? 0;
    const entries = this.#chunks[last]?.entries;
    return rank + (entries ? lowerBound(entries, key) : 0);
  }
}

/** Several snapshots in key order as one: a prefix that covers more than one resource. */
export function joinSnapshots(parts: readonly Snapshot[], revision: number): Snapshot {
  return {
    revision,
    get size() {
      return parts.reduce((sum, part) => sum + part.size, 0);
    },
    *range(after?: string, limit = Number.POSITIVE_INFINITY) {
      let left = limit;
      for (const part of parts) {
        if (left <= 0) return;
        for (const entry of part.range(after, left)) {
          left--;
          yield entry;
        }
      }
    },
  };
}

/** The chunk that holds `key` or would; -1 when the key sorts before all of them. */
function chunkAt(chunks: readonly Chunk[], key: string): number {
  let low = 0;
  let high = chunks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const first = chunks[middle]?.entries[0]?.key;
    if (first !== undefined && first <= key) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The first position whose key is not below `key`. */
function lowerBound(entries: readonly Entry[], key: string): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const candidate = entries[middle]?.key;
    if (candidate !== undefined && candidate < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Sorts after every key that begins with `prefix`: keys are ASCII. */
function endOfPrefix(prefix: string): string {
  return `${prefix}\u{7f}`;
}
