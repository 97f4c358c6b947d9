import { expect, test } from "vitest";
import { decode } from "../../../manifests/decode.ts";
import { setDefaults } from "../../../manifests/defaults.ts";
import {
  allKinds,
  ConfigMap,
  CronJob,
  Deployment,
  EndpointSlice,
  Ingress,
  Job,
  type Kind,
  type KubeObject,
  Namespace,
  Node,
  Pod,
  RoleBinding,
  Secret,
  Service,
  StatefulSet,
  StorageClass,
} from "../../../manifests/index.ts";
import {
  type FieldError,
  fieldErrorMessage,
  invalidStatus,
  validateCreate,
  validateUpdate,
} from "../../../manifests/validate.ts";

type Loose = Record<string, unknown>;

function made<T extends KubeObject>(kind: Kind<T>, value: object): T {
  const metadata = { name: "x", ...(kind.namespaced && { namespace: "default" }) };
  const whole = { ...value, metadata: { ...metadata, ...((value as Loose).metadata as object) } };
  return setDefaults(kind, decode(kind, whole).object);
}

function messages(errors: FieldError[]): string[] {
  return errors.map(fieldErrorMessage);
}

function faults<T extends KubeObject>(kind: Kind<T>, value: object): string[] {
  return messages(validateCreate(kind, made(kind, value)));
}

function updateFaults<T extends KubeObject>(
  kind: Kind<T>,
  before: object,
  after: object,
): string[] {
  const old = made(kind, before);
  old.metadata.resourceVersion = "1";
  const object = made(kind, after);
  object.metadata.resourceVersion = "1";
  return messages(validateUpdate(kind, object, old));
}

const container = { name: "c", image: "i:1" };
const podSpec = (spec: object) => ({ spec: { containers: [container], ...spec } });
const withContainer = (fields: object) => podSpec({ containers: [{ ...container, ...fields }] });
const workload = {
  selector: { matchLabels: { app: "a" } },
  template: { metadata: { labels: { app: "a" } }, spec: { containers: [container] } },
};

test("validate: a small object of the common kinds has no fault", () => {
  expect(faults(Pod, podSpec({}))).toEqual([]);
  expect(faults(Deployment, { spec: workload })).toEqual([]);
  expect(faults(Service, { spec: { ports: [{ port: 80 }] } })).toEqual([]);
  expect(faults(Namespace, {})).toEqual([]);
  expect(faults(ConfigMap, { data: { "a.b": "x" } })).toEqual([]);
  expect(faults(Node, {})).toEqual([]);
});

const SUBDOMAIN =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

