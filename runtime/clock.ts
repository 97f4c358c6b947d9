/** Time as actors see it. The real one is `runtime/real.ts`; the simulated twin moves only when it is told to. */

export interface Clock {
  /** Wall time, milliseconds since the Unix epoch. May jump; use it only for what is written down. */
  now(): number;
  /** Milliseconds on a clock that never goes back. Use it to judge how long something took. */
  monotonic(): number;
  /** Calls `fire` once after `delayMs`; disposing the timer first prevents it. */
  setTimer(delayMs: number, fire: () => void): Timer;
  /** Resolves after `delayMs`, or rejects with the signal's reason as soon as it aborts. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

export interface Timer {
  dispose(): void;
}

/** `sleep` in terms of `setTimer`, shared by every clock. */
export function sleepOn(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = (): void => {
      timer.dispose();
      reject(signal?.reason);
    };
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
