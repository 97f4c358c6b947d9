/** The controllers that finish what admission begins: quotas counted, protected storage let go. */

import { afterEach, beforeEach, expect, test } from "vitest";
import { pvProtection } from "../../../../actors/controllers/pv-protection.ts";
import { pvcProtection } from "../../../../actors/controllers/pvc-protection.ts";
import { resourceQuota } from "../../../../actors/controllers/resource-quota.ts";
import { isNotFound } from "../../../../manifests/api-error.ts";
import {
  ConfigMap,
  Deployment,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  ResourceQuota,
} from "../../../../manifests/index.ts";
import { type Scene, startScene, template } from "../../../harness/controller.ts";

let scene: Scene;
const all = [resourceQuota, pvcProtection, pvProtection];

beforeEach(async () => {
  scene = await startScene({ writes: all.flatMap(({ writes }) => writes) });
});

afterEach(async () => {
  await scene.dispose();
});

const used = async () => {
  const { status } = await scene.settle(scene.api.get(ResourceQuota, "default/q"));
  return status?.used;
};

function quota(hard: Record<string, string>): ResourceQuota {
  return { metadata: { namespace: "default", name: "q" }, spec: { hard } };
}

function pod(name: string, spec: object = {}): Pod {
  const containers = [{ name: "main", image: "nginx:1.22" }];
  return { metadata: { namespace: "default", name }, spec: { containers, ...spec } } as Pod;
}

async function isGone(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return false;
  } catch (error) {
    if (isNotFound(error)) return true;
    throw error;
  }
}

test("resource-quota: counts what was there before it, and what has gone since", async () => {
  await scene.settle(scene.api.create(Pod, pod("a")));
  await scene.settle(
    scene.api.create(ConfigMap, { metadata: { namespace: "default", name: "m" } }),
  );
  scene.run(...all);
  const hard = { pods: "5", "count/configmaps": "5", "requests.cpu": "1" };
  // A pod that says nothing of its needs was let in when nobody asked.
  await scene.settle(scene.api.create(ResourceQuota, quota(hard)));
  await scene.until("the first count", async () => (await used())?.pods === "1");
  expect(await used()).toEqual({ pods: "1", "count/configmaps": "1", "requests.cpu": "0" });
  await scene.settle(scene.api.delete(Pod, "default/a"));
  await scene.until("the pod to be given back", async () => (await used())?.pods === "0");
  await scene.settle(scene.api.delete(ConfigMap, "default/m"));
  await scene.until("the map to be given back", async () => {
    return (await used())?.["count/configmaps"] === "0";
  });
});

test("resource-quota: a pod that has ended holds nothing but its name", async () => {
  scene.run(...all);
  await scene.settle(scene.api.create(ResourceQuota, quota({ pods: "1", "count/pods": "5" })));
  await scene.until("the first count", async () => (await used())?.pods === "0");
  await scene.settle(scene.api.create(Pod, pod("a")));
  expect(await used()).toEqual({ pods: "1", "count/pods": "1" });
  const change = { type: "strategic", subresource: "status" } as const;
  await scene.settle(scene.api.patch(Pod, "default/a", { status: { phase: "Succeeded" } }, change));
  await scene.until("its place to be given back", async () => (await used())?.pods === "0");
  expect((await used())?.["count/pods"]).toBe("1");
});

test("resource-quota: kinds that nobody watches are counted again in time", async () => {
  scene.run(...all);
  const hard = { "count/deployments.apps": "1" };
  await scene.settle(scene.api.create(ResourceQuota, quota(hard)));
  await scene.until("the first count", async () => (await used()) !== undefined);
  const labels = { app: "web" };
  const deployment = (name: string): Deployment => ({
    metadata: { namespace: "default", name },
    spec: { selector: { matchLabels: labels }, template: template(labels) },
  });
  await scene.settle(scene.api.create(Deployment, deployment("a")));
  await expect(scene.settle(scene.api.create(Deployment, deployment("b")))).rejects.toThrow(
    "exceeded quota: q, requested: count/deployments.apps=1",
  );
  await scene.settle(scene.api.delete(Deployment, "default/a"));
  await scene.until("the deployment to be given back", async () => {
    return (await used())?.["count/deployments.apps"] === "0";
  });
});

test("pvc-protection: a claim goes once no pod on a node uses it", async () => {
  scene.run(...all);
  const spec = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } };
  const metadata = { namespace: "default", name: "data" };
  await scene.settle(
    scene.api.create(PersistentVolumeClaim, { metadata, spec } as PersistentVolumeClaim),
  );
  const volumes = [{ name: "data", persistentVolumeClaim: { claimName: "data" } }];
  await scene.settle(scene.api.create(Pod, pod("user", { volumes, nodeName: "node-1" })));
  await scene.settle(scene.api.delete(PersistentVolumeClaim, "default/data"));
  await scene.passes(10_000);
  const read = () => scene.api.get(PersistentVolumeClaim, "default/data");
  expect((await scene.settle(read())).metadata.deletionTimestamp).toBeDefined();
  await scene.settle(scene.api.delete(Pod, "default/user", { gracePeriodSeconds: 0 }));
  await scene.until("the claim to go", () => isGone(read));
});

test("pv-protection: a volume goes once it is bound to no claim", async () => {
  scene.run(...all);
  await scene.settle(
    scene.api.create(PersistentVolume, {
      metadata: { name: "disk" },
      spec: {
        accessModes: ["ReadWriteOnce"],
        capacity: { storage: "1Gi" },
        hostPath: { path: "/data" },
      },
    } as PersistentVolume),
  );
  const change = { type: "merge", subresource: "status" } as const;
  const phase = (name: string) => ({ status: { phase: name } });
  await scene.settle(scene.api.patch(PersistentVolume, "disk", phase("Bound"), change));
  await scene.settle(scene.api.delete(PersistentVolume, "disk"));
  await scene.passes(10_000);
  await scene.settle(scene.api.get(PersistentVolume, "disk"));
  await scene.settle(scene.api.patch(PersistentVolume, "disk", phase("Released"), change));
  await scene.until("the volume to go", () =>
    isGone(() => scene.api.get(PersistentVolume, "disk")),
  );
});