test.each<[string, Kind, object, string[]]>([
  [
    "a bad name",
    Pod,
    { metadata: { name: "Bad_Name" }, ...podSpec({}) },
    [`metadata.name: Invalid value: "Bad_Name": ${SUBDOMAIN}`],
  ],
  [
    "no name",
    ConfigMap,
    { metadata: { name: "" } },
    ["metadata.name: Required value: name or generateName is required"],
  ],
  [
    "dots in a namespace's name",
    Namespace,
    { metadata: { name: "a.b" } },
    ['metadata.name: Invalid value: "a.b": must not contain dots'],
  ],
  [
    "a Service that begins with a digit",
    Service,
    { metadata: { name: "1x" }, spec: { ports: [{ port: 1 }] } },
    [
      "metadata.name: Invalid value: \"1x\": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
    ],
  ],
  [
    "a namespace where none belongs",
    Node,
    { metadata: { namespace: "x" } },
    ["metadata.namespace: Forbidden: not allowed on this type"],
  ],
  [
    "a bad label",
    ConfigMap,
    { metadata: { labels: { a: "b c" } } },
    [
      "metadata.labels: Invalid value: \"b c\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    ],
  ],
  [
    "annotations too large",
    ConfigMap,
    { metadata: { annotations: { a: "x".repeat(300_000) } } },
    ["metadata.annotations: Too long: may not be more than 262144 bytes"],
  ],
  ["no containers", Pod, { spec: {} }, ["spec.containers: Required value"]],
  [
    "no image",
    Pod,
    podSpec({ containers: [{ name: "c" }] }),
    ["spec.containers[0].image: Required value"],
  ],
  [
    "two containers of one name",
    Pod,
    podSpec({ containers: [container, container] }),
    ['spec.containers[1].name: Duplicate value: "c"'],
  ],
  [
    "a bad container name",
    Pod,
    withContainer({ name: "A" }),
    [`spec.containers[0].name: Invalid value: "A": ${LABEL}`],
  ],
  [
    "a port out of range",
    Pod,
    withContainer({ ports: [{ containerPort: 70000 }] }),
    [
      "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
    ],
  ],
  [
    "a protocol that is none",
    Pod,
    withContainer({ ports: [{ containerPort: 1, protocol: "X" }] }),
    [
      'spec.containers[0].ports[0].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"',
    ],
  ],
  [
    "a mount without its volume",
    Pod,
    withContainer({ volumeMounts: [{ name: "v", mountPath: "/v" }] }),
    ['spec.containers[0].volumeMounts[0].name: Not found: "v"'],
  ],
  [
    "two sources of one volume",
    Pod,
    podSpec({ volumes: [{ name: "v", emptyDir: {}, hostPath: { path: "/x" } }] }),
    ["spec.volumes[0].emptyDir: Forbidden: may not specify more than 1 volume type"],
  ],
  [
    "a request above its limit",
    Pod,
    withContainer({ resources: { limits: { cpu: "1" }, requests: { cpu: "2" } } }),
    [
      'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
    ],
  ],
  [
    "a probe without a handler",
    Pod,
    withContainer({ readinessProbe: {} }),
    ["spec.containers[0].readinessProbe: Required value: must specify a handler type"],
  ],
  [
    "an environment from nowhere",
    Pod,
    withContainer({ env: [{ name: "A", valueFrom: {} }] }),
    [
      'spec.containers[0].env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`',
    ],
  ],
  [
    "a bad restart policy",
    Pod,
    podSpec({ restartPolicy: "Sometimes" }),
    [
      'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
    ],
  ],
  [
    "a Deployment without selector",
    Deployment,
    { spec: { template: workload.template } },
    ["spec.selector: Required value"],
  ],
  [
    "a selector that misses the template",
    Deployment,
    { spec: { ...workload, selector: { matchLabels: { app: "b" } } } },
    [
      'spec.template.metadata.labels: Invalid value: map[string]string{"app":"a"}: `selector` does not match template `labels`',
    ],
  ],
  [
    "an empty selector",
    Deployment,
    { spec: { ...workload, selector: {} } },
    [
      "spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string(nil), MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: empty selector is invalid for deployment",
    ],
  ],
  [
    "pods of a Deployment that do not restart",
    Deployment,
    {
      spec: {
        ...workload,
        template: {
          ...workload.template,
          spec: { containers: [container], restartPolicy: "Never" },
        },
      },
    },
    ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
  ],
  [
    "less than no replicas",
    Deployment,
    { spec: { ...workload, replicas: -1 } },
    ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
  ],
  [
    "a rolling update that cannot move",
    Deployment,
    { spec: { ...workload, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } } },
    [
      "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0",
    ],
  ],
  [
    "a Job that restarts always",
    Job,
    { spec: { template: { spec: { containers: [container] } } } },
    ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
  ],
  [
    "a CronJob without schedule",
    CronJob,
    {
      spec: {
        jobTemplate: {
          spec: { template: { spec: { containers: [container], restartPolicy: "Never" } } },
        },
      },
    },
    ["spec.schedule: Required value"],
  ],
  ["a Service without ports", Service, { spec: {} }, ["spec.ports: Required value"]],
  [
    "a Service with a bad type",
    Service,
    { spec: { type: "X", ports: [{ port: 1 }] } },
    [
      'spec.type: Unsupported value: "X": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
    ],
  ],
  [
    "unnamed ports, when there are several",
    Service,
    { spec: { ports: [{ port: 1 }, { port: 2, name: "b" }] } },
    ["spec.ports[0].name: Required value"],
  ],
  [
    "a bad key",
    ConfigMap,
    { data: { "a b": "" } },
    [
      "data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
    ],
  ],
  [
    "too much data",
    ConfigMap,
    { data: { a: "x".repeat(1024 * 1024 + 1) } },
    [": Too long: may not be more than 1048576 bytes"],
  ],
  [
    "a TLS Secret without its key",
    Secret,
    { type: "kubernetes.io/tls", data: { "tls.crt": "" } },
    ["data[tls.key]: Required value"],
  ],
  [
    "an endpoint that is no address",
    EndpointSlice,
    { addressType: "IPv4", endpoints: [{ addresses: ["x"] }] },
    ['endpoints[0].addresses[0]: Invalid value: "x": must be a valid IPv4 address'],
  ],
  [
    "an Ingress path without type",
    Ingress,
    {
      spec: {
        rules: [
          {
            http: {
              paths: [{ path: "/", backend: { service: { name: "a", port: { number: 1 } } } }],
            },
          },
        ],
      },
    },
    ["spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified"],
  ],
  [
    "what the table and the rules know",
    StorageClass,
    { reclaimPolicy: "X" },
    [
      "provisioner: Required value",
      'reclaimPolicy: Unsupported value: "X": supported values: "Delete", "Retain"',
    ],
  ],
  [
    "a binding without a role",
    RoleBinding,
    { subjects: [{ kind: "User" }] },
    [
      'roleRef.kind: Unsupported value: "": supported values: "Role", "ClusterRole"',
      "roleRef.name: Required value",
      "subjects[0].name: Required value",
    ],
  ],
])("validate: tells of %s", (_name, kind, value, expected) => {
  expect(faults(kind, value)).toEqual(expected);
});

