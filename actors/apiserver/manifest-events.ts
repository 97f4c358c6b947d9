/**
 * Manifest events: tells the world of every committed change, on `wherry.manifests.events.…`.
 *
 * Mailbox  save                                writes down how far we have come
 * Watches  the store's own view: every kind but Leases, whose renewals would drown the rest
 * Owns     a cursor for each store, in a record beside the objects
 * Writes   that record, under the owner's epoch. Nothing else
 * Fails    crash: the next owner goes on from the cursor, so the last second may come twice. Away for longer than the store's window: what fell out of it is missing, and logged
 * Scales   one owner at a time (Lease `manifest-events`), so that the events of an object are in order
 */

import type { ActorDefinition, Behavior, Context } from "../../runtime/actor.ts";
import { errorMessage } from "../../runtime/errors.ts";
import { objectKey, parseObjectKey } from "../../runtime/store/key.ts";
import type { Stores } from "../../runtime/store/open.ts";
import {
  type Change,
  type ChangeStream,
  type Guard,
  StoreError,
} from "../../runtime/store/store.ts";
import type { Ownership } from "../kit/owned.ts";
import { type ChangedObject, manifestsEventSubject } from "../subjects.ts";
import { parseEpoch } from "./commit.ts";
import { revisionHeader } from "./messages.ts";
import type { Objects } from "./objects.ts";
import type { Registry, Resource } from "./registry/registry.ts";

export interface ManifestEventsArgs {
  readonly stores: Stores;
  readonly registry: Registry;
  readonly objects: Objects;
  readonly ownership: Ownership;
}

export type ManifestEventsMessage = { type: "save" };

type Published = "objects" | "events";
type Cursor = Record<Published, number>;

const published: readonly Published[] = ["objects", "events"];
const saveMs = 1_000;
const cursorKey = objectKey({
  group: "wherry.io",
  resource: "cursors",
  namespace: "",
  name: "manifest-events",
});
const encoder = new TextEncoder();

export const manifestEvents: ActorDefinition<ManifestEventsMessage, ManifestEventsArgs> = {
  name: "manifest-events",
  start: (ctx, args) => new Publisher(ctx, args),
};

class Publisher implements Behavior<ManifestEventsMessage> {
  readonly #ctx: Context<ManifestEventsMessage>;
  readonly #args: ManifestEventsArgs;
  readonly #guard: Guard;
  readonly #cursor: Cursor;
  #saved: Cursor;

  constructor(ctx: Context<ManifestEventsMessage>, args: ManifestEventsArgs) {
    this.#ctx = ctx;
    this.#args = args;
    this.#guard = parseEpoch(args.ownership.epoch);
    this.#cursor = this.#load();
    this.#saved = { ...this.#cursor };
    for (const name of published) {
      const changes = this.#follow(name);
      ctx.onEnd(() => changes.close());
    }
    this.#schedule();
  }

  async receive(_message: ManifestEventsMessage): Promise<void> {
    try {
      await this.#save();
    } catch (error) {
      if (error instanceof StoreError && error.code === "fenced") {
        this.#args.ownership.deposed();
        return;
      }
      this.#ctx.log.debug("Could not save the cursor", { error: errorMessage(error) });
    }
    this.#schedule();
  }

  async stop(): Promise<void> {
    await this.#save().catch(() => undefined);
  }

  #schedule(): void {
    this.#ctx.after(saveMs, { type: "save" });
  }

  /** The first owner ever begins with what comes next. */
  #load(): Cursor {
    const { stores } = this.#args;
    const fresh = { objects: stores.objects.view.revision, events: stores.events.view.revision };
    const entry = stores.objects.view.get(cursorKey);
    if (!entry) return fresh;
    return { ...fresh, ...(JSON.parse(new TextDecoder().decode(entry.value)) as Partial<Cursor>) };
  }

  #follow(name: Published): ChangeStream {
    const { view } = this.#args.stores[name];
    const after = this.#cursor[name];
    if (after < view.floor) {
      this.#ctx.log.warn("Lost manifest events", { store: name, after, first: view.floor });
    }
    return view.subscribe("", Math.max(after, view.floor), (change) => {
      // Our own record is a change too, which must not be the cause of the next one.
      if (change.key === cursorKey) return;
      this.#publish(change);
      this.#cursor[name] = change.sequence;
    });
  }

  #publish(change: Change): void {
    const key = parseObjectKey(change.key);
    const resource = key && this.#args.registry.stored(key.group, key.resource);
    // Claims and cursors are records of ours, not objects of the API.
    if (!key || !resource) return;
    const of: ChangedObject = { change: change.type, ...key };
    const headers = { [revisionHeader]: String(change.sequence) };
    const { bus } = this.#ctx;
    bus.publish(manifestsEventSubject(of, "metadata"), this.#metadataOf(resource, change), {
      headers,
    });
    if (isSecret(resource)) return;
    const whole = this.#args.objects.bytes(resource, change);
    bus.publish(manifestsEventSubject(of, "full"), whole, { headers });
  }

  #metadataOf(resource: Resource, change: Change): Uint8Array {
    const { metadata } = this.#args.objects.parsed(resource, change);
    const { apiVersion, kind } = resource.stored;
    return encoder.encode(JSON.stringify({ apiVersion, kind, metadata: withoutCopies(metadata) }));
  }

  /** Only what the server has taken counts as told. */
  async #save(): Promise<void> {
    const reached = { ...this.#cursor };
    if (reached.objects === this.#saved.objects && reached.events === this.#saved.events) return;
    const { stores } = this.#args;
    await this.#ctx.bus.flush();
    const entry = stores.objects.view.get(cursorKey);
    const value = encoder.encode(JSON.stringify(reached));
    const operation = { key: cursorKey, value, expected: entry?.sequence ?? 0 };
    await stores.objects.commit([operation], { guard: this.#guard });
    this.#saved = reached;
  }
}

function isSecret({ stored }: Resource): boolean {
  return stored.group === "" && stored.resource === "secrets";
}

/** Annotations that hold the whole object, a Secret's data among them, are not metadata. */
function withoutCopies<T extends { annotations?: Record<string, string> }>(metadata: T): T {
  const copy = "kubectl.kubernetes.io/last-applied-configuration";
  if (metadata.annotations?.[copy] === undefined) return metadata;
  const { [copy]: _left, ...annotations } = metadata.annotations;
  return { ...metadata, annotations };
}
