/** Many equal requests at once, gently (k8s:pkg/controller/replicaset/replica_set.go `slowStartBatch`). */

/**
 * Runs `count` times in batches of 1, 2, 4 …, and no further batch after one with a failure: what
 * fails because of a quota or a bad template fails a few times, not five hundred.
 */
export async function slowStart(count: number, run: () => Promise<void>): Promise<void> {
  for (let batch = Math.min(count, 1), left = count; batch > 0; batch = Math.min(2 * batch, left)) {
    await allSettled(Array.from({ length: batch }, run));
    left -= batch;
  }
}

/** Waits for all of them, then throws the first failure. */
export async function allSettled(promises: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(promises)) {
    if (result.status === "rejected") throw result.reason;
  }
}
