import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createWorld } from "../../../runtime/sim/world.ts";
import { createWorkqueue } from "../../../runtime/workqueue.ts";

function setUp() {
  const world = createWorld({ seed: 1 });
  const queue = createWorkqueue<string>(world.clock);
  const run = (maxVirtualMs: number) => world.run({ maxVirtualMs });
  return { world, queue, run };
}

describe("workqueue", () => {
  test("workqueue: equal keys coalesce, and come out in the order of the first add", async () => {
    const { queue } = setUp();
    for (const key of ["b", "a", "b", "b", "c", "a"]) queue.add(key);
    expect(queue.depth).toBe(3);
    expect([await queue.get(), await queue.get(), await queue.get()]).toEqual(["b", "a", "c"]);
    expect(queue.processing).toBe(3);
  });

  test("workqueue: a key in work is given to nobody else, and again once it is done", async () => {
    const { queue, run } = setUp();
    const got: (string | undefined)[] = [];
    queue.add("a");
    expect(await queue.get()).toBe("a");
    queue.add("a");
    queue.add("a");
    void queue.get().then((key) => got.push(key));
    await run(10);
    expect(got).toEqual([]);
    queue.done("a");
    await run(10);
    expect(got).toEqual(["a"]);
    queue.done("a");
    expect([queue.depth, queue.processing]).toEqual([0, 0]);
    expect(() => queue.done("a")).toThrow("not in work");
  });

  test("workqueue: addAfter waits, and the earliest of several waits counts", async () => {
    const { world, queue, run } = setUp();
    const got: string[] = [];
    queue.addAfter("a", 100);
    queue.addAfter("a", 50);
    queue.addAfter("a", 200);
    queue.addAfter("now", 0);
    expect([queue.depth, queue.delayed]).toEqual([1, 1]);
    void queue.get().then((key) => got.push(`${key}@${world.clock.monotonic()}`));
    void queue.get().then((key) => got.push(`${key}@${world.clock.monotonic()}`));
    await run(1_000);
    expect(got).toEqual(["now@0", "a@50"]);
    expect(world.pending).toBe(0);
  });

  test("workqueue: failures of a key double its wait up to 1,000 s, until it is forgotten", async () => {
    const { world, queue } = setUp();
    const waits: number[] = [];
    for (let n = 0; n < 20; n++) {
      const asked = world.clock.monotonic();
      queue.addRateLimited("a");
      await world.run({ until: () => queue.depth === 1, maxVirtualMs: 1e7 });
      waits.push(world.clock.monotonic() - asked);
      const key = await queue.get();
      if (key) queue.done(key);
    }
    expect(waits.slice(0, 4)).toEqual([5, 10, 20, 40]);
    expect(waits.slice(-3)).toEqual([655_360, 1_000_000, 1_000_000]);
    expect(queue.requeues("a")).toBe(20);
    queue.forget("a");
    expect(queue.requeues("a")).toBe(0);
    queue.addRateLimited("a");
    await world.run({ maxVirtualMs: 5 });
    expect(queue.depth).toBe(1);
  });

  test("workqueue: after the shutdown the rest comes out, then undefined to every worker", async () => {
    const { world, queue, run } = setUp();
    queue.add("rest");
    queue.addAfter("never", 10);
    queue.shutDown();
    queue.add("too late");
    const got: (string | undefined)[] = [];
    for (let worker = 0; worker < 3; worker++) void queue.get().then((key) => got.push(key));
    await run(100);
    expect(got).toEqual(["rest", undefined, undefined]);
    expect(world.pending).toBe(0);
  });

  /**
   * Whatever adds and workers do: no key is in two hands, nothing that was added is forgotten,
   * and every key was taken at least once after it was last added.
   */
  test("workqueue: any mix of adds and workers keeps the promises", async () => {
    const step = fc.record({
      key: fc.constantFrom("a", "b", "c"),
      afterMs: fc.integer({ min: 0, max: 30 }),
      form: fc.constantFrom("add", "addAfter", "addRateLimited"),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.integer({ min: 1, max: 3 }),
        async (steps, workers) => {
          const { world, queue } = setUp();
          const lastAdded = new Map<string, number>();
          const lastTaken = new Map<string, number>();
          const held = new Set<string>();
          let tick = 0;
          const work = async (): Promise<void> => {
            for (;;) {
              const key = await queue.get();
              if (key === undefined) return;
              expect(held.has(key)).toBe(false);
              held.add(key);
              lastTaken.set(key, ++tick);
              await world.clock.sleep(7);
              held.delete(key);
              queue.done(key);
            }
          };
          const working = Promise.all(Array.from({ length: workers }, work));
          for (const { key, afterMs, form } of steps) {
            world.clock.setTimer(afterMs, () => {
              lastAdded.set(key, ++tick);
              if (form === "add") queue.add(key);
              else if (form === "addAfter") queue.addAfter(key, 10);
              else queue.addRateLimited(key);
            });
          }
          await world.run({ maxVirtualMs: 1e8 });
          for (const [key, added] of lastAdded) {
            expect(lastTaken.get(key)).toBeGreaterThan(added);
          }
          expect([queue.depth, queue.processing, queue.delayed]).toEqual([0, 0, 0]);
          queue.shutDown();
          await working;
        },
      ),
      { numRuns: 60 },
    );
  });
});
