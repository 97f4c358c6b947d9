/**
 * Shared informers: one cache for each kind and selection in a process, filled by a list and kept
 * by a watch. A cache shows every object at some state it really had, never goes back, and may be
 * behind; `revision` says by how much. Handlers run synchronously in the order of the changes.
 *
 * What happened between a lost watch and the list that repairs it arrives as the difference:
 * several updates may show as one, a deletion and new creation as both.
 */

import type { ApiError } from "../../manifests/api-error.ts";
import type { Kind, KubeObject } from "../../manifests/index.ts";
import type { Subscription } from "../../runtime/bus.ts";
import type { Clock } from "../../runtime/clock.ts";
import { errorMessage } from "../../runtime/errors.ts";
import type { Log } from "../../runtime/log.ts";
import { Cache, deepFreeze, type IndexFunction, type Lister } from "./cache.ts";
import type { Api, Selection } from "./client.ts";
import { deferred } from "./deferred.ts";
import { keyOf, kindId } from "./object.ts";

export interface InformerHandlers<T> {
  onAdd?(object: T): void;
  onUpdate?(before: T, after: T): void;
  /** The object as it was when it went; as last seen, when nobody saw it go. */
  onDelete?(object: T): void;
  /** After every step of `revision`, also by bookmarks that change nothing. */
  onAdvance?(): void;
}

export interface Informer<T extends KubeObject> {
  readonly kind: Kind<T>;
  readonly lister: Lister<T>;
  readonly hasSynced: boolean;
  /** The resourceVersion that the cache reflects; empty before the first list. */
  readonly revision: string;
  /** Resolves after the first list; rejects when the informers are closed before. */
  synced(): Promise<void>;
  /** Tells of everything in the cache first. */
  addHandlers(handlers: InformerHandlers<T>): Subscription;
  addIndex(index: IndexFunction<T>): void;
}

export interface Informers {
  /** Starts watching at the first call; the same selection is shared. */
  of<T extends KubeObject>(kind: Kind<T>, selection?: Selection): Informer<T>;
  /** One for as long as somebody holds it: of a kind that may go. */
  hold<T extends KubeObject>(kind: Kind<T>): HeldInformer<T>;
  close(): void;
}

export interface HeldInformer<T extends KubeObject> {
  readonly informer: Informer<T>;
  /** The last one who lets go ends it; whoever waits for its first list then is refused. */
  release(): void;
}

export interface InformersOptions {
  clock: Clock;
  log: Log;
  /** Refuses changes to cached objects, by throwing at whoever tries. */
  freeze?: boolean;
  /** Keeps of every object only what somebody reads; by default all but managedFields. */
  project?: <T extends KubeObject>(object: T) => T;
}

const firstPauseMs = 200;
const longestPauseMs = 10_000;

export function createInformers(api: Api, options: InformersOptions): Informers {
  const running = new Map<string, { informer: Informer<KubeObject>; close(): void }>();
  const holders = new Map<string, number>();
  let closed = false;
  const informers: Informers = {
    of<T extends KubeObject>(kind: Kind<T>, selection: Selection = {}): Informer<T> {
      const id = JSON.stringify([kindId(kind), selection]);
      const known = running.get(id);
      // The id names the kind, so that what was kept under it is an informer of T.
      if (known) return known.informer as unknown as Informer<T>;
      const reflector = new Reflector<T>(api, kind, selection, options);
      running.set(id, {
        informer: reflector as unknown as Informer<KubeObject>,
        close: () => reflector.close(),
      });
      if (!closed) reflector.start();
      return reflector;
    },
    hold(kind) {
      const id = JSON.stringify([kindId(kind), {}]);
      // Who asked by `of` keeps it for good.
      const forGood = running.has(id) && !holders.has(id);
      if (!forGood) holders.set(id, (holders.get(id) ?? 0) + 1);
      let held = !forGood;
      return {
        informer: informers.of(kind),
        release() {
          if (!held) return;
          held = false;
          const left = (holders.get(id) ?? 1) - 1;
          holders.set(id, left);
          if (left > 0) return;
          holders.delete(id);
          running.get(id)?.close();
          running.delete(id);
        },
      };
    },
    close() {
      closed = true;
      for (const { close } of running.values()) close();
    },
  };
  return informers;
}

class Reflector<T extends KubeObject> implements Informer<T> {
  readonly kind: Kind<T>;
  readonly #api: Api;
  readonly #selection: Selection;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #keep: (object: T) => T;
  readonly #cache = new Cache<T>();
  readonly #handlers = new Set<InformerHandlers<T>>();
  readonly #ended = new AbortController();
  readonly #firstList = deferred<void>();
  #revision = "";

