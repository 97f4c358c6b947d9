/** The least that makes a valid object of each built-in kind, by kind; metadata is added by who uses it. */

/** Of CN=jane; its key was thrown away. */
const certificateRequest = `-----BEGIN CERTIFICATE REQUEST-----
MIHKMHECAQAwDzENMAsGA1UEAwwEamFuZTBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABGrEizGFRwy5bA/kSPo0O0wnVRhOQrT1f6htrNQJwlFUPtEsbwKHcbGYVgE5
icXoI54iBNUcMpcXHcchpJKZUsmgADAKBggqhkjOPQQDAgNJADBGAiEA+t3uOsgO
6T4qJX6HYFAN5Gt/1flvFn2KVKtyn7LoaRACIQC6THejgk+pdqu4IHKlyisBtYKe
J/i50zgeFGrdwbHYQw==
-----END CERTIFICATE REQUEST-----
`;

const podSpec = { containers: [{ name: "main", image: "busybox:1.35" }] };
const template = { metadata: { labels: { app: "x" } }, spec: podSpec };
const selector = { matchLabels: { app: "x" } };
const workload = { selector, template };
const webhook = {
  name: "check.example.com",
  admissionReviewVersions: ["v1"],
  clientConfig: { url: "https://127.0.0.1:1/" },
  sideEffects: "None",
};
const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "r" };

export const minimalObjects: Readonly<Record<string, object>> = {
  ConfigMap: { data: { a: "1" } },
  Endpoints: { subsets: [{ addresses: [{ ip: "10.0.0.1" }], ports: [{ port: 80 }] }] },
  Event: {
    involvedObject: { kind: "Pod", namespace: "default", name: "p" },
    reason: "Made",
    type: "Normal",
  },
  "events.k8s.io/Event": {
    eventTime: "2026-01-01T00:00:00.000000Z",
    regarding: { kind: "Pod", namespace: "default", name: "p" },
    action: "Making",
    reason: "Made",
    type: "Normal",
    reportingController: "example.com/test",
    reportingInstance: "test-1",
  },
  LimitRange: { spec: { limits: [{ type: "Container", max: { cpu: "1" } }] } },
  Namespace: {},
  Node: {},
  PersistentVolumeClaim: {
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  },
  PersistentVolume: {
    spec: {
      capacity: { storage: "1Gi" },
      accessModes: ["ReadWriteOnce"],
      hostPath: { path: "/tmp/x" },
    },
  },
  Pod: { spec: podSpec },
  PodTemplate: { template },
  ReplicationController: { spec: { selector: { app: "x" }, template } },
  ResourceQuota: { spec: { hard: { pods: "1" } } },
  Secret: { stringData: { a: "1" } },
  ServiceAccount: {},
  Service: { spec: { ports: [{ port: 80 }] } },
  MutatingWebhookConfiguration: { webhooks: [webhook] },
  ValidatingWebhookConfiguration: { webhooks: [webhook] },
  ValidatingAdmissionPolicy: {
    spec: {
      matchConstraints: {
        resourceRules: [
          { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] },
        ],
      },
      validations: [{ expression: "true" }],
    },
  },
  ValidatingAdmissionPolicyBinding: { spec: { policyName: "p", validationActions: ["Deny"] } },
  CustomResourceDefinition: {
    metadata: { name: "tests.example.com" },
    spec: {
      group: "example.com",
      names: { plural: "tests", singular: "test", kind: "Test", listKind: "TestList" },
      scope: "Namespaced",
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: "object" } },
        },
      ],
    },
  },
  APIService: {
    metadata: { name: "v1.example.com" },
    spec: { group: "example.com", version: "v1", groupPriorityMinimum: 100, versionPriority: 10 },
  },
  ControllerRevision: { revision: 1, data: { a: 1 } },
  DaemonSet: { spec: workload },
  Deployment: { spec: workload },
  ReplicaSet: { spec: workload },
  StatefulSet: { spec: { ...workload, serviceName: "x" } },
  HorizontalPodAutoscaler: {
    spec: {
      maxReplicas: 3,
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "x" },
    },
  },
  CronJob: {
    spec: {
      schedule: "* * * * *",
      jobTemplate: { spec: { template: { spec: { ...podSpec, restartPolicy: "Never" } } } },
    },
  },
  Job: { spec: { template: { spec: { ...podSpec, restartPolicy: "Never" } } } },
  CertificateSigningRequest: {
    spec: {
      request: Buffer.from(certificateRequest).toString("base64"),
      signerName: "kubernetes.io/kube-apiserver-client",
      usages: ["client auth"],
    },
  },
  Lease: { spec: { holderIdentity: "x" } },
  EndpointSlice: { addressType: "IPv4", endpoints: [{ addresses: ["10.0.0.1"] }] },
  FlowSchema: { spec: { priorityLevelConfiguration: { name: "exempt" } } },
  PriorityLevelConfiguration: {
    spec: {
      type: "Limited",
      limited: { nominalConcurrencyShares: 1, limitResponse: { type: "Reject" } },
    },
  },
  IngressClass: { spec: { controller: "example.com/ingress" } },
  Ingress: { spec: { defaultBackend: { service: { name: "x", port: { number: 80 } } } } },
  NetworkPolicy: { spec: { podSelector: {} } },
  RuntimeClass: { handler: "runc" },
  PodDisruptionBudget: { spec: { minAvailable: 1, selector } },
  ClusterRoleBinding: { roleRef, subjects: [] },
  ClusterRole: { rules: [] },
  RoleBinding: { roleRef, subjects: [] },
  Role: { rules: [] },
  PriorityClass: { value: 10 },
  CSIDriver: { spec: {} },
  CSINode: { spec: { drivers: [] } },
  CSIStorageCapacity: { storageClassName: "x" },
  StorageClass: { provisioner: "example.com/x" },
  VolumeAttachment: {
    spec: { attacher: "x", nodeName: "n", source: { persistentVolumeName: "pv" } },
  },
  Epoch: { spec: { holder: "x", term: 1 } },
};
