/** The kubelet on a real Docker and a real API: what only the real parts can show. */

import { mkdtemp, readdir, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Api } from "../../actors/kit/client.ts";
import { DockerEngine } from "../../actors/kubelet/engines/docker/index.ts";
import { kubelet } from "../../actors/kubelet/kubelet.ts";
import {
  channels,
  type NodeRequests,
  type NodeVerb,
  type StreamReply,
} from "../../actors/kubelet/messages.ts";
import { netDialer } from "../../actors/kubelet/net-dialer.ts";
import { readHostDns, readMachine } from "../../actors/kubelet/real-machine.ts";
import { endpointOn } from "../../actors/kubelet/server.ts";
import { DiskFiles } from "../../actors/kubelet/volumes/disk.ts";
import { nodeSubject, streamSubject } from "../../actors/subjects.ts";
import { pauseImage } from "../../deploy/images/index.ts";
import { ConfigMap, type Container, Event, Node, Pod, Secret } from "../../manifests/index.ts";
import { createLog } from "../../runtime/log.ts";
import type { NatsBus } from "../../runtime/nats-bus.ts";
import { realClock, realRandom } from "../../runtime/real.ts";
import { type ByteStream, openStream } from "../../runtime/stream.ts";
import { createSystem, type System } from "../../runtime/supervisor.ts";
import { apiPrincipal, startApi, type TestApi } from "../harness/api.ts";
import { startTestDocker, type TestDocker } from "../harness/docker.ts";
import { readJson } from "../harness/messages.ts";
import { waitFor } from "../harness/wait.ts";

const nodeName = "node-1";
const podCIDR = "10.213.21.0/24";
const log = createLog({ level: process.env.WHERRY_TEST_LOG === "debug" ? "debug" : "silent" });

let docker: TestDocker;
let server: TestApi;
let api: Api;
let apiBus: NatsBus;
let dataDir: string;
let system: System;

async function startKubelet(): Promise<void> {
  const principal = `system:node:${nodeName}`;
  const bus = await server.connect(principal);
  system = createSystem({ clock: realClock, random: realRandom, log, bus });
  const { socketPath } = docker;
  const owner = { cluster: "kubelet", node: nodeName };
  system.spawn(kubelet, {
    principal,
    nodeName,
    nodeIP: "127.0.0.1",
    podCIDR,
    dns: { server: "10.96.0.10", domain: "cluster.local" },
    hostDns: readHostDns(),
    version: "v1.32.0+wherry",
    engine: new DockerEngine({ ...owner, socketPath, podCIDR, pauseImage, stateDir: dataDir }),
    machine: readMachine(dataDir),
    files: new DiskFiles(dataDir),
    dialer: netDialer,
    endpoint: endpointOn("127.0.0.1", 0),
  });
}

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "wherry-kubelet-"));
  [docker, server] = await Promise.all([startTestDocker(), startApi()]);
  api = await server.client();
  apiBus = await server.connect(apiPrincipal);
  await startKubelet();
  await waitFor("the node", async () => {
    const { status } = await api.get(Node, nodeName);
    return status?.conditions?.some((it) => it.type === "Ready" && it.status === "True");
  });
});

afterAll(async () => {
  for (const { metadata } of (await api.list(Pod)).items) {
    await api.delete(Pod, `default/${metadata.name}`, { gracePeriodSeconds: 1 });
  }
  await waitFor("all pods to go", async () => (await api.list(Pod)).items.length === 0);
  expect(await docker.docker.listContainers({ all: true })).toEqual([]);
  expect(await readdir(join(dataDir, "pods"))).toEqual([]);
  expect(await readdir(join(dataDir, "sandboxes"))).toEqual([]);
  await system.stop();
  await server.dispose();
  await docker.stop();
  await rm(dataDir, { recursive: true });
});

const shell = (script: string): string[] => ["sh", "-c", script];

function container(script: string, more: Partial<Container> = {}): Container {
  return { name: "app", image: "busybox:1.35", command: shell(script), ...more };
}

async function create(name: string, app: Container, spec: Partial<Pod["spec"]> = {}): Promise<Pod> {
  const metadata = { name, namespace: "default" };
  const grace = { terminationGracePeriodSeconds: 1 };
  // No controller here publishes the root certificate that a token comes with.
  const fixed = { nodeName, automountServiceAccountToken: false, ...grace };
  return api.create(Pod, { metadata, spec: { ...fixed, containers: [app], ...spec } });
}

