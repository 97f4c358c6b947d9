/**
 * CREATE and every change of what exists: decode, merge, default, own, mutate, prepare, validate, check,
 * commit.
 *
 * Update, patch and the subresources differ only in how they merge. A change that names no
 * resourceVersion and loses its compare-and-set starts again at the merge, as upstream's
 * GuaranteedUpdate does.
 */

import equal from "fast-deep-equal";
import { apiError, conflict, modifiedMessage, notFound } from "../../manifests/api-error.ts";
import type { Entries, Manager } from "../../manifests/apply/index.ts";
import type { KubeObject } from "../../manifests/index.ts";
import type { Entry } from "../../runtime/store/store.ts";
import { type CommitOutcome, commit, existsAlready, guardOf, type Write } from "./commit.ts";
import { decodeBody } from "./decode.ts";
import { waitUntilFresh } from "./freshness.ts";
import {
  assertPlace,
  assertPreconditions,
  keepIdentity,
  stampNew,
  timestamp,
  withGeneration,
} from "./metadata.ts";
import type { Objects } from "./objects.ts";
import { haveSameOwners, managerOf, type Own, ownByUpdate, ownersAsGiven } from "./owners.ts";
import { formOf, presentReply } from "./present.ts";
import { entryOf, nameOf, type Resource } from "./registry/registry.ts";
import { type ApiReply, type ApiRequest, dryRunOption, jsonReply } from "./request.ts";
import {
  type Attempt,
  admissionContextOf,
  attributesOf,
  finish,
  hooksContext,
  type StageContext,
  withoutField,
} from "./stages.ts";

/** Attempts of a change that somebody else keeps overtaking, before the client is told. */
const mostAttempts = 20;
/** And of a claim beside an object, which many different objects may want at one moment. */
const mostClaims = 200;

export interface ChangeContext extends StageContext {
  readonly objects: Objects;
}

/** What a merge makes of the object as it is now. */
export interface Merged {
  readonly object: KubeObject;
  readonly warnings?: readonly string[];
  /** When the merge itself says which resourceVersion it began from. */
  readonly resourceVersion?: string;
  readonly uid?: string;
  /** When the merge knows who owns what, for it was an apply. */
  readonly owners?: Entries;
}

/** Called anew for every attempt; must not change `current`. */
export type Merge = (current: KubeObject) => Merged;

export async function create(
  context: ChangeContext,
  resource: Resource,
  request: ApiRequest,
): Promise<ApiReply> {
  return await createFrom(context, resource, request, decodeBody(resource.kind, request));
}

/** `draft` is in the version that was asked for. */
export async function createFrom(
  context: ChangeContext,
  resource: Resource,
  request: ApiRequest,
  draft: Merged,
): Promise<ApiReply> {
  const decoded = draft.object;
  const manager = managerOf(resource, request);
  const warnings = [...(draft.warnings ?? [])];
  assertPlace(resource, request, decoded);
  if (decoded.metadata.resourceVersion) {
    throw apiError("BadRequest", "resourceVersion should not be set on objects to be created");
  }
  const asStored = resource.kind.conversion?.toStored(decoded) ?? decoded;
  const dryRun = dryRunOption(request.query);
  // An owner's epoch comes first; a commit has one guard.
  const guard = guardOf(resource, request) ?? resource.custom?.guard;
  const hooks = hooksContext(context, request, warnings);
  const own = ownerOf(resource, manager, draft, hooks.now);
  const fixed = { resource, request, old: undefined, dryRun, hooks, own };
  let object: KubeObject | undefined;
  for (let attempt = 1; ; attempt++) {
    if (!object) {
      const stamp = { now: timestamp(context.clock.now()), random: context.random };
      const stamped = stampNew(resource, request, asStored, stamp);
      object = await finish(context, { ...fixed, object: stamped });
    }
    const name = object.metadata.name ?? "";
    if (dryRun && entryOf(resource, request.namespace, name)) throw existsAlready(resource, name);
    const write = { resource, object, expected: 0, guard };
    const { final, outcome } = await commitReserved(context, write, { ...fixed, object });
    if (outcome.type === "unwritten") {
      return shown(context, resource, final, request, 201, warnings);
    }
    if (outcome.type === "committed") {
      await context.objects.prepare(resource, [outcome.stored.value]);
      return reply(context, resource, outcome.stored, request, 201, warnings);
    }
    const generated = !asStored.metadata.name && !request.name;
    if (outcome.type === "taken" && attempt >= mostClaims) throw modified(resource, name);
    const again = outcome.type === "taken" || (generated && attempt < mostAttempts);
    if (!again) throw existsAlready(resource, name);
    // Admitted once is admitted; only a name that turned out to be another's is made anew.
    if (outcome.type === "taken") await catchUp(resource);
    else object = undefined;
  }
}

