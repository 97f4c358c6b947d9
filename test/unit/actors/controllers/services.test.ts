import { afterEach, beforeEach, expect, test } from "vitest";
import { endpointSlice } from "../../../../actors/controllers/endpoint-slice.ts";
import { computeSlices } from "../../../../actors/controllers/endpoint-slice-packing.ts";
import { endpoints } from "../../../../actors/controllers/endpoints.ts";
import { garbageCollector } from "../../../../actors/controllers/garbage-collector.ts";
import {
  type Endpoint,
  EndpointSlice,
  Endpoints,
  Pod,
  Service,
} from "../../../../manifests/index.ts";
import { type Scene, startScene, template } from "../../../harness/controller.ts";

let scene: Scene;

beforeEach(async () => {
  const all = [endpointSlice, endpoints, garbageCollector];
  scene = await startScene({ writes: all.flatMap(({ writes }) => writes) });
  scene.run(...all);
});

afterEach(async () => {
  await scene.dispose();
});

const labels = { app: "web" };

async function createPod(name: string, port?: number): Promise<Pod> {
  const { spec } = template(labels);
  const [main] = spec.containers;
  const ports = port === undefined ? undefined : [{ name: "http", containerPort: port }];
  const pod: Pod = {
    metadata: { name, namespace: "default", labels },
    spec: {
      containers: [{ name: "main", image: "nginx:1.22", ...main, ports }],
      nodeName: "node-1",
    },
  };
  return await scene.settle(scene.api.create(Pod, pod));
}

async function createService(spec: Partial<Service["spec"]> = {}): Promise<Service> {
  return await scene.settle(
    scene.api.create(Service, {
      metadata: { name: "web", namespace: "default", labels: { tier: "front" } },
      spec: { selector: labels, ports: [{ port: 80, targetPort: "http" }], ...spec },
    }),
  );
}

async function slices(): Promise<EndpointSlice[]> {
  const labelSelector = "kubernetes.io/service-name=web";
  return (await scene.settle(scene.api.list(EndpointSlice, { labelSelector }))).items;
}

const addresses = async () => (await slices()).flatMap(({ endpoints: all }) => all ?? []);

test("endpoint-slice: has the pods of a Service with their readiness and named ports", async () => {
  await createService();
  await scene.becomeReady(await createPod("a", 8080), "10.244.0.7");
  await scene.until("the endpoint", async () => (await addresses()).length === 1);
  const [slice] = await slices();
  expect(slice).toMatchObject({
    addressType: "IPv4",
    ports: [{ name: "", port: 8080, protocol: "TCP" }],
    endpoints: [
      {
        addresses: ["10.244.0.7"],
        conditions: { ready: true, serving: true, terminating: false },
        nodeName: "node-1",
        targetRef: { kind: "Pod", namespace: "default", name: "a" },
      },
    ],
  });
  expect(slice?.metadata.labels).toEqual({
    tier: "front",
    "kubernetes.io/service-name": "web",
    "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
  });
  expect(slice?.metadata.ownerReferences).toMatchObject([{ kind: "Service", name: "web" }]);
});

test("endpoint-slice: pods with different ports are in different slices", async () => {
  await createService();
  await scene.becomeReady(await createPod("a", 8080), "10.244.0.7");
  await scene.becomeReady(await createPod("b", 9090), "10.244.0.8");
  await scene.until("both", async () => (await addresses()).length === 2);
  const ports = (await slices()).map((slice) => slice.ports?.[0]?.port);
  expect(ports.sort()).toEqual([8080, 9090]);
});

test("endpoint-slice: a pod that is stopping still serves, but is not ready", async () => {
  await createService();
  const pod = await createPod("a", 8080);
  await scene.becomeReady(pod, "10.244.0.7");
  await scene.until("the endpoint", async () => (await addresses()).length === 1);
  await scene.settle(scene.api.delete(Pod, "default/a"));
  await scene.until("its end to show", async () => {
    const [endpoint] = await addresses();
    return endpoint?.conditions?.terminating === true;
  });
  expect((await addresses())[0]?.conditions).toEqual({
    ready: false,
    serving: true,
    terminating: true,
  });
  await scene.settle(scene.api.delete(Pod, "default/a", { gracePeriodSeconds: 0 }));
  await scene.until("it to go", async () => (await addresses()).length === 0);
});

test("endpoints: follows the slices, without pods that are stopping", async () => {
  await createService({ ports: [{ port: 80, targetPort: 8080 }] });
  await scene.becomeReady(await createPod("a"), "10.244.0.7");
  const unready = await createPod("b");
  const status = { phase: "Running", podIP: "10.244.0.8", podIPs: [{ ip: "10.244.0.8" }] };
  const how = { type: "strategic", subresource: "status" } as const;
  await scene.settle(scene.api.patch(Pod, `default/${unready.metadata.name}`, { status }, how));
  await scene.until("both addresses", async () => {
    const { subsets } = await scene.settle(scene.api.get(Endpoints, "default/web"));
    return subsets?.[0]?.addresses?.length === 1 && subsets[0].notReadyAddresses?.length === 1;
  });
  const { subsets } = await scene.settle(scene.api.get(Endpoints, "default/web"));
  expect(subsets).toMatchObject([
    {
      addresses: [{ ip: "10.244.0.7", nodeName: "node-1", targetRef: { name: "a" } }],
      notReadyAddresses: [{ ip: "10.244.0.8", targetRef: { name: "b" } }],
      ports: [{ port: 8080, protocol: "TCP" }],
    },
  ]);
});

test("endpoints: all that a Service had goes with it, and what has no selector is left alone", async () => {
  await createService();
  const manual = { metadata: { name: "manual", namespace: "default" } };
  await scene.settle(scene.api.create(Endpoints, manual));
  await scene.until("an empty slice", async () => (await slices()).length === 1);
  await scene.until("Endpoints", async () =>
    Boolean(await scene.api.get(Endpoints, "default/web")),
  );
  await scene.settle(scene.api.delete(Service, "default/web"));
  await scene.until("both to go", async () => {
    const { items } = await scene.settle(scene.api.list(Endpoints, { namespace: "default" }));
    return (await slices()).length === 0 && items.every(({ metadata }) => metadata.name !== "web");
  });
  await scene.settle(scene.api.get(Endpoints, "default/manual"));
});

test("endpoint-slice: packs a hundred into a slice, and writes only slices that change", () => {
  const of = (count: number, from = 0): Endpoint[] =>
    Array.from({ length: count }, (_, at) => ({
      addresses: [`10.244.${Math.floor((from + at) / 250)}.${(from + at) % 250}`],
      targetRef: { uid: `${from + at}` },
    }));
  const group = { addressType: "IPv4" as const, ports: [] };
  const first = computeSlices([{ ...group, endpoints: of(250) }], []);
  expect(first.create.map((slice) => slice.endpoints.length)).toEqual([100, 100, 50]);

  const existing = first.create.map((slice, at) => ({ ...slice, metadata: { name: `s${at}` } }));
  const more = computeSlices([{ ...group, endpoints: of(251) }], existing);
  expect(more).toMatchObject({ create: [], remove: [] });
  expect(more.update.map(({ metadata, endpoints: all }) => [metadata.name, all.length])).toEqual([
    ["s2", 51],
  ]);

  const fewer = computeSlices([{ ...group, endpoints: of(150, 100) }], existing);
  expect(fewer).toMatchObject({ create: [], update: [] });
  expect(fewer.remove.map(({ metadata }) => metadata.name)).toEqual(["s0"]);
});