test("validate: pods of a StatefulSet mount its claims, and no owner's pods have a deadline", () => {
  const volumeMounts = [{ name: "data", mountPath: "/data" }];
  const spec = { containers: [{ ...container, volumeMounts }] };
  const claims = [{ metadata: { name: "data" } }];
  const template = { ...workload.template, spec };
  const set = { ...workload, template, volumeClaimTemplates: claims };
  expect(faults(StatefulSet, { spec: set })).toEqual([]);
  const timed = {
    ...workload.template,
    spec: { containers: [container], activeDeadlineSeconds: 1 },
  };
  expect(faults(Deployment, { spec: { ...workload, template: timed } })).toEqual([
    "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported",
  ]);
});

test("validate: on the host's network ports are the host's, which a template may leave open", () => {
  const ports = [{ containerPort: 80, hostPort: 81 }];
  const refused =
    "hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true";
  const spec = { hostNetwork: true, containers: [{ ...container, ports }] };
  expect(faults(Pod, { spec })).toEqual([`spec.containers[0].ports[0].${refused}`]);
  const open = {
    hostNetwork: true,
    containers: [{ ...container, ports: [{ containerPort: 80 }] }],
  };
  const template = { ...workload.template, spec: open };
  expect(faults(Deployment, { spec: { ...workload, template } })).toEqual([]);
  expect(faults(Pod, { spec: open })).toEqual([]);
});

test("validate: names of roles may hold colons", () => {
  const roleRef = { kind: "Role", name: "r" };
  expect(faults(RoleBinding, { metadata: { name: "system:x" }, roleRef })).toEqual([]);
});

