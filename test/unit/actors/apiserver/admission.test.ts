/** Each built-in plugin by what a client sees of it: the object that was made, the refusal, the warning. */

import "reflect-metadata";
import { Pkcs10CertificateRequestGenerator } from "@peculiar/x509";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { pluginNames } from "../../../../actors/apiserver/admission/index.ts";
import {
  CertificateSigningRequest,
  ClusterRole,
  ClusterRoleBinding,
  ConfigMap,
  Ingress,
  IngressClass,
  type Kind,
  LimitRange,
  Namespace,
  Node,
  PersistentVolumeClaim,
  Pod,
  PriorityClass,
  ResourceQuota,
  RuntimeClass,
  Service,
  StorageClass,
  ValidatingWebhookConfiguration,
} from "../../../../manifests/index.ts";
import { startPipeline, type TestPipeline } from "../../../harness/pipeline.ts";

let api: TestPipeline;

beforeEach(async () => {
  api = await startPipeline();
});

afterEach(async () => {
  await api.close();
});

const container = { name: "main", image: "nginx:1.22" };

function pod(spec: object = {}, metadata: object = {}) {
  return { metadata: { name: "web", ...metadata }, spec: { containers: [container], ...spec } };
}

function withResources(resources: object) {
  return pod({ containers: [{ ...container, resources }] });
}

async function refused(kind: Kind, object: object, as?: string): Promise<string | undefined> {
  const { message, code } = await api.refusal(api.create(kind, object, as));
  expect(code).toBe(403);
  return message?.replace(/^\S+ "[^"]*" is forbidden: /, "");
}

describe("namespace-lifecycle", () => {
  test("namespace-lifecycle: nothing begins in a namespace that does not exist or goes", async () => {
    const stray = { metadata: { name: "a", namespace: "nowhere" } };
    const missing = await api.refusal(api.create(ConfigMap, stray));
    expect(missing).toMatchObject({ code: 404, message: 'namespaces "nowhere" not found' });
    await api.create(Namespace, { metadata: { name: "going" } });
    await api.ask("delete", Namespace, { metadata: { name: "going" } });
    const late = await api.refusal(
      api.create(ConfigMap, { metadata: { name: "a", namespace: "going" } }),
    );
    expect(late).toMatchObject({
      code: 403,
      message:
        'configmaps "a" is forbidden: unable to create new content in namespace going ' +
        "because it is being terminated",
      details: { causes: [{ reason: "NamespaceTerminating", field: "metadata.namespace" }] },
    });
  });

  test("namespace-lifecycle: some namespaces are not deleted", async () => {
    const status = await api.refusal(
      api.ask("delete", Namespace, { metadata: { name: "kube-system" } }),
    );
    expect(status.message).toBe(
      'namespaces "kube-system" is forbidden: this namespace may not be deleted',
    );
  });
});

describe("limit-ranger", () => {
  async function limit(item: object): Promise<void> {
    await api.create(LimitRange, { metadata: { name: "limits" }, spec: { limits: [item] } });
  }

  test("limit-ranger: fills in what a container does not say, and says so", async () => {
    await limit({
      type: "Container",
      default: { cpu: "500m", memory: "256Mi" },
      defaultRequest: { cpu: "250m" },
    });
    const { object } = await api.create(Pod, withResources({ limits: { memory: "1Gi" } }));
    expect(object.spec.containers[0]?.resources).toEqual({
      limits: { cpu: "500m", memory: "1Gi" },
      requests: { cpu: "250m", memory: "1Gi" },
    });
    expect(object.metadata.annotations?.["kubernetes.io/limit-ranger"]).toBe(
      "LimitRanger plugin set: cpu request for container main; cpu limit for container main",
    );
    expect(object.status?.qosClass).toBe("Burstable");
  });

  test.each([
    [
      { type: "Container", min: { cpu: "100m" } },
      { requests: { cpu: "50m" } },
      "minimum cpu usage per Container is 100m, but request is 50m",
    ],
    [
      { type: "Container", max: { memory: "1Gi" } },
      { limits: { memory: "2Gi" } },
      "[maximum memory usage per Container is 1Gi, but limit is 2Gi]",
    ],
    [
      { type: "Pod", max: { cpu: "1" } },
      {},
      "maximum cpu usage per Pod is 1.  No limit is specified",
    ],
    [
      { type: "Container", maxLimitRequestRatio: { cpu: "2" } },
      { requests: { cpu: "100m" }, limits: { cpu: "300m" } },
      "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000",
    ],
  ])("limit-ranger: %j refuses %j", async (item, resources, why) => {
    await limit(item);
    expect(await refused(Pod, withResources(resources))).toBe(why.replace(/^\[|\]$/g, ""));
  });

  test("limit-ranger: bounds what a claim asks for", async () => {
    await limit({ type: "PersistentVolumeClaim", max: { storage: "1Gi" } });
    const spec = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "2Gi" } } };
    expect(await refused(PersistentVolumeClaim, { metadata: { name: "data" }, spec })).toBe(
      "maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi",
    );
  });
});

