import {
  ConfigMap,
  Event,
  Lease,
  LimitRange,
  Namespace,
  Node,
  PriorityClass,
  ResourceQuota,
  RuntimeClass,
  Secret,
} from "../../../../manifests/index.ts";
import { creates, updates } from "./faults.ts";

const LABEL =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

creates(Namespace, {}, [
  [{ "spec.finalizers": ["a.b/c", "kubernetes"] }],
  [
    { "spec.finalizers": ["x"] },
    'spec.finalizers[0]: Invalid value: "x": name is neither a standard finalizer name nor is it fully qualified',
  ],
  [
    { metadata: { finalizers: ["orphan", "foregroundDeletion"] } },
    'metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set',
  ],
  [
    {
      metadata: {
        ownerReferences: [
          { apiVersion: "v1", kind: "Event", name: "", uid: "u" },
          { apiVersion: "v1", kind: "A", name: "a", uid: "u", controller: true },
          { apiVersion: "v1", kind: "B", name: "b", uid: "u", controller: true },
        ],
      },
    },
    'metadata.ownerReferences.name: Invalid value: "": name must not be empty',
    'metadata.ownerReferences: Invalid value: {"apiVersion":"v1","kind":"Event","name":"","uid":"u"}: /v1, Kind=Event is disallowed from being an owner',
    'metadata.ownerReferences: Invalid value: [{"apiVersion":"v1","kind":"Event","name":"","uid":"u"},{"apiVersion":"v1","kind":"A","name":"a","uid":"u","controller":true},{"apiVersion":"v1","kind":"B","name":"b","uid":"u","controller":true}]: Only one reference can have Controller set to true. Found "true" in references for A/a and B/b',
  ],
]);

const taint = { key: "a", value: "b", effect: "NoSchedule" };
creates(Node, { spec: { taints: [taint], podCIDRs: ["10.0.0.0/24"] } }, [
  [
    { "spec.taints[1]": taint },
    'spec.taints[1]: Duplicate value: {"key":"a","value":"b","effect":"NoSchedule"}: taints must be unique by key and effect pair',
  ],
  [
    { "spec.taints": [{ key: "", effect: "X" }] },
    "spec.taints[0].key: Required value",
    'spec.taints[0].effect: Unsupported value: "X": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
  ],
  [
    { "spec.podCIDRs": ["x"] },
    'spec.podCIDRs[0]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
  ],
  [
    { "spec.podCIDRs": ["10.0.0.0/24", "10.0.1.0/24"] },
    'spec.podCIDRs: Invalid value: ["10.0.0.0/24","10.0.1.0/24"]: may specify no more than one CIDR for each IP family',
  ],
  [
    { status: { capacity: { cpu: "-1", "a.b/gpu": "500m" } } },
    'status.capacity[a.b/gpu]: Invalid value: "500m": must be an integer',
    'status.capacity[cpu]: Invalid value: "-1": must be greater than or equal to 0',
    'status.allocatable[a.b/gpu]: Invalid value: "500m": must be an integer',
    'status.allocatable[cpu]: Invalid value: "-1": must be greater than or equal to 0',
  ],
]);
updates(Node, { spec: { podCIDRs: ["10.0.0.0/24"], providerID: "p" } }, [
  [{ "spec.unschedulable": true, "spec.taints": [taint] }],
  [
    { "spec.podCIDRs": ["10.1.0.0/24"], "spec.providerID": "q" },
    'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid',
    'spec.providerID: Forbidden: node updates may not change providerID except from "" to valid',
  ],
  [
    {
      "status.addresses": [
        { type: "A", address: "1" },
        { type: "A", address: "1" },
      ],
    },
    'status.addresses[1]: Duplicate value: {"type":"A","address":"1"}',
  ],
]);
updates(Node, {}, [[{ "spec.podCIDRs": ["10.1.0.0/24"], "spec.providerID": "q" }]]);

