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
const dockerRules = [
  "-N DOCKER-USER",
  "-A DOCKER-USER -s 10.244.0.0/16 -j ACCEPT",
  "-A DOCKER-USER -d 10.244.0.0/16 -j ACCEPT",
  "-A DOCKER-USER -j RETURN",
];
const on = new Map([["net/ipv4/ip_forward", "1"]]);

describe("host network", () => {
  it("leaves a machine alone that has it all", () => {
    expect(computeSteps(config, { settings: on, routes: right, dockerRules })).toEqual([]);
  });

  it("switches on forwarding, and skips what the kernel does not have", () => {
    const settings = new Map([
      ["net/ipv4/ip_forward", "0"],
      ["net/bridge/bridge-nf-call-iptables", undefined],
    ]);
    expect(computeSteps(config, { settings, routes: right, dockerRules: undefined })).toEqual([
      { type: "set", setting: "net/ipv4/ip_forward", value: "1" },
    ]);
  });

  it("routes both ranges so that they stay on the machine", () => {
    expect(computeSteps(config, { settings: on, routes: [], dockerRules })).toEqual([
      { type: "route", route: ["10.96.0.0/16", "dev", "wh0", "src", "10.244.0.1"] },
      { type: "route", route: ["unreachable", "10.244.0.0/16", "metric", "4096"] },
    ]);
  });

  it("asks a Docker that filters for leave, once and for this range", () => {
    const others = [
      "-N DOCKER-USER",
      "-A DOCKER-USER -s 10.0.0.0/8 -j ACCEPT",
      dockerRules[2] ?? "",
    ];
    const state = { settings: on, routes: right, dockerRules: others };
    expect(computeSteps(config, state)).toEqual([
      { type: "admit", rule: "DOCKER-USER -s 10.244.0.0/16 -j ACCEPT" },
    ]);
  });

  it("mends a route that points elsewhere", () => {
    const wrong = [{ ...right[0], dev: "eth0" } as Route, right[1] as Route];
    expect(computeSteps(config, { settings: on, routes: wrong, dockerRules })).toHaveLength(1);
  });
});
