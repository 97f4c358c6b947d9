import { expect, test } from "vitest";
import type { ActorDefinition } from "../../../runtime/actor.ts";
import { createSimBus } from "../../../runtime/sim/bus.ts";
import { createNetwork } from "../../../runtime/sim/network.ts";
import { createWorld } from "../../../runtime/sim/world.ts";
import { serveStats } from "../../../runtime/stats.ts";
import { createSystem } from "../../../runtime/supervisor.ts";

const worker: ActorDefinition<string> = {
  name: "pod-worker",
  start: (ctx) => ({
    async receive(message) {
      await ctx.clock.sleep(10);
      if (message === "bad") throw new Error("indigestible");
    },
  }),
};

const kubelet: ActorDefinition<string> = {
  name: "kubelet",
  start(ctx) {
    const child = ctx.spawn(worker, undefined, { name: "pod-worker-1" });
    return { receive: (message) => void child.tell(message) };
  },
};

test("stats: actors answer on the service plane, all or those that are named", async () => {
  const world = createWorld({ seed: 1 });
  const network = createNetwork(world);
  const bus = createSimBus(network, { name: "process" });
  const asking = createSimBus(network, { name: "asking" });
  const system = createSystem({ clock: world.clock, random: world.random, log: world.log, bus });
  const serving = serveStats(bus, system, { instance: "host.1", version: "0.1.0" });
  const ref = system.spawn(kubelet, undefined);
  system.spawn({ ...worker, name: "proxy" }, undefined);
  for (const message of ["good", "good", "bad"]) ref.tell(message);
  await world.run({ maxVirtualMs: 5_000 });

  async function ask(subject: string) {
    const answers: Record<string, unknown>[] = [];
    const inbox = asking.inbox();
    const subscription = asking.subscribe(inbox, ({ data, headers }) => {
      if (headers.Status) answers.push({ status: headers.Status });
      else answers.push(JSON.parse(new TextDecoder().decode(data)));
    });
    asking.publish(subject, "", { reply: inbox });
    await world.run({ maxVirtualMs: 100 });
    subscription.unsubscribe();
    return answers;
  }

  expect(await ask("$SRV.PING")).toEqual([
    {
      type: "io.nats.micro.v1.ping_response",
      name: "kubelet",
      id: "host=2E1-kubelet",
      version: "0.1.0",
      metadata: { path: "kubelet", phase: "running" },
    },
    expect.objectContaining({ name: "proxy" }),
  ]);
  expect(await ask("$SRV.PING.proxy")).toMatchObject([{ name: "proxy" }]);
  expect(await ask("$SRV.PING.proxy.host=2E1-proxy")).toMatchObject([{ name: "proxy" }]);
  expect(await ask("$SRV.PING.proxy.another")).toEqual([]);
  expect(await ask("$SRV.INFO.kubelet")).toMatchObject([
    {
      type: "io.nats.micro.v1.info_response",
      endpoints: [
        { name: "kubelet", subject: "kubelet" },
        { name: "pod-worker", subject: "kubelet=2Fpod-worker-1" },
      ],
    },
  ]);
  expect(await ask("$SRV.STATS.kubelet")).toMatchObject([
    {
      type: "io.nats.micro.v1.stats_response",
      started: "2026-01-01T00:00:00.000Z",
      endpoints: [
        { name: "kubelet", num_requests: 3, num_errors: 0 },
        {
          name: "pod-worker",
          num_requests: 2,
          num_errors: 2,
          last_error: "indigestible",
          processing_time: 40_000_000,
          average_processing_time: 20_000_000,
          data: { deadLetters: 1, waiting: 0, highWater: 2 },
        },
      ],
    },
  ]);
  serving.unsubscribe();
  await world.run({ maxVirtualMs: 10 });
  expect(await ask("$SRV.PING")).toEqual([{ status: "503" }]);
});
