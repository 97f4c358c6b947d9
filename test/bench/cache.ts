/**
 * `npm run bench:cache`: what the watch cache of an API actor holds and costs, PODS pods of 4.7 KB.
 *
 * The yardstick beside the selections is what they would cost without columns: to parse each pod.
 * Memory is this process's own, with nothing in it but the cache. Needs `node --expose-gc`, which
 * the npm script gives, or memory is what happens to be there.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setImmediate as turn } from "node:timers/promises";
import { Pages } from "../../actors/apiserver/continue.ts";
import { FieldIndexes } from "../../actors/apiserver/field-index.ts";
import { Objects } from "../../actors/apiserver/objects.ts";
import { list, type ReadContext } from "../../actors/apiserver/read.ts";
import type { Resource } from "../../actors/apiserver/registry/registry.ts";
import type { ApiRequest } from "../../actors/apiserver/request.ts";
import { openWatch } from "../../actors/apiserver/watch.ts";
import { encodeStored, Pod } from "../../manifests/index.ts";
import { createLog } from "../../runtime/log.ts";
import { realClock, realRandom } from "../../runtime/real.ts";
import { Cache } from "../../runtime/store/cache.ts";
import { objectKey } from "../../runtime/store/key.ts";
import type { Store } from "../../runtime/store/store.ts";
import { print, timed } from "./measure.ts";

type PodPhase = NonNullable<Pod["status"]>["phase"];

const pods = Number(process.env.PODS ?? 150_000);
const nodes = Number(process.env.NODES ?? 5_000);
const watchers = 1_000;
const changes = 1_000;

const cache = new Cache({
  clock: realClock,
  log: createLog({ level: "silent" }),
  window: { changes: 100_000, bytes: 64 * 1024 * 1024, ageMs: 600_000 },
  maxAgeMs: 0,
});
// All that reading asks of a store: the view is the cache itself, and always new enough.
const store = { view: cache, ready: true, consistent: async () => {} } as unknown as Store;
const resource: Resource = { kind: Pod, stored: Pod, store, hooks: {} };
const objects = new Objects(realClock);
const indexes = new FieldIndexes({ objects, turn });
const pages = new Pages(realClock, realRandom);
const context: ReadContext = { objects, indexes, pages, turn };

function podOf(number: number, phase: PodPhase): Pod {
  const template = number % 500;
  const env = Array.from({ length: 50 }, (_, at) => ({
    name: `VARIABLE_${at}`,
    value: `the value of variable number ${at} is quite some text`,
  }));
  return {
    metadata: {
      name: `web-${template}-7d4b9c6f5d-${number.toString(36).padStart(5, "0")}`,
      namespace: `team-${number % 50}`,
      uid: realRandom.uuid(),
      labels: {
        app: `web-application-${template}`,
        "pod-template-hash": "7d4b9c6f5d",
        tier: "web",
      },
    },
    spec: {
      nodeName: nodeOf(number),
      restartPolicy: "Always",
      schedulerName: "default-scheduler",
      serviceAccountName: "default",
      containers: [{ name: "main", image: "nginx:1.22", env }],
    },
    status: { phase, podIP: `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}` },
  };
}

function nodeOf(number: number): string {
  return `node-${String(number % nodes).padStart(5, "0")}.example.com`;
}

const encoder = new TextEncoder();
let sequence = 0;
let fanOuts = 0;
function recordOf(number: number, phase: PodPhase) {
  const pod = podOf(number, phase);
  const { name = "", namespace = "" } = pod.metadata;
  const key = objectKey({ group: "", resource: "pods", namespace, name });
  const data = encoder.encode(encodeStored(pod));
  return { key, record: { subject: key, sequence: ++sequence, timestamp: 0, headers: {}, data } };
}

function ask(query: Record<string, string>): ApiRequest {
  const of = { group: "", version: "v1", resource: "pods", namespace: "", name: "" };
  const search = new URLSearchParams({ resourceVersion: "0", ...query });
  return { ...of, verb: "list", query: search, form: "object" } as unknown as ApiRequest;
}

/** Also makes the whole answer, chunk by chunk, as a door does. */
async function listed(query: Record<string, string>): Promise<number> {
  const { parts } = await list(context, resource, ask(query));
  let bytes = 0;
  for (const part of parts) {
    if (bytes >> 16 !== (bytes + part.length) >> 16) await turn();
    bytes += part.length;
  }
  return bytes;
}

