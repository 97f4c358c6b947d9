import { expect, test } from "vitest";
import { createMetrics } from "../../../runtime/metrics.ts";

test("metrics: each registry has its own, rendered as Prometheus reads them", async () => {
  const [one, other] = [createMetrics(), createMetrics()];
  const requests = one.counter({
    name: "wherry_api_requests_total",
    help: "Requests",
    labels: ["verb"],
  });
  requests.add({ verb: "get" });
  requests.add({ verb: "get" }, 2);
  const depth = one.gauge({ name: "wherry_queue_depth", help: "Depth", labels: ["queue"] });
  depth.set({ queue: "gone" }, 1);
  depth.remove({ queue: "gone" });
  one.onRender(() => depth.set({ queue: "pods" }, 7));
  const took = one.histogram({ name: "wherry_took_seconds", help: "Took", buckets: [0.1, 1] });
  took.observe({}, 0.5);
  const text = await one.render();
  expect(text).toContain('wherry_api_requests_total{verb="get"} 3');
  expect(text).toContain('wherry_queue_depth{queue="pods"} 7');
  expect(text).not.toContain("gone");
  expect(text).toContain('wherry_took_seconds_bucket{le="1"} 1');
  expect(text).toContain('wherry_took_seconds_bucket{le="0.1"} 0');
  expect(one.contentType).toContain("text/plain");
  expect((await other.render()).trim()).toBe("");
});

test("metrics: a name asked for twice is one metric, of another kind a bug", async () => {
  const metrics = createMetrics();
  const spec = { name: "wherry_restarts_total", help: "Restarts" };
  metrics.counter(spec).add({});
  metrics.counter(spec).add({});
  expect(await metrics.render()).toContain("wherry_restarts_total 2");
  expect(() => metrics.gauge(spec)).toThrow("of another kind");
});

test("metrics: the process's own are there when asked for", async () => {
  const metrics = createMetrics();
  metrics.watchProcess();
  expect(await metrics.render()).toContain("process_resident_memory_bytes");
});
