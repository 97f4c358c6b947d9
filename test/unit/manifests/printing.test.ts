import { expect, test } from "vitest";
import {
  allKinds,
  type ContainerStatus,
  CronJob,
  Deployment,
  decode,
  EndpointSlice,
  Endpoints,
  Event,
  HorizontalPodAutoscaler,
  humanDuration,
  Ingress,
  Job,
  type Kind,
  type KubeObject,
  LimitRange,
  Node,
  PersistentVolumeClaim,
  Pod,
  type PodStatus,
  ResourceQuota,
  RoleBinding,
  Service,
  tableOf,
} from "../../../manifests/index.ts";

const NOW = Date.parse("2026-01-01T01:00:00Z");
const BORN = "2026-01-01T00:55:00Z";

function row<T extends KubeObject>(kind: Kind<T>, value: object): Record<string, unknown> {
  const given = value as { metadata?: object };
  const metadata = { name: "x", creationTimestamp: BORN, ...given.metadata };
  const { object } = decode<KubeObject>(kind, { ...value, metadata }, { strict: true });
  const { columnDefinitions, cells } = tableOf(kind, [object], NOW);
  return Object.fromEntries(columnDefinitions.map(({ name }, i) => [name, cells[0]?.[i]]));
}

test.each([
  [-2_500, "<invalid>"],
  [-1_500, "0s"],
  [0, "0s"],
  [119_999, "119s"],
  [120_000, "2m"],
  [125_000, "2m5s"],
  [599_000, "9m59s"],
  [600_000, "10m"],
  [179 * 60_000, "179m"],
  [180 * 60_000, "3h"],
  [(7 * 60 + 59) * 60_000, "7h59m"],
  [8 * 3600_000, "8h"],
  [47 * 3600_000, "47h"],
  [50 * 3600_000, "2d2h"],
  [8 * 24 * 3600_000, "8d"],
  [729 * 24 * 3600_000, "729d"],
  [731 * 24 * 3600_000, "2y1d"],
  [8 * 365 * 24 * 3600_000, "8y"],
])("durations: %i ms is %s", (ms, expected) => {
  expect(humanDuration(ms)).toBe(expected);
});

type State = Partial<ContainerStatus>;
const finishedAt = "2026-01-01T00:59:55Z";
const running: State = { ready: true, state: { running: {} } };
const ended = (exitCode: number, reason?: string): State => ({
  state: { terminated: { exitCode, reason, finishedAt } },
});
const waiting = (reason: string): State => ({ state: { waiting: { reason } } });

interface Given {
  status?: PodStatus;
  init?: State[];
  containers?: State[];
  sidecar?: boolean;
  metadata?: object;
}

function podRow({ status, init = [], containers = [], sidecar, metadata }: Given) {
  const name = (prefix: string) => (state: State, i: number) => ({
    name: `${prefix}${i}`,
    ...state,
  });
  return row(Pod, {
    metadata,
    spec: {
      initContainers: init.map((_, i) => ({
        name: `i${i}`,
        ...(sidecar && { restartPolicy: "Always" }),
      })),
      containers: containers.map((_, i) => ({ name: `c${i}` })),
    },
    status: {
      phase: "Running",
      ...status,
      initContainerStatuses: init.map(name("i")),
      containerStatuses: containers.map(name("c")),
    },
  });
}

const restarted: State = {
  ...waiting("CrashLoopBackOff"),
  restartCount: 3,
  lastState: { terminated: { exitCode: 1, finishedAt } },
};
const initialized: PodStatus = { conditions: [{ type: "Initialized", status: "True" }] };

