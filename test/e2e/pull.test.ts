/** Pods whose images come from a registry: what people see while they cannot be had, and after. */

import Docker from "dockerode";
import { afterAll, beforeAll, expect, test } from "vitest";
import { dockerdPaths } from "../../deploy/dockerd.ts";
import { pauseImage } from "../../deploy/images/index.ts";
import { type Json, startCluster, type TestCluster } from "../harness/cluster.ts";
import { startRegistry, type TestRegistry } from "../harness/registry.ts";
import { waitFor } from "../harness/wait.ts";

let cluster: TestCluster;
let registry: TestRegistry;
let docker: Docker;

beforeAll(async () => {
  [cluster, registry] = await Promise.all([startCluster(), startRegistry()]);
  docker = new Docker({ socketPath: dockerdPaths(cluster.dataDir).socket });
});

afterAll(async () => {
  await registry?.stop();
  await cluster?.purge();
});

/** The pause image needs no command to run on, and every engine has it. */
const push = (image: string): Promise<void> => registry.push(docker, pauseImage, image);

async function run(name: string, image: string, imagePullPolicy: string): Promise<void> {
  const spec = {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: "main", image, imagePullPolicy }],
  };
  const metadata = { name };
  await cluster.apply(JSON.stringify({ apiVersion: "v1", kind: "Pod", metadata, spec }));
}

async function waiting(name: string, reason: string): Promise<string> {
  return waitFor(`${name} to wait: ${reason}`, async () => {
    const [container] = (await cluster.json("get", "pod", name)).status.containerStatuses ?? [];
    const state = container?.state.waiting;
    if (state?.reason !== reason) throw new Error(JSON.stringify(container));
    return state.message as string;
  });
}

async function running(name: string): Promise<void> {
  await cluster.kubectl("wait", "--for=jsonpath={.status.phase}=Running", `pod/${name}`);
}

/** `<type> <reason> <message>` of every Event about the pod. */
async function eventsOf(name: string): Promise<string[]> {
  const selector = `involvedObject.kind=Pod,involvedObject.name=${name}`;
  const { items } = await cluster.json("get", "events", "--field-selector", selector);
  return items.map((it: Json) => `${it.type} ${it.reason} ${it.message}`);
}

/** Events are written beside the work that they tell of. */
async function told(name: string, ...wanted: (string | RegExp)[]): Promise<void> {
  const isTold = (events: string[], one: string | RegExp): boolean =>
    events.some((event) => (typeof one === "string" ? event === one : one.test(event)));
  await waitFor(`the events of ${name}`, async () => {
    const events = await eventsOf(name);
    const missing = wanted.filter((one) => !isTold(events, one));
    if (missing.length > 0) throw new Error(`${missing.join("; ")} not in ${events.join("; ")}`);
    return true;
  });
}

test("pull: an image that appears late is pulled after a back-off", async () => {
  const image = `${registry.host}/team/late:1`;
  await run("late", image, "IfNotPresent");
  const message = await waiting("late", "ImagePullBackOff");
  expect(message).toContain(`Back-off pulling image "${image}"`);
  await told(
    "late",
    `Normal Pulling Pulling image "${image}"`,
    new RegExp(`^Warning Failed Failed to pull image "${image}": .*not found`),
    "Warning Failed Error: ErrImagePull",
    `Normal BackOff Back-off pulling image "${image}"`,
    "Warning Failed Error: ImagePullBackOff",
  );
  const { phase } = (await cluster.json("get", "pod", "late")).status;
  expect(phase).toBe("Pending");

  await push(image);
  await running("late");
  await told("late", new RegExp(`^Normal Pulled Successfully pulled image "${image}" in `));
  const [container] = (await cluster.json("get", "pod", "late")).status.containerStatuses;
  expect(container).toMatchObject({ image, restartCount: 0 });
});

test("pull: the policy says whether a registry is asked", async () => {
  const image = `${registry.host}/team/policies:1`;
  await push(image);
  await run("never-absent", image, "Never");
  const message = `Container image "${image}" is not present with pull policy of Never`;
  expect(await waiting("never-absent", "ErrImageNeverPull")).toBe(message);
  await told(
    "never-absent",
    `Warning ErrImageNeverPull ${message}`,
    "Warning Failed Error: ErrImageNeverPull",
  );

  await run("always", image, "Always");
  await running("always");
  await told("always", new RegExp(`^Normal Pulled Successfully pulled image "${image}" in `));
  // Somebody has brought the image: that is all that it waited for.
  await running("never-absent");
  await told("never-absent", `Normal Pulled Container image "${image}" already present on machine`);
});

test("pull: without a registry, what is there runs, and Always fails all the same", async () => {
  const image = `${registry.host}/team/policies:1`;
  await registry.stop();
  for (const policy of ["IfNotPresent", "Never", "Always"]) {
    await run(`offline-${policy.toLowerCase()}`, image, policy);
  }
  const present = `Normal Pulled Container image "${image}" already present on machine`;
  for (const name of ["offline-ifnotpresent", "offline-never"]) {
    await running(name);
    await told(name, present);
    expect((await eventsOf(name)).filter((it) => it.includes("Pulling"))).toEqual([]);
  }
  await waiting("offline-always", "ImagePullBackOff");
  await told("offline-always", /^Warning Failed Failed to pull image .*connection refused/);
});
