/**
 * `npm run bench:start`: how fast a cluster is there, and what it costs while nothing happens.
 *
 * Beside each figure stands a yardstick from the same run: the bare nats-server, and the same
 * containers made with dockerode alone. Figures are for this machine; the ratios travel better.
 */
import type Docker from "dockerode";
import { pauseImage } from "../../deploy/images/index.ts";
import { startCluster, type TestCluster } from "../harness/cluster.ts";
import { startTestDocker } from "../harness/docker.ts";
import { startNatsServer } from "../harness/nats-server.ts";
import { waitFor } from "../harness/wait.ts";
import { childrenOf, print, printSpread, spread, timed, usageOf } from "./measure.ts";

const rounds = Number(process.env.ROUNDS ?? 10);
const idleSeconds = 20;
const everyMs = 10;

async function bareNats(): Promise<number> {
  const startedAt = performance.now();
  const server = await startNatsServer({ jetstream: { sync: "always" } });
  const tookMs = performance.now() - startedAt;
  await server.dispose();
  return tookMs;
}

/** A pause container and nginx in its network: what a pod is made of, one after the other. */
async function barePod(docker: Docker): Promise<number> {
  const made: Docker.Container[] = [];
  const tookMs = await timed(async () => {
    const pause = await docker.createContainer({ Image: pauseImage });
    made.push(pause);
    await pause.start();
    const app = await docker.createContainer({
      Image: "nginx:1.22",
      HostConfig: { NetworkMode: `container:${pause.id}` },
    });
    made.push(app);
    await app.start();
  });
  for (const container of made.reverse()) await container.remove({ force: true });
  return tookMs;
}

async function readyNode(cluster: TestCluster): Promise<void> {
  await waitFor(
    "a Ready node",
    async () => /\sReady\s/.test(await cluster.kubectl("get", "nodes", "--no-headers")),
    { everyMs },
  );
}

/** From the moment that kubectl has its answer until the API says Running. */
async function firstPod(cluster: TestCluster): Promise<number> {
  const name = `first-${Math.random().toString(36).slice(2)}`;
  const spec = { containers: [{ name: "main", image: "nginx:1.22" }] };
  const manifest = { apiVersion: "v1", kind: "Pod", metadata: { name }, spec };
  await cluster.apply(JSON.stringify(manifest));
  const tookMs = await timed(() =>
    cluster.kubectl("wait", "--for=jsonpath={.status.phase}=Running", `pod/${name}`),
  );
  await cluster.kubectl("delete", "pod", name, "--grace-period=0", "--force");
  return tookMs;
}

async function idle(cluster: TestCluster) {
  const children = await childrenOf(cluster.pid);
  const ours = [cluster.pid, ...children.filter((it) => it.name !== "dockerd").map((it) => it.pid)];
  const before = await usageOf(ours);
  await new Promise((done) => setTimeout(done, idleSeconds * 1_000));
  const after = await usageOf(ours);
  const megabytes = after.memoryBytes / 1e6;
  const corePercent = (100 * (after.cpuSeconds - before.cpuSeconds)) / idleSeconds;
  return { megabytes, corePercent };
}

const natsStarts: number[] = [];
const clusterStarts: number[] = [];
const secondStarts: number[] = [];
const podStarts: number[] = [];
const podYardsticks: number[] = [];
const idles: { megabytes: number; corePercent: number }[] = [];

const bare = await startTestDocker();
try {
  for (let round = 0; round < rounds; round++) {
    natsStarts.push(await bareNats());
    podYardsticks.push(await barePod(bare.docker));
    const startedAt = performance.now();
    const cluster = await startCluster();
    try {
      await readyNode(cluster);
      clusterStarts.push(performance.now() - startedAt);
      podStarts.push(await firstPod(cluster));
      if (round === 0) idles.push(await idle(cluster));
      await cluster.end();
      secondStarts.push(await timed(() => cluster.up().then(() => readyNode(cluster))));
    } finally {
      await cluster.purge();
    }
  }
} finally {
  await bare.stop();
}

print(`\nMedians of ${rounds} (fsync on, one node, Docker):`);
printSpread("process start to Ready node, seen by kubectl", clusterStarts, "3000 ms");
printSpread("the same on data of an earlier start", secondStarts, "3000 ms");
printSpread("  yardstick: bare nats-server to listening", natsStarts);
printSpread("apply answered to first pod Running, image present", podStarts, "1500 ms");
printSpread("  yardstick: pause and nginx with dockerode alone", podYardsticks);
const ratio = spread(podStarts).median / spread(podYardsticks).median;
print(`  ratio to the yardstick: ${ratio.toFixed(2)}`);
for (const { megabytes, corePercent } of idles) {
  print(`idle, nats-server and Wherry: ${megabytes.toFixed(0)} MB (target 200)`);
  print(`idle, nats-server and Wherry: ${corePercent.toFixed(1)} % of a core (target 3)`);
}
