import { expect, test } from "vitest";
import type { Change } from "../../../../runtime/store/store.ts";
import { ChangeWindow } from "../../../../runtime/store/window.ts";

function change(sequence: number, bytes = 10): Change {
  const value = new Uint8Array(bytes);
  return { type: "added", key: `k${sequence}`, value, sequence, previous: undefined };
}

const wide = { changes: 1_000, bytes: 1_000_000, ageMs: 1_000_000 };

function after(window: ChangeWindow, sequence: number): number[] {
  return [...window.after(sequence)].map((one) => one.sequence);
}

test("window: forgets the oldest beyond its count, and its floor says so", () => {
  const window = new ChangeWindow({ ...wide, changes: 3 });
  for (let sequence = 1; sequence <= 5_000; sequence++) window.push(change(sequence), 0);
  expect(window.floor).toBe(4_997);
  expect(after(window, 4_997)).toEqual([4_998, 4_999, 5_000]);
  expect(after(window, 4_999)).toEqual([5_000]);
});

test("window: forgets the oldest beyond its bytes or its age", () => {
  const bytes = new ChangeWindow({ ...wide, bytes: 25 });
  for (const sequence of [3, 6, 9]) bytes.push(change(sequence), 0);
  expect([bytes.floor, bytes.bytes]).toEqual([3, 20]);
  const age = new ChangeWindow({ ...wide, ageMs: 100 });
  age.push(change(1), 0);
  age.push(change(2), 60);
  age.trim(130);
  expect(age.floor).toBe(1);
  expect(after(age, 1)).toEqual([2]);
});

test("window: tells an expiry again to who left at its sequence", () => {
  const window = new ChangeWindow(wide);
  window.push(change(1), 0);
  window.push(change(2), 0);
  window.push({ ...change(2), type: "deleted", key: "k1" }, 0, true);
  expect([...window.after(2)].map(({ type, key }) => [type, key])).toEqual([["deleted", "k1"]]);
  expect([...window.after(1)]).toHaveLength(2);
});
