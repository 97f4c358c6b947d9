import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ActorDefinition, Behavior, Context, Ref } from "../../../runtime/actor.ts";
import type { SimBus } from "../../../runtime/sim/bus.ts";
import { createSimBus } from "../../../runtime/sim/bus.ts";
import type { SimNetwork } from "../../../runtime/sim/network.ts";
import { createNetwork } from "../../../runtime/sim/network.ts";
import type { SimWorld } from "../../../runtime/sim/world.ts";
import { createWorld } from "../../../runtime/sim/world.ts";
import type { System } from "../../../runtime/supervisor.ts";
import { createSystem, deadLetterSubject } from "../../../runtime/supervisor.ts";

let world: SimWorld;
let network: SimNetwork;
let bus: SimBus;
let system: System;
/** What the actors of a test say that they did, in order. */
let story: string[];

beforeEach(() => {
  world = createWorld({ seed: 1 });
  network = createNetwork(world);
  bus = createSimBus(network, { name: "process" });
  system = createSystem({ clock: world.clock, random: world.random, log: world.log, bus });
  story = [];
});

/** After each test everything is stopped, and nothing may be left of it. */
afterEach(async () => {
  let stopped = false;
  void system.stop().then(() => {
    stopped = true;
  });
  expect(await world.run({ until: () => stopped, maxVirtualMs: 120_000 })).toBe(true);
  expect(system.stats()).toEqual([]);
  await bus.close();
  await world.run({ maxVirtualMs: 1_000 });
  expect(world.pending).toBe(0);
  expect(network.subscriptions).toBe(0);
});

function run(ms = 1_000): Promise<boolean> {
  return world.run({ maxVirtualMs: ms });
}

type Starting<M> = (ctx: Context<M>) => Behavior<M> | Promise<Behavior<M>>;

function actor<M>(name: string, start: Starting<M>): ActorDefinition<M> {
  return { name, start };
}

function spawn<M>(name: string, start: Starting<M>): Ref<M> {
  return system.spawn(actor(name, start), undefined);
}

function listener(): { receive(message: string): void } {
  return { receive: (message) => void story.push(message) };
}

describe("mailbox", () => {
  test("actor: handles one message at a time, in order", async () => {
    const ref = spawn<number>("slow", (ctx) => ({
      async receive(n) {
        story.push(`begin ${n}`);
        await ctx.clock.sleep(10 - n);
        story.push(`end ${n}`);
      },
    }));
    for (const n of [1, 2, 3]) expect(ref.tell(n)).toBe(true);
    await run();
    expect(story).toEqual(["begin 1", "end 1", "begin 2", "end 2", "begin 3", "end 3"]);
    expect(system.stats()[0]).toMatchObject({ processed: 3, waiting: 0, highWater: 3 });
  });

  test("actor: messages wait while it starts", async () => {
    const ref = spawn<string>("late", async (ctx) => {
      await ctx.clock.sleep(500);
      story.push("started");
      return listener();
    });
    ref.tell("early");
    await run(400);
    expect(story).toEqual([]);
    expect(system.stats()[0]?.phase).toBe("starting");
    await run(400);
    expect(story).toEqual(["started", "early"]);
  });

  test("actor: after delivers once, and not at all when disposed", async () => {
    spawn<string>("timed", (ctx) => {
      ctx.after(20, "second");
      ctx.after(10, "first");
      ctx.after(15, "never").dispose();
      return listener();
    });
    await run();
    expect(story).toEqual(["first", "second"]);
  });

  test("actor: one that always has work lets others run", async () => {
    const busy = spawn<string>("busy", (ctx) => ({ receive: () => void ctx.self.tell("again") }));
    busy.tell("go");
    const other = spawn<string>("other", listener);
    other.tell("heard");
    await run(10);
    expect(story).toEqual(["heard"]);
    void busy.stop();
    await run();
  });
});

