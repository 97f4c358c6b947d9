/** The pipeline through the NATS door, on a real nats-server, kind by kind and stage by stage. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Api } from "../../actors/kit/client.ts";
import * as kinds from "../../manifests/index.ts";
import { startApi, type TestApi } from "../harness/api.ts";

let env: TestApi;
let api: Api;

beforeAll(async () => {
  env = await startApi();
  api = await env.client();
});

afterAll(async () => {
  await env.dispose();
});

describe("apiserver objects", () => {
  test("apiserver: stamps a new object and numbers it", async () => {
    const made = await api.create(kinds.ConfigMap, {
      metadata: { namespace: "default", name: "first", labels: { a: "b" } },
      data: { key: "value" },
    });
    expect(made.metadata).toMatchObject({
      name: "first",
      namespace: "default",
      labels: { a: "b" },
    });
    expect(made.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(made.metadata.creationTimestamp).toMatch(/^\d{4}-.*Z$/);
    expect(Number(made.metadata.resourceVersion)).toBeGreaterThan(0);
    const read = await api.get(kinds.ConfigMap, "default/first");
    expect(read).toEqual(made);
  });
});
