/**
 * DELETE: now, after a grace period, or when the last finalizer is gone.
 * After k8s: apiserver/pkg/registry/rest/delete.go BeforeDelete and generic/registry/store.go.
 */

import { type ApiStatus, apiError, isNotFound } from "../../manifests/api-error.ts";
import type { KubeObject } from "../../manifests/index.ts";
import { parseObjectKey } from "../../runtime/store/key.ts";
import type { Entry } from "../../runtime/store/store.ts";
import { type ChangeContext, catchUp, currentEntry, modified } from "./change.ts";
import { commit, guardOf } from "./commit.ts";
import { parseBody } from "./decode.ts";
import { assertPreconditions, bumpGeneration, type Preconditions, timestamp } from "./metadata.ts";
import { formOf, presentReply } from "./present.ts";
import { prepareAll, type ReadContext } from "./read.ts";
import { nameOf, prefixOf, type Resource } from "./registry/registry.ts";
import {
  type ApiReply,
  type ApiRequest,
  booleanOption,
  dryRunOption,
  jsonReply,
  numberOption,
} from "./request.ts";
import { selected, selectionOf } from "./selection.ts";
import { admitAct, attributesOf, hooksContext } from "./stages.ts";

const mostAttempts = 20;
const orphanFinalizer = "orphan";
const foregroundFinalizer = "foregroundDeletion";

interface DeleteOptions {
  readonly gracePeriodSeconds: number | undefined;
  readonly preconditions: Preconditions;
  readonly policy: string | undefined;
  readonly dryRun: boolean;
}

/** `mark`: the object stays and says that it is going. */
type Plan = { type: "remove" | "mark"; object: KubeObject } | { type: "wait" };

export async function remove(
  context: ChangeContext,
  resource: Resource,
  request: ApiRequest,
): Promise<ApiReply> {
  const options = parseDeleteOptions(request);
  const guard = guardOf(resource, request);
  const warnings: string[] = [];
  for (let attempt = 1; ; attempt++) {
    if (attempt > 1) await catchUp(resource);
    const entry = await currentEntry(context, resource, request);
    const object = context.objects.parsed(resource, entry);
    if (attempt === 1 && !holds(object, options.preconditions)) continue;
    assertPreconditions(resource, object, options.preconditions);
    const hookContext = hooksContext(context, request, warnings);
    const { dryRun } = options;
    const attributes = attributesOf({ resource, request, old: object, dryRun }, undefined);
    await admitAct(context, attributes, hookContext);

    const plan = planDelete(resource, object, options, context.clock.now());
    if (plan.type === "wait") return shown(context, resource, entry, request);
    if (options.dryRun) {
      return plan.type === "remove"
        ? deleted(resource, object)
        : jsonReply(200, formOf(context.objects, resource, plan.object, request));
    }
    const gone = plan.type === "remove";
    const claims = gone ? (resource.hooks.release?.(object, hookContext) ?? []) : [];
    const write = { resource, object: plan.object, expected: entry.sequence, claims, guard };
    const outcome = await commit({ ...write, delete: gone });
    if (outcome.type === "committed") {
      return gone ? deleted(resource, object) : shown(context, resource, outcome.stored, request);
    }
    if (attempt >= mostAttempts) throw modified(resource, request.name);
  }
}

/** Every object that the selectors mean; those that others deleted meanwhile are no error. */
export async function removeCollection(
  context: ChangeContext & ReadContext,
  resource: Resource,
  request: ApiRequest,
): Promise<ApiReply> {
  await catchUp(resource);
  const selection = selectionOf(resource, request);
  const prefix = prefixOf(resource, request.namespace);
  const snapshot = await context.indexes.snapshot(resource, request, prefix, selection);
  await prepareAll(context, resource, snapshot);
  const lanes = selected(context, resource, selection, snapshot);
  // As many at once as a group commit takes: one lane each, all drawing from one iterator.
  const lane = async () => {
    for await (const { key } of lanes) {
      const { namespace = "", name = "" } = parseObjectKey(key) ?? {};
      try {
        await remove(context, resource, { ...request, namespace, name, verb: "delete" });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: parallelDeletes }, lane));
  return jsonReply(200, success());
}

const parallelDeletes = 64;

