import { describe, expect, it } from "vitest";
import { type Records, resolve } from "../../../../actors/dns/records.ts";
import type { EndpointSlice, Service } from "../../../../manifests/index.ts";

const service = (spec: Partial<Service["spec"]>): Service => ({ metadata: { name: "s" }, spec });

const services: Record<string, Service> = {
  "default/web": service({
    clusterIP: "10.96.0.20",
    ports: [{ name: "http", port: 80, protocol: "TCP" }],
  }),
  "default/db": service({ clusterIP: "None" }),
  "default/empty": service({ clusterIP: "None" }),
  "default/outside": service({ type: "ExternalName", externalName: "example.test" }),
};

const slices: Record<string, EndpointSlice[]> = {
  "default/db": [
    {
      metadata: { name: "db-1" },
      addressType: "IPv4",
      ports: [{ name: "sql", port: 5432, protocol: "TCP" }],
      endpoints: [
        { addresses: ["10.244.0.5"], hostname: "db-0", conditions: { ready: true } },
        { addresses: ["10.244.0.6"], conditions: { ready: true } },
        { addresses: ["10.244.0.7"], conditions: { ready: false } },
      ],
    },
  ],
};

const records: Records = {
  service: (namespace, name) => services[`${namespace}/${name}`],
  slices: (namespace, name) => slices[`${namespace}/${name}`] ?? [],
  namespaceExists: (name) => name === "default",
  nameOf: (address) => (address === "10.96.0.20" ? "web.default.svc.cluster.local" : undefined),
};

const ask = (name: string, type = "A") => resolve(records, "cluster.local", { name, type });
const data = (name: string, type = "A") => {
  const resolution = ask(name, type);
  return resolution.type === "answers"
    ? resolution.answers.map((answer) => answer.data)
    : resolution.type;
};

describe("dns records", () => {
  it.each([
    ["a Service", "web.default.svc.cluster.local", ["10.96.0.20"]],
    ["in any case, with the last dot", "WEB.Default.svc.cluster.local.", ["10.96.0.20"]],
    ["a headless one", "db.default.svc.cluster.local", ["10.244.0.5", "10.244.0.6"]],
    ["an endpoint by its hostname", "db-0.db.default.svc.cluster.local", ["10.244.0.5"]],
    ["an endpoint by its address", "10-244-0-6.db.default.svc.cluster.local", ["10.244.0.6"]],
    ["a pod by its address", "10-244-0-9.default.pod.cluster.local", ["10.244.0.9"]],
    ["an alias", "outside.default.svc.cluster.local", ["example.test"]],
    ["the middle of the tree: nothing, but it exists", "svc.cluster.local", []],
    ["no such Service", "nope.default.svc.cluster.local", "unknown"],
    ["no such namespace", "web.nope.svc.cluster.local", "unknown"],
    ["a headless Service without endpoints", "empty.default.svc.cluster.local", "unknown"],
    ["no address", "300-1-1-1.default.pod.cluster.local", "unknown"],
    ["what only ends alike", "notcluster.local", "elsewhere"],
    ["the world", "example.test", "elsewhere"],
  ])("%s: %s", (_, name, expected) => {
    expect(data(name)).toEqual(expected);
  });

  it("says that a name without IPv6 address exists", () => {
    expect(data("web.default.svc.cluster.local", "AAAA")).toEqual([]);
  });

  it("gives ports of a Service, with the address beside", () => {
    expect(ask("_http._tcp.web.default.svc.cluster.local", "SRV")).toMatchObject({
      answers: [{ data: { port: 80, target: "web.default.svc.cluster.local" } }],
      additional: [{ type: "A", data: "10.96.0.20" }],
    });
    expect(data("_http._udp.web.default.svc.cluster.local", "SRV")).toBe("unknown");
  });

  it("gives ports of a headless Service for each endpoint", () => {
    expect(data("_sql._tcp.db.default.svc.cluster.local", "SRV")).toEqual([
      { priority: 0, weight: 100, port: 5432, target: "db-0.db.default.svc.cluster.local" },
      { priority: 0, weight: 100, port: 5432, target: "10-244-0-6.db.default.svc.cluster.local" },
    ]);
  });

  it("names an address", () => {
    expect(data("20.0.96.10.in-addr.arpa", "PTR")).toEqual(["web.default.svc.cluster.local"]);
    expect(data("1.0.0.10.in-addr.arpa", "PTR")).toBe("elsewhere");
  });
});
