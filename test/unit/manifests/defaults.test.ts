import { expect, test } from "vitest";
import { decode } from "../../../manifests/decode.ts";
import { setDefaults } from "../../../manifests/defaults.ts";
import {
  allKinds,
  type Container,
  CronJob,
  DaemonSet,
  Deployment,
  EndpointSlice,
  HorizontalPodAutoscaler,
  Job,
  type Kind,
  type KubeObject,
  Namespace,
  NetworkPolicy,
  PersistentVolumeClaim,
  Pod,
  type PodSpec,
  RoleBinding,
  Secret,
  Service,
  StatefulSet,
} from "../../../manifests/index.ts";

function defaulted<T extends KubeObject>(kind: Kind<T>, value: object): T {
  return setDefaults(kind, decode(kind, { metadata: { name: "x" }, ...value }).object);
}

function podWith(spec: Partial<PodSpec>): Pod {
  return defaulted(Pod, { spec: { containers: [{ name: "c", image: "nginx:1.22" }], ...spec } });
}

function containerWith(container: Partial<Container>): Container | undefined {
  return podWith({ containers: [{ name: "c", image: "i:1", ...container }] }).spec.containers[0];
}

test("defaults: a Deployment of nginx is filled in as kubectl shows it", () => {
  const template = {
    metadata: { labels: { app: "nginx" } },
    spec: { containers: [{ name: "nginx", image: "nginx:1.22", ports: [{ containerPort: 80 }] }] },
  };
  const spec = { selector: { matchLabels: { app: "nginx" } }, template };
  expect(defaulted(Deployment, { spec }).spec).toEqual({
    progressDeadlineSeconds: 600,
    replicas: 1,
    revisionHistoryLimit: 10,
    selector: { matchLabels: { app: "nginx" } },
    strategy: { rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" }, type: "RollingUpdate" },
    template: {
      metadata: { labels: { app: "nginx" } },
      spec: {
        containers: [
          {
            image: "nginx:1.22",
            imagePullPolicy: "IfNotPresent",
            name: "nginx",
            ports: [{ containerPort: 80, protocol: "TCP" }],
            resources: {},
            terminationMessagePath: "/dev/termination-log",
            terminationMessagePolicy: "File",
          },
        ],
        dnsPolicy: "ClusterFirst",
        restartPolicy: "Always",
        schedulerName: "default-scheduler",
        securityContext: {},
        terminationGracePeriodSeconds: 30,
      },
    },
  });
});

test("defaults: what a manifest says stays", () => {
  const pod = podWith({
    restartPolicy: "Never",
    terminationGracePeriodSeconds: 0,
    enableServiceLinks: false,
    dnsPolicy: "None",
  });
  expect(pod.spec).toMatchObject({
    restartPolicy: "Never",
    terminationGracePeriodSeconds: 0,
    enableServiceLinks: false,
    dnsPolicy: "None",
  });
  const spec = { replicas: 0, strategy: { type: "Recreate" }, template: {}, selector: {} };
  const deployment = defaulted(Deployment, { spec });
  expect(deployment.spec.replicas).toBe(0);
  expect(deployment.spec.strategy).toEqual({ type: "Recreate" });
});

test.each([
  ["nginx", "Always"],
  ["nginx:latest", "Always"],
  ["nginx:1.22", "IfNotPresent"],
  ["localhost:5000/nginx", "Always"],
  ["localhost:5000/nginx:1", "IfNotPresent"],
  ["nginx@sha256:0000", "IfNotPresent"],
])("defaults: image %s is pulled %s", (image, policy) => {
  expect(containerWith({ image })?.imagePullPolicy).toBe(policy);
});

test("defaults: a Pod requests what it limits, a template does not", () => {
  const resources = { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "500m" } };
  expect(containerWith({ resources })?.resources?.requests).toEqual({ cpu: "500m", memory: "1Gi" });
  const template = { spec: { containers: [{ name: "c", image: "i:1", resources }] } };
  const deployment = defaulted(Deployment, { spec: { selector: {}, template } });
  const [container] = deployment.spec.template.spec?.containers ?? [];
  expect(container?.resources?.requests).toEqual({ cpu: "500m" });
});

test("defaults: probes, actions and ports", () => {
  const container = containerWith({
    ports: [{ containerPort: 80 }],
    readinessProbe: { httpGet: { port: 80 } },
    livenessProbe: { tcpSocket: { port: 80 }, periodSeconds: 1, failureThreshold: 1 },
  });
  expect(container?.ports).toEqual([{ containerPort: 80, protocol: "TCP" }]);
  expect(container?.readinessProbe).toEqual({
    httpGet: { path: "/", port: 80, scheme: "HTTP" },
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
  });
  expect(container?.livenessProbe).toMatchObject({ periodSeconds: 1, failureThreshold: 1 });
});

test("defaults: ports of a Pod on the host's network are the host's", () => {
  const containers = [{ name: "c", ports: [{ containerPort: 80 }] }];
  const pod = podWith({ hostNetwork: true, containers });
  expect(pod.spec.containers[0]?.ports?.[0]?.hostPort).toBe(80);
});