/**
 * Commits an object with what its kind claims for it and what admission reserves beside it. A dry
 * run does everything but that, and so does a change that changes nothing.
 */
async function commitReserved(
  context: ChangeContext,
  write: Omit<Write, "claims">,
  attempt: Attempt,
): Promise<{ final: KubeObject; outcome: CommitOutcome | { type: "unwritten" } }> {
  const { resource, old, dryRun, hooks } = attempt;
  const claimed = resource.hooks.allocate?.(write.object, old, hooks);
  const final = claimed?.object ?? write.object;
  if (!dryRun && old && unchanged(final, old)) return { final, outcome: { type: "unwritten" } };
  const attributes = attributesOf(attempt, final);
  const soon = context.admission.reserve(attributes, admissionContextOf(context, hooks));
  const reserved = soon instanceof Promise ? await soon : soon;
  let sequences: ReadonlyMap<string, number> | undefined;
  try {
    if (dryRun) return { final, outcome: { type: "unwritten" } };
    const released = write.delete ? (resource.hooks.release?.(final, hooks) ?? []) : [];
    const claims = [...(claimed?.operations ?? []), ...released, ...(reserved?.operations ?? [])];
    const outcome = await commit({ ...write, object: final, claims });
    if (outcome.type === "committed") sequences = outcome.sequences;
    return { final, outcome };
  } finally {
    reserved?.release(sequences);
  }
}

export interface ChangeOptions {
  /** The merge knows that what it makes is valid, though a client might not do it. */
  readonly trusted?: boolean;
  /** What the reply shows when it is not the object itself. */
  readonly show?: (object: KubeObject) => unknown;
  readonly code?: number;
}

export async function change(
  context: ChangeContext,
  resource: Resource,
  request: ApiRequest,
  merge: Merge,
  options: ChangeOptions = {},
): Promise<ApiReply> {
  const dryRun = dryRunOption(request.query);
  const guard = guardOf(resource, request);
  const manager = managerOf(resource, request);
  for (let attempts = 1; ; attempts++) {
    // The cache is right most of the time, and a compare-and-set says when it is not.
    if (attempts > 1) await catchUp(resource);
    const entry = await currentEntry(context, resource, request);
    const current = context.objects.parsed(resource, entry);
    const merged = merge(current);
    const wanted = merged.resourceVersion;
    const stale = wanted !== undefined && wanted !== String(entry.sequence);
    if (stale || (merged.uid && merged.uid !== current.metadata.uid)) {
      if (attempts === 1) continue;
      assertPreconditions(resource, current, { uid: merged.uid });
      throw modified(resource, request.name);
    }

    const warnings = [...(merged.warnings ?? [])];
    const hooks = hooksContext(context, request, warnings);
    const identified = keepIdentity(merged.object, current);
    const object = withStatusOf(resource, request, identified, current);
    const own = ownerOf(resource, manager, merged, hooks.now);
    const attempt = { resource, request, object, old: current, dryRun, hooks, own };
    const finished = options.trusted ? object : await finish(context, attempt);
    const aged = withGeneration(resource, finished, current);
    const gone = isFinished(resource, aged);
    const write = { resource, object: aged, expected: entry.sequence, guard, delete: gone };
    const { final, outcome } = await commitReserved(context, write, attempt);
    if (outcome.type === "unwritten") {
      if (!dryRun) return reply(context, resource, entry, request, 200, warnings, options);
      return shown(context, resource, options.show?.(final) ?? final, request, 200, warnings);
    }
    if (outcome.type === "committed") {
      await context.objects.prepare(resource, [outcome.stored.value]);
      return reply(context, resource, outcome.stored, request, 200, warnings, options);
    }
    const unconditional = wanted === undefined || outcome.type === "taken";
    if (!unconditional || attempts >= mostAttempts) throw modified(resource, request.name);
  }
}