test("validate: metadata that must not change", () => {
  const before = { metadata: { uid: "u", creationTimestamp: "2026-01-01T00:00:00Z" } };
  const after = { metadata: { uid: "v", name: "y" } };
  expect(updateFaults(ConfigMap, before, after)).toEqual([
    'metadata.name: Invalid value: "y": field is immutable',
    'metadata.uid: Invalid value: "v": field is immutable',
    'metadata.creationTimestamp: Invalid value: "": field is immutable',
  ]);
  const dying = { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } };
  const clinging = { metadata: { ...dying.metadata, finalizers: ["a.b/c"] } };
  expect(updateFaults(ConfigMap, dying, clinging)).toEqual([
    'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"a.b/c"}',
  ]);
});

test("validate: of a Pod little may change", () => {
  const change = (spec: object, old: object = {}) => updateFaults(Pod, podSpec(old), podSpec(spec));
  const toleration = { key: "a", operator: "Exists" };
  expect(change({ containers: [{ ...container, image: "i:2" }] })).toEqual([]);
  expect(change({ containers: [{ ...container, image: "" }] })).toContain(
    "spec.containers[0].image: Required value",
  );
  expect(change({ tolerations: [toleration] })).toEqual([]);
  expect(change({ activeDeadlineSeconds: 5 })).toEqual([]);
  expect(change({}, { tolerations: [toleration] })).toEqual([
    "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds",
  ]);
  expect(change({ hostNetwork: true })[0]).toMatch(
    /^spec: Forbidden: pod updates may not change fields other than `spec.containers\[\*\].image`/,
  );
  expect(change({ containers: [container, { ...container, name: "d" }] })).toEqual([
    "spec.containers: Forbidden: pod updates may not add or remove containers",
  ]);
});

test("validate: selectors and addresses stay", () => {
  const other = { matchLabels: { app: "b" } };
  const template = { ...workload.template, metadata: { labels: { app: "b" } } };
  expect(
    updateFaults(Deployment, { spec: workload }, { spec: { selector: other, template } }),
  ).toEqual([
    'spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{"app":"b"}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable',
  ]);
  const service = (clusterIP: string) => ({
    spec: { clusterIP, clusterIPs: [clusterIP], ports: [{ port: 80 }] },
  });
  expect(updateFaults(Service, service("10.96.0.5"), service("10.96.0.6"))).toEqual([
    'spec.clusterIPs[0]: Invalid value: []string{"10.96.0.6"}: may not change once set',
  ]);
  expect(updateFaults(Service, service("10.96.0.5"), { spec: { ports: [{ port: 80 }] } })).toEqual([
    "spec.clusterIPs[0]: Invalid value: []string(nil): primary clusterIP can not be unset",
  ]);
  const set = { ...workload, serviceName: "a" };
  expect(updateFaults(StatefulSet, { spec: set }, { spec: { ...set, serviceName: "b" } })).toEqual([
    "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
  ]);
  expect(updateFaults(StatefulSet, { spec: set }, { spec: { ...set, replicas: 3 } })).toEqual([]);
});

test("validate: the answer names the kind, the object and each cause", () => {
  const object = made(Deployment, { spec: { replicas: -1, template: workload.template } });
  const errors = validateCreate(Deployment, object);
  expect(invalidStatus(Deployment, "x", errors)).toEqual({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    code: 422,
    reason: "Invalid",
    message:
      'Deployment.apps "x" is invalid: [spec.replicas: Invalid value: -1: must be greater than or equal to 0, spec.selector: Required value]',
    details: {
      name: "x",
      group: "apps",
      kind: "Deployment",
      causes: [
        {
          reason: "FieldValueInvalid",
          message: "Invalid value: -1: must be greater than or equal to 0",
          field: "spec.replicas",
        },
        { reason: "FieldValueRequired", message: "Required value", field: "spec.selector" },
      ],
    },
  });
});

test("validate: an empty object of any kind is told its faults, not thrown at", () => {
  for (const kind of allKinds()) {
    const object = made<KubeObject>(kind, {});
    expect(Array.isArray(validateCreate<KubeObject>(kind, object))).toBe(true);
    expect(Array.isArray(validateUpdate<KubeObject>(kind, object, object))).toBe(true);
  }
});
