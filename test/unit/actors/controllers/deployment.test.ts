import { afterEach, beforeEach, expect, test } from "vitest";
import { deployment } from "../../../../actors/controllers/deployment.ts";
import { hashLabel } from "../../../../actors/controllers/deployment-revision.ts";
import { replicaset } from "../../../../actors/controllers/replicaset.ts";
import { Deployment, ReplicaSet } from "../../../../manifests/index.ts";
import { type Scene, startScene, template } from "../../../harness/controller.ts";

let scene: Scene;

beforeEach(async () => {
  scene = await startScene({ writes: [...deployment.writes, ...replicaset.writes] });
  scene.run(deployment, replicaset);
});

afterEach(async () => {
  await scene.dispose();
});

const key = "default/web";
const labels = { app: "web" };

function web(spec: Partial<Deployment["spec"]> = {}): Deployment {
  return {
    metadata: { name: "web", namespace: "default" },
    spec: { replicas: 3, selector: { matchLabels: labels }, template: template(labels), ...spec },
  };
}

const fetchWeb = () => scene.api.get(Deployment, key);

async function sets(): Promise<ReplicaSet[]> {
  const { items } = await scene.settle(scene.api.list(ReplicaSet, { namespace: "default" }));
  const revision = ({ metadata }: ReplicaSet) =>
    Number(metadata.annotations?.["deployment.kubernetes.io/revision"]);
  return items.sort((a, b) => revision(a) - revision(b));
}

/** Lets pods become ready until the rollout says that it is done. */
async function rollOut(): Promise<void> {
  await scene.until("the rollout", async () => {
    await scene.becomeAllReady();
    return await isRolledOut();
  });
}

async function isRolledOut(): Promise<boolean> {
  const { metadata, spec, status } = await scene.settle(fetchWeb());
  return (
    status?.observedGeneration === metadata.generation &&
    status?.updatedReplicas === spec.replicas &&
    status?.replicas === spec.replicas &&
    status?.availableReplicas === spec.replicas
  );
}

async function change(patch: object): Promise<void> {
  await scene.settle(scene.api.patch(Deployment, key, patch, { type: "strategic" }));
}

const image = (name: string) => ({
  spec: { template: { spec: { containers: [{ name: "main", image: name }] } } },
});

test("deployment: makes one ReplicaSet by the template's hash, and says how far it is", async () => {
  await scene.settle(scene.api.create(Deployment, web()));
  await rollOut();
  const [only, ...others] = await sets();
  expect(others).toEqual([]);
  const hash = only?.metadata.labels?.[hashLabel];
  expect(only?.metadata.name).toBe(`web-${hash}`);
  expect(only?.spec.selector.matchLabels).toEqual({ ...labels, [hashLabel]: hash });
  const { metadata, status } = await scene.settle(fetchWeb());
  expect(metadata.annotations?.["deployment.kubernetes.io/revision"]).toBe("1");
  expect(status?.conditions?.map((c) => `${c.type} ${c.status} ${c.reason}: ${c.message}`)).toEqual(
    expect.arrayContaining([
      "Available True MinimumReplicasAvailable: Deployment has minimum availability.",
      `Progressing True NewReplicaSetAvailable: ReplicaSet "web-${hash}" has successfully progressed.`,
    ]),
  );
  expect(await scene.events("web")).toEqual([
    `ScalingReplicaSet: Scaled up replica set web-${hash} from 0 to 3`,
  ]);
});