  constructor(api: Api, kind: Kind<T>, selection: Selection, options: InformersOptions) {
    this.kind = kind;
    this.#api = api;
    this.#selection = selection;
    this.#clock = options.clock;
    this.#log = options.log.child({ informer: kind.resource });
    const project = options.project ?? withoutManagedFields;
    this.#keep = options.freeze ? (object) => deepFreeze(project(object)) : project;
    // A process that ends before the first list has nobody left to tell.
    this.#firstList.promise.catch(() => undefined);
  }

  get lister(): Lister<T> {
    return this.#cache;
  }

  get hasSynced(): boolean {
    return this.#revision !== "";
  }

  get revision(): string {
    return this.#revision;
  }

  synced(): Promise<void> {
    return this.#firstList.promise;
  }

  addIndex(index: IndexFunction<T>): void {
    this.#cache.addIndex(index);
  }

  addHandlers(handlers: InformerHandlers<T>): Subscription {
    this.#handlers.add(handlers);
    for (const object of this.#cache.list()) this.#call(() => handlers.onAdd?.(object));
    return { unsubscribe: () => void this.#handlers.delete(handlers) };
  }

  close(): void {
    const reason = new Error("informers were closed");
    this.#ended.abort(reason);
    this.#firstList.reject(reason);
  }

  /** Lists, watches until the watch ends, and begins again; only `close` ends it. */
  async start(): Promise<void> {
    const { signal } = this.#ended;
    for (let pauseMs = firstPauseMs; !signal.aborted; ) {
      try {
        const list = await this.#api.list(this.kind, this.#selection);
        if (signal.aborted) return;
        this.#replace(list.items, list.metadata.resourceVersion);
        this.#firstList.resolve();
        pauseMs = firstPauseMs;
        const error = await this.#watch(list.metadata.resourceVersion);
        if (!signal.aborted) this.#log.debug("Watch ended", { error: error.message });
      } catch (error) {
        if (!signal.aborted) this.#log.debug("List failed", { error: errorMessage(error) });
        pauseMs = Math.min(2 * pauseMs, longestPauseMs);
      }
      await this.#clock.sleep(pauseMs, signal).catch(() => undefined);
    }
  }

  #watch(resourceVersion: string): Promise<Error> {
    const { promise, resolve } = deferred<Error>();
    const { signal } = this.#ended;
    const options = { ...this.#selection, resourceVersion };
    const watch = this.#api.watch(this.kind, options, {
      onEvent: (type, object) => {
        if (type === "DELETED") this.#remove(this.#keep(object));
        else this.#put(this.#keep(object));
        this.#advance(object.metadata.resourceVersion ?? "");
      },
      onBookmark: (version) => this.#advance(version),
      onEnd: (error: ApiError) => resolve(error),
    });
    const onAbort = () => {
      watch.close();
      resolve(signal.reason as Error);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    return promise.finally(() => signal.removeEventListener("abort", onAbort));
  }

  #replace(items: readonly T[], resourceVersion: string): void {
    const gone = new Set(this.#cache.keys());
    for (const item of items) {
      gone.delete(keyOf(item));
      this.#put(this.#keep(item));
    }
    for (const key of gone) {
      const object = this.#cache.get(key);
      if (object) this.#remove(object);
    }
    this.#advance(resourceVersion);
  }

  #put(after: T): void {
    const before = this.#cache.get(keyOf(after));
    if (before && before.metadata.uid !== after.metadata.uid) {
      this.#remove(before);
      this.#put(after);
      return;
    }
    if (before && before.metadata.resourceVersion === after.metadata.resourceVersion) return;
    this.#cache.set(after);
    for (const handlers of this.#handlers) {
      this.#call(() => (before ? handlers.onUpdate?.(before, after) : handlers.onAdd?.(after)));
    }
  }

  #remove(object: T): void {
    const key = keyOf(object);
    if (!this.#cache.get(key)) return;
    this.#cache.delete(key);
    for (const handlers of this.#handlers) this.#call(() => handlers.onDelete?.(object));
  }

  #advance(resourceVersion: string): void {
    this.#revision = resourceVersion;
    for (const handlers of this.#handlers) this.#call(() => handlers.onAdvance?.());
  }

  /** One user's mistake must not keep the others from hearing of a change. */
  #call(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.#log.error("Informer handler threw", { error: errorMessage(error) });
    }
  }
}

/** Nobody in the cluster reads them out of a cache, and they are half of many objects. */
function withoutManagedFields<T extends KubeObject>(object: T): T {
  if (!object.metadata.managedFields) return object;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}