function planDelete(
  resource: Resource,
  object: KubeObject,
  options: DeleteOptions,
  nowMs: number,
): Plan {
  const { metadata } = object;
  const finalizers = finalizersAfter(
    withOwnFinalizer(metadata, resource.hooks.finalizer),
    options.policy,
  );
  const held = finalizers.length > 0 || resource.hooks.held?.(object) === true;
  const grace = Math.max(0, resource.hooks.grace?.(object, options.gracePeriodSeconds) ?? 0);
  if (grace === 0 && !held) return { type: "remove", object };

  if (metadata.deletionTimestamp) {
    // Only ever sooner: a second delete may shorten the grace period, never lengthen it.
    const known = metadata.deletionGracePeriodSeconds ?? 0;
    if (grace >= known) return { type: "wait" };
    const began = Date.parse(metadata.deletionTimestamp) - known * 1000;
    return { type: "mark", object: marked(object, finalizers, grace, began) };
  }
  const going = resource.hooks.terminating?.(object) ?? object;
  const aged = metadata.generation ? bumpGeneration(going, object) : going;
  return { type: "mark", object: marked(aged, finalizers, grace, nowMs) };
}

/** Only the first delete brings it: once it was taken off it must not come back. */
function withOwnFinalizer(
  { finalizers = [], deletionTimestamp }: KubeObject["metadata"],
  own: string | undefined,
): string[] {
  if (own === undefined || deletionTimestamp || finalizers.includes(own)) return finalizers;
  return [...finalizers, own];
}

function marked(
  object: KubeObject,
  finalizers: string[],
  grace: number,
  fromMs: number,
): KubeObject {
  const { finalizers: _before, ...metadata } = object.metadata;
  return {
    ...object,
    metadata: {
      ...metadata,
      deletionTimestamp: timestamp(fromMs + grace * 1000),
      deletionGracePeriodSeconds: grace,
      ...(finalizers.length > 0 ? { finalizers } : {}),
    },
  };
}

/** The garbage collector takes them off again once dependents are orphaned, or gone. */
function finalizersAfter(finalizers: readonly string[], policy: string | undefined): string[] {
  if (policy === undefined) return [...finalizers];
  const own = finalizers.filter(
    (finalizer) => finalizer !== orphanFinalizer && finalizer !== foregroundFinalizer,
  );
  if (policy === "Orphan") return [...own, orphanFinalizer];
  if (policy === "Foreground") return [...own, foregroundFinalizer];
  return own;
}

/** Options may come in the body, in the query, or in both. */
function parseDeleteOptions(request: ApiRequest): DeleteOptions {
  const { query } = request;
  const body = (parseBody(request).value ?? {}) as Record<string, unknown>;
  const grace = body.gracePeriodSeconds ?? numberOption(query, "gracePeriodSeconds");
  const preconditions = (body.preconditions ?? {}) as Preconditions;
  const asked = body.propagationPolicy ?? query.get("propagationPolicy") ?? undefined;
  const orphan = body.orphanDependents ?? (booleanOption(query, "orphanDependents") || undefined);
  if (asked !== undefined && orphan !== undefined) {
    throw apiError(
      "Invalid",
      `DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Invalid value: "${asked}": ` +
        "orphanDependents and deletionPropagation cannot be both set",
    );
  }
  const policy = asked ?? (orphan === undefined ? undefined : orphan ? "Orphan" : "Background");
  if (policy !== undefined && !policies.has(String(policy))) {
    throw apiError(
      "Invalid",
      `DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "${policy}": ` +
        'supported values: "Foreground", "Background", "Orphan", "nil"',
    );
  }
  const inBody = Array.isArray(body.dryRun) ? body.dryRun.map(String) : [];
  return {
    gracePeriodSeconds: typeof grace === "number" ? grace : undefined,
    preconditions,
    policy: policy === undefined ? undefined : String(policy),
    dryRun: dryRunOption(query, inBody),
  };
}

const policies = new Set(["Foreground", "Background", "Orphan"]);

function holds({ metadata }: KubeObject, { uid, resourceVersion }: Preconditions): boolean {
  return (
    (!uid || uid === metadata.uid) &&
    (!resourceVersion || resourceVersion === metadata.resourceVersion)
  );
}

function shown(
  context: ChangeContext,
  resource: Resource,
  stored: Pick<Entry, "key" | "value" | "sequence">,
  request: ApiRequest,
): ApiReply {
  if (request.form === "object") {
    return presentReply(200, context.objects, resource, stored, request);
  }
  return jsonReply(
    200,
    formOf(context.objects, resource, context.objects.shown(resource, stored), request),
  );
}

function deleted(resource: Resource, { metadata }: KubeObject): ApiReply {
  const { group, resource: plural } = nameOf(resource);
  return jsonReply(200, {
    ...success(),
    details: {
      name: metadata.name,
      ...(group ? { group } : {}),
      kind: plural,
      uid: metadata.uid,
    },
  });
}

function success(): Partial<ApiStatus> {
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success" };
}