test("deployment: rolls over without ever having too few ready or too many pods", async () => {
  await scene.settle(scene.api.create(Deployment, web({ replicas: 4 })));
  await rollOut();
  await change(image("nginx:1.23"));
  let most = 0;
  let fewest = Number.POSITIVE_INFINITY;
  await scene.until("the rollout", async () => {
    const pods = (await scene.pods()).filter((pod) => !pod.metadata.deletionTimestamp);
    const ready = pods.filter(({ status }) =>
      status?.conditions?.some((c) => c.type === "Ready" && c.status === "True"),
    );
    most = Math.max(most, pods.length);
    fewest = Math.min(fewest, ready.length);
    const [waiting] = pods.filter((pod) => !ready.includes(pod));
    if (waiting) await scene.becomeReady(waiting, "10.244.1.1");
    return await isRolledOut();
  });
  // A quarter of four: one more, one less.
  expect(most).toBe(5);
  expect(fewest).toBe(3);
  expect((await sets()).map(({ spec }) => spec.replicas)).toEqual([0, 4]);
});

test("deployment: a rollback brings the old ReplicaSet back under a new revision", async () => {
  await scene.settle(scene.api.create(Deployment, web()));
  await rollOut();
  const [first] = await sets();
  await change(image("nginx:1.23"));
  await rollOut();
  // What `kubectl rollout undo` does.
  await change(image("nginx:1.22"));
  await rollOut();
  const [old, newest, ...others] = await sets();
  expect(others).toEqual([]);
  expect(newest?.metadata.uid).toBe(first?.metadata.uid);
  expect([old?.spec.replicas, newest?.spec.replicas]).toEqual([0, 3]);
  expect(newest?.metadata.annotations).toMatchObject({
    "deployment.kubernetes.io/revision": "3",
    "deployment.kubernetes.io/revision-history": "1",
  });
});

test("deployment: Recreate starts the new pods when the last old one is gone", async () => {
  await scene.settle(scene.api.create(Deployment, web({ strategy: { type: "Recreate" } })));
  await rollOut();
  const before = new Set((await scene.pods()).map(({ metadata }) => metadata.uid));
  await change(image("nginx:1.23"));
  await scene.until("new pods", async () => {
    const pods = await scene.pods();
    const old = pods.filter(({ metadata }) => before.has(metadata.uid)).length;
    if (old > 0) expect(pods).toHaveLength(old);
    return pods.length === 3 && old === 0;
  });
  await rollOut();
});

test("deployment: paused it scales but does not roll, and goes on when resumed", async () => {
  await scene.settle(scene.api.create(Deployment, web()));
  await rollOut();
  await change({ spec: { paused: true } });
  await change(image("nginx:1.23"));
  await change({ spec: { replicas: 5 } });
  await scene.until("five pods", async () => (await scene.pods()).length === 5);
  await scene.passes(5_000);
  expect(await sets()).toHaveLength(1);
  const { status } = await scene.settle(fetchWeb());
  expect(status?.conditions).toContainEqual(
    expect.objectContaining({ type: "Progressing", status: "Unknown", reason: "DeploymentPaused" }),
  );
  await change({ spec: { paused: null } });
  await rollOut();
  expect((await sets()).map(({ spec }) => spec.replicas)).toEqual([0, 5]);
});

test("deployment: says when its deadline has passed", async () => {
  await scene.settle(scene.api.create(Deployment, web({ progressDeadlineSeconds: 30 })));
  await scene.until(
    "the deadline",
    async () => {
      const { status } = await scene.settle(fetchWeb());
      return Boolean(status?.conditions?.some((c) => c.reason === "ProgressDeadlineExceeded"));
    },
    40_000,
  );
});

test("deployment: keeps no more old ReplicaSets than revisionHistoryLimit", async () => {
  await scene.settle(scene.api.create(Deployment, web({ replicas: 1, revisionHistoryLimit: 1 })));
  await rollOut();
  for (const version of ["1.23", "1.24", "1.25"]) {
    await change(image(`nginx:${version}`));
    await rollOut();
  }
  await scene.until("the oldest to go", async () => (await sets()).length === 2);
  expect((await sets()).map(({ spec }) => spec.template?.spec?.containers[0]?.image)).toEqual([
    "nginx:1.24",
    "nginx:1.25",
  ]);
});