describe("stop", () => {
  test("actor: stop ends children first, then runs its hook, then releases, newest first", async () => {
    const child = (name: string) =>
      actor<string>(name, () => ({ receive: () => {}, stop: () => void story.push(name) }));
    const ref = spawn<string>("parent", (ctx) => {
      ctx.onEnd(() => void story.push("opened first"));
      ctx.spawn(child("elder"), undefined);
      ctx.spawn(child("younger"), undefined);
      ctx.onEnd(() => void story.push("opened last"));
      return { receive: () => {}, stop: () => void story.push("parent") };
    });
    await run();
    void ref.stop().then(() => story.push("gone"));
    await run();
    expect(story).toEqual(["younger", "elder", "parent", "opened last", "opened first", "gone"]);
  });

  test("actor: stop finishes the message in hand and drops those behind it", async () => {
    const ref = spawn<string>("worker", (ctx) => ({
      async receive(message) {
        await ctx.clock.sleep(100);
        story.push(message);
      },
    }));
    for (const message of ["in hand", "behind", "behind"]) ref.tell(message);
    await run(50);
    const gone = ref.stop();
    expect(ref.tell("too late")).toBe(false);
    await run();
    await gone;
    expect(story).toEqual(["in hand"]);
  });

  test("actor: stop interrupts what listens to the signal, and that is no crash", async () => {
    const ref = spawn<string>("waiter", (ctx) => ({
      receive: () => ctx.clock.sleep(3_600_000, ctx.signal),
    }));
    ref.tell("wait");
    await run();
    void ref.stop().then(() => story.push(`gone at ${world.clock.monotonic()}`));
    await run();
    expect(story).toEqual(["gone at 1000"]);
    expect(world.log.entries.filter((entry) => entry.level === "error")).toEqual([]);
  });

  test("actor: stop abandons a handler that never ends, and says so", async () => {
    const ref = spawn<string>("stuck", () => ({ receive: () => new Promise(() => {}) }));
    ref.tell("hang");
    await run();
    void ref.stop().then(() => story.push("gone"));
    await run(9_000);
    expect(story).toEqual([]);
    await run(2_000);
    expect(story).toEqual(["gone"]);
  });

  test("actor: its timers and subscriptions end with it, its sleeps never wake", async () => {
    const ref = spawn<string>("holder", (ctx) => {
      ctx.bus.subscribe("news", () => story.push("news"));
      ctx.bus.onStatus(() => story.push("status"));
      ctx.clock.setTimer(2_000, () => story.push("timer"));
      ctx.after(2_000, "message");
      void ctx.clock.sleep(2_000).then(() => story.push("sleep"));
      return listener();
    });
    await run();
    expect(network.subscriptions).toBe(1);
    void ref.stop();
    await run();
    expect(network.subscriptions).toBe(0);
    bus.publish("news");
    network.cut("process");
    await run(5_000);
    expect(story).toEqual([]);
  });

  test("actor: an ended one neither spawns, subscribes nor publishes", async () => {
    let kept: Context<string> | undefined;
    const ref = spawn<string>("zombie", (ctx) => {
      kept = ctx;
      return listener();
    });
    bus.subscribe("news", () => story.push("news"));
    await run();
    void ref.stop();
    await run();
    const ctx = kept;
    expect(() => ctx?.spawn(actor<string>("child", listener), undefined)).toThrow("ended");
    ctx?.bus.publish("news");
    ctx?.bus.subscribe("news", () => story.push("zombie heard"));
    ctx?.after(1, "x");
    await run();
    expect(story).toEqual([]);
  });

  test("actor: a name is free again once its holder is gone, and not before", async () => {
    const first = spawn<string>("unique", listener);
    expect(() => spawn<string>("unique", listener)).toThrow("called unique already");
    void first.stop();
    await run();
    expect(spawn<string>("unique", listener).tell("second")).toBe(true);
    await run();
    expect(story).toEqual(["second"]);
  });
});

