import { expect, test } from "vitest";
import {
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
  VolumeAttachment,
} from "../../../../manifests/index.ts";
import { changed, creates, made, updateFaultsOf, updates } from "./faults.ts";

const MODES = '"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"';
const claim = {
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
};
const FIXED =
  "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";

creates(PersistentVolumeClaim, claim, [
  [
    { "spec.accessModes": [] },
    "spec.accessModes: Required value: at least 1 access mode is required",
  ],
  [
    { "spec.accessModes": ["X"] },
    `spec.accessModes: Unsupported value: "X": supported values: ${MODES}`,
  ],
  [
    { "spec.accessModes": ["ReadWriteOncePod", "ReadWriteOnce"] },
    "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes",
  ],
  [{ "spec.resources": {} }, "spec.resources[storage]: Required value"],
  [
    { "spec.resources.requests.storage": "0" },
    'spec.resources[storage]: Invalid value: "0": must be greater than zero',
  ],
  [
    { "spec.volumeMode": "X" },
    'spec.volumeMode: Unsupported value: "X": supported values: "Block", "Filesystem"',
  ],
  [
    { "spec.dataSource": { kind: "VolumeSnapshot", name: "s" } },
    "spec.dataSource: Invalid value: \"VolumeSnapshot\": must be 'PersistentVolumeClaim' when referencing the default apiGroup",
  ],
  [
    { "spec.dataSource": { kind: "", name: "", apiGroup: "a" } },
    "spec.dataSource.name: Required value",
    "spec.dataSource.kind: Required value",
  ],
]);
updates(PersistentVolumeClaim, claim, [
  [{ "spec.volumeName": "v" }],
  [{ "spec.storageClassName": "c" }, FIXED],
  [{ "spec.resources.requests.storage": "2Gi" }, FIXED],
  [
    { "spec.volumeMode": "Block" },
    FIXED,
    'spec.volumeMode: Invalid value: "Block": field is immutable',
  ],
]);

test("PersistentVolumeClaim: one that is bound grows, and shrinks no further than it is", () => {
  const bound = { ...claim, status: { phase: "Bound", capacity: { storage: "1Gi" } } };
  const to = (storage: string, from: object = bound) =>
    updateFaultsOf(
      PersistentVolumeClaim,
      from,
      changed(from, { "spec.resources.requests.storage": storage }),
    );
  const refused =
    "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity";
  expect(to("2Gi")).toEqual([]);
  expect(to("500Mi")).toEqual([refused]);
  const growing = changed(bound, { "spec.resources.requests.storage": "5Gi" });
  expect(to("3Gi", growing)).toEqual([]);
  expect(to("1Gi", growing)).toEqual([refused]);
});

const volume = {
  spec: {
    accessModes: ["ReadWriteOnce"],
    capacity: { storage: "1Gi" },
    hostPath: { path: "/data" },
  },
};

creates(PersistentVolume, volume, [
  [{ "spec.accessModes": undefined }, "spec.accessModes: Required value"],
  [{ "spec.capacity": undefined }, "spec.capacity: Required value"],
  [
    { "spec.capacity": { cpu: "1" } },
    'spec.capacity: Unsupported value: map[string]string{"cpu":"1"}: supported values: "storage"',
  ],
  [
    { "spec.capacity.storage": "0" },
    'spec.capacity[storage]: Invalid value: "0": must be greater than zero',
  ],
  [{ "spec.hostPath": undefined }, "spec: Required value: must specify a volume type"],
  [
    { "spec.nfs": { server: "s", path: "/p" } },
    "spec.nfs: Forbidden: may not specify more than 1 volume type",
  ],
  [
    { "spec.hostPath.path": "/", "spec.persistentVolumeReclaimPolicy": "Recycle" },
    "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'",
  ],
  [
    { "spec.hostPath": undefined, "spec.local": { path: "/x" } },
    "spec.nodeAffinity: Required value: Local volume requires node affinity",
  ],
  [
    { "spec.nodeAffinity": {} },
    "spec.nodeAffinity.required: Required value: must specify required node constraints",
  ],
  [
    { "spec.persistentVolumeReclaimPolicy": "X" },
    'spec.persistentVolumeReclaimPolicy: Unsupported value: "X": supported values: "Delete", "Recycle", "Retain"',
  ],
  [
    { "spec.hostPath": undefined, "spec.csi": { driver: "", volumeHandle: "" } },
    "spec.csi.driver: Required value",
    "spec.csi.volumeHandle: Required value",
  ],
]);
updates(PersistentVolume, volume, [
  [{ "spec.capacity.storage": "2Gi" }],
  [
    { "spec.hostPath.path": "/other" },
    "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation",
  ],
  [{ "spec.volumeMode": "Block" }, 'spec.volumeMode: Invalid value: "Block": field is immutable'],
]);

const storageClass = { provisioner: "a.b/c", parameters: { a: "b" } };
const topology = (requirement: object) => [{ matchLabelExpressions: [requirement] }];

