import fc from "fast-check";
import { expect, test } from "vitest";
import type { Entry } from "../../../../runtime/store/store.ts";
import { Tree } from "../../../../runtime/store/tree.ts";

function entry(key: string, sequence: number): Entry {
  return { key, sequence, value: new Uint8Array(0), uid: undefined, timestamp: 0 };
}

const action = fc.record({
  type: fc.constantFrom("set", "set", "set", "delete", "snapshot"),
  key: fc.integer({ min: 0, max: 400 }).map((at) => `core.pods.${at % 3}.${at}`),
});

test("tree: agrees with a sorted map, and its snapshots never change", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 800, size: "max" }), (actions) => {
      const tree = new Tree();
      const model = new Map<string, number>();
      const pictures: { taken: ReturnType<Tree["snapshot"]>; expected: [string, number][] }[] = [];
      const sorted = (prefix: string): [string, number][] =>
        [...model].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1));
      for (const [at, { type, key }] of actions.entries()) {
        if (type === "set") {
          tree.set(entry(key, at));
          model.set(key, at);
        } else if (type === "delete") {
          expect(tree.delete(key)).toBe(model.delete(key));
        } else {
          const prefix = at % 2 ? "core.pods." : "core.pods.1.";
          pictures.push({ taken: tree.snapshot(prefix, at), expected: sorted(prefix) });
        }
        expect(tree.get(key)?.sequence).toBe(model.get(key));
        expect(tree.size).toBe(model.size);
      }
      for (const { taken, expected } of pictures) {
        const found = [...taken.range()].map(({ key, sequence }) => [key, sequence]);
        expect(found).toEqual(expected);
        expect(taken.size).toBe(expected.length);
        const middle = expected[expected.length >> 1]?.[0];
        const after = expected.filter(([key]) => middle !== undefined && key > middle);
        expect([...taken.range(middle, 5)].map(({ key }) => key)).toEqual(
          (middle === undefined ? [] : after.slice(0, 5)).map(([key]) => key),
        );
      }
    }),
    { numRuns: 30 },
  );
});

test("tree: a load in order leaves full chunks, and a range starts anywhere", () => {
  const tree = new Tree();
  const keys = Array.from({ length: 10_000 }, (_, at) => `a.b.c.${String(at).padStart(5, "0")}`);
  for (const [at, key] of keys.entries()) tree.set(entry(key, at));
  const snapshot = tree.snapshot("a.b.", 1);
  expect([...snapshot.range("a.b.c.07776", 3)].map(({ key }) => key)).toEqual(
    keys.slice(7_777, 7_780),
  );
  expect([...snapshot.range("a.b.c.07776x", 1)].map(({ key }) => key)).toEqual([keys[7_777]]);
  expect([...snapshot.range("a.b.d")]).toEqual([]);
  expect([...snapshot.range("a.a")]).toHaveLength(10_000);
});
