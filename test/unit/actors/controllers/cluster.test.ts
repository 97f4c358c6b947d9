import { afterEach, beforeEach, expect, test } from "vitest";
import { controllers } from "../../../../actors/controllers/index.ts";
import { formatMicroTime, formatTime } from "../../../../actors/kit/time.ts";
import { inboxPrefix, parseApiSubject } from "../../../../actors/subjects.ts";
import { isNotFound } from "../../../../manifests/api-error.ts";
import {
  ConfigMap,
  Deployment,
  Lease,
  Namespace,
  Node,
  Pod,
  ReplicaSet,
  ServiceAccount,
} from "../../../../manifests/index.ts";
import type { BusMessage } from "../../../../runtime/bus.ts";
import { createSimBus } from "../../../../runtime/sim/bus.ts";
import {
  controllersPrincipal,
  type Scene,
  startScene,
  template,
} from "../../../harness/controller.ts";

let scene: Scene;
const all = controllers({ caPem: "the certificate" });

beforeEach(async () => {
  scene = await startScene({ writes: all.flatMap(({ writes }) => writes) });
  scene.run(...all);
});

afterEach(async () => {
  await scene.dispose();
});

const labels = { app: "web" };

async function isGone(work: Promise<unknown>): Promise<boolean> {
  try {
    await scene.settle(work);
    return false;
  } catch (error) {
    if (isNotFound(error)) return true;
    throw error;
  }
}

async function createNamespace(name: string): Promise<void> {
  await scene.settle(scene.api.create(Namespace, { metadata: { name }, spec: {} }));
}

async function createDeployment(namespace: string): Promise<void> {
  await scene.settle(
    scene.api.create(Deployment, {
      metadata: { name: "web", namespace },
      spec: { replicas: 2, selector: { matchLabels: labels }, template: template(labels) },
    }),
  );
  await scene.until("its pods", async () => (await scene.pods(namespace)).length === 2);
}

test("service-account, root-ca-publisher: every Namespace has its account and the CA", async () => {
  await createNamespace("team");
  for (const namespace of ["default", "kube-system", "team"]) {
    const account = () => scene.api.get(ServiceAccount, `${namespace}/default`);
    await scene.until(`the account of ${namespace}`, async () => Boolean(await account()));
    const map = () => scene.api.get(ConfigMap, `${namespace}/kube-root-ca.crt`);
    await scene.until(`the CA of ${namespace}`, async () => Boolean(await map()));
    expect((await scene.settle(map())).data).toEqual({ "ca.crt": "the certificate" });
  }
  await scene.settle(scene.api.delete(ServiceAccount, "team/default"));
  await scene.until("another account", async () =>
    Boolean(await scene.api.get(ServiceAccount, "team/default")),
  );
});

test("namespace: is emptied, then goes", async () => {
  await createNamespace("team");
  await createDeployment("team");
  const held = { metadata: { name: "held", namespace: "team", finalizers: ["test/hold"] } };
  await scene.settle(scene.api.create(ConfigMap, held));
  await scene.settle(scene.api.delete(Namespace, "team"));
  await scene.until("only what is held to remain", async () => {
    const { status } = await scene.settle(scene.api.get(Namespace, "team"));
    return Boolean(
      status?.conditions?.some(
        ({ type, status: holds }) => type === "NamespaceFinalizersRemaining" && holds === "True",
      ),
    );
  });
  const { status } = await scene.settle(scene.api.get(Namespace, "team"));
  expect(status?.phase).toBe("Terminating");
  expect(status?.conditions?.map(({ message }) => message)).toEqual(
    expect.arrayContaining([
      "Some resources are remaining: configmaps. has 1 resource instances",
      "Some content in the namespace has finalizers remaining: test/hold in 1 resource instances",
    ]),
  );
  const release = { metadata: { finalizers: null } };
  await scene.settle(scene.api.patch(ConfigMap, "team/held", release, { type: "merge" }));
  await scene.until("the namespace to go", () => isGone(scene.api.get(Namespace, "team")));
  expect(await scene.pods("team")).toEqual([]);
});

test("garbage-collector: what belonged to a deleted Deployment goes after it", async () => {
  await createDeployment("default");
  await scene.settle(scene.api.delete(Deployment, "default/web"));
  await scene.until("its pods to go", async () => (await scene.pods()).length === 0);
  const { items } = await scene.settle(scene.api.list(ReplicaSet));
  expect(items).toEqual([]);
});

test("garbage-collector: in the foreground the owner waits for its dependents", async () => {
  await createDeployment("default");
  const [pod] = await scene.pods();
  const hold = { metadata: { finalizers: ["test/hold"] } };
  const key = `default/${pod?.metadata.name}`;
  await scene.settle(scene.api.patch(Pod, key, hold, { type: "merge" }));
  const how = { propagationPolicy: "Foreground" } as const;
  await scene.settle(scene.api.delete(Deployment, "default/web", how));
  await scene.until("the other pod to go", async () => (await scene.pods()).length === 1);
  await scene.passes(10_000);
  await scene.settle(scene.api.get(Deployment, "default/web"));
  const release = { metadata: { finalizers: null } };
  await scene.settle(scene.api.patch(Pod, key, release, { type: "merge" }));
  await scene.until("all to go", () => isGone(scene.api.get(Deployment, "default/web")));
});

