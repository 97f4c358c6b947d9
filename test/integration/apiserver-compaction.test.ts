/** The owned compactor on a real nats-server: what was churned away gives its room back. */

import { afterAll, beforeAll, expect, test } from "vitest";
import type { Api } from "../../actors/kit/client.ts";
import { ConfigMap, Lease } from "../../manifests/index.ts";
import { startApi, type TestApi } from "../harness/api.ts";
import { waitFor } from "../harness/wait.ts";

let env: TestApi;
let api: Api;

beforeAll(async () => {
  env = await startApi({ horizonMs: { objects: 1_200, leases: 1_200 } });
  api = await env.client();
});

afterAll(async () => {
  await env.dispose();
});

const namespace = "default";
const names = Array.from({ length: 50 }, (_, nth) => `churned-${nth}`);

/** Creates each, changes it again and again, and deletes all but one. */
async function churn(changes: number): Promise<void> {
  await Promise.all(
    names.map(async (name, nth) => {
      const metadata = { namespace, name };
      let latest = await api.create(ConfigMap, { metadata, data: { turn: "0".repeat(500) } });
      for (let turn = 1; turn <= changes; turn++) {
        const data = { turn: `${turn}`.padStart(500, "0") };
        latest = await api.update(ConfigMap, { metadata: latest.metadata, data });
      }
      if (nth > 0) await api.delete(ConfigMap, `${namespace}/${name}`);
    }),
  );
}

test("compaction: after a churn, messages and bytes return, and what lives is whole", async () => {
  const before = await env.journals.objects.info();
  await churn(40);
  const lease = await api.create(Lease, { metadata: { namespace, name: "renewed" }, spec: {} });
  const written = (await env.journals.objects.info()).lastSequence - before.lastSequence;
  expect(written).toBeGreaterThanOrEqual(names.length * 41);
  const settled = await waitFor("the objects' stream to shrink", async () => {
    const now = await env.journals.objects.info();
    const { size } = env.stores.objects.view.snapshot("");
    // Beside what lives are the compactor's own records of a horizon's rounds, which alone are no
    // reason for another round.
    if (now.messages > size + 13) throw new Error(`${now.messages} messages, ${size} live`);
    return now;
  });
  expect(settled.bytes).toBeLessThan(before.bytes + 10_000);
  const kept = await api.get(ConfigMap, "default/churned-0");
  expect(kept.data).toEqual({ turn: "40".padStart(500, "0") });
  expect(await api.get(Lease, "default/renewed")).toEqual(lease);
  // A replica that loads now sees the same.
  const { stores } = await env.start();
  const found = stores.objects.view.snapshot("core.configmaps.default.").range();
  const keys = [...found].map((it) => it.key);
  expect(keys).toEqual(["core.configmaps.default.churned-0"]);
});