/** PUT: the body is the whole object. */
export function replaceWith(resource: Resource, request: ApiRequest): Merge {
  const { object, warnings } = decodeBody(resource.kind, request);
  assertPlace(resource, request, object);
  if (!object.metadata.name) {
    const why = "name must be provided";
    throw apiError("BadRequest", why);
  }
  const { resourceVersion, uid } = object.metadata;
  const asStored = resource.kind.conversion?.toStored(object) ?? object;
  return () => ({ object: asStored, warnings, resourceVersion: resourceVersion || undefined, uid });
}

function withStatusOf(
  resource: Resource,
  request: ApiRequest,
  object: KubeObject,
  old: KubeObject,
): KubeObject {
  const separate = resource.stored.subresources.includes("status");
  if (!separate || request.subresource !== "") return object;
  const { status } = old as KubeObject & { status?: unknown };
  const rest = withoutField(object, "status");
  return status === undefined ? rest : ({ ...rest, status } as KubeObject);
}

/** An object that was told to go and has nothing left to wait for. */
export function isFinished(resource: Resource, object: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = object.metadata;
  if (!deletionTimestamp || (deletionGracePeriodSeconds ?? 0) > 0) return false;
  if (finalizers && finalizers.length > 0) return false;
  return !resource.hooks.held?.(object);
}

export async function currentEntry(
  { objects }: Pick<ChangeContext, "objects">,
  resource: Resource,
  request: ApiRequest,
): Promise<Entry> {
  let entry = entryOf(resource, request.namespace, request.name);
  if (!entry) {
    // A refusal because something is absent is read consistently before it is given.
    await catchUp(resource);
    entry = entryOf(resource, request.namespace, request.name);
  }
  if (!entry) throw notFound(nameOf(resource), request.name);
  await objects.prepare(resource, [entry.value]);
  return entry;
}

export function catchUp(resource: Resource): Promise<void> {
  return waitUntilFresh(resource.store, undefined);
}

export function modified(resource: Resource, name: string): Error {
  return conflict(nameOf(resource), name, modifiedMessage);
}

function ownerOf(resource: Resource, manager: Manager, merged: Merged, now: string): Own {
  if (merged.owners) return ownersAsGiven(merged.owners);
  return ownByUpdate(resource, manager, merged.object.metadata.managedFields, now);
}

/** That somebody has said the same again is no reason to write it. */
function unchanged(object: KubeObject, current: KubeObject): boolean {
  return (
    equal(withoutRevision(object), withoutRevision(current)) && haveSameOwners(object, current)
  );
}

function withoutRevision(object: KubeObject): KubeObject {
  const { resourceVersion: _any, managedFields: _owners, ...metadata } = object.metadata;
  return { ...object, metadata };
}

function shown(
  context: Pick<ChangeContext, "objects">,
  resource: Resource,
  object: unknown,
  request: ApiRequest,
  code: number,
  warnings: readonly string[],
): ApiReply {
  return jsonReply(
    code,
    formOf(context.objects, resource, object as KubeObject, request),
    warnings,
  );
}

function reply(
  context: ChangeContext,
  resource: Resource,
  stored: { key: string; value: Uint8Array; sequence: number },
  request: ApiRequest,
  code: number,
  warnings: readonly string[],
  options: ChangeOptions = {},
): ApiReply {
  if (options.show) {
    const object = context.objects.parsed(resource, stored);
    return jsonReply(options.code ?? code, options.show(object), warnings);
  }
  if (request.form === "object") {
    return presentReply(code, context.objects, resource, stored, request, warnings);
  }
  return shown(context, resource, context.objects.shown(resource, stored), request, code, warnings);
}