test("garbage-collector: orphans stay, and belong to nobody", async () => {
  await createDeployment("default");
  const how = { propagationPolicy: "Orphan" } as const;
  await scene.settle(scene.api.delete(Deployment, "default/web", how));
  await scene.until("the Deployment to go", () => isGone(scene.api.get(Deployment, "default/web")));
  await scene.passes(10_000);
  const { items } = await scene.settle(scene.api.list(ReplicaSet));
  expect(items.map(({ metadata }) => metadata.ownerReferences ?? [])).toEqual([[]]);
  expect(await scene.pods()).toHaveLength(2);
});

/** What a kubelet does: registers, posts a status, renews its Lease for as long as told. */
async function createNode(name: string): Promise<{ beat(forMs: number): Promise<void> }> {
  const now = () => scene.world.clock.now();
  await scene.settle(scene.api.create(Node, { metadata: { name }, spec: {} }));
  const time = formatTime(now());
  const ready = {
    type: "Ready",
    status: "True",
    lastHeartbeatTime: time,
    lastTransitionTime: time,
  };
  // The controller may have taken the newcomer's taint off already.
  const report = { type: "merge", subresource: "status" } as const;
  const status = { conditions: [ready] };
  await scene.settle(scene.api.patch(Node, name, { status }, report));
  const metadata = { name, namespace: "kube-node-lease" };
  const spec = () => ({
    holderIdentity: name,
    leaseDurationSeconds: 40,
    renewTime: formatMicroTime(now()),
  });
  await scene.settle(scene.api.create(Lease, { metadata, spec: spec() }));
  return {
    async beat(forMs) {
      for (let passed = 0; passed < forMs; passed += 5_000) {
        const change = { spec: spec() };
        const key = `kube-node-lease/${name}`;
        await scene.settle(scene.api.patch(Lease, key, change, { type: "merge" }));
        await scene.passes(5_000);
      }
    },
  };
}

async function readiness(name: string): Promise<string | undefined> {
  const { status } = await scene.settle(scene.api.get(Node, name));
  return status?.conditions?.find(({ type }) => type === "Ready")?.status;
}

test("node-lifecycle: a Node that is silent for 40 s is unknown, tainted, and its pods not ready", async () => {
  const silent = await createNode("node-1");
  const other = await createNode("node-2");
  const spec = { ...template(labels).spec, nodeName: "node-1" };
  const pod: Pod = { metadata: { name: "a", namespace: "default", labels }, spec };
  await scene.becomeReady(await scene.settle(scene.api.create(Pod, pod)));
  await silent.beat(20_000);
  await other.beat(35_000);
  expect(await readiness("node-1")).toBe("True");
  await other.beat(20_000);
  expect(await readiness("node-1")).toBe("Unknown");
  expect(await readiness("node-2")).toBe("True");
  const { spec: nodeSpec, status } = await scene.settle(scene.api.get(Node, "node-1"));
  expect(nodeSpec?.taints).toMatchObject([
    { key: "node.kubernetes.io/unreachable", effect: "NoSchedule" },
    { key: "node.kubernetes.io/unreachable", effect: "NoExecute" },
  ]);
  expect(status?.conditions?.find(({ type }) => type === "Ready")).toMatchObject({
    reason: "NodeStatusUnknown",
    message: "Kubelet stopped posting node status.",
  });
  const [found] = await scene.pods();
  expect(found?.status?.conditions?.find(({ type }) => type === "Ready")?.status).toBe("False");
});

test("node-lifecycle: a mark that arrives a second time, later, is not heeded", async () => {
  const listener = createSimBus(scene.network, { name: "listener" });
  const marks: Pick<BusMessage, "subject" | "headers" | "data">[] = [];
  listener.subscribe("wherry.api.*.patch.core.*.default.a", ({ subject, headers, data }) => {
    if (parseApiSubject(subject)?.principal !== controllersPrincipal) return;
    marks.push({ subject, headers, data: data.slice() });
  });
  await createNode("node-1");
  const spec = { ...template(labels).spec, nodeName: "node-1" };
  const pod: Pod = { metadata: { name: "a", namespace: "default", labels }, spec };
  await scene.becomeReady(await scene.settle(scene.api.create(Pod, pod)));
  await scene.until("the mark", () => marks.length > 0);
  await scene.passes(1_000);
  await scene.becomeReady(pod);
  const [before] = await scene.pods();
  for (const { subject, headers, data } of marks.splice(0, 1)) {
    const reply = `${inboxPrefix(controllersPrincipal)}.late`;
    listener.publish(subject, data, { headers, reply });
  }
  await scene.passes(100);
  expect(await scene.pods()).toEqual([before]);
});

test("node-lifecycle: while the API cannot write no Node grows silent", async () => {
  const node = await createNode("node-1");
  await node.beat(10_000);
  scene.streams.leases.leaderless(90_000);
  await scene.passes(89_000);
  expect(await readiness("node-1")).toBe("True");
  await scene.passes(2_000);
  await node.beat(10_000);
  expect(await readiness("node-1")).toBe("True");
});

test("pod-gc: a pod whose Node is gone follows it, after a while", async () => {
  await createNode("node-1");
  const spec = { ...template(labels).spec, nodeName: "node-1" };
  const pod: Pod = { metadata: { name: "a", namespace: "default" }, spec };
  await scene.settle(scene.api.create(Pod, pod));
  await scene.settle(scene.api.delete(Node, "node-1"));
  await scene.passes(35_000);
  expect(await scene.pods()).toHaveLength(1);
  await scene.until("the pod to go", async () => (await scene.pods()).length === 0);
});
