import { describe, expect, test, vi } from "vitest";
import { realClock, realRandom } from "../../../runtime/real.ts";

describe("real clock", () => {
  test("real clock: a timer fires once unless it was disposed", async () => {
    const fired: string[] = [];
    const done = new Promise<void>((resolve) => {
      realClock.setTimer(1, () => fired.push("disposed")).dispose();
      realClock.setTimer(2, () => fired.push("kept"));
      realClock.setTimer(5, resolve);
    });
    await done;
    expect(fired).toEqual(["kept"]);
  });

  test("real clock: sleep rejects with the reason of its signal", async () => {
    const abort = new AbortController();
    const sleeping = realClock.sleep(60_000, abort.signal);
    abort.abort(new Error("stopped"));
    await expect(sleeping).rejects.toThrow("stopped");
    await expect(realClock.sleep(60_000, abort.signal)).rejects.toThrow("stopped");
  });

  test("real clock: a timer never fires before its time", async () => {
    const early = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const due = realClock.monotonic() + index / 7;
        await realClock.sleep(due - realClock.monotonic());
        return Math.max(0, due - realClock.monotonic());
      }),
    );
    expect(Math.max(...early)).toBeLessThan(0.001);
  });

  test("real clock: waits longer than setTimeout can", () => {
    vi.useFakeTimers();
    try {
      let fired = 0;
      const thirtyDaysMs = 30 * 24 * 3_600_000;
      realClock.setTimer(thirtyDaysMs, () => fired++);
      vi.advanceTimersByTime(thirtyDaysMs - 1);
      expect(fired).toBe(0);
      vi.advanceTimersByTime(1);
      expect(fired).toBe(1);
    } finally {
      vi.useRealTimers();
    }
  });

  test("real random: does not repeat itself", () => {
    expect(new Set(Array.from({ length: 1_000 }, () => realRandom.uuid())).size).toBe(1_000);
    expect(realRandom.fork("anything").next()).toBeGreaterThanOrEqual(0);
  });
});
