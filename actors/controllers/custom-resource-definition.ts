/**
 * CustomResourceDefinition controller: gives definitions their names, and takes their objects away before they go.
 *
 * Mailbox  reconcile(key)                  the name of a definition; repeats coalesce
 * Watches  apiextensions.k8s.io/customresourcedefinitions (each concerns all of its group)
 * Owns     nothing that is not in the store
 * Writes   every kind deletecollection; apiextensions.k8s.io/customresourcedefinitions patch; apiextensions.k8s.io/customresourcedefinitions/status
 * Fails    conflict or api away: repeated, 5 ms .. 16 min. Crash: restart and resync, no state lost.
 * Scales   one owner (Lease `custom-resource-definition`), so that two definitions cannot both get one name.
 *
 * Differs from Kubernetes: a definition is established as soon as its names are accepted; upstream waits five seconds
 * for other API servers, ours look at the store before they say that they know no such kind.
 */

import { isNotFound } from "../../manifests/api-error.ts";
import {
  CustomResourceDefinition,
  type CustomResourceDefinitionCondition,
  computeNaming,
  definitionFinalizer,
  storedCustomKind,
} from "../../manifests/index.ts";
import {
  defineController,
  type Listers,
  type Outcome,
  type ReconcileContext,
  requeueAfter,
  watch,
} from "../kit/controller.ts";
import { formatTime } from "../kit/time.ts";
import { anyKind, patch, status } from "../kit/writes.ts";
import { sameStatus, setCondition } from "./status.ts";

/** Objects that finalizers hold are looked at again after this. */
const recheckMs = 1_000;
const approvedAnnotation = "api-approved.kubernetes.io";

export const customResourceDefinition = defineController({
  name: "custom-resource-definition",
  watches: [watch(CustomResourceDefinition, { keysOf: ofSameGroup })],
  writes: [
    anyKind(["deletecollection"]),
    patch(CustomResourceDefinition),
    status(CustomResourceDefinition),
  ],
  async reconcile(key, ctx) {
    const definitions = ctx.lister(CustomResourceDefinition);
    const definition = definitions.get(key);
    if (!definition) return;
    if (definition.metadata.deletionTimestamp) return await remove(definition, ctx);
    const after = computeStatus(definition, definitions.list(), formatTime(ctx.clock.now()));
    await writeStatus(definition, after, ctx);
  },
});

/** What one of a group gives up, another may have been waiting for. */
function ofSameGroup({ spec }: CustomResourceDefinition, { lister }: Listers): string[] {
  return lister(CustomResourceDefinition)
    .list()
    .filter((other) => other.spec.group === spec.group)
    .map(({ metadata }) => metadata.name ?? "");
}

type Status = NonNullable<CustomResourceDefinition["status"]>;

export function computeStatus(
  definition: CustomResourceDefinition,
  all: readonly CustomResourceDefinition[],
  time: string,
): Status {
  const { accepted, conflict } = computeNaming(definition, all);
  const before = definition.status ?? { conditions: [] };
  const told: CustomResourceDefinitionCondition[] = [
    conflict
      ? { type: "NamesAccepted", status: "False", ...conflict }
      : condition("NamesAccepted", true, "NoConflicts", "no conflicts found"),
  ];
  const isEstablished = before.conditions?.some(
    ({ type, status }) => type === "Established" && status === "True",
  );
  if (!conflict) {
    const message = "the initial names have been accepted";
    told.push(condition("Established", true, "InitialNamesAccepted", message));
  } else if (!isEstablished) {
    told.push(condition("Established", false, "NotAccepted", "not all names are accepted"));
  }
  const approval = definition.metadata.annotations?.[approvedAnnotation];
  if (approval !== undefined && /(^|\.)(k8s|kubernetes)\.io$/.test(definition.spec.group)) {
    told.push(approvalCondition(approval));
  }
  const conditions = told.reduce(
    (list, next) => setCondition(list, { ...next, lastTransitionTime: time }),
    [...(before.conditions ?? [])],
  );
  return { ...before, acceptedNames: accepted, conditions };
}

function approvalCondition(approval: string): CustomResourceDefinitionCondition {
  const type = "KubernetesAPIApprovalPolicyConformant";
  return approval.startsWith("unapproved")
    ? condition(type, false, "UnapprovedAnnotation", `not approved: ${JSON.stringify(approval)}`)
    : condition(type, true, "ApprovedAnnotation", `approved in ${approval}`);
}

function condition(type: string, holds: boolean, reason: string, message: string) {
  return { type, status: holds ? "True" : "False", reason, message };
}

async function writeStatus(
  definition: CustomResourceDefinition,
  after: Status,
  { api }: ReconcileContext,
): Promise<CustomResourceDefinition> {
  if (sameStatus(definition.status ?? {}, after)) return definition;
  return await api.updateStatus(CustomResourceDefinition, { ...definition, status: after });
}

/** Its objects first, then itself. */
async function remove(
  definition: CustomResourceDefinition,
  ctx: ReconcileContext,
): Promise<Outcome> {
  if (!definition.metadata.finalizers?.includes(definitionFinalizer)) return;
  const kind = storedCustomKind(definition);
  let current = definition;
  if (kind && (await ctx.api.list(kind)).items.length > 0) {
    current = await tellOfDeletion(definition, ctx);
    await ctx.api.deleteCollection(kind, {});
    if ((await ctx.api.list(kind)).items.length > 0) return requeueAfter(recheckMs);
  }
  const { finalizers = [], name = "", uid, resourceVersion } = current.metadata;
  const kept = finalizers.filter((finalizer) => finalizer !== definitionFinalizer);
  const change = { metadata: { uid, resourceVersion, finalizers: kept } };
  await ctx.api
    .patch(CustomResourceDefinition, name, change, { type: "merge" })
    .catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
}

async function tellOfDeletion(
  definition: CustomResourceDefinition,
  ctx: ReconcileContext,
): Promise<CustomResourceDefinition> {
  const message = "CustomResource deletion is in progress";
  const next = condition("Terminating", true, "InstanceDeletionInProgress", message);
  const lastTransitionTime = formatTime(ctx.clock.now());
  const before = definition.status?.conditions ?? [];
  const conditions = setCondition(before, { ...next, lastTransitionTime });
  return await writeStatus(definition, { ...definition.status, conditions }, ctx);
}
