/** Defaults of the kinds that make up the cluster: namespaces, nodes, storage, configuration, extensions. */
import type {
  CSIDriverSpec,
  CustomResourceDefinitionSpec,
  LimitRangeItem,
  Namespace,
  NodeStatus,
  PersistentVolume,
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  PriorityClass,
  Secret,
  StorageClass,
} from "../schema/types.generated.ts";
import type { DefaultTable } from "./default-table.ts";

export const clusterDefaults: DefaultTable = {
  "core.v1.Namespace": setNamespace,
  "core.v1.NodeStatus": (status: NodeStatus) => {
    if (status.capacity) status.allocatable ??= { ...status.capacity };
  },
  "core.v1.Secret": setSecret,
  "core.v1.PersistentVolume": (volume: PersistentVolume) => {
    volume.status = { ...volume.status, phase: volume.status?.phase || "Pending" };
    volume.spec.persistentVolumeReclaimPolicy ||= "Retain";
    volume.spec.volumeMode ??= "Filesystem";
  },
  "core.v1.PersistentVolumeClaim": (claim: PersistentVolumeClaim) => {
    claim.status = { ...claim.status, phase: claim.status?.phase || "Pending" };
  },
  "core.v1.PersistentVolumeClaimSpec": (spec: PersistentVolumeClaimSpec) => {
    spec.volumeMode ??= "Filesystem";
  },
  "core.v1.LimitRangeItem": setLimitRangeItem,
  "storage.v1.StorageClass": (storageClass: StorageClass) => {
    storageClass.reclaimPolicy ??= "Delete";
    storageClass.volumeBindingMode ??= "Immediate";
  },
  "storage.v1.CSIDriverSpec": setCsiDriver,
  "scheduling.v1.PriorityClass": (priorityClass: PriorityClass) => {
    priorityClass.preemptionPolicy ??= "PreemptLowerPriority";
  },
  "apiextensions.v1.CustomResourceDefinitionSpec": setCustomResource,
};

/** Every namespace carries its own name as a label, so that selectors can name it. */
function setNamespace(namespace: Namespace): void {
  namespace.status = { ...namespace.status, phase: namespace.status?.phase || "Active" };
  const { name, labels } = namespace.metadata;
  if (name) namespace.metadata.labels = { ...labels, "kubernetes.io/metadata.name": name };
}

/** stringData is a way of writing data, never of reading it: it goes into data and is not kept. */
function setSecret(secret: Secret): void {
  secret.type ||= "Opaque";
  for (const [key, text] of Object.entries(secret.stringData ?? {})) {
    secret.data = { ...secret.data, [key]: Buffer.from(text, "utf8").toString("base64") };
  }
  delete secret.stringData;
}

/** For containers a limit's maximum is the default limit, and the default limit or the minimum the default request. */
function setLimitRangeItem(item: LimitRangeItem): void {
  if (item.type !== "Container") return;
  const limits = { ...item.max, ...item.default };
  const requests = { ...item.min, ...limits, ...item.defaultRequest };
  if (Object.keys(limits).length > 0) item.default = limits;
  if (Object.keys(requests).length > 0) item.defaultRequest = requests;
}

function setCsiDriver(spec: CSIDriverSpec): void {
  spec.attachRequired ??= true;
  spec.podInfoOnMount ??= false;
  spec.storageCapacity ??= false;
  spec.fsGroupPolicy ??= "ReadWriteOnceWithFSType";
  if (!spec.volumeLifecycleModes?.length) spec.volumeLifecycleModes = ["Persistent"];
  spec.requiresRepublish ??= false;
  spec.seLinuxMount ??= false;
}

function setCustomResource(spec: CustomResourceDefinitionSpec): void {
  spec.names.singular ||= spec.names.kind.toLowerCase();
  spec.names.listKind ||= `${spec.names.kind}List`;
  spec.conversion ??= { strategy: "None" };
}
