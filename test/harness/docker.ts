/** A real Docker for tests: a dockerd of their own in a temporary folder, with all images loaded. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type Docker from "dockerode";
import { startDockerd } from "../../deploy/dockerd.ts";
import { ensureImages } from "../../deploy/images/index.ts";
import { ensureTools } from "../../deploy/setup/index.ts";
import { removeDockerdTraces } from "../../deploy/traces.ts";
import { createLog } from "../../runtime/log.ts";

export interface TestDocker {
  readonly docker: Docker;
  readonly socketPath: string;
  readonly pid: number;
  /** Removes every container, ends dockerd and deletes all its files. */
  stop(): Promise<void>;
}

export async function startTestDocker(
  options: { images?: boolean; args?: readonly string[] } = {},
): Promise<TestDocker> {
  const log = createLog({ level: "error" });
  const tools = await ensureTools({ needs: ["dockerd"], install: true, log: () => undefined });
  const dataDir = await mkdtemp(join(tmpdir(), "wherry-docker-"));
  const engine = await startDockerd({ dataDir, dockerd: tools.dockerd, log, args: options.args });
  const { docker, child } = engine;
  if (options.images ?? true) {
    await ensureImages(docker, ["pause", "busybox", "nginx"], { log: () => undefined });
  }
  return {
    docker,
    socketPath: engine.socketPath,
    pid: child?.pid ?? 0,
    async stop() {
      for (const { Id } of await docker.listContainers({ all: true })) {
        await docker.getContainer(Id).remove({ force: true, v: true });
      }
      // dockerd leaves its bridges to the machine when it ends.
      for (const { Id } of await docker.listNetworks({ filters: '{"type":["custom"]}' })) {
        await docker.getNetwork(Id).remove();
      }
      await child?.stop();
      await removeDockerdTraces(dataDir, { data: true });
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
