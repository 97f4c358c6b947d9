/** Pulling for real, from a registry on loopback. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DockerEngine } from "../../actors/kubelet/engines/docker/index.ts";
import { pauseImage } from "../../deploy/images/index.ts";
import { freePort } from "../../deploy/ports.ts";
import { startTestDocker, type TestDocker } from "../harness/docker.ts";
import { startRegistry, type TestRegistry } from "../harness/registry.ts";

let dir: string;
let registry: TestRegistry;
let docker: TestDocker;
let engine: DockerEngine;
let host: string;

/** Under a name of the registry, and there alone. */
const push = (image: string): Promise<void> => registry.push(docker.docker, "busybox:1.35", image);

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "wherry-pull-"));
  [registry, docker] = await Promise.all([startRegistry(), startTestDocker()]);
  host = registry.host;
  const { socketPath } = docker;
  const podCIDR = "10.213.33.0/24";
  const owner = { cluster: "pull", node: "node-1" };
  engine = new DockerEngine({ ...owner, socketPath, podCIDR, pauseImage, stateDir: dir });
});

afterAll(async () => {
  await Promise.all([registry?.stop(), docker?.stop()]);
  await rm(dir, { recursive: true });
});

test("docker engine: pulls an image, and knows it by tag and digest", async () => {
  const image = `${host}/team/app:1`;
  await push(image);
  expect(await engine.imageState(image)).toBeUndefined();
  const pulled = await engine.pullImage(image);
  expect(pulled.tags).toContain(image);
  expect(pulled.digests[0]).toMatch(/\/team\/app@sha256:[0-9a-f]{64}$/);
  expect(pulled.sizeBytes).toBeGreaterThan(100_000);
  expect(await engine.imageState(pulled.digests[0] ?? "")).toMatchObject({ id: pulled.id });
  const listed = (await engine.listImages()).find(({ id }) => id === pulled.id);
  expect(listed?.tags).toContain(image);
});

test("docker engine: without a tag it pulls latest, and nothing else", async () => {
  await push(`${host}/team/many:latest`);
  await push(`${host}/team/many:other`);
  const pulled = await engine.pullImage(`${host}/team/many`);
  expect(pulled.tags.filter((tag) => tag.includes("/many:"))).toEqual([`${host}/team/many:latest`]);
});

test("docker engine: a tag or repository that does not exist is not found", async () => {
  await push(`${host}/team/known:1`);
  const tag = engine.pullImage(`${host}/team/known:2`);
  await expect(tag).rejects.toMatchObject({
    code: "image-not-found",
    message: expect.stringContaining("not found"),
  });
  const repository = engine.pullImage(`${host}/team/unknown:1`);
  await expect(repository).rejects.toMatchObject({ code: "image-not-found" });
});

test("docker engine: a registry that does not answer is a failed pull, not a failed engine", async () => {
  const pulled = engine.pullImage(`127.0.0.1:${await freePort("127.0.0.1")}/team/app:1`);
  await expect(pulled).rejects.toMatchObject({
    code: "pull-failed",
    message: expect.stringContaining("connection refused"),
  });
});

test("docker engine: removing an image that is gone is no error", async () => {
  const image = `${host}/team/short:1`;
  await push(image);
  await engine.pullImage(image);
  await engine.removeImage(image);
  await engine.removeImage(image);
  expect(await engine.imageState(image)).toBeUndefined();
});
