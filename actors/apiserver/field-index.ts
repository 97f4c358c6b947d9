/**
 * Objects by what one field holds. A thousand kubelets each ask for the pods of one node: a change
 * is told to those only whose value it enters, keeps or leaves, and a list reads the value's keys
 * instead of all objects.
 */

import { selectableFields } from "../../manifests/index.ts";
import { resourcePrefix } from "../../runtime/store/key.ts";
import type { Change, ChangeStream, Entry, Snapshot, View } from "../../runtime/store/store.ts";
import type { Objects } from "./objects.ts";
import { Pace, type PaceContext } from "./pace.ts";
import { keyOf, type Resource } from "./registry/registry.ts";
import type { ApiRequest } from "./request.ts";
import type { Selection } from "./selection.ts";

/** Fields of which one value means few objects, the best first. */
const telling = ["metadata.name", "spec.nodeName", "involvedObject.uid", "involvedObject.name"];
/** Those of which every cluster lists one value all the time; they cost 30 bytes an object. */
const listed = ["spec.nodeName"];
/** More keys than this are not worth sorting: the walk over all objects has turns in it. */
const mostKeys = 5_000;

const none: ReadonlySet<never> = new Set();

type OnChange = (change: Change) => void;
type Place = Pick<ApiRequest, "namespace">;

export class FieldIndexes {
  readonly #context: PaceContext;
  readonly #indexes = new Map<string, FieldIndex>();

  constructor(context: PaceContext) {
    this.#context = context;
  }

  /** What is below `prefix` now; objects that the selection cannot mean may be left out. */
  async snapshot(
    resource: Resource,
    { namespace }: Place,
    prefix: string,
    selection: Selection | undefined,
  ): Promise<Snapshot> {
    const { view } = resource.store;
    if (!selection) return view.snapshot(prefix);
    const key = keyMeant(resource, namespace, selection);
    if (key) return snapshotOf(view, [key]);
    const field = listed.find((known) => selection.exact.has(known));
    if (!field) return view.snapshot(prefix);
    const index = this.#of(resource, field);
    await index.filled(this.#context);
    // From here on in one turn: the keys and the revision belong together.
    const keys = index.keys(selection.exact.get(field) ?? "");
    if (!keys) return view.snapshot(prefix);
    return snapshotOf(view, keys.filter((known) => known.startsWith(prefix)).sort());
  }

  /**
   * Reads, with turns for others, what selecting from the window after `fromSequence` needs, so
   * that `subscribe`, which has none, finds it there. Throws `expired`.
   */
  async prepare(resource: Resource, prefix: string, fromSequence: number): Promise<void> {
    const { objects, turn } = this.#context;
    const changes: Change[] = [];
    resource.store.view.subscribe(prefix, fromSequence, (change) => changes.push(change)).close();
    const pace = new Pace(this.#context);
    for (const { value, previous } of changes) {
      if (pace.due()) await turn();
      objects.columns(resource, value);
      if (previous) objects.columns(resource, previous);
    }
  }

  /** As `View.subscribe`; changes that the selection cannot mean may be left out. */
  subscribe(
    resource: Resource,
    prefix: string,
    selection: Selection | undefined,
    fromSequence: number,
    onChange: OnChange,
  ): ChangeStream {
    const { view } = resource.store;
    const field = telling.find((known) => selection?.exact.has(known));
    const past = view.subscribe(prefix, fromSequence, onChange);
    if (!field) return past;
    // What the window held has been told; what comes is told by value.
    past.close();
    return this.#of(resource, field).subscribe(selection?.exact.get(field) ?? "", (change) => {
      if (change.key.startsWith(prefix)) onChange(change);
    });
  }

  #of(resource: Resource, field: string): FieldIndex {
    const { group, resource: plural } = resource.stored;
    const id = `${group} ${plural} ${field}`;
    let index = this.#indexes.get(id);
    if (!index) {
      index = new FieldIndex(this.#context.objects, resource, field);
      this.#indexes.set(id, index);
    }
    return index;
  }
}

class FieldIndex {
  readonly #objects: Objects;
  readonly #resource: Resource;
  readonly #prefix: string;
  /** Where the field stands among an object's columns. */
  readonly #at: number;
  readonly #watchers = new Map<string, Set<OnChange>>();
  /** Kept up from the moment that a list first asks; complete once `#filled` resolves. */
  #keys: Map<string, Set<string>> | undefined;
  #filled: Promise<void> | undefined;

