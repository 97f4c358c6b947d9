/**
 * CREATE and every change of what exists: decode, merge, default, mutate, validate, check, commit.
 *
 * Update, patch and the subresources differ only in how they merge. A change that names no
 * resourceVersion and loses its compare-and-set starts again at the merge, as upstream's
 * GuaranteedUpdate does.
 */

import equal from "fast-deep-equal";
import { apiError, conflict, modifiedMessage, notFound } from "../../manifests/api-error.ts";
import type { KubeObject } from "../../manifests/index.ts";
import type { Operation } from "../../runtime/store/store.ts";
import { commit, existsAlready, guardOf } from "./commit.ts";
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
import { formOf } from "./present.ts";
import type { HookContext } from "./registry/hooks.ts";
import { entryOf, nameOf, type Resource } from "./registry/registry.ts";
import { type ApiReply, type ApiRequest, bytesReply, dryRunOption, jsonReply } from "./request.ts";
import { assertNamespace, finish, type StageContext } from "./stages.ts";

/** Attempts of a change that somebody else keeps overtaking, before the client is told. */
const mostAttempts = 20;

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
}

/** Called anew for every attempt; must not change `current`. */
export type Merge = (current: KubeObject) => Merged;

export async function create(
  context: ChangeContext,
  resource: Resource,
  request: ApiRequest,
): Promise<ApiReply> {
  const { object: decoded, warnings } = decodeBody(resource.kind, request);
  assertPlace(resource, request, decoded);
  if (decoded.metadata.resourceVersion) {
    throw apiError("BadRequest", "resourceVersion should not be set on objects to be created");
  }
  const asStored = resource.kind.conversion?.toStored(decoded) ?? decoded;
  const dryRun = dryRunOption(request.query);
  const guard = guardOf(resource, request);
  await assertNamespace(context, resource, request, asStored);
  const hookContext = hooksContext(context, request, warnings);

  for (let attempt = 1; ; attempt++) {
    const stamp = { now: timestamp(context.clock.now()), random: context.random };
    const stamped = withoutStatus(resource, stampNew(resource, request, asStored, stamp));
    const prepared = resource.hooks.prepareCreate?.(stamped, hookContext) ?? stamped;
    const object = finish(resource, prepared, undefined, hookContext);
    const claimed = resource.hooks.allocate?.(object, undefined, hookContext);
    const final = claimed?.object ?? object;
    const name = final.metadata.name ?? "";
    if (dryRun) {
      if (entryOf(resource, request.namespace, name)) throw existsAlready(resource, name);
      return shown(context, resource, final, request, 201, warnings);
    }
    const claims = claimed?.operations ?? [];
    const outcome = await commit({ resource, object: final, expected: 0, claims, guard });
    if (outcome.type === "committed") {
      return reply(context, resource, outcome.stored, request, 201, warnings);
    }
    const generated = !asStored.metadata.name && !request.name;
    const again = outcome.type === "taken" || generated;
    if (!again || attempt >= mostAttempts) throw existsAlready(resource, name);
    if (outcome.type === "taken") await catchUp(resource);
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
  const { hooks } = resource;
  for (let attempt = 1; ; attempt++) {
    // The cache is right most of the time, and a compare-and-set says when it is not.
    if (attempt > 1) await catchUp(resource);
    const entry = await currentEntry(resource, request);
    const current = context.objects.parsed(resource, entry);
    const merged = merge(current);
    const wanted = merged.resourceVersion;
    const stale = wanted !== undefined && wanted !== String(entry.sequence);
    if (stale || (merged.uid && merged.uid !== current.metadata.uid)) {
      if (attempt === 1) continue;
      assertPreconditions(resource, current, { uid: merged.uid });
      throw modified(resource, request.name);
    }

    const warnings = [...(merged.warnings ?? [])];
    const hookContext = hooksContext(context, request, warnings);
    const identified = withStatusOf(
      resource,
      request,
      keepIdentity(merged.object, current),
      current,
    );
    const prepared = hooks.prepareUpdate?.(identified, current, hookContext) ?? identified;
    const finished = options.trusted ? prepared : finish(resource, prepared, current, hookContext);
    const object = withGeneration(resource, finished, current);
    const claimed = hooks.allocate?.(object, current, hookContext);
    const final = claimed?.object ?? object;
    if (dryRun)
      return shown(context, resource, options.show?.(final) ?? final, request, 200, warnings);
    if (unchanged(final, current)) {
      return reply(context, resource, entry, request, 200, warnings, options);
    }

    const claims: Operation[] = [...(claimed?.operations ?? [])];
    const gone = isFinished(resource, final);
    if (gone) claims.push(...(hooks.release?.(final, hookContext) ?? []));
    const write = {
      resource,
      object: final,
      expected: entry.sequence,
      claims,
      guard,
      delete: gone,
    };
    const outcome = await commit(write);
    if (outcome.type === "committed") {
      return reply(context, resource, outcome.stored, request, 200, warnings, options);
    }
    const unconditional = wanted === undefined || outcome.type === "taken";
    if (!unconditional || attempt >= mostAttempts) throw modified(resource, request.name);
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

/** Only the status subresource writes status (and a node's own creation). */
function withoutStatus(resource: Resource, object: KubeObject): KubeObject {
  const separate = resource.stored.subresources.includes("status");
  if (!separate || resource.hooks.statusOnCreate) return object;
  return withoutField(object, "status");
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

function withoutField(object: KubeObject, field: string): KubeObject {
  const { [field]: _left, ...rest } = object as unknown as Record<string, unknown>;
  return rest as unknown as KubeObject;
}

/** An object that was told to go and has nothing left to wait for. */
export function isFinished(resource: Resource, object: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = object.metadata;
  if (!deletionTimestamp || (deletionGracePeriodSeconds ?? 0) > 0) return false;
  if (finalizers && finalizers.length > 0) return false;
  return !resource.hooks.held?.(object);
}

export async function currentEntry(resource: Resource, request: ApiRequest) {
  const found = entryOf(resource, request.namespace, request.name);
  if (found) return found;
  // A refusal because something is absent is read consistently before it is given.
  await catchUp(resource);
  const now = entryOf(resource, request.namespace, request.name);
  if (!now) throw notFound(nameOf(resource), request.name);
  return now;
}

export function catchUp(resource: Resource): Promise<void> {
  return waitUntilFresh(resource.store, undefined);
}

export function modified(resource: Resource, name: string): Error {
  return conflict(nameOf(resource), name, modifiedMessage);
}

export function hooksContext(
  context: StageContext,
  request: ApiRequest,
  warnings: string[],
): HookContext {
  return {
    user: request.user,
    view: context.registry.stores.objects.view,
    now: timestamp(context.clock.now()),
    random: context.random,
    subresource: request.subresource,
    warn: (message) => warnings.push(message),
  };
}

function unchanged(object: KubeObject, current: KubeObject): boolean {
  return equal(withoutRevision(object), withoutRevision(current));
}

function withoutRevision(object: KubeObject): KubeObject {
  const { resourceVersion: _any, ...metadata } = object.metadata;
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
    return bytesReply(code, context.objects.bytes(resource, stored), warnings);
  }
  return shown(context, resource, context.objects.shown(resource, stored), request, code, warnings);
}
