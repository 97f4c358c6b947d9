/** Pulling for real, from a registry on loopback. */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DockerEngine } from "../../actors/kubelet/engines/docker/index.ts";
import { pauseImage } from "../../deploy/images/index.ts";
import { ensureTools } from "../../deploy/setup/index.ts";
import { startTestDocker, type TestDocker } from "../harness/docker.ts";
import { waitFor } from "../harness/wait.ts";

let dir: string;
let registry: ChildProcess;
let docker: TestDocker;
let engine: DockerEngine;
let host: string;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address ? address.port : 0;
}

async function startRegistry(port: number): Promise<void> {
  const needs = ["docker-registry"] as const;
  const tools = await ensureTools({ needs, install: true, log: () => undefined });
  const config = join(dir, "config.yml");
  const storage = `storage:\n  filesystem:\n    rootdirectory: ${join(dir, "images")}\n`;
  await writeFile(config, `version: 0.1\n${storage}http:\n  addr: 127.0.0.1:${port}\n`);
  registry = spawn(tools["docker-registry"], ["serve", config], { stdio: "ignore" });
  await waitFor("the registry", () => fetch(`http://127.0.0.1:${port}/v2/`).then((it) => it.ok));
}

async function push(image: string): Promise<void> {
  const slash = image.lastIndexOf(":");
  const [repo, tag] = [image.slice(0, slash), image.slice(slash + 1)];
  await docker.docker.getImage("busybox:1.35").tag({ repo, tag });
  const progress = (await docker.docker.getImage(image).push({
    authconfig: { username: "", password: "" },
  })) as Readable;
  await new Promise((resolve, reject) => {
    docker.docker.modem.followProgress(progress, (error, lines) =>
      error ? reject(error) : resolve(lines),
    );
  });
  await docker.docker.getImage(image).remove();
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "wherry-registry-"));
  const port = await freePort();
  host = `127.0.0.1:${port}`;
  await Promise.all([
    startRegistry(port),
    startTestDocker().then((started) => {
      docker = started;
    }),
  ]);
  const { socketPath } = docker;
  const podCIDR = "10.213.33.0/24";
  const owner = { cluster: "pull", node: "node-1" };
  engine = new DockerEngine({ ...owner, socketPath, podCIDR, pauseImage, stateDir: dir });
});

afterAll(async () => {
  const ended = new Promise((resolve) => registry.on("exit", resolve));
  registry.kill();
  await Promise.all([ended, docker.stop()]);
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
  const pulled = engine.pullImage(`127.0.0.1:${await freePort()}/team/app:1`);
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
