/** A Docker that Wherry did not start: it is used, and left as it was. */
import { readdir } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { label } from "../../actors/kubelet/engines/docker/labels.ts";
import { runDirOf } from "../../deploy/records.ts";
import { type Json, prepareCluster, type TestCluster } from "../harness/cluster.ts";
import { startTestDocker, type TestDocker } from "../harness/docker.ts";
import { differences, type MachinePicture, pictureOfMachine } from "../harness/machine.ts";
import { waitFor } from "../harness/wait.ts";

let foreign: TestDocker;
let env: NodeJS.ProcessEnv;
let before: MachinePicture;
let cluster: TestCluster;

beforeAll(async () => {
  // As usual elsewhere, its containers end with it.
  foreign = await startTestDocker({ args: ["--live-restore=false"] });
  env = { DOCKER_HOST: `unix://${foreign.socketPath}` };
  // One image stays, as somebody loads it by hand; a container of theirs runs.
  for (const name of ["wherry/pause:1", "nginx:1.22", "nginx:1.23"]) {
    await foreign.docker.getImage(name).remove();
  }
  const theirs = { Image: "busybox:1.35", Cmd: ["sleep", "100000"], name: "theirs" };
  const HostConfig = { NetworkMode: "host", RestartPolicy: { Name: "always" } };
  await (await foreign.docker.createContainer({ ...theirs, HostConfig })).start();
  before = await picture();
  cluster = await prepareCluster();
  await cluster.up({ env });
});

afterAll(async () => {
  await cluster?.purge();
  await foreign?.stop();
});

/** Of the machine, and of what that Docker holds. */
async function picture(): Promise<MachinePicture> {
  const { docker } = foreign;
  const containers = await docker.listContainers({ all: true });
  return {
    ...(await pictureOfMachine()),
    images: await imageTags(),
    containers: containers.map((it) => `${it.Names} ${it.State}`),
    networks: (await docker.listNetworks()).map((it) => it.Name),
    volumes: (await docker.listVolumes()).Volumes.map((it) => it.Name),
  };
}

async function imageTags(): Promise<string[]> {
  return (await foreign.docker.listImages()).flatMap((it) => it.RepoTags ?? []).sort();
}

const web = `
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: main, image: "busybox:1.35", command: [sleep, "100000"]}]
`;

async function restarts(): Promise<number> {
  const pod: Json = await cluster.json("get", "pod", "web");
  return pod.status.containerStatuses[0].restartCount;
}

test("foreign docker: is used, and given the sandbox image only", async () => {
  expect(await readdir(runDirOf(cluster.dataDir))).not.toContain("dockerd.json");
  expect(await imageTags()).toEqual(["busybox:1.35", "wherry/pause:1"]);
  await cluster.apply(web);
  await cluster.kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=60s");
  const kinds = (await foreign.docker.listContainers()).map((it) => it.Labels[label.kind]);
  expect(kinds.sort()).toEqual(["container", "sandbox", undefined]);
});

test("foreign docker: stopped, which takes its containers along, and back: pods run again", async () => {
  expect(await restarts()).toBe(0);
  process.kill(foreign.pid, "SIGTERM");
  await waitFor("the restart", async () => (await restarts()) > 0, { timeoutMs: 60_000 });
  await cluster.kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=60s");
  await cluster.kubectl("wait", "--for=condition=Ready", "node/node-1", "--timeout=60s");
});

test("down --purge: finds it by itself, and leaves it and the machine as they were", async () => {
  const ran = await cluster.wherry("down", "--purge");
  expect(ran.stderr).toBe("");
  expect(ran.code).toBe(0);
  await waitFor("everything to be as it was", async () => {
    const left = differences(before, await picture());
    if (left.length > 0) throw new Error(left.join("\n"));
    return true;
  });
});
