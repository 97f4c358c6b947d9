/** What /metrics tells of requests, under upstream's names and labels (k8s: apiserver/pkg/endpoints/metrics). */

import { Counter, Histogram, Registry as MetricsRegistry } from "prom-client";
import { mediaType } from "../decode.ts";
import type { ApiRequest } from "../request.ts";

const labels = [
  "component",
  "dry_run",
  "group",
  "resource",
  "scope",
  "subresource",
  "verb",
  "version",
];
const buckets = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45,
  60,
];

const verbs: Readonly<Partial<Record<ApiRequest["verb"], string>>> = {
  create: "POST",
  update: "PUT",
};

/** `isServed`: what is not is not counted, or anybody could make us keep any number of labels. */
export function createMetrics(isServed: (request: ApiRequest) => boolean) {
  const registers = [new MetricsRegistry()];
  const requests = new Counter({
    name: "apiserver_request_total",
    help: "Requests by verb, resource and HTTP status code.",
    labelNames: [...labels, "code"],
    registers,
  });
  const durations = new Histogram({
    name: "apiserver_request_duration_seconds",
    help: "Time from a request's arrival to the end of its answer.",
    labelNames: labels,
    buckets,
    registers,
  });
  return {
    text: async () => (await Promise.all(registers.map((one) => one.metrics()))).join(""),
    observe(request: ApiRequest, code: number, seconds: number) {
      if (!isServed(request)) return;
      const values = labelsOf(request);
      requests.inc({ ...values, code });
      // A watch lasts as long as somebody looks.
      if (request.verb !== "watch") durations.observe(values, seconds);
    },
  };
}

function labelsOf({ verb, group, version, resource, subresource, ...request }: ApiRequest) {
  const { namespace, name, query, contentType } = request;
  const isApply = verb === "patch" && mediaType(contentType).startsWith("application/apply-patch");
  return {
    component: "apiserver",
    dry_run: query.get("dryRun") === "All" ? "All" : "",
    group,
    resource,
    scope: name ? "resource" : namespace ? "namespace" : "cluster",
    subresource,
    verb: isApply ? "APPLY" : (verbs[verb] ?? verb.toUpperCase()),
    version,
  };
}