  constructor(objects: Objects, resource: Resource, field: string) {
    this.#objects = objects;
    this.#resource = resource;
    const { group, resource: plural } = resource.stored;
    this.#prefix = resourcePrefix(group, plural);
    this.#at = selectableFields(resource.stored).indexOf(field);
    const { view } = resource.store;
    view.subscribe(this.#prefix, view.revision, (change) => this.#changed(change));
  }

  subscribe(value: string, onChange: OnChange): ChangeStream {
    const peers = this.#watchers.get(value) ?? new Set();
    this.#watchers.set(value, peers.add(onChange));
    return {
      close: () => {
        peers.delete(onChange);
        if (peers.size === 0 && this.#watchers.get(value) === peers) this.#watchers.delete(value);
      },
    };
  }

  /** Resolves when `keys` can be asked. */
  async filled(context: PaceContext): Promise<void> {
    this.#filled ??= this.#fill(context);
    await this.#filled;
  }

  /** In no order; undefined when there are too many to be worth it. */
  keys(value: string): string[] | undefined {
    const keys = this.#keys?.get(value) ?? none;
    return this.#keys && keys.size <= mostKeys ? [...keys] : undefined;
  }

  async #fill({ objects, turn }: PaceContext): Promise<void> {
    const keys = new Map<string, Set<string>>();
    this.#keys = keys;
    const { view } = this.#resource.store;
    const pace = new Pace({ objects, turn });
    try {
      for (const entry of view.snapshot(this.#prefix).range()) {
        if (pace.due()) await turn();
        // What has changed since the walk began has been placed by its change.
        if (view.get(entry.key)?.sequence !== entry.sequence) continue;
        place(keys, this.#valueOf(entry.value), entry.key);
      }
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  #changed(change: Change): void {
    const { type, key, value, previous } = change;
    if (!this.#keys && this.#watchers.size === 0) return;
    let before: string | undefined;
    let after: string | undefined;
    try {
      before = previous && this.#valueOf(previous);
      after = type === "deleted" ? undefined : this.#valueOf(value);
    } catch {
      // It cannot be read: each watcher finds that out and says so, and the next list as well.
      this.#forget();
      for (const peers of this.#watchers.values()) for (const tell of peers) tell(change);
      return;
    }
    this.#move(key, before, after);
    this.#tell(before, change);
    if (after !== before) this.#tell(after, change);
  }

  #move(key: string, before: string | undefined, after: string | undefined): void {
    if (!this.#keys || before === after) return;
    if (before !== undefined) {
      const left = this.#keys.get(before);
      left?.delete(key);
      if (left?.size === 0) this.#keys.delete(before);
    }
    if (after !== undefined) place(this.#keys, after, key);
  }

  #tell(value: string | undefined, change: Change): void {
    if (value === undefined) return;
    for (const tell of this.#watchers.get(value) ?? none) tell(change);
  }

  #forget(): void {
    this.#keys = undefined;
    this.#filled = undefined;
  }

  #valueOf(bytes: Uint8Array): string {
    return this.#objects.columns(this.#resource, bytes).fields[this.#at] ?? "";
  }
}

function place(keys: Map<string, Set<string>>, value: string, key: string): void {
  const peers = keys.get(value);
  if (peers) peers.add(key);
  else keys.set(value, new Set([key]));
}

/** The one key that a selection by name can mean; undefined when there may be more. */
function keyMeant(resource: Resource, namespace: string, { exact }: Selection): string | undefined {
  const name = exact.get("metadata.name");
  const within = namespace || exact.get("metadata.namespace");
  if (!name || (resource.kind.namespaced && !within)) return undefined;
  return keyOf(resource, within ?? "", name);
}

function snapshotOf(view: View, keys: readonly string[]): Snapshot {
  const entries = keys.flatMap((key): Entry[] | Entry => view.get(key) ?? []);
  return {
    revision: view.revision,
    size: entries.length,
    *range(after = "", limit = Number.POSITIVE_INFINITY) {
      let left = limit;
      for (const entry of entries) {
        if (entry.key <= after) continue;
        if (left-- <= 0) return;
        yield entry;
      }
    },
  };
}
