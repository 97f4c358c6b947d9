import { afterEach, describe, expect, test } from "vitest";
import { type Dialer, hollowDialer } from "../../../../actors/kubelet/dialer.ts";
import { type Pod, Pod as PodKind } from "../../../../manifests/index.ts";
import { container, type SimNode, type SimNodeOptions, startSimNode } from "./sim-node.ts";

let node: SimNode;

async function start(options?: SimNodeOptions): Promise<void> {
  node = await startSimNode(options);
}

afterEach(async () => {
  await node?.dispose();
  const errors = node.world.log.entries.filter(({ level }) => level === "error");
  expect(errors).toEqual([]);
});

async function untilPod(name: string, holds: (pod: Pod) => boolean): Promise<void> {
  await node.until(`pod ${name}`, async () => {
    const pod = await node.pod(name);
    return pod !== undefined && holds(pod);
  });
}

async function sandboxOf(name: string): Promise<string | undefined> {
  return (await node.engine.listSandboxes()).find((sandbox) => sandbox.name === name)?.id;
}

const isReady = ({ status }: Pod): boolean =>
  status?.conditions?.find(({ type }) => type === "Ready")?.status === "True";
const appState = (pod: Pod | undefined) => pod?.status?.containerStatuses?.[0]?.state;

describe("deletion", () => {
  test("kubelet: a deleted pod is stopped with grace, then gone from engine and API", async () => {
    await start();
    await node.create({ name: "web", behavior: { app: { stopAfterMs: 5_000 } } });
    await untilPod("web", isReady);
    await node.run(node.api.delete(PodKind, "default/web"));
    await node.passes(3_000);
    const leaving = await node.pod("web");
    expect(leaving?.metadata.deletionTimestamp).toBeDefined();
    expect(appState(leaving)?.running).toBeDefined();
    await node.until("the pod to go", async () => (await node.pod("web")) === undefined, 5_000);
    expect(await node.engine.listSandboxes()).toEqual([]);
    expect(await node.files.listPods()).toEqual([]);
    expect(await node.events("web")).toContain("Killing: Stopping container app");
  });

  test("kubelet: a ready pod goes on serving until the proxies have forgotten it", async () => {
    const dialer: Dialer = { ...hollowDialer, httpGet: async () => ({ status: 503, body: "" }) };
    await start({ config: { dialer } });
    await node.create({ name: "web" });
    const readinessProbe = { httpGet: { path: "/", port: 80 } };
    await node.create({
      name: "sick",
      spec: { containers: [container("app", { readinessProbe })] },
    });
    await untilPod("web", isReady);
    await untilPod("sick", (pod) => appState(pod)?.running !== undefined);
    await node.run(node.api.delete(PodKind, "default/web"));
    await node.run(node.api.delete(PodKind, "default/sick"));
    await node.passes(250);
    const running = (await node.engine.listContainers()).filter((it) => it.status === "running");
    expect(running.map(({ sandbox }) => sandbox)).toEqual([await sandboxOf("web")]);
    await node.until("both to go", async () => (await node.engine.listSandboxes()).length === 0);
  });

  test("kubelet: the grace of a pod counts from its deletion", async () => {
    await start();
    await node.create({ name: "deaf", behavior: { app: { stopAfterMs: 600_000 } } });
    await untilPod("deaf", isReady);
    await node.run(node.api.delete(PodKind, "default/deaf", { gracePeriodSeconds: 2 }));
    const runs = async () => (await node.engine.listContainers())[0]?.status === "running";
    await node.passes(1_900);
    expect(await runs()).toBe(true);
    await node.passes(150);
    expect(await runs()).toBe(false);
  });

  test("kubelet: a second, harsher delete does not wait for the first one's grace", async () => {
    await start();
    await node.create({ name: "web", behavior: { app: { stopAfterMs: 600_000 } } });
    await untilPod("web", isReady);
    await node.run(node.api.delete(PodKind, "default/web", { gracePeriodSeconds: 300 }));
    await node.passes(2_000);
    await node.run(node.api.delete(PodKind, "default/web", { gracePeriodSeconds: 1 }));
    await node.until("the pod to go", async () => (await node.pod("web")) === undefined, 5_000);
  });
});