describe("priority", () => {
  test("priority: a pod takes the number of its class, or of the default one", async () => {
    const none = await api.create(Pod, pod());
    expect(none.object.spec).toMatchObject({
      priority: 0,
      preemptionPolicy: "PreemptLowerPriority",
    });
    const common = { metadata: { name: "common" }, value: 7, globalDefault: true };
    await api.create(PriorityClass, { ...common, preemptionPolicy: "Never" });
    const usual = await api.create(Pod, pod({}, { name: "usual" }));
    expect(usual.object.spec).toMatchObject({
      priority: 7,
      priorityClassName: "common",
      preemptionPolicy: "Never",
    });
    const second = { ...common, metadata: { name: "second" } };
    expect(await refused(PriorityClass, second)).toBe(
      "PriorityClass common is already marked as default. Only one default can exist",
    );
  });

  test.each([
    [{ priorityClassName: "absent" }, "no PriorityClass with name absent was found"],
    [
      { priority: 5 },
      "the integer value of priority (5) must not be provided in pod spec; " +
        "priority admission controller computed 0 from the given PriorityClass name",
    ],
    [
      { preemptionPolicy: "Never" },
      "the string value of PreemptionPolicy (Never) must not be provided in pod spec; priority " +
        "admission controller computed PreemptLowerPriority from the given PriorityClass name",
    ],
  ])("priority: refuses %j", async (spec, why) => {
    expect(await refused(Pod, pod(spec))).toBe(why);
  });
});

describe("runtime-class", () => {
  beforeEach(async () => {
    await api.create(RuntimeClass, {
      metadata: { name: "kata" },
      handler: "kata",
      overhead: { podFixed: { cpu: "250m" } },
      scheduling: { nodeSelector: { kata: "yes" }, tolerations: [{ key: "kata" }] },
    });
  });

  test("runtime-class: brings overhead and places", async () => {
    const { object } = await api.create(Pod, pod({ runtimeClassName: "kata" }));
    expect(object.spec).toMatchObject({ overhead: { cpu: "250m" }, nodeSelector: { kata: "yes" } });
    expect(object.spec.tolerations).toContainEqual({ key: "kata" });
  });

  test.each([
    [{ runtimeClassName: "absent" }, 'pod rejected: RuntimeClass "absent" not found'],
    [
      { overhead: { cpu: "1" } },
      "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
    ],
    [
      { runtimeClassName: "kata", overhead: { cpu: "1" } },
      "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
    ],
    [
      { runtimeClassName: "kata", nodeSelector: { kata: "no" } },
      "conflict: runtimeClass.scheduling.nodeSelector[kata] = yes; pod.spec.nodeSelector[kata] = no",
    ],
  ])("runtime-class: refuses %j", async (spec, why) => {
    expect(await refused(Pod, pod(spec))).toBe(why);
  });
});

