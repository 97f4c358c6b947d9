/**
 * Ownership: runs an inner actor in one process at a time.
 *
 * Mailbox  tick | deposed                  one at a time; ticks come by timer and by the Lease's changes
 * Watches  coordination.k8s.io/leases in kube-system
 * Owns     the inner actor, while this process holds the Lease
 * Writes   coordination.k8s.io/leases create+update; wherry.io/epochs create+update
 * Fails    api away: an owner goes on from memory, a candidate waits. Deposed: the inner actor is stopped at once.
 * Scales   any number of candidates; a planned stop hands over in under a second, a crash within 20
 *
 * The Lease decides when to take over, and is only ever about liveness. Safety is the Epoch: its
 * resourceVersion at the takeover goes with every exclusive write of the inner actor, and the
 * store refuses those of an owner that was replaced, whatever anybody's clock says. So an owner
 * whose Lease ran out during an outage simply continues until it is told otherwise.
 *
 * Whether a Lease has expired is judged by our own monotonic clock since we saw it change, never
 * by the times written in it (client-go's leaderelection does the same).
 */

import { isAlreadyExists, isConflict, isNotFound } from "../../manifests/api-error.ts";
import { Epoch, Lease, type LeaseSpec } from "../../manifests/index.ts";
import type { ActorDefinition, Behavior, Context, Ref } from "../../runtime/actor.ts";
import { BusError, type Subscription } from "../../runtime/bus.ts";
import { errorMessage } from "../../runtime/errors.ts";
import { ownerSubject } from "../subjects.ts";
import { type Api, createApi } from "./client.ts";
import type { Informer, Informers } from "./informer.ts";
import { keyIn } from "./object.ts";
import { formatMicroTime } from "./time.ts";
import { create, update, type Write } from "./writes.ts";

/** What the client of a process that owns anything must be allowed. */
export const ownerWrites: readonly Write[] = [
  create(Lease),
  update(Lease),
  create(Epoch),
  update(Epoch),
];

export interface Ownership {
  /** `name@resourceVersion`, to be sent with every exclusive write. */
  readonly epoch: string;
  /** To be called when a write was refused as deposed: ends this incarnation. */
  deposed(): void;
}

export interface OwnedArgs<A> {
  /** Of the Lease in kube-system and of the Epoch. */
  name: string;
  /** Of this process, and of no other one ever. */
  identity: string;
  principal: string;
  informers: Informers;
  /** The inner actor's arguments under this ownership. */
  args(ownership: Ownership): A;
}

export type OwnedMessage = { type: "tick" } | { type: "deposed"; epoch: string };

const namespace = "kube-system";
const leaseDurationSeconds = 15;
const renewIntervalMs = 5_000;
const tickIntervalMs = 1_000;
const newClusterTickMs = 100;
/** One missed answer may be a reconnection; two in a row are a process that is gone. */
const missesOfTheGone = 2;

export function owned<M, A>(
  inner: ActorDefinition<M, A>,
): ActorDefinition<OwnedMessage, OwnedArgs<A>> {
  return {
    name: `${inner.name}-owner`,
    start: (ctx, args) => new Candidate(inner, ctx, args),
  };
}

interface Held {
  lease: Lease;
  epoch: string;
  actor: Ref<unknown>;
  presence: Subscription;
  renewedAt: number;
}

class Candidate<M, A> implements Behavior<OwnedMessage> {
  readonly #inner: ActorDefinition<M, A>;
  readonly #ctx: Context<OwnedMessage>;
  readonly #args: OwnedArgs<A>;
  readonly #key: string;
  readonly #api: Api;
  readonly #leases: Informer<Lease>;
  #held: Held | undefined;
  #seen: { resourceVersion: string | undefined; at: number };
  #misses = 0;
  #ticking = false;

