/**
 * `defineController`: a level-driven controller in one file.
 *
 * Mailbox  reconcile(key)                  keys coalesce in a workqueue; one pass per key at a time
 * Watches  what the definition declares
 * Owns     the workqueue, and which of its own writes the caches do not show yet
 * Writes   what the definition declares, and Events
 * Fails    a pass that throws is repeated after 5 ms .. 16 min; TerminalError is recorded and not repeated
 * Scales   `workers` passes at once; more processes by ownership (owned.ts)
 */

import { isConflict } from "../../manifests/api-error.ts";
import type { Kind, KubeObject } from "../../manifests/index.ts";
import type { ActorDefinition, Context } from "../../runtime/actor.ts";
import type { Subscription } from "../../runtime/bus.ts";
import type { Clock } from "../../runtime/clock.ts";
import { assert, errorMessage, TerminalError } from "../../runtime/errors.ts";
import type { Log } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import { createWorkqueue, type Workqueue } from "../../runtime/workqueue.ts";
import type { IndexFunction, Lister } from "./cache.ts";
import { type Api, createApi } from "./client.ts";
import { createRecorder, type EventRecorder, eventWrites } from "./events.ts";
import type { Informer, Informers } from "./informer.ts";
import { type Key, keyIn, keyOf, kindId } from "./object.ts";
import { OwnWrites } from "./own-writes.ts";
import type { Ownership } from "./owned.ts";
import type { Write } from "./writes.ts";

export interface ControllerSpec<S> {
  name: string;
  watches: readonly Watched[];
  writes: readonly Write[];
  /** Makes `key` be as it should. Absent objects mean deleted. */
  reconcile(key: Key, ctx: ReconcileContext<S>): Promise<Outcome> | Outcome;
  /** What an incarnation remembers between passes, beyond the store: begun anew after a crash. */
  state?: () => S;
  options?: ControllerOptions;
}

export interface ControllerOptions {
  /** Keys reconciled at the same time; default 1. */
  workers?: number;
  /** Every key again, each so many milliseconds. Level-driven controllers do without. */
  resyncMs?: number;
  /** A key that is reconciled once all caches are filled, whatever they hold. */
  initialKey?: Key;
}

// biome-ignore lint/suspicious/noConfusingVoidType: a pass that ends without a word is the normal one.
export type Outcome = RequeueAfter | void;

export interface RequeueAfter {
  readonly requeueAfterMs: number;
}

/** This key again after a while, unless something happens to it before. */
export function requeueAfter(delayMs: number): RequeueAfter {
  return { requeueAfterMs: Math.max(0, delayMs) };
}

export interface ReconcileContext<S = unknown> extends Listers {
  readonly state: S;
  readonly api: Api;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly events: EventRecorder;
  /** Aborts when this incarnation of the controller ends. */
  readonly signal: AbortSignal;
}

export interface Listers {
  /** Of a watched kind. */
  lister<T extends KubeObject>(kind: Kind<T>): Lister<T>;
  /** How far the cache of a watched kind has come: changes with every write to that kind. */
  revision(kind: Kind): string;
  /** All that are watched now, with those that objects have brought. */
  kinds(): readonly Kind[];
}

export interface Watched {
  readonly kind: Kind;
  readonly keysOf: (object: KubeObject, listers: Listers) => readonly Key[];
  readonly indexes: readonly IndexFunction<KubeObject>[];
  readonly matters: (before: KubeObject, after: KubeObject) => boolean;
  readonly brings: (object: KubeObject) => Watched | undefined;
}

export interface WatchSpec<T> {
  /** The keys to reconcile when `object` changes; default: its own. Both states of it are asked. */
  keysOf?: (object: T, listers: Listers) => readonly Key[];
  /** What `lister(kind).by` may be asked for. */
  indexes?: readonly IndexFunction<T>[];
  /** Whether an update is worth a pass; default: every one. */
  matters?: (before: T, after: T) => boolean;
  /** A kind that is watched too for as long as this object is there: a definition's. */
  brings?: (object: T) => Watched | undefined;
}

/** Watch this kind, by default for the sake of the objects themselves. */
export function watch<T extends KubeObject>(kind: Kind<T>, spec: WatchSpec<T> = {}): Watched {
  const { keysOf = (object: T) => [keyOf(object)], indexes = [], matters = () => true } = spec;
  const { brings = () => undefined } = spec;
  // Held as functions of any object; the informer of `kind` gives them nothing but T.
  return { kind, keysOf, indexes, matters, brings } as unknown as Watched;
}