describe("defaults", () => {
  test("default-toleration-seconds: only what the pod does not say itself", async () => {
    const own = { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute" };
    const { object } = await api.create(Pod, pod({ tolerations: [own] }));
    expect(object.spec.tolerations).toEqual([
      own,
      { ...own, key: "node.kubernetes.io/unreachable", tolerationSeconds: 300 },
    ]);
  });

  test("default-storage-class, storage-object-in-use-protection: of a new claim", async () => {
    const annotations = { "storageclass.kubernetes.io/is-default-class": "true" };
    await api.create(StorageClass, { metadata: { name: "fast", annotations }, provisioner: "p" });
    const spec = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } };
    const { object } = await api.create(PersistentVolumeClaim, { metadata: { name: "a" }, spec });
    expect(object.spec.storageClassName).toBe("fast");
    expect(object.metadata.finalizers).toEqual(["kubernetes.io/pvc-protection"]);
    const none = { metadata: { name: "b" }, spec: { ...spec, storageClassName: "" } };
    expect((await api.create(PersistentVolumeClaim, none)).object.spec.storageClassName).toBe("");
    const resources = { requests: { storage: "2Gi" } };
    const grown = { ...object, spec: { ...object.spec, resources } };
    const status = await api.refusal(api.update(PersistentVolumeClaim, grown));
    expect(status.message).toContain("spec is immutable after creation except resources.requests");
  });

  test("default-ingress-class: the newest that is marked", async () => {
    const annotations = { "ingressclass.kubernetes.io/is-default-class": "true" };
    const spec = { controller: "example.com/one" };
    await api.create(IngressClass, { metadata: { name: "one", annotations }, spec });
    const backend = { service: { name: "web", port: { number: 80 } } };
    const { object } = await api.create(Ingress, {
      metadata: { name: "web" },
      spec: { defaultBackend: backend },
    });
    expect(object.spec?.ingressClassName).toBe("one");
  });

  test("taint-nodes-by-condition: a new node is not ready", async () => {
    const { object } = await api.create(Node, { metadata: { name: "node-1" } });
    expect(object.spec?.taints).toEqual([
      { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" },
    ]);
  });
});

describe("node-restriction", () => {
  const node = "system:node:node-1";

  test.each([
    ["another node", { name: "node-2" }, 'node "node-1" is not allowed to create node "node-2"'],
    [
      "labels that are not its own",
      {
        name: "node-1",
        labels: {
          "node-restriction.kubernetes.io/pci": "yes",
          "kubernetes.io/hostname": "node-1",
          "node-role.kubernetes.io/worker": "",
        },
      },
      "is not allowed to set the following labels: " +
        "node-restriction.kubernetes.io/pci, node-role.kubernetes.io/worker",
    ],
  ])("node-restriction: a node does not create %s", async (_, metadata, why) => {
    expect(await refused(Node, { metadata }, node)).toBe(why);
  });

  test("node-restriction: a node takes no taint off itself", async () => {
    const { object } = await api.create(Node, { metadata: { name: "node-1" } }, node);
    const status = await api.refusal(api.update(Node, { ...object, spec: {} }, node));
    expect(status.message).toBe(
      'nodes "node-1" is forbidden: node "node-1" is not allowed to modify taints',
    );
  });
});

describe("resource-quota", () => {
  test("resource-quota: a dry run is judged and takes nothing; the real one is written with it", async () => {
    const hard = { "count/configmaps": "1" };
    const { object } = await api.create(ResourceQuota, { metadata: { name: "q" }, spec: { hard } });
    const status = { hard, used: { "count/configmaps": "0" } };
    await api.ask("update", ResourceQuota, { ...object, status } as ResourceQuota, {
      subresource: "status",
    });
    const query = new URLSearchParams({ dryRun: "All" });
    const used = async () => {
      const read = await api.ask("get", ResourceQuota, object);
      return read.object.status?.used?.["count/configmaps"];
    };
    await api.ask("create", ConfigMap, { metadata: { name: "a" } }, { query });
    expect(await used()).toBe("0");
    await api.create(ConfigMap, { metadata: { name: "a" } });
    expect(await used()).toBe("1");
    const full = api.ask("create", ConfigMap, { metadata: { name: "b" } }, { query });
    expect((await api.refusal(full)).message).toBe(
      'configmaps "b" is forbidden: exceeded quota: q, requested: count/configmaps=1, ' +
        "used: count/configmaps=1, limited: count/configmaps=1",
    );
  });
});

