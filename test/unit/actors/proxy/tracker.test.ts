import { describe, expect, it } from "vitest";
import { computeFrontends } from "../../../../actors/proxy/tracker.ts";
import type { Endpoint, EndpointSlice, Service } from "../../../../manifests/index.ts";

const service = (spec: Partial<Service["spec"]> = {}): Service => ({
  metadata: { name: "web", namespace: "default" },
  spec: { clusterIP: "10.96.0.20", ports: [{ port: 80, protocol: "TCP" }], ...spec },
});

const slice = (endpoints: Endpoint[], ports: EndpointSlice["ports"] = [{ port: 8080 }]) => ({
  metadata: { name: "web-1" },
  addressType: "IPv4",
  endpoints,
  ports,
});

const at = (address: string, conditions: Endpoint["conditions"] = { ready: true }): Endpoint => ({
  addresses: [address],
  conditions,
});

const here = new Set(["here"]);
const endpointsOf = (object: Service, slices: EndpointSlice[]) =>
  computeFrontends(object, slices, here)[0]?.endpoints.map((e) => `${e.address}:${e.port}`);

describe("proxy tracker", () => {
  it("takes ready endpoints of all slices, sorted and once", () => {
    const slices = [slice([at("10.0.0.2"), at("10.0.0.1")]), slice([at("10.0.0.2")])];
    expect(endpointsOf(service(), slices)).toEqual(["10.0.0.1:8080", "10.0.0.2:8080"]);
  });

  it("leaves out the unready, and counts an endpoint without conditions as ready", () => {
    const slices = [slice([at("10.0.0.1", { ready: false }), at("10.0.0.2", undefined)])];
    expect(endpointsOf(service(), slices)).toEqual(["10.0.0.2:8080"]);
  });

  it("falls back to endpoints that serve while they terminate", () => {
    const draining = at("10.0.0.1", { ready: false, serving: true, terminating: true });
    expect(endpointsOf(service(), [slice([draining])])).toEqual(["10.0.0.1:8080"]);
    expect(endpointsOf(service(), [slice([draining, at("10.0.0.2")])])).toEqual(["10.0.0.2:8080"]);
  });

  it("matches ports by name and protocol", () => {
    const dns = service({
      ports: [
        { name: "dns", port: 53, protocol: "UDP" },
        { name: "dns-tcp", port: 53, protocol: "TCP" },
      ],
    });
    const ports = [
      { name: "dns", port: 5353, protocol: "UDP" as const },
      { name: "dns-tcp", port: 5354, protocol: "TCP" as const },
    ];
    const frontends = computeFrontends(dns, [slice([at("10.0.0.1")], ports)], here);
    expect(frontends.map((f) => [f.protocol, f.endpoints[0]?.port])).toEqual([
      ["udp", 5353],
      ["tcp", 5354],
    ]);
  });

  it("keeps traffic on this machine when the policy says Local", () => {
    const slices = [
      slice([
        { ...at("10.0.0.1"), nodeName: "here" },
        { ...at("10.0.0.2"), nodeName: "there" },
      ]),
    ];
    const local = service({ internalTrafficPolicy: "Local" });
    expect(endpointsOf(local, slices)).toEqual(["10.0.0.1:8080"]);
  });

  it.each([
    ["headless", { clusterIP: "None" }],
    ["not yet allocated", { clusterIP: "" }],
    ["external name", { type: "ExternalName" as const, externalName: "example.test" }],
  ])("has nothing to do for a Service that is %s", (_, spec) => {
    expect(computeFrontends(service(spec), [], here)).toEqual([]);
  });
});