/** Maps an object to the key of its controller, where that is of this kind. */
export function toOwner(kind: Kind): (object: KubeObject) => Key[] {
  return ({ metadata }) => {
    const owner = metadata.ownerReferences?.find(({ controller }) => controller);
    const group = kind.group ? `${kind.group}/` : "";
    if (owner?.kind !== kind.kind || !owner.apiVersion.startsWith(group)) return [];
    return [keyIn(kind.namespaced ? metadata.namespace : undefined, owner.name)];
  };
}

export interface ControllerArgs {
  principal: string;
  informers: Informers;
  /** Absent where one process runs alone, as in tests. */
  ownership?: Ownership;
}

export interface ReconcileKey {
  type: "reconcile";
  key: Key;
}

export interface Controller extends ActorDefinition<ReconcileKey, ControllerArgs> {
  readonly watches: readonly Watched[];
  readonly writes: readonly Write[];
}

export function defineController<S = undefined>(spec: ControllerSpec<S>): Controller {
  const writes = [...spec.writes, ...eventWrites];
  return {
    name: spec.name,
    watches: spec.watches,
    writes,
    start(ctx, args) {
      const running = new RunningController(spec, writes, ctx, args);
      return {
        receive: ({ key }) => running.enqueue(key),
      };
    },
  };
}

interface Brought {
  readonly kind: Kind;
  readonly subscription: Subscription;
  release(): void;
}

/** How long the kinds that objects brought may take to be listed before the first pass. */
const longestSyncMs = 30_000;

function broughtBy({ kind }: Watched, object: KubeObject): Key {
  return `${kindId(kind)} ${keyOf(object)}`;
}

class RunningController<S> {
  readonly #spec: ControllerSpec<S>;
  readonly #state: S;
  readonly #hold: Informers["hold"];
  readonly #ctx: Context<ReconcileKey>;
  readonly #api: Api;
  readonly #events: EventRecorder;
  readonly #informers = new Map<string, Informer<KubeObject>>();
  readonly #own: OwnWrites;
  readonly #queue: Workqueue<Key>;
  /** By the object that brought it. */
  readonly #brought = new Map<Key, Brought>();
  /** Keys that are due, but whose last writes a cache does not show yet. */
  readonly #parked = new Set<Key>();

