/**
 * Namespace controller: empties a Namespace that is being deleted, then lets it go.
 *
 * Mailbox  reconcile(key)                  one key at a time, repeats of a key coalesce
 * Watches  core/namespaces, core/pods (their end brings their Namespace's next pass), apiextensions.k8s.io/customresourcedefinitions (whose objects go too)
 * Owns     nothing that is not in the store
 * Writes   every kind deletecollection; core/namespaces/status update; core/namespaces/finalize update
 * Fails    conflict or api away: repeated, 5 ms .. 16 min. Crash: restart, the pass begins anew.
 * Scales   one owner (Lease `namespace`). A deposed one's writes are refused by its epoch.
 */

import { isNotFound } from "../../manifests/api-error.ts";
import {
  allKinds,
  CustomResourceDefinition,
  type Kind,
  Namespace,
  type NamespaceCondition,
  Pod,
  storedCustomKind,
} from "../../manifests/index.ts";
import {
  defineController,
  type Listers,
  type ReconcileContext,
  requeueAfter,
  watch,
} from "../kit/controller.ts";
import { formatTime } from "../kit/time.ts";
import { anyKind, status, subresource } from "../kit/writes.ts";
import { sameStatus, setCondition } from "./status.ts";

/** What takes its own time (pods stopping, finalizers) is looked at again after this. */
const recheckMs = 2_000;
const finalizer = "kubernetes";

export const namespace = defineController({
  name: "namespace",
  watches: [
    watch(Namespace, { matters: (_, after) => isTerminating(after) }),
    watch(Pod, {
      keysOf: ({ metadata }, { lister }) => {
        const owner = lister(Namespace).get(metadata.namespace ?? "");
        return owner && isTerminating(owner) ? [owner.metadata.name] : [];
      },
    }),
    watch(CustomResourceDefinition, { keysOf: () => [] }),
  ],
  writes: [
    anyKind(["deletecollection"]),
    status(Namespace),
    subresource(Namespace, "finalize", ["update"]),
  ],
  options: { workers: 5 },
  async reconcile(key, ctx) {
    const object = ctx.lister(Namespace).get(key);
    if (!object || !isTerminating(object)) return;
    if (!object.spec?.finalizers?.includes(finalizer)) return;
    const remaining = await empty(key, ctx);
    const current = await writeConditions(object, remaining, ctx);
    if (remaining.length > 0) return requeueAfter(recheckMs);
    const finalizers = object.spec.finalizers.filter((name) => name !== finalizer);
    await ctx.api
      .update(Namespace, { ...current, spec: { finalizers } }, { subresource: "finalize" })
      .catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
  },
});

interface Remaining {
  kind: Kind;
  count: number;
  /** How many objects wait for each of their finalizers. */
  finalizers: Map<string, number>;
}

function isTerminating({ metadata }: Namespace): boolean {
  return metadata.deletionTimestamp !== undefined;
}

/** Kinds stored in their own right: what another kind shows of the same objects goes with them. */
function emptiedKinds({ lister }: Listers): Kind[] {
  const custom = lister(CustomResourceDefinition)
    .list()
    .flatMap((definition) => storedCustomKind(definition) ?? []);
  return [...allKinds(), ...custom].filter(
    ({ namespaced, verbs, conversion }) =>
      namespaced && !conversion && verbs.includes("list") && verbs.includes("deletecollection"),
  );
}

async function empty(name: string, ctx: ReconcileContext): Promise<Remaining[]> {
  const { api } = ctx;
  const remaining: Remaining[] = [];
  for (const kind of emptiedKinds(ctx)) {
    const selection = { namespace: name };
    if ((await api.list(kind, selection)).items.length === 0) continue;
    await api.deleteCollection(kind, selection);
    const left = (await api.list(kind, selection)).items;
    const finalizers = new Map<string, number>();
    for (const held of left.flatMap(({ metadata }) => metadata.finalizers ?? [])) {
      finalizers.set(held, (finalizers.get(held) ?? 0) + 1);
    }
    if (left.length > 0) remaining.push({ kind, count: left.length, finalizers });
  }
  return remaining;
}

async function writeConditions(
  object: Namespace,
  remaining: readonly Remaining[],
  { api, clock }: ReconcileContext,
): Promise<Namespace> {
  const conditions = computeConditions(
    object.status?.conditions ?? [],
    remaining,
    formatTime(clock.now()),
  );
  const after = { ...object.status, conditions };
  if (sameStatus(object.status ?? {}, after)) return object;
  return await api.updateStatus(Namespace, { ...object, status: after });
}

/** As k8s:pkg/controller/namespace/deletion/status_condition_utils.go words them. */
export function computeConditions(
  before: readonly NamespaceCondition[],
  remaining: readonly Remaining[],
  time: string,
): NamespaceCondition[] {
  const finalizers = new Map<string, number>();
  for (const [name, count] of remaining.flatMap((kind) => [...kind.finalizers])) {
    finalizers.set(name, (finalizers.get(name) ?? 0) + count);
  }
  const resources = remaining.map(({ kind, count }) => {
    const plural = kind.group ? `${kind.resource}.${kind.group}` : `${kind.resource}.`;
    return `${plural} has ${count} resource instances`;
  });
  const waits = [...finalizers].map(([name, count]) => `${name} in ${count} resource instances`);
  const told = [
    condition(
      "NamespaceDeletionContentFailure",
      false,
      "ContentDeleted",
      "All content successfully deleted, may be waiting on finalization",
    ),
    resources.length > 0
      ? condition(
          "NamespaceContentRemaining",
          true,
          "SomeResourcesRemain",
          `Some resources are remaining: ${resources.sort().join(", ")}`,
        )
      : condition(
          "NamespaceContentRemaining",
          false,
          "ContentRemoved",
          "All content successfully removed",
        ),
    waits.length > 0
      ? condition(
          "NamespaceFinalizersRemaining",
          true,
          "SomeFinalizersRemain",
          `Some content in the namespace has finalizers remaining: ${waits.sort().join(", ")}`,
        )
      : condition(
          "NamespaceFinalizersRemaining",
          false,
          "ContentHasNoFinalizers",
          "All content-preserving finalizers finished",
        ),
  ];
  return told.reduce(
    (conditions, next) => setCondition(conditions, { ...next, lastTransitionTime: time }),
    [...before],
  );
}

function condition(type: string, holds: boolean, reason: string, message: string) {
  return { type, status: holds ? "True" : "False", reason, message };
}
