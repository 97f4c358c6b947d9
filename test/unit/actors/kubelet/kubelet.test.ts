import { afterEach, describe, expect, test } from "vitest";
import { type Dialer, hollowDialer } from "../../../../actors/kubelet/dialer.ts";
import { EngineError } from "../../../../actors/kubelet/engine.ts";
import type { StreamReply } from "../../../../actors/kubelet/messages.ts";
import { nodeSubject } from "../../../../actors/subjects.ts";
import { ConfigMap, Lease, Node, type Pod, Pod as PodKind } from "../../../../manifests/index.ts";
import {
  container,
  nodeName,
  type SimNode,
  type SimNodeOptions,
  startSimNode,
} from "./sim-node.ts";

let node: SimNode;

async function start(options?: SimNodeOptions): Promise<void> {
  node = await startSimNode(options);
}

afterEach(async () => {
  await node?.dispose();
  const errors = node.world.log.entries.filter(({ level }) => level === "error");
  expect(errors).toEqual([]);
});

function condition(pod: Pod | undefined, type: string): string | undefined {
  return pod?.status?.conditions?.find((found) => found.type === type)?.status;
}

async function untilPod(name: string, holds: (pod: Pod) => boolean | undefined, withinMs?: number) {
  let seen: Pod | undefined;
  await node.until(
    `pod ${name}`,
    async () => {
      seen = await node.pod(name);
      return seen !== undefined && holds(seen) === true;
    },
    withinMs,
  );
  if (!seen) throw new Error("no pod");
  return seen;
}

const isReady = (pod: Pod): boolean => condition(pod, "Ready") === "True";
const appState = (pod: Pod | undefined) =>
  pod?.status?.containerStatuses?.find(({ name }) => name === "app");

