/** Volumes and claims on them (k8s:pkg/printers/internalversion/printers.go). */
import type {
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
  VolumeAttachment,
} from "../schema/types.generated.ts";
import { age, columns, type PrinterTable } from "./printer.ts";

const MODES: Record<string, string> = {
  ReadWriteOnce: "RWO",
  ReadOnlyMany: "ROX",
  ReadWriteMany: "RWX",
  ReadWriteOncePod: "RWOP",
};

export const storagePrinters: PrinterTable = {
  "core.v1.PersistentVolume": {
    columns: columns(
      "Name",
      "Capacity",
      "Access Modes",
      "Reclaim Policy",
      "Status",
      "Claim",
      "StorageClass",
      "VolumeAttributesClass",
      "Reason",
      "Age",
      "+VolumeMode",
    ),
    cells: (volume: PersistentVolume, nowMs) => {
      const { metadata, spec, status } = volume;
      const claim = spec.claimRef;
      return [
        metadata.name,
        spec.capacity?.storage ?? "0",
        accessModes(spec.accessModes),
        spec.persistentVolumeReclaimPolicy ?? "",
        metadata.deletionTimestamp ? "Terminating" : (status?.phase ?? ""),
        claim ? `${claim.namespace}/${claim.name}` : "",
        storageClass(volume),
        spec.volumeAttributesClassName ?? "<unset>",
        status?.reason ?? "",
        age(volume, nowMs),
        spec.volumeMode ?? "<unset>",
      ];
    },
  },
  "core.v1.PersistentVolumeClaim": {
    columns: columns(
      "Name",
      "Status",
      "Volume",
      "Capacity",
      "Access Modes",
      "StorageClass",
      "VolumeAttributesClass",
      "Age",
      "+VolumeMode",
    ),
    cells: (claim: PersistentVolumeClaim, nowMs) => {
      const { metadata, spec, status } = claim;
      const isBound = (spec.volumeName ?? "") !== "";
      return [
        metadata.name,
        metadata.deletionTimestamp ? "Terminating" : (status?.phase ?? ""),
        spec.volumeName ?? "",
        isBound ? (status?.capacity?.storage ?? "0") : "",
        isBound ? accessModes(status?.accessModes) : "",
        storageClass(claim),
        spec.volumeAttributesClassName ?? "<unset>",
        age(claim, nowMs),
        spec.volumeMode ?? "<unset>",
      ];
    },
  },
  "storage.v1.StorageClass": {
    columns: columns(
      "Name",
      "Provisioner",
      "ReclaimPolicy",
      "VolumeBindingMode",
      "AllowVolumeExpansion",
      "Age",
    ),
    cells: (kind: StorageClass, nowMs) => {
      const marks = kind.metadata.annotations;
      const isDefault = marks?.["storageclass.kubernetes.io/is-default-class"] === "true";
      return [
        kind.metadata.name + (isDefault ? " (default)" : ""),
        kind.provisioner,
        kind.reclaimPolicy ?? "Delete",
        kind.volumeBindingMode ?? "Immediate",
        kind.allowVolumeExpansion ?? false,
        age(kind, nowMs),
      ];
    },
  },
  "storage.v1.CSINode": {
    columns: columns("Name", "#Drivers", "Age"),
    cells: (node: CSINode, nowMs) => [
      node.metadata.name,
      node.spec.drivers.length,
      age(node, nowMs),
    ],
  },
  "storage.v1.CSIDriver": {
    columns: columns(
      "Name",
      "AttachRequired",
      "PodInfoOnMount",
      "StorageCapacity",
      "TokenRequests",
      "RequiresRepublish",
      "Modes",
      "Age",
    ),
    cells: ({ metadata, spec }: CSIDriver, nowMs) => [
      metadata.name,
      spec.attachRequired ?? true,
      spec.podInfoOnMount ?? false,
      spec.storageCapacity ?? false,
      spec.tokenRequests?.map(({ audience }) => audience).join(",") || "<unset>",
      spec.requiresRepublish ?? false,
      spec.volumeLifecycleModes?.join(",") || "<none>",
      age({ metadata }, nowMs),
    ],
  },
  "storage.v1.CSIStorageCapacity": {
    columns: columns("Name", "StorageClassName", "Capacity"),
    cells: (capacity: CSIStorageCapacity) => [
      capacity.metadata.name,
      capacity.storageClassName,
      capacity.capacity ?? "<unset>",
    ],
  },
  "storage.v1.VolumeAttachment": {
    columns: columns("Name", "Attacher", "PV", "Node", "Attached", "Age"),
    cells: (attachment: VolumeAttachment, nowMs) => [
      attachment.metadata.name,
      attachment.spec.attacher,
      attachment.spec.source.persistentVolumeName ?? "",
      attachment.spec.nodeName,
      attachment.status?.attached ?? false,
      age(attachment, nowMs),
    ],
  },
};

function accessModes(modes: readonly string[] | undefined): string {
  const given = new Set(modes);
  const known = Object.keys(MODES).filter((mode) => given.has(mode));
  return known.map((mode) => MODES[mode]).join(",");
}

/** Once an annotation, now a field; the annotation still has the first word. */
function storageClass({ metadata, spec }: PersistentVolume | PersistentVolumeClaim): string {
  const annotation = metadata.annotations?.["volume.beta.kubernetes.io/storage-class"];
  return annotation ?? spec.storageClassName ?? "";
}
