/** What is odd about objects that are no pods (k8s: WarningsOnCreate and WarningsOnUpdate of pkg/registry). */
import type {
  CSIStorageCapacity,
  Ingress,
  Job,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  RuntimeClass,
  Service,
  ServiceAccount,
  StatefulSet,
  StorageClass,
} from "../schema/types.generated.ts";
import { addFraction, addTermWarnings, nodeLabelWarning } from "./pod-warnings.ts";

const CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class";
const INGRESS_ANNOTATION = "kubernetes.io/ingress.class";
const MOUNTABLE_ANNOTATION = "kubernetes.io/enforce-mountable-secrets";
const MANY_COMPLETIONS = 100_000;
const MANY_AT_ONCE = 10_000;

type Warn = (object: never, old: never | undefined) => string[];

export const objectWarnings: Readonly<Record<string, Warn>> = {
  "core.v1.Node": ({ spec }: Node) => {
    const warnings: string[] = [];
    if (spec?.configSource) {
      warnings.push("spec.configSource: the feature is removed, so this field is ignored");
    }
    if (spec?.externalID) {
      warnings.push("spec.externalID: this field is deprecated, and is unused by Kubernetes");
    }
    return warnings;
  },
  "core.v1.Service": serviceWarnings,
  "core.v1.ServiceAccount": ({ metadata }: ServiceAccount) => {
    if (metadata.annotations?.[MOUNTABLE_ANNOTATION] === undefined) return [];
    const what =
      "deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets";
    return [`metadata.annotations[${MOUNTABLE_ANNOTATION}]: ${what}`];
  },
  "core.v1.PersistentVolume": volumeWarnings,
  "core.v1.PersistentVolumeClaim": (claim: PersistentVolumeClaim) => claimWarnings(claim, ""),
  "apps.v1.StatefulSet": ({ spec }: StatefulSet) => {
    const warnings = (spec.volumeClaimTemplates ?? []).flatMap((claim, i) =>
      claimWarnings(claim, `spec.volumeClaimTemplates[${i}].`),
    );
    if ((spec.revisionHistoryLimit ?? 0) < 0) {
      const what = "a negative value retains all historical revisions; a value >= 0 is recommended";
      warnings.push(`spec.revisionHistoryLimit: ${what}`);
    }
    return warnings;
  },
  "batch.v1.Job": ({ spec }: Job) => {
    const isHuge =
      spec.completionMode === "Indexed" &&
      (spec.completions ?? 0) > MANY_COMPLETIONS &&
      (spec.parallelism ?? 0) > MANY_AT_ONCE;
    if (!isHuge) return [];
    const what = "a number of completions higher than 10^5 and a parallelism higher than 10^4";
    const why =
      "Kubernetes might not be able to track completedIndexes when a big number of indexes fail";
    return [`In Indexed Jobs with ${what}, ${why}`];
  },
  "networking.v1.Ingress": ({ metadata }: Ingress, old: Ingress | undefined) => {
    if (old || metadata.annotations?.[INGRESS_ANNOTATION] === undefined) return [];
    const instead = "please use 'spec.ingressClassName' instead";
    return [`annotation "${INGRESS_ANNOTATION}" is deprecated, ${instead}`];
  },
  "node.v1.RuntimeClass": ({ scheduling }: RuntimeClass) =>
    Object.keys(scheduling?.nodeSelector ?? {}).flatMap((label) => {
      const what = nodeLabelWarning(label);
      return what ? [`scheduling.nodeSelector: ${what}`] : [];
    }),
  "storage.v1.StorageClass": ({ allowedTopologies = [] }: StorageClass) =>
    allowedTopologies.flatMap((term, t) =>
      (term.matchLabelExpressions ?? []).flatMap(({ key }, e) => {
        const what = nodeLabelWarning(key);
        const at = `allowedTopologies[${t}].matchLabelExpressions[${e}].key`;
        return what ? [`${at}: ${key} is ${what}`] : [];
      }),
    ),
  "storage.v1.CSIStorageCapacity": ({ nodeTopology }: CSIStorageCapacity) =>
    Object.keys(nodeTopology?.matchLabels ?? {}).flatMap((label) => {
      const what = nodeLabelWarning(label);
      return what ? [`nodeTopology.matchLabels.${label}: ${label} is ${what}`] : [];
    }),
};

/** A headless service has no address to which any of this could apply. */
function serviceWarnings({ spec }: Service): string[] {
  if (spec.clusterIP !== "None") return [];
  const ignored = "is ignored for headless services";
  const warnings: string[] = [];
  if (spec.loadBalancerIP) warnings.push(`spec.loadBalancerIP ${ignored}`);
  if (spec.externalIPs?.length) warnings.push(`spec.externalIPs ${ignored}`);
  if (spec.sessionAffinity && spec.sessionAffinity !== "None") {
    warnings.push(`spec.SessionAffinity ${ignored}`);
  }
  return warnings;
}

function volumeWarnings({ metadata, spec }: PersistentVolume): string[] {
  const warnings: string[] = [];
  if (metadata.annotations?.[CLASS_ANNOTATION] !== undefined) warnings.push(classWarning(""));
  if (spec.persistentVolumeReclaimPolicy === "Recycle") {
    const what = "The Recycle reclaim policy is deprecated";
    const instead = "Instead, the recommended approach is to use dynamic provisioning.";
    warnings.push(`spec.persistentVolumeReclaimPolicy: ${what}. ${instead}`);
  }
  spec.nodeAffinity?.required?.nodeSelectorTerms.forEach((term, i) => {
    addTermWarnings(warnings, term, `spec.nodeAffinity.required.nodeSelectorTerms[${i}]`);
  });
  addFraction(warnings, spec.capacity?.storage, "spec.capacity[storage]");
  return warnings;
}

function classWarning(prefix: string): string {
  const instead = 'use "storageClassName" attribute instead';
  return `${prefix}metadata.annotations[${CLASS_ANNOTATION}]: deprecated since v1.8; ${instead}`;
}

function claimWarnings(claim: PersistentVolumeClaim, prefix: string): string[] {
  const warnings: string[] = [];
  const annotated = claim.metadata.annotations?.[CLASS_ANNOTATION];
  if (annotated !== undefined) warnings.push(classWarning(prefix));
  const { requests, limits } = claim.spec.resources ?? {};
  addFraction(warnings, requests?.storage, `${prefix}spec.resources.requests[storage]`);
  addFraction(warnings, limits?.storage, `${prefix}spec.resources.limits[storage]`);
  return warnings;
}
