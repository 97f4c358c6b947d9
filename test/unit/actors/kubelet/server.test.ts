import { afterEach, describe, expect, test } from "vitest";
import { type Endpoint, endpointOn } from "../../../../actors/kubelet/server.ts";

const open: Endpoint[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((endpoint) => endpoint.close()));
});

async function start(port: number, problem?: string): Promise<Endpoint> {
  const endpoint = await endpointOn(
    "127.0.0.1",
    port,
  )({
    pods: () => ({ kind: "PodList", items: [] }),
    problem: () => problem,
    metrics: () => "kubelet_running_pods 0\n",
    summary: async () => ({ node: {} }),
  });
  open.push(endpoint);
  return endpoint;
}

describe("read-only endpoint", () => {
  test("read-only endpoint: a second node on the machine takes the next free port", async () => {
    const first = await start(0);
    const second = await start(first.port);
    expect(second.port).toBeGreaterThan(first.port);
    const answer = await fetch(`http://127.0.0.1:${second.port}/pods/`);
    expect(await answer.json()).toEqual({ kind: "PodList", items: [] });
  });

  test("read-only endpoint: is unhealthy while its engine is, and knows nothing else", async () => {
    const { port } = await start(0, "it is gone");
    const health = await fetch(`http://127.0.0.1:${port}/healthz?verbose`);
    expect(health.status).toBe(500);
    expect(await health.text()).toContain("it is gone");
    expect((await fetch(`http://127.0.0.1:${port}/exec`)).status).toBe(404);
  });
});
