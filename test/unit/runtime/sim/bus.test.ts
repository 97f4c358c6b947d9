import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { SimBus } from "../../../../runtime/sim/bus.ts";
import { createSimBus } from "../../../../runtime/sim/bus.ts";
import { createNetwork } from "../../../../runtime/sim/network.ts";
import { createWorld } from "../../../../runtime/sim/world.ts";
import type { BusBench } from "../../../integration/bus-contract.ts";
import {
  benchMaxPendingBytes,
  benchPrincipals,
  describeBus,
  textOf,
} from "../../../integration/bus-contract.ts";

for (const seed of [1, 2, 3]) describeBus(`simulated, seed ${seed}`, () => createSimBench(seed));

/** Virtual time flows by itself here, a millisecond with each turn of the real event loop. */
async function createSimBench(seed: number): Promise<BusBench> {
  const world = createWorld({ seed });
  const network = createNetwork(world, { maxPendingBytes: benchMaxPendingBytes });
  const buses: SimBus[] = [];
  let flowing = true;
  const flow = (async () => {
    while (flowing) await world.run({ maxVirtualMs: 1 });
  })();

  const bench: BusBench = {
    async connect(principal) {
      const bus = createSimBus(network, {
        name: principal,
        permissions: benchPrincipals[principal],
      });
      buses.push(bus);
      return bus;
    },
    cut: async (principal) => network.cut(principal),
    stall: async (principal) => network.stall(principal),
    resume: async (principal) => network.resume(principal),
    stopServer: async () => network.stopServer(),
    startServer: async () => network.startServer(),
    async waitFor(what, condition) {
      const deadline = world.clock.monotonic() + 60_000;
      while (!condition()) {
        if (world.clock.monotonic() > deadline) throw new Error(`Waited in vain for ${what}`);
        await nextTurn();
      }
    },
    async dispose() {
      await Promise.all(buses.map((bus) => bus.close()));
      await bench.waitFor("the last frames", () => world.pending === 0);
      flowing = false;
      await flow;
      expect(network.subscriptions).toBe(0);
      expect(network.wires).toEqual([]);
    },
  };
  return bench;
}

describe("simulated network", () => {
  test("network: a partition that heals in time delays, a longer one cuts", async () => {
    const world = createWorld({ seed: 4 });
    const network = createNetwork(world, { staleMs: 10_000 });
    const node = createSimBus(network, { name: "node" });
    const api = createSimBus(network, { name: "api" });
    const heard: string[] = [];
    const status: boolean[] = [];
    node.onStatus((connected) => status.push(connected));
    api.subscribe("lease", (message) => heard.push(`${textOf(message)}@${at()}`));
    const at = () => Math.round(world.clock.monotonic() / 1000);
    await world.run({ maxVirtualMs: 1_000 });

    network.partition("node", { forMs: 5_000 });
    node.publish("lease", "delayed");
    await world.run({ maxVirtualMs: 4_000 });
    expect(heard).toEqual([]);
    await world.run({ maxVirtualMs: 5_000 });
    expect(heard).toEqual(["delayed@6"]);
    expect(status).toEqual([]);

    network.partition("node", { forMs: 30_000 });
    node.publish("lease", "lost");
    await world.run({ maxVirtualMs: 20_000 });
    expect(status).toEqual([false]);
    await world.run({ maxVirtualMs: 20_000 });
    expect(status).toEqual([false, true]);
    node.publish("lease", "again");
    await world.run({ maxVirtualMs: 1_000 });
    expect(heard).toEqual(["delayed@6", "again@50"]);
  });

  test("network: a duplicated request reaches the group twice, and is answered once", async () => {
    const world = createWorld({ seed: 5 });
    const network = createNetwork(world);
    network.faults.duplicateRequest = 1;
    const [client, server] = ["client", "server"].map((name) => createSimBus(network, { name }));
    let handled = 0;
    server?.subscribe("increment", (message) => message.respond(`${++handled}`), { queue: "q" });
    await world.run({ maxVirtualMs: 100 });
    const answers: string[] = [];
    void client?.request("increment").then((message) => answers.push(textOf(message)));
    await world.run({ maxVirtualMs: 100 });
    expect(handled).toBe(2);
    expect(answers).toEqual(["1"]);
  });

  test("network: out of a killed bus nothing comes any more", async () => {
    const world = createWorld({ seed: 6 });
    const network = createNetwork(world);
    const [dying, other] = ["dying", "other"].map((name) => createSimBus(network, { name }));
    const events: string[] = [];
    dying?.subscribe("news", () => events.push("message"));
    dying?.onStatus(() => events.push("status"));
    other?.subscribe("ask", () => {});
    await world.run({ maxVirtualMs: 100 });
    dying?.request("ask").then(
      () => events.push("answer"),
      () => events.push("rejection"),
    );
    dying?.flush().finally(() => events.push("flush"));
    other?.publish("news");
    dying?.kill();
    dying?.publish("news");
    dying?.request("ask").finally(() => events.push("request after death"));
    await world.run({ maxVirtualMs: 60_000 });
    expect(events).toEqual([]);
    expect(world.pending).toBe(0);
    expect(network.subscriptions).toBe(1);
  });

  test("network: the same seed gives the same trace, another seed another", async () => {
    const hashOf = async (seed: number): Promise<string> => {
      const world = createWorld({ seed });
      const network = createNetwork(world);
      const buses = ["a", "b", "c"].map((name) => createSimBus(network, { name }));
      for (const bus of buses) bus.subscribe("chatter", (message) => message.respond(bus.name));
      for (const bus of buses) {
        const ask = () => void bus.request("chatter").then(ask, () => {});
        ask();
      }
      await world.run({ maxVirtualMs: 200 });
      return `${world.trace.hash} ${world.trace.count}`;
    };
    expect(await hashOf(8)).toBe(await hashOf(8));
    expect(await hashOf(8)).not.toBe(await hashOf(9));
  });
});
