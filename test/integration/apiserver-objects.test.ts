/** What the API promises of objects, through the NATS door on a real nats-server. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ledgerPrincipal } from "../../actors/apiserver/authn/user.ts";
import { type Api, createApi } from "../../actors/kit/client.ts";
import type { BindPod, PodBound } from "../../actors/scheduler/messages.ts";
import { ledgerBindSubjects } from "../../actors/subjects.ts";
import {
  ConfigMap,
  Deployment,
  Epoch,
  type Kind,
  Namespace,
  Pod,
  type Scale,
  Service,
} from "../../manifests/index.ts";
import { realClock } from "../../runtime/real.ts";
import { refusal, startApi, type TestApi } from "../harness/api.ts";
import { readJson } from "../harness/messages.ts";

let env: TestApi;
let api: Api;

beforeAll(async () => {
  const bind = { verb: "create", group: "", resource: "pods/binding" } as const;
  const grants = new Map([[ledgerPrincipal, [bind]]]);
  env = await startApi({ grants });
  // Two of them: whatever is promised holds whoever answers.
  await env.start();
  api = await env.client();
});

afterAll(async () => {
  await env.dispose();
});

let names = 0;

function metadata(more: object = {}) {
  return { namespace: "default", name: `object-${++names}`, ...more };
}

function keyOf({
  metadata: { namespace, name },
}: {
  metadata: { namespace?: string; name?: string };
}) {
  return namespace ? `${namespace}/${name}` : String(name);
}

const container = { name: "main", image: "busybox:1.35" };

function pod(more: object = {}, spec: object = {}): Pod {
  return { metadata: metadata(more), spec: { containers: [container], ...spec } } as Pod;
}

function deployment(): Deployment {
  const labels = { app: "web" };
  const template = { metadata: { labels }, spec: { containers: [container] } };
  const spec = { replicas: 1, selector: { matchLabels: labels }, template };
  return { metadata: metadata(), spec } as Deployment;
}

describe("apiserver: identity", () => {
  test("apiserver: stamps a new object, whatever its maker says of it", async () => {
    const claimed = { uid: "mine", creationTimestamp: "2001-01-01T00:00:00Z", generation: 9 };
    const made = await api.create(ConfigMap, { metadata: metadata(claimed), data: { a: "b" } });
    expect(made.metadata.uid).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/);
    expect(Date.parse(String(made.metadata.creationTimestamp))).toBeGreaterThan(
      Date.now() - 60_000,
    );
    expect(made.metadata.generation).toBeUndefined();
    expect(Number(made.metadata.resourceVersion)).toBeGreaterThan(0);
  });

  test("apiserver: makes a name from generateName", async () => {
    const generated = { name: undefined, generateName: "job-" };
    const made = await api.create(ConfigMap, { metadata: metadata(generated) } as ConfigMap);
    expect(made.metadata.name).toMatch(/^job-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  });

  test("apiserver: refuses a second object of one name", async () => {
    const made = await api.create(ConfigMap, { metadata: metadata() });
    const error = await refusal(
      api.create(ConfigMap, { metadata: { ...made.metadata, resourceVersion: "" } }),
    );
    expect(error.status).toMatchObject({ code: 409, reason: "AlreadyExists" });
    expect(error.message).toBe(`configmaps "${made.metadata.name}" already exists`);
  });

  test("apiserver: says what is wrong with an object, field by field", async () => {
    const error = await refusal(api.create(ConfigMap, { metadata: metadata({ name: "No_Name" }) }));
    expect(error.status).toMatchObject({ code: 422, reason: "Invalid" });
    expect(error.message).toContain(
      'ConfigMap "No_Name" is invalid: metadata.name: Invalid value: "No_Name"',
    );
    const missing = await refusal(api.create(Pod, { metadata: metadata(), spec: {} } as Pod));
    expect(missing.status.details?.causes).toContainEqual(
      expect.objectContaining({ field: "spec.containers", reason: "FieldValueRequired" }),
    );
  });
});

describe("apiserver: changes", () => {
  test("apiserver: an update with an old resourceVersion conflicts", async () => {
    const made = await api.create(ConfigMap, { metadata: metadata() });
    await api.update(ConfigMap, { ...made, data: { a: "1" } });
    const error = await refusal(api.update(ConfigMap, { ...made, data: { a: "2" } }));
    expect(error.status).toMatchObject({ code: 409, reason: "Conflict" });
    expect(error.message).toContain("the object has been modified; please apply your changes");
  });

  test("apiserver: patches without a resourceVersion all land, however many at once", async () => {
    const made = await api.create(ConfigMap, { metadata: metadata() });
    const fields = Array.from({ length: 12 }, (_, at) => `field-${at}`);
    await Promise.all(
      fields.map((field) =>
        api.patch(ConfigMap, keyOf(made), { data: { [field]: "set" } }, { type: "merge" }),
      ),
    );
    const read = await api.get(ConfigMap, keyOf(made));
    expect(Object.keys(read.data ?? {}).sort()).toEqual(fields.sort());
  });

  test("apiserver: a change that changes nothing is no change", async () => {
    const made = await api.create(Deployment, deployment());
    const same = await api.update(Deployment, made);
    expect(same.metadata.resourceVersion).toBe(made.metadata.resourceVersion);
  });

  test("apiserver: the generation counts what is wanted, not what is said about it", async () => {
    const made = await api.create(Deployment, deployment());
    expect(made.metadata.generation).toBe(1);
    const status = { observedGeneration: 1, replicas: 1 };
    const reported = await api.updateStatus(Deployment, { ...made, status });
    expect(reported).toMatchObject({ metadata: { generation: 1 }, status });
    const labels = { a: "b" };
    const labelled = await api.patch(
      Deployment,
      keyOf(made),
      { metadata: { labels } },
      { type: "merge" },
    );
    expect(labelled.metadata.generation).toBe(1);
    const wider = { spec: { replicas: 2 }, status: { replicas: 99 } };
    const scaled = await api.patch(Deployment, keyOf(made), wider, { type: "merge" });
    expect(scaled).toMatchObject({ metadata: { generation: 2 }, status: { replicas: 1 } });
  });

  test("apiserver: /scale shows and sets replicas alone", async () => {
    const made = await api.create(Deployment, deployment());
    const scale = await patchScale(made, { spec: { replicas: 4 } });
    expect(scale).toMatchObject({
      kind: "Scale",
      apiVersion: "autoscaling/v1",
      spec: { replicas: 4 },
      status: { selector: "app=web" },
    });
    expect((await api.get(Deployment, keyOf(made))).spec.replicas).toBe(4);
  });

  function patchScale(made: Deployment, patch: object): Promise<Scale> {
    const kind = Deployment as unknown as Kind<Scale>;
    return api.patch(kind, keyOf(made), patch, { type: "merge", subresource: "scale" });
  }
});

describe("apiserver: ends", () => {
  test("apiserver: a finalizer keeps an object until it is taken away", async () => {
    const made = await api.create(ConfigMap, { metadata: metadata({ finalizers: ["a.b/c"] }) });
    await api.delete(ConfigMap, keyOf(made));
    const going = await api.get(ConfigMap, keyOf(made));
    expect(going.metadata.deletionTimestamp).toBeDefined();
    const more = { metadata: { finalizers: ["a.b/c", "d.e/f"] } };
    const refused = await refusal(api.patch(ConfigMap, keyOf(made), more, { type: "merge" }));
    expect(refused.message).toContain(
      "no new finalizers can be added if the object is being deleted",
    );
    await api.patch(ConfigMap, keyOf(made), { metadata: { finalizers: null } }, { type: "merge" });
    expect((await refusal(api.get(ConfigMap, keyOf(made)))).reason).toBe("NotFound");
  });

  test("apiserver: preconditions protect another object of the same name", async () => {
    const made = await api.create(ConfigMap, { metadata: metadata() });
    const error = await refusal(api.delete(ConfigMap, keyOf(made), { uid: "another" }));
    expect(error.reason).toBe("Conflict");
    expect(error.message).toContain("Precondition failed: UID in precondition: another");
    await api.delete(ConfigMap, keyOf(made), { uid: made.metadata.uid });
  });

  test("apiserver: the propagation policy becomes a finalizer", async () => {
    const made = await api.create(Deployment, deployment());
    await api.delete(Deployment, keyOf(made), { propagationPolicy: "Foreground" });
    const { metadata: going } = await api.get(Deployment, keyOf(made));
    expect(going.finalizers).toEqual(["foregroundDeletion"]);
    await api.delete(Deployment, keyOf(made), { propagationPolicy: "Background" });
    expect((await refusal(api.get(Deployment, keyOf(made)))).reason).toBe("NotFound");
  });

  test("apiserver: an unscheduled pod goes at once, a bound one has its grace", async () => {
    const loose = await api.create(Pod, pod());
    await api.delete(Pod, keyOf(loose));
    expect((await refusal(api.get(Pod, keyOf(loose)))).reason).toBe("NotFound");

    const bound = await api.create(
      Pod,
      pod({}, { nodeName: "n", terminationGracePeriodSeconds: 7 }),
    );
    await api.delete(Pod, keyOf(bound));
    const going = await api.get(Pod, keyOf(bound));
    expect(going.metadata.deletionGracePeriodSeconds).toBe(7);
    expect(Date.parse(String(going.metadata.deletionTimestamp))).toBeGreaterThan(Date.now());
    await api.delete(Pod, keyOf(bound), { gracePeriodSeconds: 60 });
    expect((await api.get(Pod, keyOf(bound))).metadata.deletionGracePeriodSeconds).toBe(7);
    await api.delete(Pod, keyOf(bound), { gracePeriodSeconds: 0, uid: bound.metadata.uid });
    expect((await refusal(api.get(Pod, keyOf(bound)))).reason).toBe("NotFound");
  });

  test("apiserver: deletecollection takes what the selector means and nothing else", async () => {
    const labels = { group: "doomed" };
    const doomed = await Promise.all(
      Array.from({ length: 10 }, () => api.create(ConfigMap, { metadata: metadata({ labels }) })),
    );
    const kept = await api.create(ConfigMap, { metadata: metadata() });
    await api.deleteCollection(ConfigMap, { namespace: "default", labelSelector: "group=doomed" });
    const { items } = await api.list(ConfigMap, { namespace: "default" });
    const left = new Set(items.map(({ metadata: { name } }) => name));
    expect(doomed.filter(({ metadata: { name } }) => left.has(name))).toEqual([]);
    expect(left.has(kept.metadata.name)).toBe(true);
  });
});

describe("apiserver: namespaces", () => {
  test("apiserver: nothing is made in a namespace that is not there, or is going", async () => {
    const absent = await refusal(
      api.create(ConfigMap, { metadata: metadata({ namespace: "absent" }) }),
    );
    expect(absent.message).toBe('namespaces "absent" not found');

    const made = await api.create(Namespace, { metadata: { name: "going" }, spec: {} });
    expect(made).toMatchObject({
      metadata: { labels: { "kubernetes.io/metadata.name": "going" } },
      spec: { finalizers: ["kubernetes"] },
      status: { phase: "Active" },
    });
    await api.delete(Namespace, "going");
    const going = await api.get(Namespace, "going");
    expect(going.status?.phase).toBe("Terminating");
    const late = await refusal(
      api.create(ConfigMap, { metadata: metadata({ namespace: "going" }) }),
    );
    expect(late.reason).toBe("Forbidden");
    expect(late.status.details?.causes?.[0]?.reason).toBe("NamespaceTerminating");

    await api.update(
      Namespace,
      { ...going, spec: { finalizers: [] } },
      { subresource: "finalize" },
    );
    expect((await refusal(api.get(Namespace, "going"))).reason).toBe("NotFound");
  });

  test("apiserver: the first namespaces stay", async () => {
    expect((await refusal(api.delete(Namespace, "kube-system"))).reason).toBe("Forbidden");
  });
});

describe("apiserver: services", () => {
  const service = (spec: object = {}): Service =>
    ({ metadata: metadata(), spec: { ports: [{ port: 80 }], ...spec } }) as Service;

  test("apiserver: gives every Service an address of its own, and takes it back", async () => {
    const made = await Promise.all(
      Array.from({ length: 20 }, () => api.create(Service, service())),
    );
    const addresses = made.map(({ spec }) => String(spec.clusterIP));
    expect(new Set(addresses).size).toBe(20);
    for (const address of addresses) expect(address).toMatch(/^10\.96\.\d+\.\d+$/);

    const [first] = made;
    if (!first) throw new Error("none was made");
    const taken = await refusal(api.create(Service, service({ clusterIP: first.spec.clusterIP })));
    expect(taken.status).toMatchObject({ code: 422, reason: "Invalid" });
    expect(taken.message).toContain("provided IP is already allocated");
    await api.delete(Service, keyOf(first));
    const again = await api.create(Service, service({ clusterIP: first.spec.clusterIP }));
    expect(again.spec.clusterIP).toBe(first.spec.clusterIP);
  });

  test("apiserver: an address outside the range is refused", async () => {
    const error = await refusal(api.create(Service, service({ clusterIP: "10.1.2.3" })));
    expect(error.message).toContain("The range of valid IPs is 10.96.0.0/16");
  });

  test("apiserver: node ports are the Service's while it wants them", async () => {
    const made = await api.create(Service, service({ type: "NodePort" }));
    const nodePort = made.spec.ports?.[0]?.nodePort;
    expect(nodePort).toBeGreaterThanOrEqual(30_000);
    const rival = service({ type: "NodePort", ports: [{ port: 80, nodePort }] });
    expect((await refusal(api.create(Service, rival))).message).toContain("already allocated");
    const spec = { type: "ClusterIP", ports: [{ port: 80 }] };
    const inner = await api.patch(Service, keyOf(made), { spec }, { type: "merge" });
    expect(inner.spec.ports?.[0]?.nodePort).toBeUndefined();
    expect(inner.spec.clusterIP).toBe(made.spec.clusterIP);
    await api.create(Service, { ...rival, metadata: metadata() });
  });

  test("apiserver: a headless Service has no address", async () => {
    const made = await api.create(Service, service({ clusterIP: "None", selector: { a: "b" } }));
    expect(made.spec).toMatchObject({ clusterIP: "None", clusterIPs: ["None"] });
  });
});

describe("apiserver: owners", () => {
  test("apiserver: a deposed owner's writes are refused", async () => {
    const spec = { holder: "a", term: 1 };
    const first = await api.create(Epoch, { metadata: { name: "test-owner" }, spec });
    const epochOf = ({ metadata: { name, resourceVersion } }: Epoch) =>
      `${name}@${resourceVersion}`;
    const bus = await env.connect(api.principal);
    const owner = (epoch: string) =>
      createApi(bus, realClock, { principal: api.principal, epoch: () => epoch });
    await owner(epochOf(first)).create(ConfigMap, { metadata: metadata() });
    const second = await api.update(Epoch, { ...first, spec: { holder: "b", term: 2 } });
    const deposed = await refusal(
      owner(epochOf(first)).create(ConfigMap, { metadata: metadata() }),
    );
    expect(deposed.status).toMatchObject({ code: 409, reason: "Conflict" });
    expect(deposed.message).toContain("deposed");
    await owner(epochOf(second)).create(ConfigMap, { metadata: metadata() });
  });

  test("apiserver: a binding is the ledger's to make, whoever asks", async () => {
    const bus = await env.connect(ledgerPrincipal);
    const ledgerApi = createApi(bus, realClock, { principal: ledgerPrincipal });
    const asked: BindPod[] = [];
    bus.subscribe(ledgerBindSubjects, async (message) => {
      const ask = readJson<BindPod>(message);
      asked.push(ask);
      await bindBy(ledgerApi, ask);
      const answer: PodBound = { type: "bound" };
      message.respond(JSON.stringify(answer));
    });
    await bus.flush();
    const made = await api.create(Pod, pod());
    const { namespace = "", name = "" } = made.metadata;
    await bindBy(api, { namespace, name, node: "node-1" });
    expect(asked).toEqual([{ namespace, name, uid: made.metadata.uid, node: "node-1" }]);
    const bound = await api.get(Pod, keyOf(made));
    expect(bound.spec.nodeName).toBe("node-1");
    expect(bound.status?.conditions).toMatchObject([{ type: "PodScheduled", status: "True" }]);
  });

  function bindBy(
    client: Api,
    { namespace, name, uid, node }: Omit<BindPod, "uid"> & { uid?: string },
  ) {
    const body = {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { namespace, name, uid },
      target: { kind: "Node", name: node },
    };
    return client.createSubresource(Pod, `${namespace}/${name}`, "binding", body);
  }
});

test("apiserver: a dry run judges and writes nothing", async () => {
  const bus = await env.connect(api.principal);
  const name = `dry-${Date.now()}`;
  const subject = `wherry.api.${api.principal}.create.core.configmaps.default._`;
  const body = JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name } });
  const answer = await bus.request(subject, body, { headers: { "Wherry-Query": "dryRun=All" } });
  expect(answer.headers["Wherry-Status"]).toBe("201");
  expect((await refusal(api.get(ConfigMap, `default/${name}`))).reason).toBe("NotFound");
});