function untilPod(name: string, holds: (pod: Pod) => unknown): Promise<Pod> {
  return waitFor(
    `pod ${name}`,
    async () => {
      const pod = await api.get(Pod, `default/${name}`);
      return holds(pod) ? pod : undefined;
    },
    { everyMs: 10 },
  );
}

const isReady = (pod: Pod): boolean =>
  pod.status?.conditions?.some((it) => it.type === "Ready" && it.status === "True") ?? false;
const appState = (pod: Pod) => pod.status?.containerStatuses?.[0];
const sleep = "trap 'exit 0' TERM; sleep 600 & wait";

/** As an API actor does it. */
async function openNode<V extends NodeVerb>(
  verb: V,
  pod: Pod,
  request: Omit<NodeRequests[V], "stream" | "namespace" | "pod" | "uid" | "container">,
): Promise<{ reply: StreamReply; stream: ByteStream }> {
  const id = realRandom.uuid();
  const stream = openStream(apiBus, realClock, {
    send: streamSubject(nodeName, id, "down"),
    receive: streamSubject(nodeName, id, "up"),
  });
  const { name, uid } = pod.metadata;
  const target = { stream: id, namespace: "default", pod: name, uid, container: "app" };
  const body = JSON.stringify({ ...target, ...request });
  const answer = await apiBus.request(nodeSubject(nodeName, verb), body);
  return { reply: readJson<StreamReply>(answer), stream };
}

async function textOf(stream: ByteStream, channel: number): Promise<string> {
  let text = "";
  for await (const data of stream.read(channel)) text += new TextDecoder().decode(data);
  return text;
}

test("kubelet on docker: a pod whose image is there runs within a second or so", async () => {
  await create("warm-up", container(sleep));
  await untilPod("warm-up", isReady);
  const startedAt = performance.now();
  await create("fast", container(sleep));
  const pod = await untilPod("fast", isReady);
  const tookMs = performance.now() - startedAt;
  expect(pod.status?.podIP).toMatch(/^10\.213\.21\./);
  expect(appState(pod)?.containerID).toMatch(/^docker:\/\/[0-9a-f]{64}$/);
  expect(appState(pod)?.imageID).toMatch(/^sha256:/);
  // About 0.5 s on an idle machine; tests share theirs.
  expect(tookMs).toBeLessThan(5_000);
  if (process.env.WHERRY_TEST_LOG) process.stderr.write(`ready after ${tookMs.toFixed(0)} ms\n`);
});

