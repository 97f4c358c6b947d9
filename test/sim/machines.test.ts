import { expect, test } from "vitest";
import { createSimEngine, type SimEngine } from "../../actors/kubelet/engines/sim/index.ts";
import { createWorld } from "../../runtime/sim/world.ts";
import { checkMachines } from "./machines.ts";

test("simulation: a pod that runs on two nodes does not go unnoticed", async () => {
  const world = createWorld({ seed: 1 });
  const start = (nth: number): SimEngine => {
    const random = world.random.fork(`engine-${nth}`);
    const podCIDR = `10.244.${nth}.0/24`;
    const engine = createSimEngine({ clock: world.clock, random, podCIDR });
    void engine.runSandbox({
      uid: "a-pod",
      namespace: "default",
      name: "web",
      attempt: 0,
      hostname: "web",
      dns: { servers: [], searches: [], options: [] },
      hostNetwork: false,
      labels: {},
      annotations: {},
    });
    return engine;
  };
  const engines = new Map([["node-0", start(0)]]);
  await world.run({ maxVirtualMs: 1_000 });
  expect(() => checkMachines(engines)).not.toThrow();
  engines.set("node-1", start(1));
  await world.run({ maxVirtualMs: 1_000 });
  expect(() => checkMachines(engines)).toThrow("Pod web (a-pod) runs on node-0 and on node-1");
});
