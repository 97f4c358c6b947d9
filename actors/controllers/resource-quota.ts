/**
 * ResourceQuota controller: counts what a namespace has taken of each of its quotas.
 *
 * Mailbox  reconcile(key)                  one key at a time, repeats of a key coalesce
 * Watches  core/resourcequotas, core/pods, core/services, core/persistentvolumeclaims, core/configmaps, core/secrets (the quotas of their Namespace)
 * Owns     when it counted last; forgotten on restart, which only counts once more
 * Writes   core/resourcequotas/status update
 * Fails    conflict or api away: repeated, 5 ms .. 16 min. Crash: restart and resync, no state lost.
 * Scales   one owner (Lease `resource-quota`). A deposed one's writes are refused by its epoch.
 *
 * Admission adds to `status.used` in the commit of each object that it lets in; this controller
 * takes away what is gone, and adds what was there before the quota. It reads the quota before it
 * counts and writes only if that is unchanged, so it never forgets what was let in meanwhile.
 *
 * Differs from Kubernetes: the end of an object of any other kind is noticed by the next recount.
 */

import equal from "fast-deep-equal";
import { isNotFound } from "../../manifests/api-error.ts";
import {
  allKinds,
  ConfigMap,
  canonicalQuantity,
  type Kind,
  type KubeObject,
  PersistentVolumeClaim,
  Pod,
  ResourceQuota,
  Secret,
  Service,
} from "../../manifests/index.ts";
import { inScopes, limitsKind, quotaUsage } from "../../manifests/kinds/quota-usage.ts";
import { addLists, pickFrom, type ResourceList } from "../../manifests/kinds/resource-lists.ts";
import {
  defineController,
  type Listers,
  type ReconcileContext,
  requeueAfter,
  watch,
} from "../kit/controller.ts";
import { type Key, keyOf } from "../kit/object.ts";
import { status } from "../kit/writes.ts";
import { sameStatus } from "./status.ts";

/** Of everything, whatever happened or was missed (upstream: five minutes, and a watch per kind). */
const recountMs = 30_000;
/** Between two counts of one quota: a namespace that is emptied says so pod by pod. */
const restMs = 500;

function quotasBeside({ metadata }: KubeObject, { lister }: Listers): Key[] {
  return lister(ResourceQuota)
    .inNamespace(metadata.namespace ?? "")
    .map(keyOf);
}

/** Only what ends or shrinks: what begins was counted when it was let in. */
const onEnd = { keysOf: quotasBeside, matters: () => false };

interface Counted {
  /** On the monotonic clock. */
  readonly at: Map<Key, number>;
}

export const resourceQuota = defineController<Counted>({
  name: "resource-quota",
  watches: [
    watch(ResourceQuota, {
      // Admission writes the status with every object that it lets in.
      matters: (before, after) => !equal(before.spec, after.spec),
    }),
    watch(Pod, {
      keysOf: quotasBeside,
      matters: (before, after) =>
        before.status?.phase !== after.status?.phase ||
        before.metadata.deletionTimestamp !== after.metadata.deletionTimestamp,
    }),
    watch(Service, { keysOf: quotasBeside, matters: (a, b) => a.spec.type !== b.spec.type }),
    watch(PersistentVolumeClaim, onEnd),
    watch(ConfigMap, onEnd),
    watch(Secret, onEnd),
  ],
  writes: [status(ResourceQuota)],
  state: () => ({ at: new Map() }),
  async reconcile(key, ctx) {
    const { at } = ctx.state;
    if (!ctx.lister(ResourceQuota).get(key)) {
      at.delete(key);
      return;
    }
    const now = ctx.clock.monotonic();
    const waitMs = (at.get(key) ?? now - restMs) + restMs - now;
    if (waitMs > 0) return requeueAfter(waitMs);
    at.set(key, now);
    const quota = await read(key, ctx);
    if (!quota) return;
    const hard = quota.spec?.hard ?? {};
    const used = await count(quota, hard, ctx);
    const after = { hard, used };
    if (!sameStatus(quota.status ?? {}, after)) {
      await ctx.api.updateStatus(ResourceQuota, { ...quota, status: after });
    }
    return requeueAfter(recountMs);
  },
});

/** From the API itself: the cache may be older than what is counted next. */
async function read(
  key: Key,
  { api }: ReconcileContext<Counted>,
): Promise<ResourceQuota | undefined> {
  try {
    return await api.get(ResourceQuota, key);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function count(
  quota: ResourceQuota,
  hard: ResourceList,
  { api, clock }: ReconcileContext<Counted>,
): Promise<ResourceList> {
  const { namespace = "" } = quota.metadata;
  const nowMs = clock.now();
  let sum: ResourceList = Object.fromEntries(Object.keys(hard).map((name) => [name, "0"]));
  for (const kind of countedKinds(hard)) {
    const { items } = await api.list(kind, { namespace });
    for (const object of items) {
      if (!inScopes(quota, kind, object)) continue;
      const usage = quotaUsage(kind, object, nowMs);
      sum = addLists(
        sum,
        pickFrom(usage, (name) => hard[name] !== undefined),
      );
    }
  }
  return Object.fromEntries(
    Object.entries(sum).map(([name, amount]) => [name, canonicalQuantity(amount)]),
  );
}

function countedKinds(hard: ResourceList): Kind[] {
  const names = Object.keys(hard);
  return allKinds().filter(
    (kind) =>
      kind.namespaced &&
      !kind.conversion &&
      kind.verbs.includes("list") &&
      names.some((name) => limitsKind(kind, name)),
  );
}
