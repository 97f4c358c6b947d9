/** Quotas over the real store: however many ask at once, of however many API actors. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { controllersWrites } from "../../actors/controllers/controllers.ts";
import { resourceQuota } from "../../actors/controllers/resource-quota.ts";
import { type Api, createApi } from "../../actors/kit/client.ts";
import { createInformers } from "../../actors/kit/informer.ts";
import { grantsOf } from "../../actors/kit/writes.ts";
import { isForbidden } from "../../manifests/api-error.ts";
import {
  Namespace,
  PersistentVolumeClaim,
  Pod,
  ResourceQuota,
  Service,
  ServiceAccount,
} from "../../manifests/index.ts";
import { createLog } from "../../runtime/log.ts";
import { realClock, realRandom } from "../../runtime/real.ts";
import { createSystem, type System } from "../../runtime/supervisor.ts";
import { refusal, startApi, type TestApi } from "../harness/api.ts";
import { waitFor } from "../harness/wait.ts";

const principal = "system:wherry:controllers";
let env: TestApi;
let api: Api;
let system: System;
let stopReading: () => void;

beforeAll(async () => {
  env = await startApi({ grants: new Map([[principal, grantsOf(controllersWrites)]]) });
  await env.start({ grants: new Map([[principal, grantsOf(controllersWrites)]]) });
  api = await env.client();
  const bus = await env.connect(principal);
  const log = createLog({ level: "silent" });
  system = createSystem({ clock: realClock, random: realRandom, log, bus });
  const reader = createApi(bus, realClock, { principal, writes: [] });
  const informers = createInformers(reader, { clock: realClock, log });
  stopReading = () => informers.close();
  system.spawn(resourceQuota, { principal, informers });
});

afterAll(async () => {
  await system.stop();
  stopReading();
  await env.dispose();
});

function pod(namespace: string, name: string, spec: object = {}, resources: object = {}): Pod {
  const containers = [{ name: "c", image: "busybox:1.35", resources }];
  return { metadata: { namespace, name }, spec: { containers, ...spec } } as Pod;
}

/** In a namespace of its own, counted once. */
async function createQuota(namespace: string, spec: ResourceQuota["spec"]): Promise<void> {
  await api.create(Namespace, { metadata: { name: namespace }, spec: {} });
  await api.create(ServiceAccount, { metadata: { namespace, name: "default" } });
  await api.create(ResourceQuota, { metadata: { namespace, name: "q" }, spec });
  await waitFor(`the quota of ${namespace} to be counted`, async () => {
    const { status } = await api.get(ResourceQuota, `${namespace}/q`);
    return status?.hard !== undefined;
  });
}

async function used(namespace: string): Promise<Record<string, string> | undefined> {
  return (await api.get(ResourceQuota, `${namespace}/q`)).status?.used;
}

async function countMade(work: readonly Promise<unknown>[]): Promise<number> {
  const results = await Promise.allSettled(work);
  for (const result of results) {
    if (result.status === "rejected") expect(isForbidden(result.reason), result.reason).toBe(true);
  }
  return results.filter(({ status }) => status === "fulfilled").length;
}

test("resource-quota: of many creates at once exactly as many land as there is room for", async () => {
  await createQuota("crowd", { hard: { pods: "10", "requests.cpu": "5" } });
  const ask = (at: number) =>
    api.create(Pod, pod("crowd", `pod-${at}`, {}, { requests: { cpu: "500m" } }));
  const made = await countMade(Array.from({ length: 60 }, (_, at) => ask(at)));
  expect(made).toBe(10);
  expect((await api.list(Pod, { namespace: "crowd" })).items).toHaveLength(10);
  expect(await used("crowd")).toEqual({ pods: "10", "requests.cpu": "5" });
});

test("resource-quota: while some go and others come the limit is never passed", async () => {
  await createQuota("churn", { hard: { pods: "5" } });
  let most = 0;
  const live = new Set<string>();
  const lane = async (lane: number) => {
    for (let turn = 0; turn < 12; turn++) {
      const name = `pod-${lane}-${turn}`;
      if ((await countMade([api.create(Pod, pod("churn", name))])) === 0) continue;
      live.add(name);
      most = Math.max(most, live.size);
      // Not counted as gone before it is: the limit is of what exists.
      live.delete(name);
      await api.delete(Pod, `churn/${name}`, { gracePeriodSeconds: 0 });
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, at) => lane(at)));
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(5);
  await waitFor("what went to be given back", async () => (await used("churn"))?.pods === "0");
  await api.create(Pod, pod("churn", "after"));
  expect((await used("churn"))?.pods).toBe("1");
});

test("resource-quota: a refusal says what was asked for, used and given", async () => {
  await createQuota("said", { hard: { pods: "2", "limits.cpu": "2" } });
  const limited = { limits: { cpu: "500m" } };
  await api.create(Pod, pod("said", "a", {}, limited));
  await api.create(Pod, pod("said", "b", {}, limited));
  const full = await refusal(api.create(Pod, pod("said", "d", {}, limited)));
  expect(full.message).toBe(
    'pods "d" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2',
  );
  const silent = await refusal(api.create(Pod, pod("said", "e")));
  expect(silent.message).toBe(
    'pods "e" is forbidden: failed quota: q: must specify limits.cpu for: c',
  );
});

test("resource-quota: scopes choose which pods count", async () => {
  await createQuota("scoped", {
    hard: { pods: "1" },
    scopeSelector: {
      matchExpressions: [{ scopeName: "PriorityClass", operator: "In", values: ["high"] }],
    },
  });
  await api.create(Pod, pod("scoped", "a"));
  await api.create(Pod, pod("scoped", "b"));
  expect(await used("scoped")).toEqual({ pods: "0" });
});

test("resource-quota: counts services by what they need, and claims by class", async () => {
  const fast = "fast.storageclass.storage.k8s.io/requests.storage";
  await createQuota("kinds", {
    hard: { "services.nodeports": "1", "services.loadbalancers": "0", [fast]: "3Gi" },
  });
  const service = (name: string, type: "NodePort" | "LoadBalancer") =>
    ({ metadata: { namespace: "kinds", name }, spec: { type, ports: [{ port: 80 }] } }) as Service;
  await api.create(Service, service("a", "NodePort"));
  const balanced = await refusal(api.create(Service, service("b", "LoadBalancer")));
  expect(balanced.message).toContain(
    "requested: services.loadbalancers=1,services.nodeports=1, " +
      "used: services.loadbalancers=0,services.nodeports=1",
  );
  const claim = (name: string) =>
    ({
      metadata: { namespace: "kinds", name },
      spec: {
        accessModes: ["ReadWriteOnce"],
        storageClassName: "fast",
        resources: { requests: { storage: "2Gi" } },
      },
    }) as PersistentVolumeClaim;
  await api.create(PersistentVolumeClaim, claim("a"));
  const large = await refusal(api.create(PersistentVolumeClaim, claim("b")));
  expect(large.message).toContain(
    `requested: ${fast}=2Gi, used: ${fast}=2Gi, limited: ${fast}=3Gi`,
  );
});
