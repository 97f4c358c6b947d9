/**
 * Churn: many pods come, change and go, all there at once in between, and what they took is given
 * back: the stream's messages and bytes, its files, and this process's memory.
 *
 * CI churns a few thousand; `npm run nightly:churn` a hundred thousand (`CHURN_PODS`). What was
 * measured is printed.
 */

import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { createLog } from "../../runtime/log.ts";
import { connectNats } from "../../runtime/nats-bus.ts";
import { realClock, realRandom } from "../../runtime/real.ts";
import { startCompactor } from "../../runtime/store/compactor.ts";
import { openJournal } from "../../runtime/store/jetstream.ts";
import type { Journal } from "../../runtime/store/journal.ts";
import { createStore } from "../../runtime/store/objects.ts";
import type { Operation, Store } from "../../runtime/store/store.ts";
import { type NatsServer, startNatsServer } from "../harness/nats-server.ts";
import { waitFor } from "../harness/wait.ts";
import { podKey } from "./store-contract.ts";

const world = { clock: realClock, random: realRandom, log: createLog({ level: "silent" }) };
const pods = Number(process.env.CHURN_PODS ?? 5_000);
/** Commits that are under way at one time. */
const wave = 2_000;
/** A pod as the API stores one. */
const podBytes = 4_700;
const mebibyte = 1024 * 1024;

interface Sizes {
  messages: number;
  bytes: number;
  /** Of the server's files. */
  disk: number;
  /** Of this process, after a collection: heap and what lies outside of it. */
  memory: number;
}

interface Churned {
  server: NatsServer;
  journal: Journal;
  store: Store;
}

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

async function measure({ server, journal }: Churned): Promise<Sizes> {
  const { messages, bytes } = await journal.info();
  // What one collection finalizes, the next one frees.
  for (let times = 0; times < 3; times++) {
    collectGarbage();
    await realClock.sleep(0);
  }
  const { heapUsed, external } = process.memoryUsage();
  const disk = await diskUsage(join(server.dir, "jetstream"));
  return { messages, bytes, disk, memory: heapUsed + external };
}

async function diskUsage(folder: string): Promise<number> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = files.map(async (file) => {
    // What the server removed meanwhile takes no room.
    const found = await stat(join(file.parentPath, file.name)).catch(() => undefined);
    return found?.isFile() ? found.blocks * 512 : 0;
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** One operation on each pod; resolves with their sequences. */
async function commitAll(
  store: Store,
  operation: (nth: number) => Operation,
  count: number,
): Promise<number[]> {
  const sequences: number[] = [];
  for (let from = 0; from < count; from += wave) {
    const nths = Array.from({ length: Math.min(wave, count - from) }, (_, at) => from + at);
    const commits = await Promise.all(nths.map((nth) => store.commit([operation(nth)])));
    for (const [committed] of commits) sequences.push(committed?.sequence ?? 0);
  }
  return sequences;
}

function pod(nth: number, turn: string): Uint8Array {
  const metadata = { resourceVersion: "", namespace: "default", name: `pod-${nth}`, turn };
  const bare = JSON.stringify({ metadata, spec: "" });
  const spec = `${nth} `.repeat(podBytes).slice(0, podBytes - bare.length);
  return new TextEncoder().encode(JSON.stringify({ metadata, spec }));
}

/** Creates, changes and deletes; tells the sizes while all of them were there. */
async function churn(churned: Churned, count: number): Promise<Sizes> {
  const { store } = churned;
  const key = (nth: number): string => podKey(`pod-${nth}`);
  const uid = (nth: number): string => `uid-${nth}`;
  const made = await commitAll(
    store,
    (nth) => ({ key: key(nth), value: pod(nth, "new"), expected: 0, uid: uid(nth) }),
    count,
  );
  const changed = await commitAll(
    store,
    (nth) => ({
      key: key(nth),
      value: pod(nth, "changed"),
      expected: made[nth] ?? 0,
      uid: uid(nth),
    }),
    count,
  );
  await store.consistent();
  expect(store.view.snapshot("core.pods.").size).toBe(count);
  const peak = await measure(churned);
  await commitAll(
    store,
    (nth) => ({
      key: key(nth),
      value: pod(nth, "gone"),
      expected: changed[nth] ?? 0,
      delete: true,
    }),
    count,
  );
  await store.consistent();
  expect(store.view.snapshot("core.pods.").size).toBe(0);
  return peak;
}

test(`churn: ${pods} pods come and go, and size and memory return`, {
  timeout: 3_600_000,
}, async () => {
  await using server = await startNatsServer({ jetstream: true });
  const bus = await connectNats({
    ...world,
    servers: server.url,
    name: "churn",
    inboxPrefix: "_INBOX.api",
  });
  const options = { ...world, bus, serverVersion: bus.serverVersion };
  const journal = await openJournal(options, { bucket: "wherry", maxAgeMs: 0 });
  // A window that the first churn fills, so that it is no difference afterwards.
  const window = { bytes: 2 * mebibyte };
  const store = createStore({ ...world, journal, window, commitTimeoutMs: 60_000 });
  const churned = { server, journal, store };
  const compactor = startCompactor({ ...world, journal, horizonMs: 1, intervalMs: 3_600_000 });
  /** The second round takes the markers that the first one left alone. */
  const compact = async (): Promise<void> => {
    for (let round = 0; round < 2; round++) await compactor.compact();
  };
  try {
    await waitFor("the store", () => store.ready, { everyMs: 5 });
    await churn(churned, 1_000);
    await compact();
    const before = await measure(churned);
    const startedMs = performance.now();
    const peak = await churn(churned, pods);
    const churnedMs = performance.now();
    await compact();
    const compactedMs = performance.now();
    const after = await measure(churned);
    process.stdout.write(
      `${JSON.stringify({
        pods,
        before,
        peak,
        after,
        churnMs: Math.round(churnedMs - startedMs),
        compactMs: Math.round(compactedMs - churnedMs),
      })}\n`,
    );
    // Two records each were there at the peak, and all of them in memory.
    expect(peak.messages).toBeGreaterThanOrEqual(2 * pods);
    expect(peak.memory - before.memory).toBeGreaterThan(pods * podBytes * 0.5);
    expect(after.messages).toBeLessThanOrEqual(before.messages + 8);
    expect(after.bytes).toBeLessThan(before.bytes + 10_000);
    const allowed = (grown: number): number => Math.max(4 * mebibyte, grown / 10);
    expect(after.disk - before.disk).toBeLessThan(allowed(peak.disk - before.disk));
    expect(after.memory - before.memory).toBeLessThan(allowed(peak.memory - before.memory));
  } finally {
    compactor.stop();
    await store.close();
    await bus.close();
  }
});