creates(StorageClass, storageClass, [
  [
    { reclaimPolicy: "Recycle" },
    'reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"',
  ],
  [
    { volumeBindingMode: "X" },
    'volumeBindingMode: Unsupported value: "X": supported values: "Immediate", "WaitForFirstConsumer"',
  ],
  [{ parameters: { "": "x" } }, 'parameters: Invalid value: "": field can not be empty.'],
  [
    { parameters: { a: "x".repeat(262_144) } },
    "parameters: Too long: may not be more than 262144 bytes",
  ],
  [
    { allowedTopologies: topology({ key: "a", values: [] }) },
    "allowedTopologies[0].matchLabelExpressions[0].values: Required value",
  ],
  [
    { allowedTopologies: topology({ key: "a", values: ["x", "x"] }) },
    'allowedTopologies[0].matchLabelExpressions[0].values[1]: Duplicate value: "x"',
  ],
]);
updates(StorageClass, storageClass, [
  [{ allowVolumeExpansion: true }],
  [
    {
      provisioner: "d",
      "parameters.a": "c",
      reclaimPolicy: "Retain",
      volumeBindingMode: "WaitForFirstConsumer",
    },
    "parameters: Forbidden: updates to parameters are forbidden.",
    "provisioner: Forbidden: updates to provisioner are forbidden.",
    "reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden.",
    'volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable',
  ],
]);

const attachment = {
  spec: { attacher: "a.b", nodeName: "n", source: { persistentVolumeName: "v" } },
};
const EXACTLY = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";

creates(VolumeAttachment, attachment, [
  [
    { "spec.attacher": "", "spec.nodeName": "" },
    "spec.attacher: Required value",
    "spec.nodeName: Required value",
  ],
  [{ "spec.source": {} }, `spec.source: Required value: ${EXACTLY}`],
  [{ "spec.source.inlineVolumeSpec": volume.spec }, `spec.source: Forbidden: ${EXACTLY}`],
  [
    { "spec.source.persistentVolumeName": "" },
    "spec.source.persistentVolumeName: Required value: must specify non empty persistentVolumeName",
  ],
]);
updates(VolumeAttachment, attachment, [
  [
    { "spec.nodeName": "m" },
    'spec: Invalid value: {"attacher":"a.b","source":{"persistentVolumeName":"v"},"nodeName":"m"}: field is immutable',
  ],
]);

creates(CSIDriver, { spec: {} }, [
  [
    { "spec.fsGroupPolicy": "X", "spec.volumeLifecycleModes": ["Y"] },
    'spec.volumeLifecycleModes[0]: Unsupported value: "Y": supported values: "Ephemeral", "Persistent"',
    'spec.fsGroupPolicy: Unsupported value: "X": supported values: "File", "None", "ReadWriteOnceWithFSType"',
  ],
  [
    {
      "spec.tokenRequests": [
        { audience: "a", expirationSeconds: 1 },
        { audience: "a", expirationSeconds: 2 ** 33 },
      ],
    },
    "spec.tokenRequests[0].expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes",
    'spec.tokenRequests[1].audience: Duplicate value: "a"',
    "spec.tokenRequests[1].expirationSeconds: Invalid value: 8589934592: may not specify a duration larger than 2^32 seconds",
  ],
]);
updates(CSIDriver, { spec: {} }, [
  [
    { "spec.attachRequired": false },
    "spec.attachedRequired: Invalid value: false: field is immutable",
  ],
  [
    { "spec.volumeLifecycleModes": ["Ephemeral"] },
    'spec.volumeLifecycleModes: Invalid value: ["Ephemeral"]: field is immutable',
  ],
]);

const driver = { name: "a.b", nodeID: "n" };
creates(CSINode, { spec: { drivers: [driver] } }, [
  [{ "spec.drivers[1]": driver }, 'spec.drivers[1].name: Duplicate value: "a.b"'],
  [
    { "spec.drivers": [{ name: "", nodeID: "" }] },
    "spec.drivers[0].name: Required value",
    "spec.drivers[0].nodeID: Required value",
  ],
  [
    { "spec.drivers[0].allocatable": { count: -1 } },
    "spec.drivers[0].allocatable.count: Invalid value: -1: must be greater than or equal to 0",
  ],
]);
updates(CSINode, { spec: { drivers: [driver] } }, [
  [
    { "spec.drivers[0].nodeID": "m" },
    'spec.drivers: Invalid value: {"name":"a.b","nodeID":"m","topologyKeys":[]}: field is immutable',
  ],
  [{ "spec.drivers": [] }],
]);

const capacity = { storageClassName: "c", capacity: "1Gi" };
creates(CSIStorageCapacity, capacity, [
  [{ storageClassName: "" }, "storageClassName: Required value"],
  [{ capacity: "-1" }, 'capacity: Invalid value: "-1": must be greater than or equal to 0'],
]);
updates(CSIStorageCapacity, capacity, [
  [
    { storageClassName: "d", nodeTopology: {} },
    "nodeTopology: Invalid value: {}: field is immutable",
    'storageClassName: Invalid value: "d": field is immutable',
  ],
]);

test("PersistentVolume: it is kept and formatted as a file system unless it says otherwise", () => {
  expect(made(PersistentVolume, volume).spec).toMatchObject({
    persistentVolumeReclaimPolicy: "Retain",
    volumeMode: "Filesystem",
  });
});
