/**
 * What claims and volumes start with, and when a claim may grow: DefaultStorageClass,
 * StorageObjectInUseProtection and PersistentVolumeClaimResize, as upstream names them.
 * k8s: plugin/pkg/admission/storage.
 */

import {
  compareQuantity,
  type KubeObject,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
} from "../../../manifests/index.ts";
import { concerns, type Plugin, refused } from "./chain.ts";
import { defaultOf } from "./defaults.ts";

const betaClass = "volume.beta.kubernetes.io/storage-class";

const defaultMarks = [
  "storageclass.kubernetes.io/is-default-class",
  "storageclass.beta.kubernetes.io/is-default-class",
];

export const defaultStorageClass: Plugin = {
  name: "DefaultStorageClass",
  handles: (target) => concerns(target, [PersistentVolumeClaim], "CREATE"),
  mutate({ object }, { reader }) {
    const claim = object as PersistentVolumeClaim;
    const said = claim.metadata.annotations?.[betaClass] ?? claim.spec.storageClassName;
    if (said !== undefined) return undefined;
    const chosen = defaultOf(reader.list(StorageClass), defaultMarks);
    if (!chosen) return undefined;
    return { ...claim, spec: { ...claim.spec, storageClassName: chosen.metadata.name } };
  },
};

const protections = new Map<unknown, string>([
  [PersistentVolumeClaim, "kubernetes.io/pvc-protection"],
  [PersistentVolume, "kubernetes.io/pv-protection"],
]);

/** The finalizer that the protection controllers take away once nobody uses the object. */
export const storageObjectInUseProtection: Plugin = {
  name: "StorageObjectInUseProtection",
  handles: (target) => concerns(target, [PersistentVolumeClaim, PersistentVolume], "CREATE"),
  mutate({ object, resource }) {
    const { metadata, ...rest } = object as KubeObject;
    const finalizer = protections.get(resource.stored) ?? "";
    const finalizers = metadata.finalizers ?? [];
    if (finalizers.includes(finalizer)) return undefined;
    return { ...rest, metadata: { ...metadata, finalizers: [...finalizers, finalizer] } };
  },
};

export const persistentVolumeClaimResize: Plugin = {
  name: "PersistentVolumeClaimResize",
  handles: (target) => concerns(target, [PersistentVolumeClaim], "UPDATE"),
  validate(attributes, { reader }) {
    const [claim, old] = [attributes.object, attributes.old] as PersistentVolumeClaim[];
    const size = claim?.spec.resources?.requests?.storage ?? "0";
    const before = old?.spec.resources?.requests?.storage ?? "0";
    if (compareQuantity(size, before) <= 0) return;
    if (old?.status?.phase !== "Bound") {
      throw refused(attributes, "Only bound persistent volume claims can be expanded");
    }
    const name = claim?.metadata.annotations?.[betaClass] ?? claim?.spec.storageClassName;
    const storageClass = name ? reader.get(StorageClass, "", name) : undefined;
    if (storageClass?.allowVolumeExpansion) return;
    throw refused(
      attributes,
      "only dynamically provisioned pvc can be resized and " +
        "the storageclass that provisions the pvc must support resize",
    );
  },
};
