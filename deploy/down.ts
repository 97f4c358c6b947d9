/** `wherry down`: ends what runs on a data folder, and with `--purge` leaves nothing behind. */
import { rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import Docker from "dockerode";
import { createLog } from "../runtime/log.ts";
import { dockerdPaths, findDocker, startDockerd } from "./dockerd.ts";
import { type ClusterIdentity, readIdentity } from "./identity.ts";
import { lockData, lockHolder } from "./lock.ts";
import { MachineError } from "./machine.ts";
import { nodesDir } from "./node.ts";
import { recordNames, runDirOf, runningRecord, stopRecorded } from "./records.ts";
import { runPrefix } from "./run.ts";
import { pathExists } from "./setup/cache.ts";
import { ensureTools } from "./setup/index.ts";
import { removeFromDocker, removeNetwork, removePauseImage } from "./teardown.ts";
import { removeDockerdTraces, unmountBelow } from "./traces.ts";

export interface DownOptions {
  readonly dataDir: string;
  /** Removes the data too: the cluster is gone for good. */
  readonly purge: boolean;
  readonly say: (line: string) => void;
}

const endTimeoutMs = 90_000;
const childTimeoutMs = 20_000;

export async function down(options: DownOptions): Promise<void> {
  const { dataDir, purge, say } = options;
  if (!(await pathExists(dataDir))) return say(`${dataDir} does not exist: nothing to do`);
  await endRuns(dataDir, say);
  await endWherry(dataDir, say);
  const lock = await lockData(dataDir);
  try {
    await removeTraces(dataDir, purge);
    if (purge) await rm(dataDir, { recursive: true, force: true });
  } finally {
    await lock.release();
  }
  say(purge ? `Removed the cluster of ${dataDir}` : `Stopped the cluster of ${dataDir}`);
}

/** The further processes of the control plane go first, while NATS answers them. */
async function endRuns(dataDir: string, say: (line: string) => void): Promise<void> {
  const runDir = runDirOf(dataDir);
  for (const name of await recordNames(runDir, runPrefix)) {
    const running = await runningRecord({ name, runDir });
    if (running) say(`Stopping process ${running.pid} (${running.command})`);
    await stopRecorded({ name, runDir }, childTimeoutMs);
  }
}

/** Asks the Wherry that runs on the folder to stop, and waits for it. */
async function endWherry(dataDir: string, say: (line: string) => void): Promise<void> {
  const holder = await lockHolder(dataDir);
  if (!holder) return;
  say(`Stopping process ${holder.pid} (${holder.command})`);
  process.kill(holder.pid, "SIGTERM");
  const deadline = performance.now() + endTimeoutMs;
  while ((await lockHolder(dataDir))?.pid === holder.pid) {
    if (performance.now() > deadline) throw new Error(`process ${holder.pid} does not end`);
    await sleep(50);
  }
}

async function removeTraces(dataDir: string, purge: boolean): Promise<void> {
  const runDir = runDirOf(dataDir);
  const identity = await readIdentity(dataDir);
  await stopRecorded({ name: "nats-server", runDir }, childTimeoutMs);
  if (!identity) return;
  await leaveForeignDocker(identity, purge);
  await removeOwnDocker(dataDir, identity.id, purge);
  await unmountBelow(nodesDir(dataDir));
  const tools = await ensureTools({
    needs: ["ip", "nft"],
    install: false,
    log: () => undefined,
  }).catch(() => undefined);
  // Without them no network was ever made.
  if (tools) await removeNetwork(identity, tools);
}

/** Somebody else's Docker is asked to remove what is ours. */
async function leaveForeignDocker(identity: ClusterIdentity, purge: boolean): Promise<void> {
  const { id, foreignDocker } = identity;
  if (foreignDocker === undefined) return;
  const found = await findDocker(foreignDocker);
  if (typeof found === "string") {
    throw new MachineError(
      `the Docker at ${foreignDocker} is ${found}: start it, for it may hold containers of ours`,
    );
  }
  await removeFromDocker(found.docker, id);
  if (purge) await removePauseImage(found.docker);
}

/** Our own dockerd removes its containers itself; when it does not run it is started for that. */
async function removeOwnDocker(dataDir: string, cluster: string, purge: boolean): Promise<void> {
  const paths = dockerdPaths(dataDir);
  if (!(await pathExists(paths.root))) return;
  const record = { name: "dockerd", runDir: paths.runDir };
  const running = await runningRecord(record);
  if (running) {
    await removeFromDocker(new Docker({ socketPath: paths.socket }), cluster);
  } else if (await pathExists(paths.exec)) {
    const tools = await ensureTools({ needs: ["dockerd"], install: false, log: () => undefined });
    const log = createLog({ level: "error" });
    const engine = await startDockerd({ dataDir, dockerd: tools.dockerd, log });
    await removeFromDocker(engine.docker, cluster);
    await engine.child?.stop();
  }
  await stopRecorded(record, childTimeoutMs);
  await removeDockerdTraces(dataDir, { data: purge });
}