test("kubelet on docker: environment, volumes and files reach the container", async () => {
  const metadata = { name: "things", namespace: "default" };
  await api.create(ConfigMap, { metadata, data: { color: "red", "app.conf": "a=1\n" } });
  const password = Buffer.from("s3cret").toString("base64");
  await api.create(Secret, { metadata, data: { password } });
  const script = [
    "echo $COLOR $PASSWORD $NAME $IP_SET $GREETING $CPUS",
    "cat /conf/app.conf",
    "stat -L -c %a /secret/pw",
    "cat /secret/pw; echo",
    "echo written > /scratch/file && cat /scratch/file",
    "mount | grep -c '/ram type tmpfs'",
    "grep -c things-pod /etc/hosts",
    "cat /etc/resolv.conf",
    "printf 'last words' > /dev/termination-log",
  ].join("\n");
  const fromMap = { configMapKeyRef: { name: "things", key: "color" } };
  const app = container(script, {
    env: [
      { name: "COLOR", valueFrom: fromMap },
      { name: "PASSWORD", valueFrom: { secretKeyRef: { name: "things", key: "password" } } },
      { name: "NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
      { name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
      { name: "IP_SET", value: "ip=$(IP)" },
      { name: "GREETING", value: "hello-$(COLOR)-$$(COLOR)" },
      { name: "CPUS", valueFrom: { resourceFieldRef: { resource: "limits.cpu" } } },
    ],
    resources: { limits: { cpu: "1500m", memory: "64Mi" } },
    volumeMounts: [
      { name: "conf", mountPath: "/conf" },
      { name: "secret", mountPath: "/secret" },
      { name: "scratch", mountPath: "/scratch", subPath: "below/here" },
      { name: "ram", mountPath: "/ram" },
    ],
  });
  await create("things-pod", app, {
    restartPolicy: "Never",
    volumes: [
      { name: "conf", configMap: { name: "things" } },
      {
        name: "secret",
        secret: { secretName: "things", items: [{ key: "password", path: "pw", mode: 0o400 }] },
      },
      { name: "scratch", emptyDir: {} },
      { name: "ram", emptyDir: { medium: "Memory", sizeLimit: "16Mi" } },
    ],
  });
  const pod = await untilPod("things-pod", ({ status }) => status?.phase === "Succeeded");
  expect(appState(pod)?.state?.terminated?.message).toBe("last words");
  const { stream } = await openNode("logs", pod, logOptions);
  expect((await textOf(stream, channels.stdout)).split("\n")).toEqual([
    `red s3cret things-pod ip=${pod.status?.podIP} hello-red-$(COLOR) 2`,
    "a=1",
    "400",
    "s3cret",
    "written",
    "1",
    "1",
    "nameserver 10.96.0.10",
    expect.stringMatching(
      /^search default\.svc\.cluster\.local svc\.cluster\.local cluster\.local/,
    ),
    "options ndots:5",
    "",
  ]);
});

const logOptions = { follow: false, previous: false, timestamps: false };

test("kubelet on docker: a container killed with Docker itself comes back", async () => {
  await create("phoenix", container(`echo born; ${sleep}`));
  const before = await untilPod("phoenix", isReady);
  const id = appState(before)?.containerID?.replace("docker://", "") ?? "";
  await docker.docker.getContainer(id).kill();
  const after = await untilPod(
    "phoenix",
    (pod) => isReady(pod) && appState(pod)?.restartCount === 1,
  );
  expect(appState(after)?.lastState?.terminated).toMatchObject({ exitCode: 137, reason: "Error" });
  const again = appState(after)?.containerID?.replace("docker://", "") ?? "";
  await docker.docker.getContainer(again).remove({ force: true });
  await untilPod("phoenix", (pod) => isReady(pod) && appState(pod)?.restartCount === 2);
  // Of the two before it, one is left: the first.
  const { stream } = await openNode("logs", after, { ...logOptions, previous: true });
  expect(await textOf(stream, channels.stdout)).toBe("born\n");
  const fresh = await untilPod("fast", isReady);
  const refused = await openNode("logs", fresh, { ...logOptions, previous: true });
  expect(refused.reply).toEqual({
    type: "refused",
    code: 400,
    reason: "BadRequest",
    message: 'previous terminated container "app" in pod "fast" not found',
  });
  refused.stream.close();
});

test("kubelet on docker: real probes over HTTP, TCP and exec", async () => {
  const http = { httpGet: { path: "/ok", port: "web" }, periodSeconds: 1 };
  const app = container("echo ok > /tmp/ok; httpd -f -p 8080 -h /tmp", {
    ports: [{ name: "web", containerPort: 8080 }],
    readinessProbe: http,
    startupProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1, failureThreshold: 30 },
    livenessProbe: {
      exec: { command: shell("test -e /tmp/ok") },
      periodSeconds: 1,
      failureThreshold: 1,
    },
  });
  await create("probed", app);
  const pod = await untilPod("probed", isReady);
  const exec = { command: ["rm", "/tmp/ok"], stdin: false, stdout: true, stderr: true, tty: false };
  const { stream } = await openNode("exec", pod, exec);
  expect(JSON.parse(await textOf(stream, channels.status))).toMatchObject({ status: "Success" });
  await untilPod("probed", (it) => isReady(it) && appState(it)?.restartCount === 1);
  const { items } = await api.list(Event, { namespace: "default" });
  const reasons = items.filter(({ involvedObject }) => involvedObject.name === "probed");
  expect(reasons.map(({ message }) => message)).toContain(
    "Container app failed liveness probe, will be restarted",
  );
});

test("kubelet on docker: exec, logs and port-forward travel as streams", async () => {
  const script = "echo served > /tmp/index.html; echo up; exec httpd -f -p 80 -h /tmp";
  const pod = await create("streams", container(script)).then(() => untilPod("streams", isReady));
  const io = { stdin: true, stdout: true, stderr: true, tty: false };
  const exec = await openNode("exec", pod, { ...io, command: shell("cat; echo bad >&2; exit 9") });
  const { stream } = exec;
  await stream.write(channels.stdin, "typed");
  stream.end(channels.stdin);
  const [out, err, status] = await Promise.all(
    [channels.stdout, channels.stderr, channels.status].map((it) => textOf(stream, it)),
  );
  expect([out, err]).toEqual(["typed", "bad\n"]);
  expect(JSON.parse(status ?? "")).toMatchObject({
    status: "Failure",
    reason: "NonZeroExitCode",
    details: { causes: [{ reason: "ExitCode", message: "9" }] },
  });
  const forward = await openNode("portforward", pod, { port: 80 });
  await forward.stream.write(0, "GET / HTTP/1.0\r\n\r\n");
  forward.stream.end(0);
  expect(await textOf(forward.stream, 0)).toContain("served");
  const followed = await openNode("logs", pod, { ...logOptions, follow: true });
  const text = textOf(followed.stream, channels.stdout);
  await api.delete(Pod, "default/streams", { gracePeriodSeconds: 1 });
  expect(await text).toBe("up\n");
  const refused = await openNode(
    "logs",
    { ...pod, metadata: { ...pod.metadata, uid: "x" } },
    logOptions,
  );
  expect(refused.reply).toMatchObject({ type: "refused", code: 404, reason: "NotFound" });
  refused.stream.close();
});

test("kubelet on docker: the read-only endpoint answers", async () => {
  const { status } = await waitFor("the port", async () => {
    const node = await api.get(Node, nodeName);
    return node.status?.daemonEndpoints?.kubeletEndpoint?.Port ? node : undefined;
  });
  const port = status?.daemonEndpoints?.kubeletEndpoint?.Port;
  const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
  expect(await (await get("/healthz")).text()).toBe("ok");
  const pods = (await (await get("/pods")).json()) as { kind: string; items: Pod[] };
  expect(pods.kind).toBe("PodList");
  expect(pods.items.some(({ metadata }) => metadata.name === "fast")).toBe(true);
  expect(await (await get("/metrics")).text()).toMatch(/^kubelet_running_pods [1-9]/m);
  const summary = JSON.stringify(await (await get("/stats/summary")).json());
  expect(summary).toContain('"workingSetBytes"');
});

test("kubelet on docker: started again it adopts what runs", async () => {
  const before = await untilPod("fast", isReady);
  await system.stop();
  await startKubelet();
  await create("after-restart", container(sleep));
  await untilPod("after-restart", isReady);
  const after = await api.get(Pod, "default/fast");
  expect(after.status).toEqual(before.status);
});

test("kubelet on docker: a dockerd that was killed comes back to pods that ran on", async () => {
  const before = await untilPod("fast", isReady);
  const readiness = async () => {
    const { status } = await api.get(Node, nodeName);
    return status?.conditions?.find(({ type }) => type === "Ready")?.status;
  };
  process.kill(docker.pid, "SIGKILL");
  await waitFor("the node to be not ready", async () => (await readiness()) === "False", {
    everyMs: 5,
  });
  await create("after-dockerd", container(sleep));
  await untilPod("after-dockerd", isReady);
  await waitFor("the node to be ready", async () => (await readiness()) === "True");
  const after = await api.get(Pod, "default/fast");
  expect(appState(after)?.containerID).toBe(appState(before)?.containerID);
  expect(appState(after)?.restartCount).toBe(0);
  expect(isReady(after)).toBe(true);
});

test("kubelet on docker: a pod on the machine's own network has the machine's address", async () => {
  await create("host", container(`hostname; ${sleep}`), { hostNetwork: true });
  const pod = await untilPod("host", isReady);
  expect(pod.status?.podIP).toBe("127.0.0.1");
  // Ready without a probe says that the container was started, not that it has printed.
  await waitFor("the container to print the machine's name", async () => {
    const { stream } = await openNode("logs", pod, logOptions);
    return (await textOf(stream, channels.stdout)) === `${hostname()}\n`;
  });
});
