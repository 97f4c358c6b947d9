import { expect, test } from "vitest";
import {
  CronJob,
  CSIStorageCapacity,
  Deployment,
  Ingress,
  Job,
  type Kind,
  type KubeObject,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  RuntimeClass,
  Service,
  ServiceAccount,
  StatefulSet,
  StorageClass,
  warningsFor,
} from "../../../manifests/index.ts";
import { type Change, changed, made } from "./validation/faults.ts";

const C = "spec.containers[0]";
const pod = { spec: { containers: [{ name: "c", image: "i" }] } };
const template = { metadata: { labels: { a: "b" } }, ...pod };
const owner = { spec: { selector: { matchLabels: { a: "b" } }, template } };
const OS = 'deprecated since v1.14; use "kubernetes.io/os" instead';
const SURPRISE =
  "which can result in surprising behavior; a DNS label is recommended: [must not contain dots]";
const claim = { spec: { resources: { requests: { storage: "1500m" } } } };

test.each<[Kind, object, Change, ...string[]]>([
  [Pod, pod, {}],
  [
    Pod,
    pod,
    { metadata: { name: "a.b" } },
    `metadata.name: this is used in the Pod's hostname, ${SURPRISE}`,
  ],
  [
    Pod,
    pod,
    { "spec.nodeSelector": { "beta.kubernetes.io/os": "linux" } },
    `spec.nodeSelector[beta.kubernetes.io/os]: ${OS}`,
  ],
  [
    Pod,
    pod,
    {
      "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution": [
        {
          weight: 1,
          preference: { matchExpressions: [{ key: "beta.kubernetes.io/os", operator: "Exists" }] },
        },
      ],
    },
    `spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].key: beta.kubernetes.io/os is ${OS}`,
  ],
  [
    Pod,
    pod,
    {
      "spec.topologySpreadConstraints": [
        { maxSkew: 1, topologyKey: "a", whenUnsatisfiable: "DoNotSchedule" },
      ],
    },
    "spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod",
  ],
  [
    Pod,
    pod,
    {
      [`${C}.env`]: [
        { name: "A", value: "1" },
        { name: "A", value: "$(A):2" },
        { name: "A", value: "3" },
      ],
    },
    `${C}.env[2]: hides previous definition of "A", which may be dropped when using apply`,
  ],
  [
    Pod,
    pod,
    { [`${C}.ports`]: [{ containerPort: 80 }, { containerPort: 80 }] },
    `${C}.ports[1]: duplicate port definition with ${C}.ports[0]`,
  ],
  [
    Pod,
    pod,
    { [`${C}.resources`]: { requests: { memory: "1500m" } } },
    `${C}.resources.requests[memory]: fractional byte value "1500m" is invalid, must be an integer`,
  ],
  [
    Pod,
    pod,
    { "spec.imagePullSecrets": [{}, { name: "a" }, { name: "a" }] },
    'spec.imagePullSecrets[0].name: invalid empty name ""',
    'spec.imagePullSecrets[2].name: duplicate name "a"',
  ],
  [
    Pod,
    pod,
    { "spec.hostAliases": [{ ip: "1.1.1.1" }, { ip: "1.1.1.1" }] },
    'spec.hostAliases[1].ip: duplicate ip "1.1.1.1"',
  ],
  [
    Pod,
    pod,
    { "spec.volumes": [{ name: "v", gitRepo: { repository: "r" } }] },
    "spec.volumes[0].gitRepo: deprecated in v1.11",
  ],
  [
    Pod,
    pod,
    { "spec.terminationGracePeriodSeconds": -1 },
    "spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1",
  ],
  [
    Pod,
    pod,
    {
      metadata: {
        annotations: { "container.apparmor.security.beta.kubernetes.io/c": "unconfined" },
      },
    },
    'metadata.annotations[container.apparmor.security.beta.kubernetes.io/c]: deprecated since v1.30; use the "appArmorProfile" field instead',
  ],
  [
    Deployment,
    owner,
    {
      metadata: { name: "a.b" },
      "spec.template.spec.nodeSelector": { "beta.kubernetes.io/os": "linux" },
    },
    `metadata.name: this is used in Pod names and hostnames, ${SURPRISE}`,
    `spec.template.spec.nodeSelector[beta.kubernetes.io/os]: ${OS}`,
  ],
  [
    CronJob,
    { spec: { schedule: "@daily", jobTemplate: { spec: { template } } } },
    { "spec.jobTemplate.spec.template.spec.nodeSelector": { "beta.kubernetes.io/os": "linux" } },
    `spec.jobTemplate.spec.template.spec.nodeSelector[beta.kubernetes.io/os]: ${OS}`,
  ],
  [
    Job,
    { spec: { template } },
    { "spec.completionMode": "Indexed", "spec.completions": 100_001, "spec.parallelism": 10_001 },
    "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail",
  ],
  [
    StatefulSet,
    owner,
    {
      "spec.volumeClaimTemplates": [{ metadata: { name: "d" }, ...claim }],
      "spec.revisionHistoryLimit": -1,
    },
    'spec.volumeClaimTemplates[0].spec.resources.requests[storage]: fractional byte value "1500m" is invalid, must be an integer',
    "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended",
  ],
  [
    PersistentVolumeClaim,
    claim,
    { metadata: { annotations: { "volume.beta.kubernetes.io/storage-class": "c" } } },
    'metadata.annotations[volume.beta.kubernetes.io/storage-class]: deprecated since v1.8; use "storageClassName" attribute instead',
    'spec.resources.requests[storage]: fractional byte value "1500m" is invalid, must be an integer',
  ],
  [
    PersistentVolume,
    { spec: { capacity: { storage: "1Gi" } } },
    { "spec.persistentVolumeReclaimPolicy": "Recycle" },
    "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.",
  ],
  [
    Service,
    { spec: { clusterIP: "None" } },
    { "spec.externalIPs": ["1.1.1.1"], "spec.sessionAffinity": "ClientIP" },
    "spec.externalIPs is ignored for headless services",
    "spec.SessionAffinity is ignored for headless services",
  ],
  [
    ServiceAccount,
    {},
    { metadata: { annotations: { "kubernetes.io/enforce-mountable-secrets": "true" } } },
    "metadata.annotations[kubernetes.io/enforce-mountable-secrets]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets",
  ],
  [
    Ingress,
    {},
    { metadata: { annotations: { "kubernetes.io/ingress.class": "nginx" } } },
    "annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead",
  ],
  [
    Node,
    {},
    { "spec.externalID": "x" },
    "spec.externalID: this field is deprecated, and is unused by Kubernetes",
  ],
  [
    RuntimeClass,
    { handler: "h" },
    { "scheduling.nodeSelector": { "beta.kubernetes.io/os": "a" } },
    `scheduling.nodeSelector: ${OS}`,
  ],
  [
    StorageClass,
    { provisioner: "p" },
    {
      allowedTopologies: [
        { matchLabelExpressions: [{ key: "beta.kubernetes.io/os", values: ["a"] }] },
      ],
    },
    `allowedTopologies[0].matchLabelExpressions[0].key: beta.kubernetes.io/os is ${OS}`,
  ],
  [
    CSIStorageCapacity,
    { storageClassName: "c" },
    { nodeTopology: { matchLabels: { "beta.kubernetes.io/os": "a" } } },
    `nodeTopology.matchLabels.beta.kubernetes.io/os: beta.kubernetes.io/os is ${OS}`,
  ],
])("warnings: $kind %#", (kind, valid, change, ...expected) => {
  const object = made<KubeObject>(kind, changed(valid, change));
  expect(warningsFor(kind, object)).toEqual(expected);
});

test("warnings: an update that changes nothing wanted is not warned about", () => {
  const selector = { "spec.template.spec.nodeSelector": { "beta.kubernetes.io/os": "linux" } };
  const old = made(Deployment, changed(owner, selector));
  const same = { ...old, status: { replicas: 1 } };
  expect(warningsFor(Deployment, same, old)).toEqual([]);
  const scaled = { ...old, spec: { ...old.spec, replicas: 5 } };
  expect(warningsFor(Deployment, scaled, old)).toHaveLength(1);
});
