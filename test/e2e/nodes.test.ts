/** Two nodes on one machine, and `--keep`: pods that outlive their Wherry. */
import { resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Json, startCluster, type TestCluster } from "../harness/cluster.ts";
import { waitFor } from "../harness/wait.ts";

const manifest = resolve(import.meta.dirname, "../../manifests/examples/nginx.yaml");
const args = ["--nodes", "2", "--keep"];

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await startCluster({ args });
  await cluster.kubectl("apply", "-f", manifest);
  await cluster.kubectl("scale", "deployment/nginx", "--replicas=4");
  await cluster.kubectl("rollout", "status", "deployment/nginx", "--timeout=60s");
});

afterAll(() => cluster?.purge());

const pods = async (): Promise<Json[]> =>
  (await cluster.json("get", "pods", "-l", "app=nginx")).items;

async function page(host: string): Promise<string> {
  const signal = AbortSignal.timeout(5_000);
  return (await fetch(`http://${host}/`, { signal, headers: { Connection: "close" } })).text();
}

test("nodes: both are ready, with ranges of their own, and share the pods", async () => {
  const nodes: Json[] = (await cluster.json("get", "nodes")).items;
  const ranges = nodes.map((it) => [it.metadata.name, it.spec.podCIDR]);
  expect(ranges).toEqual([
    ["node-1", "10.244.0.0/24"],
    ["node-2", "10.244.1.0/24"],
  ]);
  const places = (await pods()).map(
    ({ spec, status }) => `${spec.nodeName} ${status.podIP.replace(/\d+$/, "")}`,
  );
  expect(new Set(places)).toEqual(new Set(["node-1 10.244.0.", "node-2 10.244.1."]));
});

test("nodes: each tells of its own pods, the second on the next free port", async () => {
  const told = await Promise.all(
    [10255, 10256].map(async (port) => {
      const list: Json = await (await fetch(`http://127.0.0.1:${port}/pods`)).json();
      return new Set(list.items.map((it: Json) => it.spec.nodeName));
    }),
  );
  expect(told).toEqual([new Set(["node-1"]), new Set(["node-2"])]);
});

test("nodes: pods of one reach those of the other, the Service and DNS", async () => {
  const all = await pods();
  for (const from of ["node-1", "node-2"]) {
    const { metadata } = all.find((it) => it.spec.nodeName === from);
    const other = all.find((it) => it.spec.nodeName !== from);
    for (const host of [other.status.podIP, "nginx.default.svc.cluster.local"]) {
      const command = ["timeout", "5", "wget", "-qO-", `http://${host}/`];
      expect(await cluster.kubectl("exec", metadata.name, "--", ...command)).toContain("nginx-");
    }
  }
});

test("up --keep: pods and their Service outlive it, and the next start adopts them", async () => {
  const containers = async () =>
    (await pods()).map(({ metadata, status }) => [
      metadata.uid,
      status.podIP,
      status.containerStatuses.map((it: Json) => [it.containerID, it.restartCount]),
    ]);
  const { spec } = await cluster.json("get", "service", "nginx");
  const before = await containers();
  expect(await cluster.end("SIGTERM")).toBe(0);
  expect(await page(spec.clusterIP)).toContain("nginx-");
  await cluster.up({ args });
  await cluster.kubectl("rollout", "status", "deployment/nginx", "--timeout=60s");
  expect(await containers()).toEqual(before);
  await waitFor("an answer", async () => (await page(spec.clusterIP)).includes("nginx-"));
});
