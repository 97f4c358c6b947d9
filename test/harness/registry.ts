/** A registry of the test's own, on loopback: Docker's, from its Debian package. */

import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type Docker from "dockerode";
import { freePort } from "../../deploy/ports.ts";
import { ensureTools } from "../../deploy/setup/index.ts";
import { waitFor } from "./wait.ts";

export interface TestRegistry {
  /** `127.0.0.1:<port>`: how its images' names begin. */
  readonly host: string;
  /** Puts an image that the engine has under a name of this registry, and takes that name off the engine. */
  push(docker: Docker, from: string, image: string): Promise<void>;
  stop(): Promise<void>;
}

export async function startRegistry(): Promise<TestRegistry> {
  const needs = ["docker-registry"] as const;
  const tools = await ensureTools({ needs, install: true, log: () => undefined });
  const dir = await mkdtemp(join(tmpdir(), "wherry-registry-"));
  const host = `127.0.0.1:${await freePort("127.0.0.1")}`;
  const config = join(dir, "config.yml");
  const storage = `storage:\n  filesystem:\n    rootdirectory: ${join(dir, "images")}\n`;
  await writeFile(config, `version: 0.1\n${storage}http:\n  addr: ${host}\n`);
  const child = spawn(tools["docker-registry"], ["serve", config], { stdio: "ignore" });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  const stop = async (): Promise<void> => {
    child.kill();
    await ended;
    await rm(dir, { recursive: true, force: true });
  };
  await waitFor("the registry", () => fetch(`http://${host}/v2/`).then((it) => it.ok)).catch(
    async (error: unknown) => {
      await stop();
      throw error;
    },
  );
  return { host, push, stop };
}

async function push(docker: Docker, from: string, image: string): Promise<void> {
  const colon = image.lastIndexOf(":");
  await docker.getImage(from).tag({ repo: image.slice(0, colon), tag: image.slice(colon + 1) });
  const authconfig = { username: "", password: "" };
  const progress = (await docker.getImage(image).push({ authconfig })) as Readable;
  await new Promise((resolve, reject) => {
    docker.modem.followProgress(progress, (error, lines) =>
      error ? reject(error) : resolve(lines),
    );
  });
  await docker.getImage(image).remove();
}