describe("a crash", () => {
  test("in start: restarts with doubling backoff until it succeeds", async () => {
    let attempts = 0;
    const ref = spawn<string>("flaky", () => {
      story.push(`${Math.round(world.clock.monotonic())}`);
      if (++attempts < 5) throw new Error("not yet");
      return listener();
    });
    ref.tell("kept meanwhile");
    await run(5_000);
    expect(story).toEqual(["0", "100", "300", "700", "1500", "kept meanwhile"]);
    expect(system.stats()[0]).toMatchObject({ crashes: 4, lastError: "not yet", phase: "running" });
  });

  test("in receive: a new incarnation gets the message again, then those behind it", async () => {
    let incarnations = 0;
    const ref = spawn<string>("brittle", () => {
      const incarnation = ++incarnations;
      return {
        receive(message) {
          story.push(`${incarnation}:${message}`);
          if (message === "hard" && incarnation === 1) throw new Error("too hard");
        },
      };
    });
    for (const message of ["easy", "hard", "last"]) ref.tell(message);
    await run();
    expect(story).toEqual(["1:easy", "1:hard", "2:hard", "2:last"]);
    expect(system.stats()[0]).toMatchObject({ processed: 3, crashes: 1, deadLetters: 0 });
  });

  test("in receive, twice over one message: it goes to the dead letters", async () => {
    const letters: unknown[] = [];
    const reader = createSimBus(network, { name: "reader" });
    reader.subscribe(deadLetterSubject(bus, "picky"), (letter) => {
      letters.push(JSON.parse(new TextDecoder().decode(letter.data)));
    });
    const ref = spawn<{ type: string }>("picky", () => ({
      receive(message) {
        if (message.type === "poison") throw new Error("indigestible");
        story.push(message.type);
      },
    }));
    for (const type of ["bread", "poison", "water"]) ref.tell({ type });
    await run();
    expect(story).toEqual(["bread", "water"]);
    expect(letters).toEqual([
      { actor: "picky", error: "indigestible", message: { type: "poison" } },
    ]);
    expect(system.stats()[0]).toMatchObject({ crashes: 2, deadLetters: 1, processed: 2 });
    await reader.close();
  });

  test("in a handler, a timer or background work: crashes the actor, spares the message", async () => {
    let incarnations = 0;
    const ref = spawn<string>("nervous", (ctx) => {
      const incarnation = ++incarnations;
      if (incarnation === 1) ctx.clock.setTimer(10, () => assertNot("timer"));
      if (incarnation === 2) ctx.bus.subscribe("news", () => assertNot("handler"));
      if (incarnation === 3) void background(ctx).catch(ctx.fail);
      return {
        async receive(message) {
          await ctx.clock.sleep(200);
          story.push(`${incarnation}:${message}`);
        },
      };
    });
    ref.tell("patience");
    await run(500);
    expect(system.stats()[0]).toMatchObject({ crashes: 1, lastError: "timer" });
    bus.publish("news");
    await run(150);
    expect(system.stats()[0]).toMatchObject({ crashes: 2, lastError: "handler" });
    await run(2_000);
    expect(system.stats()[0]).toMatchObject({ crashes: 3, lastError: "background" });
    expect(story).toEqual(["1:patience"]);
  });

  test("ends children, timers and subscriptions, and releases, without the stop hook", async () => {
    const child = actor<string>("child", (ctx) => {
      story.push(`born ${ctx.name}`);
      return { receive: () => {}, stop: () => void story.push("child stopped") };
    });
    const ref = spawn<string>("parent", (ctx) => {
      ctx.spawn(child, undefined);
      ctx.bus.subscribe("news", () => {});
      ctx.onEnd(() => void story.push("released"));
      return {
        receive: () => assertNot("fine"),
        stop: () => void story.push("parent stopped"),
      };
    });
    await run(10);
    ref.tell("crash");
    await run(90);
    expect(story).toEqual(["born parent/child", "child stopped", "released"]);
    await run(300);
    expect(story.slice(3, 5)).toEqual(["born parent/child", "child stopped"]);
    await run(5_000);
    expect(network.subscriptions).toBe(1);
    expect(system.stats()[0]?.children).toHaveLength(1);
  });

  test("in stop or on release: is told, and the rest still ends", async () => {
    const ref = spawn<string>("clumsy", (ctx) => {
      ctx.onEnd(() => void story.push("released"));
      ctx.onEnd(() => Promise.reject(new Error("drops it")));
      return { receive: () => {}, stop: () => assertNot("stopping") };
    });
    await run();
    void ref.stop().then(() => story.push("gone"));
    await run();
    expect(story).toEqual(["released", "gone"]);
    const errors = world.log.entries.filter((entry) => entry.level === "error");
    expect(errors.map((entry) => entry.message)).toEqual([
      "Failed to stop cleanly",
      "Failed to release what the actor held",
    ]);
    expect(errors[0]?.fields).toMatchObject({ actor: "clumsy" });
  });

  test("with onCrash stop: stays stopped, and its siblings live on", async () => {
    const doomed = system.spawn(
      actor<string>("doomed", () => ({ receive: () => assertNot("alive") })),
      undefined,
      { onCrash: "stop" },
    );
    const sibling = spawn<string>("sibling", listener);
    doomed.tell("x");
    await run();
    expect(doomed.tell("y")).toBe(false);
    sibling.tell("still here");
    await run();
    expect(story).toEqual(["still here"]);
    expect(system.stats().map((stats) => stats.path)).toEqual(["sibling"]);
  });

  test("of a child that escalates: crashes the parent, which starts afresh", async () => {
    let families = 0;
    const child = actor<string>("child", () => ({ receive: () => assertNot("healthy") }));
    spawn<string>("parent", (ctx) => {
      const born = ctx.spawn(child, undefined, { onCrash: "escalate" });
      if (++families < 3) born.tell("crash");
      return listener();
    });
    await run(5_000);
    expect(families).toBe(3);
    expect(system.stats()[0]).toMatchObject({
      crashes: 2,
      lastError: "Its child parent/child failed: healthy",
    });
  });

  test("too often in too short a time: escalates to the parent", async () => {
    let families = 0;
    const child = actor<string>("child", () => {
      story.push(`${families}`);
      throw new Error("hopeless");
    });
    spawn<string>("parent", (ctx) => {
      families++;
      ctx.spawn(child, undefined);
      return listener();
    });
    await run(30_000);
    expect(story.filter((family) => family === "1")).toHaveLength(9);
    expect(families).toBe(2);
  });

  test("of a root too often: asks the process, and goes on slowly when that will not end", async () => {
    const starts: number[] = [];
    spawn<string>("root", () => {
      starts.push(world.clock.monotonic());
      throw new Error("hopeless");
    });
    await run(300_000);
    const gaps = starts.slice(-5).map((at, n, all) => at - (all[n - 1] ?? Number.NaN));
    expect(gaps.slice(1)).toEqual([30_000, 30_000, 30_000, 30_000]);

    const asked: string[] = [];
    const strict = createSystem(
      { clock: world.clock, random: world.random, log: world.log, bus },
      { onEscalate: (name, error) => asked.push(`${name}: ${error.message}`) },
    );
    strict.spawn(
      actor<string>("fatal", () => assertNot("possible")),
      undefined,
    );
    await run(60_000);
    expect(asked).toEqual(["fatal: possible"]);
    expect(strict.stats()).toEqual([]);
  });

  test("after a healthy minute: the backoff begins anew", async () => {
    const starts: number[] = [];
    const ref = spawn<string>("steady", () => {
      starts.push(world.clock.monotonic());
      if (starts.length < 4) throw new Error("not yet");
      return { receive: () => assertNot("well") };
    });
    await run(120_000);
    ref.tell("crash");
    await run(1_000);
    expect(starts).toEqual([0, 100, 300, 700, 120_100, 120_300]);
  });
});

