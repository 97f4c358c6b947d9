import { expect, test } from "vitest";
import type { ActorDefinition } from "../../../../runtime/actor.ts";
import { createSimBus } from "../../../../runtime/sim/bus.ts";
import { createNetwork } from "../../../../runtime/sim/network.ts";
import type { SimHost } from "../../../../runtime/sim/process.ts";
import { createSimProcess } from "../../../../runtime/sim/process.ts";
import { createWorld } from "../../../../runtime/sim/world.ts";

function setUp(main: (host: SimHost) => void | Promise<void>, skewMs?: number) {
  const world = createWorld({ seed: 1 });
  const network = createNetwork(world);
  const process = createSimProcess({ network, name: "p", main, skewMs });
  return { world, network, process, run: (maxVirtualMs: number) => world.run({ maxVirtualMs }) };
}

function beating(story: string[]): ActorDefinition<"beat"> {
  return {
    name: "beating",
    start(ctx) {
      ctx.after(100, "beat");
      ctx.onEnd(() => void story.push("released"));
      return {
        receive() {
          ctx.bus.publish("beat");
          ctx.after(100, "beat");
        },
        stop: () => void story.push("stopped"),
      };
    },
  };
}

test("process: killed, everything of it is gone at once; started again it begins anew", async () => {
  const story: string[] = [];
  const { world, network, process, run } = setUp((host) => {
    story.push(`up at ${host.clock.monotonic()}`);
    host.onKill(() => story.push("dropped"));
    host.system(host.connect({ principal: "heart" })).spawn(beating(story), undefined);
  });
  const monitor = createSimBus(network, { name: "monitor" });
  let beats = 0;
  monitor.subscribe("beat", () => beats++);
  process.start();
  await run(1_050);
  expect(beats).toBe(10);

  process.kill();
  expect([process.running, world.pending]).toEqual([false, 0]);
  await run(10_000);
  expect(beats).toBe(10);
  expect(story).toEqual(["up at 0", "dropped"]);
  expect(network.subscriptions).toBe(1);

  process.start();
  await run(1_050);
  expect(beats).toBe(20);
  expect(process.starts).toBe(2);
  expect(story.at(-1)).toBe("up at 0");

  void process.stop();
  await run(1_000);
  expect(story.slice(-3)).toEqual(["stopped", "released", "dropped"]);
  expect([process.running, world.pending]).toEqual([false, 0]);
});

test("process: what it awaited when it was killed is never settled", async () => {
  const story: string[] = [];
  const { process, network, run } = setUp(async (host) => {
    const bus = host.connect({ principal: "asking" });
    await bus.flush();
    story.push("connected");
    void host.clock.sleep(10).then(() => story.push("slept"));
    await bus.request("silent", "", { timeoutMs: 50 }).finally(() => story.push("settled"));
  });
  createSimBus(network, { name: "silent" }).subscribe("silent", () => {});
  process.start();
  await run(8);
  process.kill();
  await run(1_000);
  expect(story).toEqual(["connected"]);
});

test("process: one that fails is dead, and says so", async () => {
  const { world, process, run } = setUp(async (host) => {
    await host.clock.sleep(5);
    throw new Error("no such port");
  });
  process.start();
  await run(10);
  expect(process.running).toBe(false);
  expect(world.log.entries).toMatchObject([
    { level: "error", message: "Process failed", fields: { process: "p" } },
  ]);
});

test("process: its wall clock may be wrong, its monotonic clock begins with it", async () => {
  let host: SimHost | undefined;
  const { world, process, run } = setUp((given) => {
    host = given;
  }, -30_000);
  await run(500);
  process.start();
  await run(250);
  expect(host?.clock.monotonic()).toBe(250);
  expect(host?.clock.now()).toBe(world.clock.now() - 30_000);
});
