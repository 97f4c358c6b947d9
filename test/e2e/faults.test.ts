/**
 * What breaks under a running cluster, and what a machine's crash or reboot leaves: containers that
 * still run are adopted, everything else converges, and no object is lost.
 */
import { readFile } from "node:fs/promises";
import { get } from "node:http";
import { join, resolve } from "node:path";
import Docker from "dockerode";
import { afterAll, beforeAll, expect, test } from "vitest";
import { dockerdPaths } from "../../deploy/dockerd.ts";
import { readIdentity } from "../../deploy/identity.ts";
import { nodesDir } from "../../deploy/node.ts";
import { isSameProcess, type ProcessIdentity } from "../../deploy/processes.ts";
import { ensureTools } from "../../deploy/setup/index.ts";
import { removeNetwork } from "../../deploy/teardown.ts";
import { removeDockerdTraces, unmountBelow } from "../../deploy/traces.ts";
import { type Json, startCluster, type TestCluster } from "../harness/cluster.ts";
import { differences, type MachinePicture, pictureOfMachine } from "../harness/machine.ts";
import { waitFor } from "../harness/wait.ts";

const manifest = resolve(import.meta.dirname, "../../manifests/examples/nginx.yaml");

let before: MachinePicture;
let cluster: TestCluster;

beforeAll(async () => {
  before = await pictureOfMachine();
  cluster = await startCluster();
  await cluster.kubectl("apply", "-f", manifest);
  await cluster.kubectl("create", "configmap", "kept", "--from-literal=a=1");
  await cluster.apply(scratchPod);
  await readyPods("app=nginx", 3);
  await cluster.kubectl("wait", "--for=condition=Ready", "pod/scratch", "--timeout=60s");
});

afterAll(() => cluster?.purge());

/** Its volume is a mount of its own on the machine. */
const scratchPod = `
apiVersion: v1
kind: Pod
metadata: {name: scratch, labels: {app: scratch}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: main, image: "busybox:1.35", command: [sleep, "100000"], volumeMounts: [{name: fast, mountPath: /fast}]}
  volumes: [{name: fast, emptyDir: {medium: Memory}}]
`;

async function child(name: "nats-server" | "dockerd"): Promise<ProcessIdentity> {
  return JSON.parse(await readFile(join(cluster.dataDir, `run/${name}.json`), "utf8"));
}

/** Ends a child, and waits for the one in its place. */
async function killChild(
  name: "nats-server" | "dockerd",
  signal: "SIGKILL" | "SIGTERM" = "SIGKILL",
): Promise<void> {
  const killed = await child(name);
  process.kill(killed.pid, signal);
  await waitFor(`another ${name}`, async () => {
    const now = await child(name);
    return now.pid !== killed.pid && (await isSameProcess(now));
  });
}

const isReady = (pod: Json): boolean =>
  !pod.metadata.deletionTimestamp &&
  pod.status.conditions?.some((it: Json) => it.type === "Ready" && it.status === "True");

function readyPods(selector: string, count: number, timeoutMs = 60_000): Promise<Json[]> {
  const condition = async () => {
    const { items } = await cluster.json("get", "pods", "-l", selector);
    if (items.length === count && items.every(isReady)) return items as Json[];
    throw new Error(JSON.stringify(items.map((it: Json) => [it.metadata.name, it.status])));
  };
  return waitFor(`${count} ready pods`, condition, { timeoutMs, everyMs: 200 });
}

/** By pod, which containers it runs and how often they were restarted. */
async function containers(): Promise<Record<string, unknown>> {
  const { items } = await cluster.json("get", "pods");
  return Object.fromEntries(
    items.map(({ metadata, status }: Json) => [
      `${metadata.name} ${metadata.uid} ${status.podIP}`,
      status.containerStatuses.map((it: Json) => [it.containerID, it.restartCount]),
    ]),
  );
}

/** A Deployment that is created now comes to run: every part of the cluster does its work. */
async function expectWork(name: string): Promise<void> {
  await waitFor("the API to answer", async () => {
    return (await cluster.tryKubectl("get", "namespace", "default")).code === 0;
  });
  await cluster.kubectl("create", "deployment", name, "--image=nginx:1.22");
  await readyPods(`app=${name}`, 1);
  await cluster.kubectl("delete", "deployment", name, "--wait=true");
  await readyPods(`app=${name}`, 0);
}

function fetchText(address: string): Promise<string> {
  return new Promise((done, reject) => {
    const request = get({ host: address, agent: false, timeout: 2_000 }, (reply) => {
      let body = "";
      reply.on("data", (data) => {
        body += data;
      });
      reply.on("end", () => done(body));
    });
    request.on("error", reject).on("timeout", () => request.destroy(new Error("timed out")));
  });
}