function microseconds(ms: number, times = 1): string {
  return `${((ms * 1_000) / times).toFixed(1)} µs`;
}

async function withDelay(what: string, work: () => Promise<unknown>): Promise<void> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const tookMs = await timed(work);
  delay.disable();
  const [p99, max] = [delay.percentile(99) / 1e6, delay.max / 1e6];
  const ticks = `event loop p99 ${p99.toFixed(1)} ms, longest ${max.toFixed(1)} ms`;
  print(`${what.padEnd(52)}${`${tookMs.toFixed(1)} ms`.padEnd(14)}${ticks}`);
}

function printMemory(what: string): void {
  for (let times = 0; times < 3; times++) globalThis.gc?.();
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  const mb = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
  print(`${what.padEnd(52)}${mb(rss)} RSS, ${mb(heapUsed)} heap, ${mb(arrayBuffers)} bytes`);
}

async function fanOut(what: string, fieldSelector: (number: number) => string): Promise<void> {
  let frames = 0;
  const sink = { frames: () => frames++, end() {} };
  const opened = [];
  const resourceVersion = String(cache.revision);
  for (let number = 0; number < watchers; number++) {
    const request = ask({ resourceVersion, fieldSelector: fieldSelector(number) });
    opened.push(await openWatch({ ...context, clock: realClock }, resource, request, sink));
  }
  const step = 7;
  const first = ++fanOuts;
  const records = Array.from({ length: changes }, (_, at) => recordOf(at * step + first, "Failed"));
  const tookMs = await timed(async () => {
    for (const { key, record } of records) cache.apply(key, record);
  });
  for (const watch of opened) watch.close();
  print(`${what.padEnd(52)}${microseconds(tookMs, changes)} a change, ${frames} frames`);
}

let ingestMs = 0;
let bytes = 0;
printMemory("before");
const loading = cache.startLoading(0);
for (let number = 0; number < pods; number++) {
  const { key, record } = recordOf(number, "Running");
  bytes += record.data.length;
  const startedAt = performance.now();
  cache.load(loading, key, record);
  ingestMs += performance.now() - startedAt;
}
cache.install(loading, sequence);
print(`${pods} pods of ${(bytes / pods).toFixed(0)} bytes on ${nodes} nodes`);
print(`${"ingest".padEnd(52)}${microseconds(ingestMs, pods)} a pod`);
printMemory("loaded");
await withDelay("first list by node: reads every pod's columns", () =>
  listed({ fieldSelector: `spec.nodeName=${nodeOf(1)}` }),
);
printMemory("with columns and the index");
const times = 1_000;
const byNodeMs = await timed(async () => {
  for (let number = 0; number < times; number++) {
    await listed({ fieldSelector: `spec.nodeName=${nodeOf(number)}` });
  }
});
print(`${"list by node".padEnd(52)}${microseconds(byNodeMs, times)}`);
await withDelay("list by label, one in 500", () =>
  listed({ labelSelector: "app=web-application-7" }),
);
await withDelay("list by phase, none", () => listed({ fieldSelector: "status.phase=Failed" }));
await withDelay("list of 50,000, as bytes", () => listed({ limit: "50000" }));
const every = [...cache.snapshot("core.pods.").range(undefined, 2_000)];
const parseMs = await timed(async () => {
  for (const { value } of every) JSON.parse(new TextDecoder().decode(value));
});
print(`${"  yardstick: to parse a pod".padEnd(52)}${microseconds(parseMs, every.length)}`);
await fanOut(`${watchers} watchers of a node each`, (number) => `spec.nodeName=${nodeOf(number)}`);
await fanOut(`${watchers} watchers of a phase`, () => "status.phase!=Failed");
printMemory("in the end");
pages.close();