describe("kubelet", () => {
  test("kubelet: runs a pod and says so", async () => {
    await start();
    await node.create({ name: "web" });
    const pod = await untilPod("web", isReady, 2_000);
    expect(pod.status).toMatchObject({
      phase: "Running",
      qosClass: "BestEffort",
      hostIP: "192.0.2.1",
      podIPs: [{ ip: expect.stringMatching(/^10\.244\.1\./) }],
    });
    expect(appState(pod)).toMatchObject({ ready: true, started: true, restartCount: 0 });
    expect(await node.events("web")).toEqual([
      'Pulling: Pulling image "busybox:1.35"',
      expect.stringMatching(/^Pulled: Successfully pulled image "busybox:1.35" in/),
      "Created: Created container: app",
      "Started: Started container app",
    ]);
  });

  test("kubelet: registers its node, renews its lease, and reports what it is", async () => {
    await start();
    const registered = await node.run(node.api.get(Node, nodeName));
    expect(registered.spec).toMatchObject({ podCIDR: "10.244.1.0/24" });
    expect(registered.metadata.labels).toMatchObject({ "kubernetes.io/hostname": nodeName });
    expect(registered.status).toMatchObject({
      capacity: { cpu: "32", pods: "110" },
      addresses: [
        { type: "InternalIP", address: "192.0.2.1" },
        { type: "Hostname", address: nodeName },
      ],
      nodeInfo: { containerRuntimeVersion: "sim://1.0.0", kubeletVersion: "v1.32.0+wherry" },
    });
    const lease = () => node.run(node.api.get(Lease, `kube-node-lease/${nodeName}`));
    await node.until("the lease", async () => (await lease()).spec?.holderIdentity === nodeName);
    const before = (await lease()).spec?.renewTime ?? "";
    await node.passes(11_000);
    expect(((await lease()).spec?.renewTime ?? "") > before).toBe(true);
    // Nothing new is not reported.
    const version = async () =>
      (await node.run(node.api.get(Node, nodeName))).metadata.resourceVersion;
    const reported = await version();
    await node.passes(60_000);
    expect(await version()).toBe(reported);
  });

  test("kubelet: a deleted Node is registered again", async () => {
    await start();
    const { uid } = (await node.run(node.api.get(Node, nodeName))).metadata;
    await node.run(node.api.delete(Node, nodeName));
    await node.until("a new Node", async () => {
      const found = await node.api.get(Node, nodeName);
      const ready = found.status?.conditions?.some(({ type }) => type === "Ready");
      return found.metadata.uid !== uid && ready === true;
    });
  });

  test("kubelet: a crashing container restarts with a growing back-off", async () => {
    await start();
    await node.create({ name: "crash", behavior: { app: { exitAfterMs: 100, exitCode: 3 } } });
    const first = await untilPod("crash", (pod) => appState(pod)?.restartCount === 1, 3_000);
    expect(appState(first)?.lastState?.terminated).toMatchObject({ exitCode: 3, reason: "Error" });
    const waits = await untilPod("crash", (pod) => appState(pod)?.state?.waiting !== undefined);
    expect(waits.status?.phase).toBe("Running");
    expect(appState(waits)?.state?.waiting).toEqual({
      reason: "CrashLoopBackOff",
      message: expect.stringMatching(
        /^back-off 10s restarting failed container=app pod=crash_default\(.+\)$/,
      ),
    });
    expect(condition(waits, "Ready")).toBe("False");
    await untilPod("crash", (pod) => appState(pod)?.restartCount === 2, 12_000);
    await node.passes(15_000);
    expect(appState(await node.pod("crash"))?.restartCount).toBe(2);
    await untilPod("crash", (pod) => appState(pod)?.restartCount === 3, 10_000);
    const events = await node.events("crash");
    expect(events.some((event) => event.startsWith("BackOff: Back-off restarting"))).toBe(true);
  });

  test("kubelet: a pod that never restarts ends as its containers end", async () => {
    await start();
    const spec = { restartPolicy: "Never" as const };
    await node.create({ name: "good", spec, behavior: { app: { exitAfterMs: 50 } } });
    await node.create({ name: "bad", spec, behavior: { app: { exitAfterMs: 50, exitCode: 7 } } });
    await node.create({
      name: "oom",
      spec,
      behavior: { app: { exitAfterMs: 50, oomKilled: true } },
    });
    const good = await untilPod("good", ({ status }) => status?.phase === "Succeeded");
    expect(good.status?.conditions?.find(({ type }) => type === "Ready")).toMatchObject({
      status: "False",
      reason: "PodCompleted",
    });
    const bad = await untilPod("bad", ({ status }) => status?.phase === "Failed");
    expect(appState(bad)?.state?.terminated).toMatchObject({ exitCode: 7, reason: "Error" });
    const oom = await untilPod("oom", ({ status }) => status?.phase === "Failed");
    expect(appState(oom)?.state?.terminated).toMatchObject({ exitCode: 137, reason: "OOMKilled" });
    await node.until("their sandboxes to stop", async () => {
      return (await node.engine.listSandboxes()).every(({ running }) => !running);
    });
  });

  test("kubelet: init containers run one after the other, before all else", async () => {
    await start();
    const spec = { initContainers: [container("first"), container("second")] };
    const ends = { exitAfterMs: 500 };
    await node.create({ name: "init", spec, behavior: { first: ends, second: ends } });
    const during = await untilPod("init", ({ status }) => {
      return status?.initContainerStatuses?.[1]?.state?.running !== undefined;
    });
    expect(during.status?.phase).toBe("Pending");
    expect(appState(during)?.state?.waiting?.reason).toBe("PodInitializing");
    expect(condition(during, "Initialized")).toBe("False");
    const ready = await untilPod("init", isReady);
    expect(condition(ready, "Initialized")).toBe("True");
    expect(ready.status?.initContainerStatuses?.[0]?.state?.terminated?.exitCode).toBe(0);
  });

  test("kubelet: a failing init container of a pod that never restarts fails the pod", async () => {
    await start();
    const spec = { initContainers: [container("first")], restartPolicy: "Never" as const };
    await node.create({ name: "init", spec, behavior: { first: { exitAfterMs: 9, exitCode: 1 } } });
    await untilPod("init", ({ status }) => status?.phase === "Failed");
    expect((await node.engine.listContainers()).map(({ name }) => name)).toEqual(["first"]);
  });

  test("kubelet: an image that cannot be had is told, and tried again later and later", async () => {
    let absent = true;
    const pull = () =>
      absent ? new EngineError("image-not-found", "manifest unknown") : undefined;
    await start({ engine: { pull } });
    await node.create({ name: "web" });
    const failing = await untilPod("web", (pod) => {
      return appState(pod)?.state?.waiting?.reason === "ErrImagePull";
    });
    expect(failing.status?.phase).toBe("Pending");
    expect(appState(failing)?.state?.waiting?.message).toBe("manifest unknown");
    await untilPod("web", (pod) => appState(pod)?.state?.waiting?.reason === "ImagePullBackOff");
    const events = await node.events("web");
    expect(events).toContain('Failed: Failed to pull image "busybox:1.35": manifest unknown');
    expect(events).toContain("Failed: Error: ErrImagePull");
    expect(events).toContain('BackOff: Back-off pulling image "busybox:1.35"');
    absent = false;
    await untilPod("web", isReady, 15_000);
  });

  test("kubelet: a wrong image name and a policy of Never have reasons of their own", async () => {
    await start();
    await node.create({
      name: "wrong",
      spec: { containers: [container("app", { image: "A B" })] },
    });
    const never = container("app", { imagePullPolicy: "Never" });
    await node.create({ name: "never", spec: { containers: [never] } });
    const reason = (pod: Pod) => appState(pod)?.state?.waiting?.reason;
    await untilPod("wrong", (pod) => reason(pod) === "InvalidImageName");
    await untilPod("never", (pod) => reason(pod) === "ErrImageNeverPull");
  });

  test("kubelet: a command that cannot be started is told", async () => {
    await start();
    const startError = "exec: /none: no such file or directory";
    await node.create({ name: "web", behavior: { app: { startError } } });
    const pod = await untilPod("web", (it) => {
      return appState(it)?.state?.waiting?.reason === "CrashLoopBackOff";
    });
    expect(appState(pod)?.lastState?.terminated).toMatchObject({
      exitCode: 127,
      reason: "ContainerCannotRun",
      message: startError,
    });
    expect(await node.events("web")).toContain(`Failed: Error: ${startError}`);
  });

  test("kubelet: a container or sandbox that goes behind its back comes again", async () => {
    await start();
    await node.create({ name: "web" });
    await untilPod("web", isReady);
    const [killed] = await node.engine.listContainers();
    node.engine.kill(killed?.id ?? "");
    await untilPod("web", (pod) => isReady(pod) && appState(pod)?.restartCount === 1);
    const [removed] = (await node.engine.listContainers()).filter((it) => it.status === "running");
    await node.engine.removeContainer(removed?.id ?? "");
    await untilPod("web", (pod) => isReady(pod) && appState(pod)?.restartCount === 2, 30_000);
    for (const { id } of await node.engine.listSandboxes()) await node.engine.removeSandbox(id);
    const again = await untilPod("web", (pod) => isReady(pod) && appState(pod)?.restartCount === 3);
    expect(again.status?.phase).toBe("Running");
  });

  test("kubelet: a restarted kubelet adopts what runs, and removes what nobody asks for", async () => {
    await start();
    await node.create({ name: "stays" });
    await node.create({ name: "goes" });
    const before = await untilPod("stays", isReady);
    await untilPod("goes", isReady);
    node.kubelet.kill();
    await node.run(node.api.delete(PodKind, "default/goes", { gracePeriodSeconds: 0 }));
    await node.passes(5_000);
    node.kubelet.start();
    await node.until("the leftover to go", async () => {
      return (await node.engine.listSandboxes()).length === 1;
    });
    await node.passes(30_000);
    const after = await node.pod("stays");
    expect(after?.status).toEqual(before.status);
    expect(await node.files.listPods()).toEqual([before.metadata.uid]);
  });

  test("kubelet: a machine that restarted has its pods again", async () => {
    await start();
    await node.create({ name: "web" });
    await untilPod("web", isReady);
    node.kubelet.kill();
    node.engine.reboot();
    node.kubelet.start();
    const pod = await untilPod("web", (it) => isReady(it) && appState(it)?.restartCount === 1);
    expect(pod.status?.phase).toBe("Running");
    expect((await node.engine.listSandboxes()).filter(({ running }) => running)).toHaveLength(1);
  });

  test("kubelet: without its engine the node is not ready, and pods are left alone", async () => {
    await start();
    await node.create({ name: "web" });
    const before = await untilPod("web", isReady);
    node.engine.setAvailable(false);
    const ready = async () => {
      const { status } = await node.api.get(Node, nodeName);
      return status?.conditions?.find(({ type }) => type === "Ready");
    };
    await node.until("the node to be not ready", async () => (await ready())?.status === "False");
    expect(await node.run(ready())).toMatchObject({
      reason: "KubeletNotReady",
      message: expect.stringContaining("container runtime is down: "),
    });
    await node.create({ name: "later" });
    await node.passes(60_000);
    expect((await node.pod("web"))?.status).toEqual(before.status);
    node.engine.setAvailable(true);
    await node.until("the node to be ready", async () => (await ready())?.status === "True");
    await untilPod("later", isReady, 30_000);
    expect(appState(await node.pod("web"))?.restartCount).toBe(0);
  });

  test("kubelet: a field that it does not honour keeps the pod pending, with an event", async () => {
    await start();
    const hooks = container("app", { lifecycle: { preStop: { exec: { command: ["true"] } } } });
    await node.create({ name: "web", spec: { containers: [hooks], hostPID: true } });
    const pod = await untilPod("web", (it) => {
      return appState(it)?.state?.waiting?.reason === "UnsupportedField";
    });
    expect(pod.status?.phase).toBe("Pending");
    expect(await node.events("web")).toEqual([
      "UnsupportedField: This node does not honour yet: spec.hostPID, " +
        "spec.containers[app].lifecycle.preStop",
    ]);
    expect(await node.engine.listSandboxes()).toEqual([]);
    await node.run(node.api.delete(PodKind, "default/web"));
    await node.until("the pod to go", async () => (await node.pod("web")) === undefined);
  });

  test("kubelet: what does not fit the node is failed with upstream's reasons", async () => {
    await start();
    const resources = { requests: { cpu: "20" } };
    const big = { containers: [container("app", { resources })] };
    await node.create({ name: "one", spec: big });
    await untilPod("one", isReady);
    await node.create({ name: "two", spec: big });
    await node.create({ name: "three", spec: { nodeSelector: { disk: "ssd" } } });
    const two = await untilPod("two", ({ status }) => status?.phase === "Failed");
    expect(two.status).toMatchObject({
      reason: "OutOfcpu",
      message:
        "Pod was rejected: Node didn't have enough resource: cpu, " +
        "requested: 20000, used: 20000, capacity: 32000",
    });
    const three = await untilPod("three", ({ status }) => status?.phase === "Failed");
    expect(three.status?.reason).toBe("NodeAffinity");
    expect(await node.engine.listSandboxes()).toHaveLength(1);
  });

  test("kubelet: volumes and environment come from ConfigMaps and Secrets", async () => {
    await start();
    const metadata = { name: "settings", namespace: "default" };
    const app = container("app", {
      env: [{ name: "COLOR", valueFrom: { configMapKeyRef: { name: "settings", key: "color" } } }],
    });
    const volumes = [{ name: "files", configMap: { name: "settings" } }];
    await node.create({ name: "web", spec: { containers: [app], volumes } });
    await node.passes(3_000);
    expect(await node.events("web")).toContain(
      'FailedMount: MountVolume.SetUp failed for volume "files" : configmap "settings" not found',
    );
    expect(appState(await node.pod("web"))?.state?.waiting?.reason).toBe("ContainerCreating");
    await node.run(node.api.create(ConfigMap, { metadata, data: { color: "red" } }));
    const { metadata: pod } = await untilPod("web", isReady);
    const text = () => {
      const volume = node.files.volume(pod.uid ?? "", "files");
      return volume?.type === "files" ? new TextDecoder().decode(volume.files[0]?.data) : "";
    };
    expect(text()).toBe("red");
    await node.run(node.api.update(ConfigMap, { metadata, data: { color: "blue" } }));
    await node.until("the file to change", () => text() === "blue", 70_000);
  });

  test("kubelet: probes decide who is ready, and who must be killed", async () => {
    const answers = { ready: 503, live: 200 };
    const dialer: Dialer = {
      ...hollowDialer,
      httpGet: async ({ path }) => ({
        status: path === "/ready" ? answers.ready : answers.live,
        body: "",
      }),
    };
    await start({ config: { dialer } });
    const app = container("app", {
      readinessProbe: { httpGet: { path: "/ready", port: 80 }, periodSeconds: 1 },
      livenessProbe: { httpGet: { path: "/live", port: 80 }, periodSeconds: 1 },
    });
    await node.create({ name: "web", spec: { containers: [app] } });
    await untilPod("web", (pod) => appState(pod)?.state?.running !== undefined);
    await node.passes(5_000);
    const unready = await node.pod("web");
    expect(unready?.status?.conditions?.find(({ type }) => type === "Ready")).toMatchObject({
      status: "False",
      reason: "ContainersNotReady",
      message: "containers with unready status: [app]",
    });
    answers.ready = 200;
    await untilPod("web", isReady, 2_000);
    answers.live = 500;
    await untilPod("web", (pod) => appState(pod)?.restartCount === 1, 10_000);
    const events = await node.events("web");
    expect(events).toContain(
      "Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 503",
    );
    expect(events).toContain("Killing: Container app failed liveness probe, will be restarted");
  });

  test("kubelet: a probe that the engine cannot make counts for nothing", async () => {
    await start();
    const exec = { command: ["ok"] };
    const livenessProbe = { exec, periodSeconds: 1, failureThreshold: 1 };
    const app = container("app", { livenessProbe });
    await node.create({ name: "web", spec: { containers: [app] } });
    await untilPod("web", isReady);
    node.engine.setAvailable(false);
    await node.passes(20_000);
    node.engine.setAvailable(true);
    await node.passes(20_000);
    const pod = await node.pod("web");
    expect(appState(pod)?.restartCount).toBe(0);
    expect((await node.events("web")).some((event) => event.startsWith("Unhealthy"))).toBe(false);
  });

  test("kubelet: an exec probe that fails restarts the container", async () => {
    await start();
    const livenessProbe = { exec: { command: ["check"] }, periodSeconds: 1, failureThreshold: 2 };
    const app = container("app", { livenessProbe });
    const behavior = { app: { exec: { check: 1 } } };
    await node.create({ name: "web", spec: { containers: [app] }, behavior });
    await untilPod("web", (pod) => appState(pod)?.restartCount === 1, 10_000);
    expect(await node.events("web")).toContain("Unhealthy: Liveness probe failed: check");
  });

  test("kubelet: a slow start is no failed life while its startup probe is patient", async () => {
    await start();
    const probe = { exec: { command: ["check"] }, periodSeconds: 1 };
    const startupProbe = { ...probe, failureThreshold: 6 };
    const app = container("app", {
      startupProbe,
      livenessProbe: { ...probe, failureThreshold: 1 },
    });
    const behavior = { app: { exec: { check: 1 } } };
    await node.create({ name: "web", spec: { containers: [app] }, behavior });
    await untilPod("web", (pod) => appState(pod)?.state?.running !== undefined);
    // Long enough for the liveness probe, were it not waiting.
    await node.passes(2_500);
    expect(appState(await node.pod("web"))).toMatchObject({ started: false, restartCount: 0 });
    await untilPod("web", (pod) => appState(pod)?.restartCount === 1, 10_000);
    const events = await node.events("web");
    expect(events).toContain("Killing: Container app failed startup probe, will be restarted");
  });

  test("kubelet: logs that are not there are refused with a reason", async () => {
    await start({ engine: { pull: () => new EngineError("image-not-found", "none") } });
    await node.create({ name: "web" });
    const pod = await untilPod("web", (it) => {
      return appState(it)?.state?.waiting?.reason === "ImagePullBackOff";
    });
    const ask = async (verb: "logs" | "exec", uid: string | undefined, name: string) => {
      const target = { stream: "s", namespace: "default", pod: "web", uid, container: name };
      const body = JSON.stringify({ ...target, command: ["true"], follow: false });
      const answer = await node.run(node.bus.request(nodeSubject(nodeName, verb), body));
      return JSON.parse(new TextDecoder().decode(answer.data)) as StreamReply;
    };
    const { uid } = pod.metadata;
    const waits =
      'container "app" in pod "web" is waiting to start: trying and failing to pull image';
    const bad = { type: "refused", code: 400, reason: "BadRequest" };
    expect(await ask("logs", uid, "app")).toEqual({ ...bad, message: waits });
    expect(await ask("exec", uid, "app")).toEqual({ ...bad, message: waits });
    const wrong = "container side is not valid for pod web";
    expect(await ask("logs", uid, "side")).toEqual({ ...bad, message: wrong });
    expect(await ask("logs", "another", "app")).toEqual({
      type: "refused",
      code: 404,
      reason: "NotFound",
      message: 'pods "web" not found',
    });
  });

  test("kubelet: a changed image restarts that container alone", async () => {
    await start();
    await node.create({ name: "web", spec: { containers: [container("app"), container("side")] } });
    const pod = await untilPod("web", isReady);
    const [app, side] = pod.spec.containers;
    if (!app || !side) throw new Error("two containers were asked for");
    const spec = { ...pod.spec, containers: [{ ...app, image: "busybox:1.36" }, side] };
    await node.run(node.api.update(PodKind, { ...pod, spec }));
    const after = await untilPod("web", (it) => isReady(it) && appState(it)?.restartCount === 1);
    expect(appState(after)?.image).toBe("busybox:1.36");
    expect(after.status?.containerStatuses?.[1]?.restartCount).toBe(0);
  });
});