async function expectService(): Promise<void> {
  const service = await cluster.json("get", "service", "nginx");
  const page = await waitFor("the Service to answer", () => fetchText(service.spec.clusterIP));
  expect(page).toMatch(/nginx/);
}

/** All of the cluster's processes at once, as when the machine runs out of memory. */
async function killEverything(): Promise<void> {
  const children = [await child("nats-server"), await child("dockerd")];
  await cluster.end("SIGKILL");
  for (const { pid } of children) process.kill(pid, "SIGKILL");
  await waitFor("their end", async () => {
    for (const it of children) if (await isSameProcess(it)) return false;
    return true;
  });
}

/** The first process of each container; the kernel ends the others with it. */
async function containerPids(): Promise<number[]> {
  const { socket } = dockerdPaths(cluster.dataDir);
  const docker = new Docker({ socketPath: socket });
  const listed = await docker.listContainers();
  const details = await Promise.all(listed.map(({ Id }) => docker.getContainer(Id).inspect()));
  return details.map((it) => it.State.Pid).filter((pid) => pid > 0);
}

/** As it was before; the processes of other clusters are none of ours. */
async function expectCleanMachine(): Promise<void> {
  const ours = [cluster.dataDir, dockerdPaths(cluster.dataDir).exec, "nginx:"];
  await waitFor("the machine to be as it was", async () => {
    const left = differences(before, await pictureOfMachine()).filter(
      (line) => !line.includes("processes: ") || ours.some((it) => line.includes(it)),
    );
    if (left.length > 0) throw new Error(left.join("\n"));
    return true;
  });
}

test.each(["SIGKILL", "SIGTERM"] as const)(
  "dockerd ended by %s: pods live on, and the node goes on with its work",
  async (signal) => {
    const running = await containers();
    await killChild("dockerd", signal);
    await expectService();
    await expectWork(`after-${signal.toLowerCase()}`);
    await cluster.kubectl("wait", "--for=condition=Ready", "node/node-1", "--timeout=30s");
    expect(await containers()).toEqual(running);
  },
);

test("dockerd that hangs: the node is not ready until it answers again, and pods live on", async () => {
  const running = await containers();
  const { pid } = await child("dockerd");
  process.kill(pid, "SIGSTOP");
  try {
    await cluster.kubectl("wait", "--for=condition=Ready=false", "node/node-1", "--timeout=60s");
    await expectService();
  } finally {
    process.kill(pid, "SIGCONT");
  }
  await cluster.kubectl("wait", "--for=condition=Ready", "node/node-1", "--timeout=60s");
  await readyPods("app=nginx", 3);
  await expectWork("after-hanging");
  expect(await containers()).toEqual(running);
});

test("nats-server killed with -9: nothing is lost, and what is created right after comes to run", async () => {
  const running = await containers();
  await killChild("nats-server");
  await expectWork("after-nats");
  expect((await cluster.json("get", "configmap", "kept")).data).toEqual({ a: "1" });
  expect(await containers()).toEqual(running);
});

test("everything killed with -9 and started again: objects are there, containers adopted", async () => {
  const running = await containers();
  await killEverything();
  await cluster.up();
  expect((await cluster.json("get", "configmap", "kept")).data).toEqual({ a: "1" });
  await readyPods("app=nginx", 3);
  await expectService();
  await expectWork("after-everything");
  expect(await containers()).toEqual(running);
});

test("a reboot, which takes containers, rules, bridges, routes and cgroups too: it converges", async () => {
  const pids = await containerPids();
  await killEverything();
  for (const pid of pids) process.kill(pid, "SIGKILL");
  await removeDockerdTraces(cluster.dataDir, { data: false });
  await unmountBelow(nodesDir(cluster.dataDir));
  const identity = await readIdentity(cluster.dataDir);
  const tools = await ensureTools({ needs: ["ip", "nft"], install: true, log: () => undefined });
  if (identity) await removeNetwork(identity, tools);
  await expectCleanMachine();
  await cluster.up();
  await readyPods("app=nginx", 3, 90_000);
  await readyPods("app=scratch", 1);
  await expectService();
  await expectWork("after-reboot");
  expect((await cluster.json("get", "configmap", "kept")).data).toEqual({ a: "1" });
});

test("SIGTERM: ends everything it started, volumes in memory among it", async () => {
  expect(await cluster.end("SIGTERM")).toBe(0);
  await expectCleanMachine();
});