test.each<[string, Given, string, string, string]>([
  ["runs", { containers: [running, running] }, "2/2", "Running", "0"],
  [
    "waits",
    { status: { phase: "Pending" }, containers: [waiting("ContainerCreating")] },
    "0/1",
    "ContainerCreating",
    "0",
  ],
  ["has no status yet", { status: { phase: "Pending" } }, "0/0", "Pending", "0"],
  ["crashes", { containers: [restarted] }, "0/1", "CrashLoopBackOff", "3 (5s ago)"],
  [
    "is done",
    { status: { phase: "Succeeded" }, containers: [ended(0, "Completed")] },
    "0/1",
    "Completed",
    "0",
  ],
  ["failed", { status: { phase: "Failed" }, containers: [ended(1, "Error")] }, "0/1", "Error", "0"],
  ["failed without a reason", { containers: [ended(3)] }, "0/1", "ExitCode:3", "0"],
  ["is half done", { containers: [running, ended(0, "Completed")] }, "1/2", "NotReady", "0"],
  [
    "is half done but ready",
    {
      status: { conditions: [{ type: "Ready", status: "True" }] },
      containers: [running, ended(0, "Completed")],
    },
    "1/2",
    "Running",
    "0",
  ],
  ["was evicted", { status: { phase: "Failed", reason: "Evicted" } }, "0/0", "Evicted", "0"],
  [
    "ends",
    { metadata: { deletionTimestamp: BORN }, containers: [running] },
    "1/1",
    "Terminating",
    "0",
  ],
  [
    "initializes",
    { init: [ended(0), waiting("PodInitializing")], containers: [waiting("x")] },
    "0/1",
    "Init:1/2",
    "0",
  ],
  [
    "fails to initialize",
    { init: [ended(2, "Error")], containers: [waiting("x")] },
    "0/1",
    "Init:Error",
    "0",
  ],
  [
    "cannot pull its first image",
    { init: [waiting("ErrImagePull")], containers: [waiting("x")] },
    "0/1",
    "Init:ErrImagePull",
    "0",
  ],
  [
    "has a sidecar",
    {
      sidecar: true,
      init: [{ ...running, started: true, restartCount: 1 }],
      containers: [running],
      status: initialized,
    },
    "2/2",
    "Running",
    "1",
  ],
  [
    "waits for its gates",
    {
      status: {
        phase: "Pending",
        conditions: [{ type: "PodScheduled", status: "False", reason: "SchedulingGated" }],
      },
    },
    "0/0",
    "SchedulingGated",
    "0",
  ],
])("printing: a pod that %s", (_name, given, ready, status, restarts) => {
  expect(podRow(given)).toMatchObject({
    Ready: ready,
    Status: status,
    Restarts: restarts,
    Age: "5m",
  });
});

test("printing: wide columns of a pod", () => {
  const wide = podRow({ status: { podIP: "10.0.0.1", podIPs: [{ ip: "10.0.0.1" }] } });
  expect(wide).toMatchObject({ IP: "10.0.0.1", Node: "<none>", "Readiness Gates": "<none>" });
  const { columnDefinitions } = tableOf(Pod, [], NOW);
  expect(columnDefinitions.map(({ name, priority }) => `${name}${priority}`).join(" ")).toBe(
    "Name0 Ready0 Status0 Restarts0 Age0 IP1 Node1 Nominated Node1 Readiness Gates1",
  );
  expect(columnDefinitions[0]?.format).toBe("name");
});

const template = {
  metadata: { labels: { a: "b" } },
  spec: {
    containers: [
      { name: "c", image: "i:1" },
      { name: "d", image: "j:1" },
    ],
  },
};

test("printing: workloads", () => {
  const spec = { replicas: 3, selector: { matchLabels: { a: "b" } }, template };
  expect(row(Deployment, { spec, status: { readyReplicas: 2, updatedReplicas: 3 } })).toEqual({
    Name: "x",
    Ready: "2/3",
    "Up-to-date": 3,
    Available: 0,
    Age: "5m",
    Containers: "c,d",
    Images: "i:1,j:1",
    Selector: "a=b",
  });
  const job = { spec: { completions: 2, template }, status: { succeeded: 1, startTime: BORN } };
  expect(row(Job, job)).toMatchObject({ Status: "Running", Completions: "1/2", Duration: "5m" });
  expect(row(Job, { spec: { parallelism: 3, template } })).toMatchObject({
    Completions: "0/1 of 3",
    Duration: "",
  });
  expect(row(CronJob, { spec: { schedule: "* * * * *", suspend: false } })).toMatchObject({
    Suspend: "False",
    "Last Schedule": "<none>",
  });
  const target = { type: "Utilization", averageUtilization: 80 };
  const metrics = [{ type: "Resource", resource: { name: "cpu", target } }];
  const scaleTargetRef = { kind: "Deployment", name: "d" };
  expect(
    row(HorizontalPodAutoscaler, { spec: { scaleTargetRef, maxReplicas: 3, metrics } }),
  ).toMatchObject({ Reference: "Deployment/d", Targets: "cpu: <unknown>/80%", MaxPods: "3" });
});