test("defaults: volumes", () => {
  const pod = podWith({
    volumes: [
      { name: "nothing" },
      { name: "config", configMap: { name: "c" } },
      { name: "secret", secret: { secretName: "s", defaultMode: 256 } },
      { name: "host", hostPath: { path: "/x" } },
    ],
    containers: [
      { name: "c", env: [{ name: "N", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }] },
    ],
  });
  expect(pod.spec.volumes).toEqual([
    { name: "nothing", emptyDir: {} },
    { name: "config", configMap: { name: "c", defaultMode: 420 } },
    { name: "secret", secret: { secretName: "s", defaultMode: 256 } },
    { name: "host", hostPath: { path: "/x", type: "" } },
  ]);
  expect(pod.spec.containers[0]?.env?.[0]?.valueFrom?.fieldRef?.apiVersion).toBe("v1");
});

test("defaults: Services of each type", () => {
  const plain = defaulted(Service, { spec: { ports: [{ port: 80 }], selector: { a: "b" } } });
  expect(plain.spec).toEqual({
    ports: [{ port: 80, protocol: "TCP", targetPort: 80 }],
    selector: { a: "b" },
    sessionAffinity: "None",
    type: "ClusterIP",
    internalTrafficPolicy: "Cluster",
  });
  const balanced = defaulted(Service, { spec: { type: "LoadBalancer", ports: [{ port: 1 }] } });
  expect(balanced.spec).toMatchObject({
    allocateLoadBalancerNodePorts: true,
    externalTrafficPolicy: "Cluster",
    internalTrafficPolicy: "Cluster",
  });
  const sticky = defaulted(Service, { spec: { sessionAffinity: "ClientIP" } });
  expect(sticky.spec.sessionAffinityConfig).toEqual({ clientIP: { timeoutSeconds: 10800 } });
  const external = defaulted(Service, { spec: { type: "ExternalName", externalName: "a.b" } });
  expect(external.spec.internalTrafficPolicy).toBeUndefined();
});

test("defaults: Jobs, CronJobs, StatefulSets and DaemonSets", () => {
  const job = defaulted(Job, { spec: { template: { metadata: { labels: { a: "b" } } } } });
  expect(job.metadata.labels).toEqual({ a: "b" });
  expect(job.spec).toMatchObject({
    completions: 1,
    parallelism: 1,
    backoffLimit: 6,
    completionMode: "NonIndexed",
    suspend: false,
    podReplacementPolicy: "TerminatingOrFailed",
  });
  expect(defaulted(Job, { spec: { parallelism: 3 } }).spec.completions).toBeUndefined();
  expect(defaulted(CronJob, { spec: { schedule: "* * * * *" } }).spec).toMatchObject({
    concurrencyPolicy: "Allow",
    failedJobsHistoryLimit: 1,
    successfulJobsHistoryLimit: 3,
    suspend: false,
  });
  expect(defaulted(StatefulSet, { spec: {} }).spec).toMatchObject({
    podManagementPolicy: "OrderedReady",
    replicas: 1,
    updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0 } },
    persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
  });
  expect(defaulted(DaemonSet, { spec: {} }).spec.updateStrategy).toEqual({
    type: "RollingUpdate",
    rollingUpdate: { maxSurge: 0, maxUnavailable: 1 },
  });
});

test("defaults: the rest, one of each", () => {
  expect(defaulted(Namespace, {})).toMatchObject({
    metadata: { labels: { "kubernetes.io/metadata.name": "x" } },
    status: { phase: "Active" },
  });
  expect(defaulted(Secret, {}).type).toBe("Opaque");
  const secret = defaulted(Secret, { data: { a: "YQ==", b: "Yg==" }, stringData: { b: "ä" } });
  expect(secret.data).toEqual({ a: "YQ==", b: "w6Q=" });
  expect(secret).not.toHaveProperty("stringData");
  expect(podWith({ serviceAccount: "x" }).spec.serviceAccountName).toBe("x");
  expect(defaulted(PersistentVolumeClaim, {})).toMatchObject({
    spec: { volumeMode: "Filesystem" },
    status: { phase: "Pending" },
  });
  const policy = defaulted(NetworkPolicy, { spec: { podSelector: {}, egress: [{}] } });
  expect(policy.spec.policyTypes).toEqual(["Ingress", "Egress"]);
  const binding = { roleRef: { kind: "Role", name: "r" }, subjects: [{ kind: "User", name: "u" }] };
  expect(defaulted(RoleBinding, binding)).toMatchObject({
    roleRef: { apiGroup: "rbac.authorization.k8s.io" },
    subjects: [{ apiGroup: "rbac.authorization.k8s.io" }],
  });
  expect(defaulted(EndpointSlice, { ports: [{ port: 80 }] }).ports).toEqual([
    { name: "", port: 80, protocol: "TCP" },
  ]);
  const hpa = defaulted(HorizontalPodAutoscaler, { spec: { maxReplicas: 3 } });
  expect(hpa.spec).toMatchObject({ minReplicas: 1, metrics: [{ type: "Resource" }] });
});

test("defaults: setting them twice changes nothing, for any kind", () => {
  for (const kind of allKinds()) {
    const once = defaulted<KubeObject>(kind, {});
    expect(setDefaults<KubeObject>(kind, structuredClone(once))).toEqual(once);
    // A key that holds undefined has no place: objects are compared with what was stored as JSON.
    expect(JSON.parse(JSON.stringify(once))).toStrictEqual(once);
  }
});