describe("kill", () => {
  test("kill: runs no hook, tells nobody, and what is under way has no effect", async () => {
    const child = actor<string>("child", () => ({
      receive: () => {},
      stop: () => void story.push("child stopped"),
    }));
    const ref = spawn<string>("victim", (ctx) => {
      ctx.spawn(child, undefined);
      ctx.onEnd(() => void story.push("released"));
      ctx.signal.addEventListener("abort", () => story.push("aborted"));
      ctx.clock.setTimer(100, () => story.push("timer"));
      return {
        async receive(message) {
          story.push(message);
          await ctx.clock.sleep(50);
          ctx.bus.publish("news");
        },
        stop: () => void story.push("stopped"),
      };
    });
    bus.subscribe("news", () => story.push("news"));
    ref.tell("in hand");
    ref.tell("behind");
    await run(10);
    system.kill();
    await run(60_000);
    expect(story).toEqual(["in hand"]);
    expect(ref.tell("x")).toBe(false);
    system = createSystem({ clock: world.clock, random: world.random, log: world.log, bus });
  });

  test("kill: an actor between two lives gets no other", async () => {
    spawn<string>("flaky", () => {
      story.push("start");
      throw new Error("not yet");
    });
    await run(50);
    system.kill();
    await run(60_000);
    expect(story).toEqual(["start"]);
    system = createSystem({ clock: world.clock, random: world.random, log: world.log, bus });
  });
});

function assertNot(what: string): never {
  throw new Error(what);
}

async function background<M>(ctx: Context<M>): Promise<void> {
  await ctx.clock.sleep(10);
  assertNot("background");
}

test("actor: any number of waits listen for the end, and none when it is over first", async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  process.on("warning", onWarning);
  const listening: number[] = [];
  spawn("patient", async (ctx) => {
    const count = () => listening.push(getEventListeners(ctx.signal, "abort").length);
    // The life itself listens too while a handler runs.
    await ctx.clock.sleep(1);
    count();
    const waits = Array.from({ length: 20 }, () => ctx.clock.sleep(10, ctx.signal));
    count();
    await Promise.all(waits);
    count();
    return listener();
  });
  await run();
  const [before = 0, during, after] = listening;
  expect(during).toBe(before + 20);
  expect(after).toBe(before);
  process.off("warning", onWarning);
  expect(warnings).toEqual([]);
});