describe("certificates", () => {
  const request = async (organization: string) => {
    const keys = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, [
      "sign",
      "verify",
    ]);
    const made = await Pkcs10CertificateRequestGenerator.create({
      name: `CN=me,O=${organization}`,
      keys,
      signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    });
    return Buffer.from(made.toString("pem")).toString("base64");
  };

  test("certificate-subject-restriction: nobody signs himself into the masters", async () => {
    const signerName = "kubernetes.io/kube-apiserver-client";
    const csr = async (name: string, organization: string) => ({
      metadata: { name },
      spec: { signerName, usages: ["client auth"], request: await request(organization) },
    });
    expect(await refused(CertificateSigningRequest, await csr("bad", "system:masters"))).toBe(
      "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed",
    );
    await api.create(CertificateSigningRequest, await csr("good", "team"));
  });

  test("certificate-approval: who may not approve for a signer is refused", async () => {
    const { object } = await api.create(CertificateSigningRequest, {
      metadata: { name: "csr" },
      spec: {
        signerName: "example.com/one",
        usages: ["client auth"],
        request: await request("team"),
      },
    });
    const conditions = [{ type: "Approved", status: "True", reason: "Good" }];
    const approve = (as?: string) =>
      api.ask("update", CertificateSigningRequest, { ...object, status: { conditions } } as never, {
        subresource: "approval",
        as,
      });
    const rule = { verbs: ["update"], apiGroups: ["certificates.k8s.io"] };
    const resources = ["certificatesigningrequests/approval"];
    await api.create(ClusterRole, {
      metadata: { name: "writer" },
      rules: [{ ...rule, resources }],
    });
    await api.create(ClusterRoleBinding, {
      metadata: { name: "writer" },
      subjects: [{ kind: "User", apiGroup: "rbac.authorization.k8s.io", name: "eve" }],
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "writer" },
    });
    expect((await api.refusal(approve("eve"))).message).toContain(
      'user not permitted to approve requests with signerName "example.com/one"',
    );
    await approve();
  });
});

describe("webhooks", () => {
  test("webhooks: a dry run asks only such as have no side effects then, and no others are accepted", async () => {
    const rules = [
      { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] },
    ];
    const hook = {
      name: "hook.example.com",
      clientConfig: { url: "https://127.0.0.1:1/" },
      rules,
      sideEffects: "NoneOnDryRun",
      admissionReviewVersions: ["v1"],
      failurePolicy: "Ignore",
    };
    await api.create(ValidatingWebhookConfiguration, {
      metadata: { name: "hooks" },
      webhooks: [hook],
    });
    const query = new URLSearchParams({ dryRun: "All" });
    await api.ask("create", ConfigMap, { metadata: { name: "a" } }, { query });
    const { object } = await api.ask("get", ValidatingWebhookConfiguration, {
      metadata: { name: "hooks" },
    });
    const changed = [{ ...object.webhooks?.[0], sideEffects: "Some" }];
    const status = await api.refusal(
      api.update(ValidatingWebhookConfiguration, { ...object, webhooks: changed }),
    );
    expect(status.message).toContain(
      'webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
    );
  });
});

describe("options", () => {
  test("admission: a plugin that is off by default is asked for, and any can be turned off", async () => {
    await api.close();
    api = await startPipeline({
      enable: ["AlwaysPullImages", "ExtendedResourceToleration"],
      disable: ["Priority"],
    });
    const { object } = await api.create(Pod, withResources({ limits: { "example.com/gpu": "1" } }));
    expect(object.spec.containers[0]?.imagePullPolicy).toBe("Always");
    expect(object.spec.tolerations).toContainEqual({ key: "example.com/gpu", operator: "Exists" });
    expect(object.spec.priority).toBeUndefined();
  });

  test("owner-references: who may not touch the owner's finalizers cannot make it wait", async () => {
    await api.close();
    api = await startPipeline({
      enable: ["OwnerReferencesPermissionEnforcement", "DenyServiceExternalIPs"],
    });
    const { object: owner } = await api.create(ConfigMap, { metadata: { name: "owner" } });
    const reference = {
      apiVersion: "v1",
      kind: "ConfigMap",
      name: "owner",
      blockOwnerDeletion: true,
    };
    const ownerReferences = [{ ...reference, uid: owner.metadata.uid }];
    const owned = { metadata: { name: "owned", ownerReferences } };
    expect(await refused(ConfigMap, owned, "system:wherry:maker")).toBe(
      "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on",
    );
    await api.create(ConfigMap, owned);
    const spec = { ports: [{ port: 80 }], externalIPs: ["192.0.2.1"] };
    expect(await refused(Service, { metadata: { name: "taken" }, spec })).toBe(
      "Use of external IPs is denied by admission control",
    );
  });

  test("admission: plugins are called as upstream's options call them", () => {
    expect(pluginNames).toContain("NamespaceLifecycle");
    expect(new Set(pluginNames).size).toBe(pluginNames.length);
  });
});