creates(ConfigMap, { data: { a: "b" } }, [
  [
    { binaryData: { a: "eA==" } },
    'data[a]: Invalid value: "a": duplicate of key present in binaryData',
  ],
]);
updates(ConfigMap, { immutable: true, data: { a: "b" } }, [
  [{ "data.a": "c" }, "data: Forbidden: field is immutable when `immutable` is set"],
  [{ immutable: false }, "immutable: Forbidden: field is immutable when `immutable` is set"],
]);

const bytes = (text: string) => Buffer.from(text).toString("base64");
creates(Secret, { data: { a: "eA==" } }, [
  [
    { type: "kubernetes.io/dockerconfigjson", data: { ".dockerconfigjson": bytes("nonsense") } },
    'data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": must be JSON',
  ],
  [{ type: "kubernetes.io/dockercfg", data: { ".dockercfg": bytes("{}") } }],
  [
    { type: "kubernetes.io/basic-auth" },
    "data[username]: Required value",
    "data[password]: Required value",
  ],
  [
    { type: "kubernetes.io/service-account-token" },
    "metadata.annotations[kubernetes.io/service-account.name]: Required value",
  ],
]);
updates(Secret, { type: "a" }, [[{ type: "b" }, 'type: Invalid value: "b": field is immutable']]);

creates(
  ResourceQuota,
  { spec: { hard: { cpu: "1", "count/pods": "5", "requests.a.b/gpu": "1" } } },
  [
    [
      { "spec.hard": { nonsense: "1" } },
      'spec.hard[nonsense]: Invalid value: "nonsense": must be a standard resource for quota',
    ],
    [
      { "spec.hard": { pods: "1500m" } },
      'spec.hard[pods]: Invalid value: "1500m": must be an integer',
    ],
    [
      { "spec.hard": { cpu: "-1" } },
      'spec.hard[cpu]: Invalid value: "-1": must be greater than or equal to 0',
    ],
    [
      { "spec.hard": { services: "1" }, "spec.scopes": ["BestEffort", "NotBestEffort"] },
      'spec.scopes: Invalid value: []string{"BestEffort", "NotBestEffort"}: unsupported scope applied to resource',
      'spec.scopes: Invalid value: []string{"BestEffort", "NotBestEffort"}: unsupported scope applied to resource',
      'spec.scopes: Invalid value: []string{"BestEffort", "NotBestEffort"}: conflicting scopes',
    ],
    [
      { "spec.hard": { pods: "1" }, "spec.scopes": ["X"] },
      'spec.scopes: Invalid value: []string{"X"}: unsupported scope',
    ],
    [
      {
        "spec.scopeSelector.matchExpressions": [
          { scopeName: "PriorityClass", operator: "In" },
          { scopeName: "Terminating", operator: "In", values: ["a"] },
          { scopeName: "PriorityClass", operator: "Exists", values: ["a"] },
        ],
      },
      "spec.scopeSelector.matchExpressions[0].values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
      "spec.scopeSelector.matchExpressions[1].operator: Invalid value: \"In\": must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
      "spec.scopeSelector.matchExpressions[2].values: Invalid value: [\"a\"]: must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
    ],
  ],
);
updates(ResourceQuota, { spec: { hard: { pods: "1" }, scopes: ["BestEffort"] } }, [
  [{ "spec.hard.pods": "2" }],
  [
    { "spec.scopes": ["NotBestEffort"] },
    'spec.scopes: Invalid value: []string{"NotBestEffort"}: field is immutable',
  ],
]);