test.each<[object, object]>([
  [
    {
      type: "ClusterIP",
      clusterIP: "10.96.0.1",
      clusterIPs: ["10.96.0.1"],
      ports: [{ port: 80, protocol: "TCP" }],
      selector: { b: "2", a: "1" },
    },
    {
      "Cluster-IP": "10.96.0.1",
      "External-IP": "<none>",
      "Port(s)": "80/TCP",
      Selector: "a=1,b=2",
    },
  ],
  [
    {
      type: "NodePort",
      clusterIP: "None",
      ports: [{ port: 80, nodePort: 30080, protocol: "TCP" }],
    },
    { "Cluster-IP": "None", "Port(s)": "80:30080/TCP" },
  ],
  [{ type: "LoadBalancer" }, { "External-IP": "<pending>", "Port(s)": "<none>" }],
  [
    { type: "ExternalName", externalName: "a.b" },
    { "Cluster-IP": "<none>", "External-IP": "a.b", Selector: "<none>" },
  ],
])("printing: service %j", (spec, expected) => {
  expect(row(Service, { spec })).toMatchObject(expected);
});

test("printing: endpoints show three and count the rest", () => {
  const ips = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"];
  const subsets = [{ addresses: ips.map((ip) => ({ ip })), ports: [{ port: 80 }] }];
  expect(row(Endpoints, { subsets }).Endpoints).toBe(
    "10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 1 more...",
  );
  const endpoints = ips.map((ip) => ({ addresses: [ip] }));
  expect(
    row(EndpointSlice, { addressType: "IPv4", endpoints, ports: [{ port: 80 }] }),
  ).toMatchObject({
    AddressType: "IPv4",
    Ports: "80",
    Endpoints: "10.0.0.1,10.0.0.2,10.0.0.3 + 1 more...",
  });
  expect(row(EndpointSlice, { addressType: "IPv4" }).Endpoints).toBe("<unset>");
});

test("printing: a node", () => {
  const node = {
    metadata: { labels: { "node-role.kubernetes.io/control-plane": "" } },
    spec: { unschedulable: true },
    status: {
      conditions: [{ type: "Ready", status: "True" }],
      addresses: [{ type: "InternalIP", address: "192.0.2.1" }],
      nodeInfo: { kubeletVersion: "v1.32.3" },
    },
  };
  expect(row(Node, node)).toMatchObject({
    Status: "Ready,SchedulingDisabled",
    Roles: "control-plane",
    Version: "v1.32.3",
    "Internal-IP": "192.0.2.1",
    "OS-Image": "<unknown>",
  });
  expect(row(Node, {})).toMatchObject({ Status: "Unknown", Roles: "<none>" });
});

test("printing: events, claims, quotas, bindings, ingresses", () => {
  const event = {
    involvedObject: { kind: "Pod", name: "p", fieldPath: "spec" },
    reason: "Started",
    message: "Started it\n",
    type: "Normal",
    source: { component: "kubelet", host: "n" },
    firstTimestamp: "2026-01-01T00:58:00Z",
    lastTimestamp: "2026-01-01T00:59:00Z",
    count: 4,
  };
  expect(row(Event, event)).toMatchObject({
    "Last Seen": "60s",
    Object: "pod/p",
    Source: "kubelet, n",
    Message: "Started it",
    "First Seen": "2m",
    Count: 4,
  });
  const claim = {
    spec: { volumeName: "v", storageClassName: "fast" },
    status: { phase: "Bound", accessModes: ["ReadWriteOnce"], capacity: { storage: "1Gi" } },
  };
  expect(row(PersistentVolumeClaim, claim)).toMatchObject({
    Capacity: "1Gi",
    "Access Modes": "RWO",
    StorageClass: "fast",
    VolumeAttributesClass: "<unset>",
  });
  const status = { hard: { pods: "4", "limits.cpu": "2" }, used: { pods: "1" } };
  expect(row(ResourceQuota, { status })).toMatchObject({
    Request: "pods: 1/4",
    Limit: "limits.cpu: 0/2",
  });
  const binding = {
    roleRef: { kind: "Role", name: "r" },
    subjects: [
      { kind: "User", name: "u" },
      { kind: "ServiceAccount", name: "s", namespace: "n" },
    ],
  };
  expect(row(RoleBinding, binding)).toMatchObject({
    Role: "Role/r",
    Users: "u",
    Groups: "",
    ServiceAccounts: "n/s",
  });
  expect(row(Ingress, { spec: {} })).toMatchObject({ Class: "<none>", Hosts: "*", Ports: "80" });
});

test("printing: a kind without a printer shows its name and birth", () => {
  expect(row(LimitRange, {})).toEqual({ Name: "x", "Created At": BORN });
});

test("printing: an empty object of every kind fills every column", () => {
  for (const kind of allKinds()) {
    const { object } = decode<KubeObject>(kind, { metadata: { name: "x" } });
    const { columnDefinitions, cells } = tableOf(kind, [object], NOW);
    expect(cells[0]?.length, kind.typeName).toBe(columnDefinitions.length);
    expect(cells[0]?.includes(undefined as never), kind.typeName).toBe(false);
  }
});
