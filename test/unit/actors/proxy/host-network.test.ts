import { describe, expect, it } from "vitest";
import { computeSteps, type Route } from "../../../../actors/proxy/host-network.ts";

const config = {
  bridge: { name: "wh0", address: "10.244.0.1" },
  podCidr: "10.244.0.0/16",
  serviceCidr: "10.96.0.0/16",
};
const right: Route[] = [
  { type: "unicast", dst: "10.96.0.0/16", dev: "wh0", prefsrc: "10.244.0.1" },
  { type: "unreachable", dst: "10.244.0.0/16" },
];
const on = new Map([["net/ipv4/ip_forward", "1"]]);

describe("host network", () => {
  it("leaves a machine alone that has it all", () => {
    expect(computeSteps(config, { settings: on, routes: right })).toEqual([]);
  });

  it("switches on forwarding, and skips what the kernel does not have", () => {
    const settings = new Map([
      ["net/ipv4/ip_forward", "0"],
      ["net/bridge/bridge-nf-call-iptables", undefined],
    ]);
    expect(computeSteps(config, { settings, routes: right })).toEqual([
      { type: "set", setting: "net/ipv4/ip_forward", value: "1" },
    ]);
  });

  it("routes both ranges so that they stay on the machine", () => {
    expect(computeSteps(config, { settings: on, routes: [] })).toEqual([
      { type: "route", route: ["10.96.0.0/16", "dev", "wh0", "src", "10.244.0.1"] },
      { type: "route", route: ["unreachable", "10.244.0.0/16", "metric", "4096"] },
    ]);
  });

  it("mends a route that points elsewhere", () => {
    const wrong = [{ ...right[0], dev: "eth0" } as Route, right[1] as Route];
    expect(computeSteps(config, { settings: on, routes: wrong })).toHaveLength(1);
  });
});
