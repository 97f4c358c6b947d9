import { afterEach, beforeEach, expect, test } from "vitest";
import { replicaset } from "../../../../actors/controllers/replicaset.ts";
import { Pod, ReplicaSet } from "../../../../manifests/index.ts";
import { type Scene, startScene, template } from "../../../harness/controller.ts";

let scene: Scene;

beforeEach(async () => {
  scene = await startScene({ writes: replicaset.writes });
  scene.run(replicaset);
});

afterEach(async () => {
  await scene.dispose();
});

function web(replicas: number): ReplicaSet {
  const labels = { app: "web" };
  return {
    metadata: { name: "web", namespace: "default" },
    spec: { replicas, selector: { matchLabels: labels }, template: template(labels) },
  };
}

async function livePods(): Promise<Pod[]> {
  return (await scene.pods()).filter(({ metadata }) => !metadata.deletionTimestamp);
}

test("replicaset: makes as many pods as it is asked for, exactly", async () => {
  await scene.settle(scene.api.create(ReplicaSet, web(7)));
  await scene.until("seven pods", async () => (await scene.pods()).length >= 7);
  await scene.passes(10_000);
  const pods = await scene.pods();
  expect(pods).toHaveLength(7);
  expect(pods.every(({ metadata }) => metadata.ownerReferences?.[0]?.name === "web")).toBe(true);
  expect(pods.every(({ metadata }) => /^web-[a-z0-9]{5}$/.test(metadata.name))).toBe(true);
  const { status } = await scene.settle(scene.api.get(ReplicaSet, "default/web"));
  expect(status).toMatchObject({ replicas: 7, fullyLabeledReplicas: 7, observedGeneration: 1 });
  expect(await scene.events("web")).toContain(
    `SuccessfulCreate: Created pod: ${pods[0]?.metadata.name}`,
  );
});

test("replicaset: replaces a pod that was deleted", async () => {
  await scene.settle(scene.api.create(ReplicaSet, web(2)));
  await scene.until("two pods", async () => (await scene.pods()).length === 2);
  const [gone] = await scene.pods();
  const key = `default/${gone?.metadata.name}`;
  await scene.settle(scene.api.delete(Pod, key, { gracePeriodSeconds: 0 }));
  await scene.until("another pod", async () => {
    const pods = await scene.pods();
    return pods.length === 2 && pods.every(({ metadata }) => metadata.uid !== gone?.metadata.uid);
  });
});

test("replicaset: scales down what is not ready first", async () => {
  await scene.settle(scene.api.create(ReplicaSet, web(3)));
  await scene.until("three pods", async () => (await scene.pods()).length === 3);
  const [first, second] = await scene.pods();
  if (!first || !second) throw new Error("no pods");
  await scene.becomeReady(second);
  const one = { spec: { replicas: 1 } };
  await scene.settle(scene.api.patch(ReplicaSet, "default/web", one, { type: "merge" }));
  await scene.until("one pod", async () => (await livePods()).length === 1);
  expect((await livePods()).map(({ metadata }) => metadata.uid)).toEqual([second.metadata.uid]);
});

test("replicaset: adopts a pod that nobody controls, and releases one whose labels changed", async () => {
  const labels = { app: "web" };
  const { spec } = template(labels);
  const orphan = { metadata: { name: "orphan", namespace: "default", labels }, spec };
  await scene.settle(scene.api.create(Pod, orphan));
  await scene.settle(scene.api.create(ReplicaSet, web(2)));
  await scene.until("adoption and one more pod", async () => {
    const pods = await scene.pods();
    return pods.length === 2 && pods.every(({ metadata }) => metadata.ownerReferences?.length);
  });
  const away = { metadata: { labels: { app: "other" } } };
  await scene.settle(scene.api.patch(Pod, "default/orphan", away, { type: "merge" }));
  await scene.until("release and a replacement", async () => {
    const pods = await scene.pods();
    const released = pods.find(({ metadata }) => metadata.name === "orphan");
    return pods.length === 3 && !released?.metadata.ownerReferences?.length;
  });
});
