/** What each kind's strategy does to what a client sends: resets, generations, warnings. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { startHttpsApi, type TestHttpsApi } from "../harness/https.ts";
import { deployments, mergePatch, type RestClient, restClient } from "../harness/rest.ts";

let env: TestHttpsApi;
let rest: RestClient;

beforeAll(async () => {
  env = await startHttpsApi();
  rest = await restClient(env);
});

afterAll(async () => {
  rest?.close();
  await env?.dispose();
});

const core = "/api/v1/namespaces/default";
const container = { name: "c", image: "i:1" };
const template = { metadata: { labels: { app: "a" } }, spec: { containers: [container] } };
const owner = (name: string) => ({
  metadata: { name },
  spec: { selector: { matchLabels: { app: "a" } }, template },
});

test("strategy: what a Service had as a NodePort goes when it becomes a ClusterIP", async () => {
  const service = { metadata: { name: "s" }, spec: { type: "NodePort", ports: [{ port: 80 }] } };
  const made = await rest.ask("POST", `${core}/services`, service);
  expect(made.json.spec.ports[0].nodePort).toBeGreaterThan(0);
  const type = { spec: { type: "ClusterIP" } };
  const { code, json } = await rest.ask("PATCH", `${core}/services/s`, type, mergePatch);
  expect(code).toBe(200);
  expect(json.spec.ports[0].nodePort).toBeUndefined();
  expect(json.spec.externalTrafficPolicy).toBeUndefined();
  expect(json.spec.clusterIP).toBe(made.json.spec.clusterIP);
});

test("strategy: a Deployment's annotations count as a generation, a ReplicaSet's do not", async () => {
  const annotated = { metadata: { annotations: { a: "b" } } };
  const sets = "/apis/apps/v1/namespaces/default/replicasets";
  for (const [path, generation] of [
    [deployments, 2],
    [sets, 1],
  ] as const) {
    await rest.ask("POST", path, owner("g"));
    const { json } = await rest.ask("PATCH", `${path}/g`, annotated, mergePatch);
    expect(json.metadata.generation).toBe(generation);
  }
});

test("strategy: who writes a quota's status may annotate it, a Deployment's may not", async () => {
  const quotas = `${core}/resourcequotas`;
  const patch = { metadata: { annotations: { seen: "yes" } }, status: { hard: { secrets: "1" } } };
  await rest.ask("POST", quotas, { metadata: { name: "q" }, spec: { hard: { secrets: "1" } } });
  const quota = await rest.ask("PATCH", `${quotas}/q/status`, patch, mergePatch);
  expect(quota.json.metadata.annotations).toEqual({ seen: "yes" });
  expect(quota.json.status.hard).toEqual({ secrets: "1" });
  await rest.ask("POST", deployments, owner("d"));
  const bare = { ...patch, status: { replicas: 1 } };
  const told = await rest.ask("PATCH", `${deployments}/d/status`, bare, mergePatch);
  expect(told.json.metadata.annotations?.seen).toBeUndefined();
  expect(told.json.status.replicas).toBe(1);
});

test("strategy: a gated pod says why nothing happens, and its affinity is to its own kind", async () => {
  const podAffinityTerm = {
    topologyKey: "zone",
    labelSelector: { matchLabels: { x: "y" } },
    matchLabelKeys: ["app"],
  };
  const preferred = [{ weight: 1, podAffinityTerm }];
  const affinity = { podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: preferred } };
  const spec = { containers: [container], schedulingGates: [{ name: "a" }], affinity };
  const pod = { metadata: { name: "gated", labels: { app: "a" } }, spec };
  const { json } = await rest.ask("POST", `${core}/pods`, pod);
  expect(json.status.conditions).toMatchObject([
    { type: "PodScheduled", status: "False", reason: "SchedulingGated" },
  ]);
  const [term] = json.spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution;
  expect(term.podAffinityTerm.labelSelector.matchExpressions).toEqual([
    { key: "app", operator: "In", values: ["a"] },
  ]);
});

test("strategy: a claim's old and new source say the same, and an account keeps names only", async () => {
  const dataSource = { kind: "PersistentVolumeClaim", name: "other" };
  const resources = { requests: { storage: "1Gi" } };
  const spec = { accessModes: ["ReadWriteOnce"], resources, dataSource };
  const claim = { metadata: { name: "c" }, spec };
  const made = await rest.ask("POST", `${core}/persistentvolumeclaims`, claim);
  expect(made.json.spec.dataSourceRef).toMatchObject(dataSource);
  const secrets = [{ name: "s", namespace: "elsewhere", uid: "u" }];
  const account = { metadata: { name: "a" }, secrets };
  const kept = await rest.ask("POST", `${core}/serviceaccounts`, account);
  expect(kept.json.secrets).toEqual([{ name: "s" }]);
});

test("strategy: what is odd is warned about, and a negative scale told of the Scale", async () => {
  const env = [
    { name: "A", value: "1" },
    { name: "A", value: "2" },
  ];
  const pod = { metadata: { name: "odd" }, spec: { containers: [{ ...container, env }] } };
  const { code, warning } = await rest.ask("POST", `${core}/pods`, pod);
  expect(code).toBe(201);
  expect(warning).toContain("spec.containers[0].env[1]: hides previous definition of");
  await rest.ask("POST", deployments, owner("scaled"));
  const scale = { spec: { replicas: -1 } };
  const refused = await rest.ask("PATCH", `${deployments}/scaled/scale`, scale, mergePatch);
  expect(refused.code).toBe(422);
  expect(refused.json.message).toBe(
    'Scale.autoscaling "scaled" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
  );
});

test("strategy: a delete cannot orphan by two names", async () => {
  const options = { orphanDependents: true, propagationPolicy: "Foreground" };
  const refused = await rest.ask("DELETE", `${deployments}/nobody`, options);
  expect(refused.json.message).toContain(
    "orphanDependents and deletionPropagation cannot be both set",
  );
});