  constructor(inner: ActorDefinition<M, A>, ctx: Context<OwnedMessage>, args: OwnedArgs<A>) {
    this.#inner = inner;
    this.#ctx = ctx;
    this.#args = args;
    this.#key = keyIn(namespace, args.name);
    const limits = { timeoutMs: 2_000, patienceMs: 4_000 };
    const { principal } = args;
    // Not bound to ctx.signal: giving the Lease back is the last thing a stopping owner does.
    this.#api = createApi(ctx.bus, ctx.clock, { principal, writes: ownerWrites, ...limits });
    this.#leases = args.informers.of(Lease, { namespace });
    this.#seen = { resourceVersion: undefined, at: ctx.clock.monotonic() };
    const onChange = (lease: Lease) => {
      if (lease.metadata.name === args.name) this.#tick();
    };
    const handlers = this.#leases.addHandlers({
      onAdd: onChange,
      onUpdate: (_, lease) => onChange(lease),
      onDelete: onChange,
    });
    ctx.onEnd(() => {
      handlers.unsubscribe();
      this.#held?.presence.unsubscribe();
    });
    this.#schedule();
    this.#leases.synced().then(
      () => this.#tick(),
      () => undefined,
    );
  }

  async receive(message: OwnedMessage): Promise<void> {
    if (message.type === "deposed") {
      if (this.#held?.epoch === message.epoch) await this.#lose("its epoch is no longer current");
      return;
    }
    this.#ticking = false;
    try {
      if (this.#held) await this.#renew(this.#held);
      else if (this.#leases.hasSynced) await this.#consider();
    } catch (error) {
      const { name } = this.#args;
      const fields = { lease: name, owner: Boolean(this.#held), error: errorMessage(error) };
      this.#ctx.log.debug("Lease was not written", fields);
      // A new cluster is given the Lease's namespace a moment after its API answers.
      if (!this.#held && isNotFound(error)) this.#ctx.after(newClusterTickMs, { type: "tick" });
    }
  }

  async stop(): Promise<void> {
    const held = this.#held;
    if (!held) return;
    this.#held = undefined;
    const { bus, clock } = this.#ctx;
    const { principal } = this.#args;
    const limits = { timeoutMs: 800, patienceMs: 800 };
    const api = createApi(bus, clock, { principal, writes: ownerWrites, ...limits });
    const { metadata, spec } = held.lease;
    const { holderIdentity: _, ...rest } = spec;
    const released = { ...rest, leaseDurationSeconds: 1, renewTime: this.#now() };
    // Whoever cannot give it back loses nothing but the candidates' time.
    await api.update(Lease, { metadata, spec: released }).catch(() => undefined);
  }

  /** Ticks coalesce: one that waits for an absent API must not find fifty behind it. */
  #tick(): void {
    if (this.#ticking) return;
    this.#ticking = this.#ctx.self.tell({ type: "tick" });
  }

  #schedule(): void {
    const repeat = () => {
      this.#tick();
      timer = this.#ctx.clock.setTimer(tickIntervalMs, repeat);
    };
    let timer = this.#ctx.clock.setTimer(tickIntervalMs, repeat);
    this.#ctx.onEnd(() => timer.dispose());
  }

  async #consider(): Promise<void> {
    const lease = this.#leases.lister.get(this.#key);
    this.#observe(lease);
    const free =
      !lease?.spec.holderIdentity ||
      lease.spec.holderIdentity === this.#args.identity ||
      this.#expired(lease.spec) ||
      (await this.#holderGone());
    if (free) await this.#acquire(lease);
  }

  #observe(lease: Lease | undefined): void {
    const resourceVersion = lease?.metadata.resourceVersion;
    if (resourceVersion === this.#seen.resourceVersion) return;
    this.#seen = { resourceVersion, at: this.#ctx.clock.monotonic() };
  }

  #expired(spec: LeaseSpec): boolean {
    const durationMs = (spec.leaseDurationSeconds ?? leaseDurationSeconds) * 1_000;
    return this.#ctx.clock.monotonic() - this.#seen.at > durationMs;
  }

  /** Whether NATS says that the holder listens no more. Silence is not an answer. */
  async #holderGone(): Promise<boolean> {
    const subject = ownerSubject(this.#args.principal, this.#args.name);
    try {
      await this.#ctx.bus.request(subject, "", { timeoutMs: tickIntervalMs });
      this.#misses = 0;
    } catch (error) {
      const gone = error instanceof BusError && error.code === "no-responders";
      this.#misses = gone ? this.#misses + 1 : 0;
    }
    return this.#misses >= missesOfTheGone;
  }

  async #acquire(lease: Lease | undefined): Promise<void> {
    const { name, identity } = this.#args;
    // Read before the Lease is taken: whoever takes over after us changes it, and we then lose.
    const before = await this.#api.get(Epoch, name).catch(undefinedIfNotFound);
    const taken = await this.#take(lease);
    if (!taken) return;
    const spec = { holder: identity, term: (before?.spec.term ?? 0) + 1 };
    const record = before
      ? await this.#api.update(Epoch, { metadata: before.metadata, spec })
      : await this.#api.create(Epoch, { metadata: { name }, spec });
    const epoch = `${name}@${record.metadata.resourceVersion}`;
    this.#hold(taken, epoch);
    this.#ctx.log.info("Took ownership", { lease: name, identity, epoch });
  }

  /** Undefined when somebody else was quicker. */
  async #take(lease: Lease | undefined): Promise<Lease | undefined> {
    const { name, identity } = this.#args;
    const now = this.#now();
    const transitions = lease?.spec.leaseTransitions ?? 0;
    const spec: LeaseSpec = {
      holderIdentity: identity,
      leaseDurationSeconds,
      acquireTime: now,
      renewTime: now,
      leaseTransitions: lease?.spec.holderIdentity === identity ? transitions : transitions + 1,
    };
    try {
      if (lease) return await this.#api.update(Lease, { metadata: lease.metadata, spec });
      return await this.#api.create(Lease, { metadata: { namespace, name }, spec });
    } catch (error) {
      if (isConflict(error) || isAlreadyExists(error)) return undefined;
      throw error;
    }
  }

  #hold(lease: Lease, epoch: string): void {
    const { bus, clock, self } = this.#ctx;
    const { name, principal, identity } = this.#args;
    this.#misses = 0;
    const ownership: Ownership = {
      epoch,
      deposed: () => {
        // Not by way of the mailbox alone: a renewal may be waiting there for the API.
        if (this.#held?.epoch === epoch) void this.#held.actor.stop();
        self.tell({ type: "deposed", epoch });
      },
    };
    const presence = bus.subscribe(ownerSubject(principal, name), (ask) => ask.respond(identity));
    const actor = this.#ctx.spawn(this.#inner, this.#args.args(ownership));
    this.#held = { lease, epoch, actor, presence, renewedAt: clock.monotonic() };
  }

  async #renew(held: Held): Promise<void> {
    const { clock } = this.#ctx;
    const newest = this.#leases.lister.get(this.#key);
    const holder = newest?.spec.holderIdentity;
    const due = clock.monotonic() - held.renewedAt >= renewIntervalMs;
    const contested = holder !== undefined && holder !== this.#args.identity;
    if (!due && !contested) return;
    const spec = { ...held.lease.spec, renewTime: this.#now() };
    try {
      held.lease = await this.#api.update(Lease, { metadata: held.lease.metadata, spec });
    } catch (error) {
      if (!isConflict(error) && !isNotFound(error)) throw error;
      await this.#settle(held, spec);
    }
    held.renewedAt = clock.monotonic();
  }

  /** The Lease is not as we left it: ours nevertheless, gone, or somebody else's. */
  async #settle(held: Held, spec: LeaseSpec): Promise<void> {
    const { name, identity } = this.#args;
    const lease = await this.#api.get(Lease, this.#key).catch(undefinedIfNotFound);
    if (!lease) {
      held.lease = await this.#api.create(Lease, { metadata: { namespace, name }, spec });
    } else if (lease.spec.holderIdentity === identity) {
      held.lease = await this.#api.update(Lease, { metadata: lease.metadata, spec });
    } else {
      await this.#lose(`the lease went to ${lease.spec.holderIdentity || "nobody"}`);
    }
  }

  async #lose(why: string): Promise<void> {
    const held = this.#held;
    if (!held) return;
    this.#held = undefined;
    held.presence.unsubscribe();
    this.#ctx.log.info("Lost ownership", { lease: this.#args.name, why });
    await held.actor.stop();
  }

  #now(): string {
    return formatMicroTime(this.#ctx.clock.now());
  }
}

function undefinedIfNotFound(error: unknown): undefined {
  if (isNotFound(error)) return undefined;
  throw error;
}