  constructor(
    spec: ControllerSpec<S>,
    writes: readonly Write[],
    ctx: Context<ReconcileKey>,
    { principal, informers, ownership }: ControllerArgs,
  ) {
    this.#spec = spec;
    this.#ctx = ctx;
    // Without a `state` S is undefined, which is what a definition then reads.
    this.#state = spec.state?.() as S;
    const { bus, clock, random, log, signal } = ctx;
    const onDeposed = () => ownership?.deposed();
    const epoch = () => ownership?.epoch;
    this.#api = createApi(bus, clock, { principal, writes, epoch, onDeposed, signal });
    const component = `${spec.name}-controller`;
    this.#events = createRecorder(this.#api, { component, clock, random, log });
    this.#own = new OwnWrites(clock, this.#informers);
    this.#queue = createWorkqueue<Key>(clock);
    ctx.onEnd(() => this.#queue.shutDown());
    // All kinds first: an informer that others use tells at once of what it has, and whoever hears of the first
    // object may ask about another kind.
    for (const { kind } of spec.watches) this.#informers.set(kindId(kind), informers.of(kind));
    this.#hold = (kind) => informers.hold(kind);
    for (const watched of spec.watches) {
      const subscription = this.#watch(watched, informers.of(watched.kind));
      ctx.onEnd(() => subscription.unsubscribe());
    }
    ctx.onEnd(() => {
      for (const key of [...this.#brought.keys()]) this.#drop(key);
    });
    this.#begin();
  }

  enqueue(key: Key): void {
    this.#queue.add(key);
  }

  /** Fields, because users take them out of what they are given: `keysOf: (object, { lister })`. */
  readonly lister = <T extends KubeObject>(kind: Kind<T>): Lister<T> =>
    this.#informer(kind).lister as unknown as Lister<T>;

  readonly revision = (kind: Kind): string => this.#informer(kind).revision;

  readonly kinds = (): readonly Kind[] => [...this.#informers.values()].map(({ kind }) => kind);

  #informer(kind: Kind): Informer<KubeObject> {
    const informer = this.#informers.get(kindId(kind));
    assert(informer, `${this.#spec.name} does not watch ${kind.resource}`);
    return informer;
  }

  #watch(watched: Watched, informer: Informer<KubeObject>): Subscription {
    for (const index of watched.indexes) informer.addIndex(index);
    const due = (object: KubeObject) => {
      for (const key of watched.keysOf(object, this)) this.enqueue(key);
    };
    return informer.addHandlers({
      onAdd: (object) => {
        this.#bring(watched, object);
        due(object);
      },
      onUpdate: (before, after) => {
        this.#bring(watched, after);
        if (!watched.matters(before, after)) return;
        due(before);
        due(after);
      },
      onDelete: (object) => {
        due(object);
        if (watched.brings(object)) this.#drop(broughtBy(watched, object));
      },
      onAdvance: () => this.#unpark(),
    });
  }

  #bring(watched: Watched, object: KubeObject): void {
    const by = broughtBy(watched, object);
    const wanted = watched.brings(object);
    const known = this.#brought.get(by);
    if (known && wanted && kindId(known.kind) === kindId(wanted.kind)) return;
    this.#drop(by);
    if (!wanted || this.#informers.has(kindId(wanted.kind))) return;
    const { kind } = wanted;
    const { informer, release } = this.#hold(kind);
    this.#informers.set(kindId(kind), informer);
    this.#brought.set(by, { kind, subscription: this.#watch(wanted, informer), release });
  }

  #drop(by: Key): void {
    const brought = this.#brought.get(by);
    if (!brought) return;
    this.#brought.delete(by);
    this.#informers.delete(kindId(brought.kind));
    brought.subscription.unsubscribe();
    brought.release();
  }

  async #begin(): Promise<void> {
    try {
      for (const { kind } of this.#spec.watches) await this.#informer(kind).synced();
      for (const { kind } of [...this.#brought.values()]) await this.#syncedOrGone(kind);
    } catch {
      // The informers were closed: this process is ending.
      return;
    }
    if (this.#ctx.signal.aborted) return;
    const { initialKey, resyncMs, workers = 1 } = this.#spec.options ?? {};
    if (initialKey !== undefined) this.enqueue(initialKey);
    if (resyncMs !== undefined) this.#resync(resyncMs);
    for (let worker = 0; worker < workers; worker++) void this.#work();
  }

  /** A kind that nobody can list, or that goes meanwhile, must not keep all others waiting. */
  async #syncedOrGone(kind: Kind): Promise<void> {
    const { clock, signal } = this.#ctx;
    const synced = this.#informers
      .get(kindId(kind))
      ?.synced()
      .catch(() => undefined);
    await Promise.race([synced, clock.sleep(longestSyncMs, signal).catch(() => undefined)]);
  }

  #resync(intervalMs: number): void {
    const { clock, signal } = this.#ctx;
    const repeat = () => {
      if (signal.aborted) return;
      for (const watched of this.#spec.watches) {
        for (const object of this.lister(watched.kind).list()) {
          for (const key of watched.keysOf(object, this)) this.enqueue(key);
        }
      }
      timer = clock.setTimer(intervalMs, repeat);
    };
    let timer = clock.setTimer(intervalMs, repeat);
    this.#ctx.onEnd(() => timer.dispose());
  }

  #unpark(): void {
    for (const key of this.#parked) {
      if (!this.#own.seen(key)) continue;
      this.#parked.delete(key);
      this.#queue.add(key);
    }
  }

  async #work(): Promise<void> {
    const queue = this.#queue;
    for (let key = await queue.get(); key !== undefined; key = await queue.get()) {
      if (this.#own.seen(key)) await this.#process(key);
      else this.#parked.add(key);
      queue.done(key);
    }
  }

  /** A pass and what follows from how it ended. */
  async #process(key: Key): Promise<void> {
    const { clock, signal } = this.#ctx;
    if (signal.aborted) return;
    const log = this.#ctx.log.child({ key });
    const startedAt = clock.monotonic();
    try {
      const outcome = await this.#spec.reconcile(key, this.#contextFor(key, log));
      this.#queue.forget(key);
      if (outcome) this.#queue.addAfter(key, outcome.requeueAfterMs);
    } catch (error) {
      if (signal.aborted) return;
      this.#fail(key, log, error);
    }
    log.debug("Finished syncing", { durationMs: clock.monotonic() - startedAt });
  }

  #contextFor(key: Key, log: Log): ReconcileContext<S> {
    const { clock, random, signal } = this.#ctx;
    const api = this.#own.recording(key, this.#api);
    return {
      lister: this.lister,
      revision: this.revision,
      kinds: this.kinds,
      state: this.#state,
      api,
      clock,
      random,
      log,
      events: this.#events,
      signal,
    };
  }

  #fail(key: Key, log: Log, error: unknown): void {
    const fields = { error: errorMessage(error) };
    if (error instanceof TerminalError) {
      log.error("Gave up syncing", fields);
      this.#queue.forget(key);
      return;
    }
    if (isConflict(error)) log.debug("Syncing met a conflict", fields);
    else log.warn("Syncing failed", fields);
    this.#queue.addRateLimited(key);
  }
}
