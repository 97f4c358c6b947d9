import { expect, test } from "vitest";
import { Pod } from "../../../../manifests/index.ts";
import { faultsOf } from "./faults.ts";

const valid = {
  spec: {
    containers: [{ name: "c", image: "i:1" }],
    volumes: [
      { name: "v", emptyDir: {} },
      { name: "claim", persistentVolumeClaim: { claimName: "p" } },
    ],
  },
};
const SUBDOMAIN =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

const volume = (source: object) =>
  faultsOf(Pod, { spec: { ...valid.spec, volumes: [{ name: "w", ...source }] } });

test.each<[object, ...string[]]>([
  [
    { secret: { secretName: "", defaultMode: 512, items: [{ key: "", path: "/a" }] } },
    "secret.secretName: Required value",
    "secret.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive",
    "secret.items[0].key: Required value",
    'secret.items[0].path: Invalid value: "/a": must be a relative path',
  ],
  [
    { configMap: { items: [{ key: "a", path: "..x" }] } },
    "configMap.name: Required value",
    "configMap.items[0].path: Invalid value: \"..x\": must not start with '..'",
  ],
  [
    { nfs: { server: "", path: "a" } },
    "nfs.server: Required value",
    'nfs.path: Invalid value: "a": must be an absolute path',
  ],
  [
    { hostPath: { path: "/a/../b", type: "X" } },
    "hostPath.path: Invalid value: \"/a/../b\": must not contain '..'",
    'hostPath.type: Unsupported value: "X": supported values: "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"',
  ],
  [
    { iscsi: { targetPortal: "", iqn: "x", lun: 300, chapAuthSession: true } },
    "iscsi.targetPortal: Required value",
    'iscsi.iqn: Invalid value: "x": must be valid format starting with iqn, eui, or naa',
    "iscsi.lun: Invalid value: 300: must be between 0 and 255, inclusive",
    "iscsi.secretRef: Required value",
  ],
  [
    { gcePersistentDisk: { pdName: "", partition: 256 } },
    "gcePersistentDisk.pdName: Required value",
    "gcePersistentDisk.partition: Invalid value: 256: must be between 1 and 255, inclusive",
  ],
  [
    { fc: {} },
    "fc.targetWWNs: Required value: must specify either targetWWNs or wwids, but not both",
  ],
  [
    { fc: { targetWWNs: ["a"] } },
    "fc.lun: Required value: lun is required if targetWWNs is specified",
  ],
  [{ csi: { driver: "A_b" } }, `csi.driver: Invalid value: "A_b": ${SUBDOMAIN}`],
  [{ rbd: { image: "" } }, "rbd.monitors: Required value", "rbd.image: Required value"],
  [
    { emptyDir: { sizeLimit: "-1" } },
    "emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity",
  ],
  [{ persistentVolumeClaim: { claimName: "" } }, "persistentVolumeClaim.claimName: Required value"],
  [{ ephemeral: {} }, "ephemeral.volumeClaimTemplate: Required value"],
  [
    { ephemeral: { volumeClaimTemplate: { spec: { resources: { requests: { storage: "1" } } } } } },
    "ephemeral.volumeClaimTemplate.spec.accessModes: Required value: at least 1 access mode is required",
  ],
  [
    { downwardAPI: { items: [{ path: "a" }] } },
    "downwardAPI: Required value: one of fieldRef and resourceFieldRef is required",
  ],
  [
    { downwardAPI: { items: [{ path: "a", resourceFieldRef: { resource: "limits.cpu" } }] } },
    "downwardAPI.resourceFieldRef.containerName: Required value",
  ],
  [
    {
      projected: {
        sources: [
          { serviceAccountToken: { path: "", expirationSeconds: 1 } },
          { secret: { name: "a", items: [{ key: "k", path: "p" }] } },
          { configMap: { name: "a", items: [{ key: "k", path: "p" }] } },
          { configMap: { name: "a" }, secret: { name: "b" } },
        ],
      },
    },
    "projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes",
    "projected.sources[0].serviceAccountToken.path: Required value",
    'projected: Invalid value: "p": conflicting duplicate paths',
    "projected.sources[3].configMap: Forbidden: may not specify more than 1 volume type",
  ],
])("Pod: volume %j", (source, ...expected) => {
  expect(volume(source)).toEqual(expected.map((fault) => `spec.volumes[0].${fault}`));
});
