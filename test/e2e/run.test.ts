/** `wherry run`: a second process of the control plane, which goes on when the first is killed. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readIdentity } from "../../deploy/identity.ts";
import {
  recordNames,
  recordOfThisProcess,
  runDirOf,
  runningRecord,
  writeRecord,
} from "../../deploy/records.ts";
import { type Json, startCluster, type TestCluster } from "../harness/cluster.ts";
import { waitFor } from "../harness/wait.ts";

const program = resolve(import.meta.dirname, "../../deploy/bin/wherry.mjs");

let cluster: TestCluster;
let second: ChildProcess;
let said = "";
/** Where the second process's API is. */
let server: string;

beforeAll(async () => {
  const listen = ["--listen", "0.0.0.0"];
  cluster = await startCluster({ args: ["--engine", "sim", "--nodes", "2", ...listen] });
  await startSecond();
});

async function startSecond(): Promise<void> {
  said = "";
  const roles = ["api", "controllers", "scheduler", "ledger"];
  second = spawn(process.execPath, [program, "run", ...roles, "--data", cluster.dataDir], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const output of [second.stdout, second.stderr]) {
    output?.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  }
  server = await waitFor("the second process", () => {
    if (second.exitCode !== null) throw new Error(said);
    return /Wherry runs .*API at (https:\S+)\)/.exec(said)?.[1];
  });
}

afterAll(async () => {
  second?.kill("SIGKILL");
  await cluster?.purge();
});

const there = (...args: string[]): Promise<string> => cluster.kubectl("--server", server, ...args);

/** Whether somebody listens at an address of the machine that is not 127.0.0.1. */
function isOpen(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ host: "127.0.0.2", port });
    const finish = (answer: boolean) => {
      socket.destroy();
      done(answer);
    };
    socket.once("connect", () => finish(true)).once("error", () => finish(false));
  });
}

test("up: --listen opens the API to others, and never NATS, which is clear text", async () => {
  const identity = await readIdentity(cluster.dataDir);
  expect(await isOpen(identity?.httpsPort ?? 0)).toBe(true);
  expect(await isOpen(identity?.natsPort ?? 0)).toBe(false);
});

test("run: both APIs serve the same objects, and read what the other has just written", async () => {
  await waitFor("its API", () => there("get", "--raw", "/readyz"));
  await there("create", "configmap", "shared", "--from-literal=a=1");
  expect((await cluster.json("get", "configmap", "shared")).data).toEqual({ a: "1" });
  await cluster.kubectl("delete", "configmap", "shared");
  const gone = await cluster.tryKubectl("--server", server, "get", "configmap", "shared");
  expect(gone.stderr).toContain("NotFound");
});

test("run: when the first is killed with -9, controllers, scheduler and ledger go on", async () => {
  await cluster.end("SIGKILL");
  await there("create", "deployment", "web", "--image=nginx:1.22", "--replicas=3");
  await waitFor("three bound pods", async () => {
    const { items } = await cluster.json("--server", server, "get", "pods", "-l", "app=web");
    const nodes = items.map((it: Json) => it.spec.nodeName);
    if (nodes.length !== 3 || nodes.includes(undefined)) throw new Error(`${nodes}`);
    return true;
  });
});

test("run: SIGTERM ends it cleanly, and all is there when the first comes back", async () => {
  const exit = once(second, "exit");
  second.kill("SIGTERM");
  expect(await exit).toEqual([0, null]);
  await cluster.up({ args: ["--engine", "sim", "--nodes", "2"] });
  await cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s");
});

test("down: ends such processes too, and nobody else's that a record happens to name", async () => {
  await startSecond();
  const exit = once(second, "exit");
  const runDir = runDirOf(cluster.dataDir);
  const stranger = { name: "run-1", runDir };
  const ours = await recordOfThisProcess(stranger.name);
  await writeRecord(stranger, { ...ours, startTime: `${Number(ours.startTime) - 1}` });
  const ran = await cluster.wherry("down");
  expect(ran.stdout).toContain(`Stopping process ${second.pid} (`);
  expect(ran.stdout).toContain(`Stopping process ${cluster.pid} (`);
  expect(ran.stdout).not.toContain(`${process.pid}`);
  expect(ran.code).toBe(0);
  expect(await exit).toEqual([0, null]);
  expect(await recordNames(runDir, "")).toEqual([]);
});

test("down: ends one that was left alone with a NATS that is gone", async () => {
  await cluster.up({ args: ["--engine", "sim", "--nodes", "2"] });
  await startSecond();
  const exit = once(second, "exit");
  const nats = await runningRecord({ name: "nats-server", runDir: runDirOf(cluster.dataDir) });
  await cluster.end("SIGKILL");
  process.kill(nats?.pid ?? 0, "SIGKILL");
  const ran = await cluster.wherry("down");
  expect(ran.code).toBe(0);
  expect(await exit).toEqual([0, null]);
});

test.each([
  [["node"], "run node is not built yet"],
  [["cook"], "cook is no role"],
  [[], "Not enough non-option arguments"],
])("run: %s is answered with exit code 2", async (roles, why) => {
  const ran = await cluster.wherry("run", ...roles);
  expect(ran.stderr).toContain(why);
  expect(ran.code).toBe(2);
});

test("run: without a cluster to join it says so", async () => {
  const ran = await cluster.wherry("run", "api", "--data", `${cluster.dataDir}-no`);
  expect(ran.stderr).toContain("holds no cluster to join");
  expect(ran.code).toBe(1);
});
