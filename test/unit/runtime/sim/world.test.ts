import { describe, expect, test } from "vitest";
import { createSeededRandom } from "../../../../runtime/sim/random.ts";
import { createWorld } from "../../../../runtime/sim/world.ts";

describe("world", () => {
  test("world: fires events in order of time, and of scheduling where times are equal", async () => {
    const world = createWorld({ seed: 1 });
    const fired: string[] = [];
    world.clock.setTimer(20, () => fired.push("late"));
    world.clock.setTimer(10, () => fired.push("first"));
    world.clock.setTimer(10, () => fired.push("second"));
    await world.run({ maxVirtualMs: 100 });
    expect(fired).toEqual(["first", "second", "late"]);
    expect(world.clock.monotonic()).toBe(100);
    expect(world.pending).toBe(0);
  });

  test("world: a wait too short to change the time still comes to an end", async () => {
    const world = createWorld({ seed: 1 });
    const { clock } = world;
    let looks = 0;
    clock.setTimer(1e9 + 0.1, () => {
      const until = clock.monotonic() + 1e-10;
      const look = () => {
        looks++;
        if (looks < 10 && clock.monotonic() <= until) clock.setTimer(1e-10, look);
      };
      look();
    });
    await world.run({ maxVirtualMs: 2e9 });
    expect(looks).toBe(2);
  });

  test("world: says so when time stands still", async () => {
    const world = createWorld({ seed: 1 });
    const again = () => void world.clock.setTimer(0, again);
    again();
    await expect(world.run({ maxVirtualMs: 1 })).rejects.toThrow("time stands still at 0.000 ms");
  });

  test("world: settles all promises of an event before the next one", async () => {
    const world = createWorld({ seed: 1 });
    const seen: string[] = [];
    world.clock.setTimer(1, () => {
      void (async () => {
        for (let step = 0; step < 50; step++) await Promise.resolve();
        seen.push("promises of the first event");
      })();
    });
    world.clock.setTimer(1, () => seen.push("second event"));
    await world.run({ maxVirtualMs: 10 });
    expect(seen).toEqual(["promises of the first event", "second event"]);
  });

  test("world: sleeps in virtual time and wakes early with the reason of its signal", async () => {
    const world = createWorld({ seed: 1 });
    const abort = new AbortController();
    const outcomes: unknown[] = [];
    void world.clock.sleep(3_600_000).then(() => outcomes.push(world.clock.monotonic()));
    void world.clock
      .sleep(1_000, abort.signal)
      .catch((error: unknown) => outcomes.push(error, world.clock.monotonic()));
    const reason = new Error("enough");
    world.clock.setTimer(5, () => abort.abort(reason));
    expect(await world.run({ until: () => outcomes.length === 3, maxVirtualMs: 1e9 })).toBe(true);
    expect(outcomes).toEqual([reason, 5, 3_600_000]);
    expect(world.pending).toBe(0);
  });

  test("world: says when its limit came before what it waited for", async () => {
    const world = createWorld({ seed: 1 });
    world.clock.setTimer(200, () => {});
    expect(await world.run({ until: () => false, maxVirtualMs: 100 })).toBe(false);
    expect(world.clock.monotonic()).toBe(100);
    expect(world.pending).toBe(1);
  });

  test("world: names the seed when an event throws", async () => {
    const world = createWorld({ seed: 77 });
    world.clock.setTimer(3, () => {
      throw new Error("broken");
    });
    await expect(world.run({ maxVirtualMs: 10 })).rejects.toThrow("Seed 77 failed at 3.000 ms");
  });

  test("world: traces alike what was alike, and differently what was not", () => {
    const traceOf = (...lines: [string, Uint8Array?][]): string => {
      const { trace } = createWorld({ seed: 1 });
      for (const [what, data] of lines) trace.record(what, data);
      return trace.hash;
    };
    const payload = Uint8Array.of(1, 2, 3);
    expect(traceOf(["a", payload], ["b"])).toBe(traceOf(["a", payload], ["b"]));
    expect(traceOf(["a", payload], ["b"])).not.toBe(traceOf(["b"], ["a", payload]));
    expect(traceOf(["a", payload])).not.toBe(traceOf(["a", Uint8Array.of(1, 2, 4)]));
  });
});

describe("seeded random", () => {
  test("random: a seed gives the same draws again, another seed others", () => {
    const draw = (seed: string): number[] => {
      const random = createSeededRandom(seed);
      return Array.from({ length: 20 }, () => random.int(1_000_000));
    };
    expect(draw("a")).toEqual(draw("a"));
    expect(draw("a")).not.toEqual(draw("b"));
  });

  test("random: a fork depends on its name, not on what was drawn before", () => {
    const early = createSeededRandom("a").fork("kubelet");
    const parent = createSeededRandom("a");
    for (let n = 0; n < 100; n++) parent.next();
    const late = parent.fork("kubelet");
    expect(late.uuid()).toBe(early.uuid());
    expect(parent.fork("proxy").next()).not.toBe(parent.fork("dns").next());
  });

  test("random: is spread evenly enough", () => {
    const random = createSeededRandom("even");
    const counts = new Array<number>(10).fill(0);
    for (let n = 0; n < 10_000; n++) {
      const slot = random.int(10);
      counts[slot] = (counts[slot] ?? 0) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150);
    expect(random.uuid()).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    expect(random.suffix(5)).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  });
});
