/**
 * The store as an API actor sees it: `commit` to write, a `Watched` view to read.
 *
 * Keys are `<group>.<resource>.<namespace>.<name>`, escaped per token by `runtime/store/key.ts`.
 * A sequence is the position in the key's own stream; the API shows it as resourceVersion.
 */
export interface Store {
  /**
   * Writes all operations or none. The only write there is. Resolves when they are synced to
   * disk; rejects with a StoreError. `guard` names a record that must still be at a sequence for
   * the group to be written: an owner's epoch.
   */
  commit(operations: readonly Operation[], options?: { guard?: Guard }): Promise<Committed[]>;
  /** The newest state that this process has seen, always whole up to `revision`. */
  readonly view: View;
  /**
   * Resolves once `view` holds everything that was committed anywhere before this call.
   * Callers that arrive while one question is in flight share the next one.
   */
  consistent(): Promise<void>;
  /** Resolves once `view.revision >= revision`; rejects with `timeout` after `timeoutMs`. */
  reached(revision: number, timeoutMs: number): Promise<void>;
  /**
   * The record of `key` as it was at `revision`. Rejects with `expired` when history no longer
   * reaches back so far, and with `timeout` when `revision` lies in the future.
   */
  at(key: string, revision: number): Promise<Entry | undefined>;
  /** True once the view was loaded and while commits and reads can be served. */
  readonly ready: boolean;
  close(): Promise<void>;
}

export interface Operation {
  key: string;
  /** The encoded object; for a delete, the object as it was last. */
  value: Uint8Array;
  /** Sequence of the record that this one replaces; 0: the key must not exist. */
  expected: number;
  delete?: boolean;
  /**
   * Who the object is. When a watcher misses the deletion between two objects of one key, it is
   * told of both all the same, because their uids differ.
   */
  uid?: string;
}

export interface Guard {
  key: string;
  sequence: number;
}

export interface Committed {
  key: string;
  sequence: number;
}

export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly sequence: number;
  readonly uid: string | undefined;
  /** When the server stored it, milliseconds since the epoch. */
  readonly timestamp: number;
}

/**
 * What a watcher is told. `value` of a deletion is the object as it was last. Otherwise the bytes
 * are the entry's own, and `previous` those of the entry before: what was read out of an object
 * may be kept by its bytes.
 */
export interface Change {
  readonly type: "added" | "modified" | "deleted";
  readonly key: string;
  readonly value: Uint8Array;
  readonly sequence: number;
  /** The value before, for selectors that the object may have left; undefined for `added`. */
  readonly previous: Uint8Array | undefined;
}

export interface View {
  readonly revision: number;
  /** The earliest `fromSequence` that `subscribe` still serves. */
  readonly floor: number;
  get(key: string): Entry | undefined;
  /**
   * An immutable picture of one prefix, ordered by key. Free for a resource (`apps.deployments.`)
   * and what lies below it; a shorter prefix joins the resources that it covers.
   */
  snapshot(prefix: string): Snapshot;
  /**
   * Changes below `prefix` after `fromSequence`, first what the window holds, then as they come,
   * synchronously and in order. Throws `expired` when the window no longer reaches back so far.
   */
  subscribe(prefix: string, fromSequence: number, onChange: (change: Change) => void): ChangeStream;
}

export interface Snapshot {
  readonly revision: number;
  readonly size: number;
  /** Entries with key > `after` (all when absent), in key order, at most `limit`. */
  range(after?: string, limit?: number): Iterable<Entry>;
}

export interface ChangeStream {
  close(): void;
}

/**
 * `conflict`: a key was not at the expected sequence; `actual` is where it stands.
 * `fenced`: the guard did not hold: its holder was deposed. `expired`: the revision was compacted.
 * `too-large`, `timeout`, `unavailable`: as they say; after the last two the write may still land.
 */
export type StoreErrorCode =
  | "conflict"
  | "fenced"
  | "expired"
  | "too-large"
  | "timeout"
  | "unavailable";

export class StoreError extends Error {
  readonly code: StoreErrorCode;
  readonly key: string | undefined;
  /** Of a conflict: where the key stands instead; 0: it has no record. */
  readonly actual: number | undefined;
  constructor(
    code: StoreErrorCode,
    message: string,
    options?: ErrorOptions & { key?: string; actual?: number },
  ) {
    super(message, options);
    this.name = "StoreError";
    this.code = code;
    this.key = options?.key;
    this.actual = options?.actual;
  }
}
