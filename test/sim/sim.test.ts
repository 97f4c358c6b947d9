/** The whole control plane, once without misfortune, and the same again from the same seed. */

import { describe, expect, test } from "vitest";
import { play } from "./play.ts";
import { alone } from "./seeds.ts";

describe("simulation", () => {
  test.skipIf(alone === undefined)("simulation: the seed that was asked for", async () => {
    process.stdout.write(`${JSON.stringify(await play({ seed: alone ?? 0 }))}\n`);
  });

  describe.skipIf(alone !== undefined)("simulation: a world", () => {
    test("simulation: without faults the story takes seconds", async () => {
      const { virtualMs, faults } = await play({ seed: 1, faults: false });
      expect(faults).toEqual({});
      expect(virtualMs).toBeLessThan(20_000);
    });

    test("simulation: a seed is the same world each time, and another seed another", async () => {
      const first = await play({ seed: 7 });
      expect(await play({ seed: 7 })).toEqual(first);
      expect((await play({ seed: 8 })).hash).not.toBe(first.hash);
    });
  });
});