const limit = (fields: object) => ({ "spec.limits": [{ type: "Container", ...fields }] });
creates(
  LimitRange,
  { spec: { limits: [{ type: "Container", max: { cpu: "2" }, min: { cpu: "1" } }] } },
  [
    [
      { "spec.limits": [{ type: "X" }, { type: "a/b" }] },
      'spec.limits[0].type: Invalid value: "X": must be a standard limit type or fully qualified',
    ],
    [
      {
        "spec.limits": [
          { type: "Pod" },
          { type: "Pod", default: { cpu: "1" }, defaultRequest: { cpu: "1" } },
        ],
      },
      'spec.limits[1].type: Duplicate value: "Pod"',
      "spec.limits[1].default: Forbidden: may not be specified when `type` is 'Pod'",
      "spec.limits[1].defaultRequest: Forbidden: may not be specified when `type` is 'Pod'",
    ],
    [
      { "spec.limits": [{ type: "PersistentVolumeClaim" }] },
      "spec.limits[0]: Required value: either minimum or maximum storage value is required, but neither was provided",
    ],
    [
      { "spec.limits": [{ type: "Pod", max: { cpu: "1" }, min: { cpu: "2" } }] },
      'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
    ],
    [
      limit({ default: { cpu: "1" }, defaultRequest: { cpu: "2" } }),
      'spec.limits[0].defaultRequest[cpu]: Invalid value: "2": default request value 2 is greater than default limit value 1',
    ],
    [
      limit({ max: { cpu: "1" }, default: { cpu: "2" } }),
      'spec.limits[0].defaultRequest[cpu]: Invalid value: "2": default request value 2 is greater than max value 1',
      'spec.limits[0].default[cpu]: Invalid value: "2": default value 2 is greater than max value 1',
    ],
    [
      { "spec.limits": [{ type: "Pod", maxLimitRequestRatio: { cpu: "500m" } }] },
      'spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1',
    ],
    [
      {
        "spec.limits": [
          { type: "Pod", max: { cpu: "2" }, min: { cpu: "1" }, maxLimitRequestRatio: { cpu: "3" } },
        ],
      },
      'spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "3": ratio 3 is greater than max/min = 2.000000',
    ],
  ],
);

creates(PriorityClass, { value: 1000 }, [
  [
    { value: 1_000_000_001 },
    "value: Forbidden: maximum allowed value of a user defined priority is 1000000000",
  ],
  [
    { metadata: { name: "system-x" } },
    "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-x is not a known system priority class",
  ],
  [{ metadata: { name: "system-node-critical" }, value: 2_000_001_000 }],
  [
    { metadata: { name: "system-node-critical" } },
    "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: value of system-node-critical PriorityClass must be 2000001000",
  ],
  [
    { preemptionPolicy: "X" },
    'preemptionPolicy: Unsupported value: "X": supported values: "Never", "PreemptLowerPriority"',
  ],
]);
updates(PriorityClass, { value: 1000 }, [
  [{ description: "d" }],
  [
    { value: 1, preemptionPolicy: "Never" },
    "value: Forbidden: may not be changed in an update.",
    'preemptionPolicy: Invalid value: "Never": field is immutable',
  ],
]);

creates(RuntimeClass, { handler: "h" }, [
  [{ handler: "" }, "handler: Required value"],
  [{ handler: "A" }, `handler: Invalid value: "A": ${LABEL}`],
  [
    { "scheduling.tolerations": [{ operator: "Equal" }] },
    'scheduling.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
  ],
  [
    { "overhead.podFixed": { cpu: "-1" } },
    'overhead.podFixed[cpu]: Invalid value: "-1": must be greater than or equal to 0',
  ],
]);
updates(RuntimeClass, { handler: "h" }, [
  [{ handler: "i" }, 'handler: Invalid value: "i": field is immutable'],
]);

creates(Lease, { spec: { leaseDurationSeconds: 15 } }, [
  [
    { "spec.leaseDurationSeconds": 0, "spec.leaseTransitions": -1 },
    "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
    "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0",
  ],
  [
    { "spec.preferredHolder": "a" },
    "spec.preferredHolder: Forbidden: may only be specified when `strategy` is defined",
  ],
]);

creates(Event, { involvedObject: { namespace: "default" } }, [
  [{ "involvedObject.namespace": undefined }],
  [
    { "involvedObject.namespace": "other" },
    'involvedObject.namespace: Invalid value: "other": does not match event.namespace',
  ],
  [
    { eventTime: "2026-01-01T00:00:00.000000Z", action: "x".repeat(129), reason: "r" },
    "reportingController: Required value",
    "reportingInstance: Required value",
    'action: Invalid value: "": can have at most 128 characters',
  ],
]);
