/**
 * One Wherry on one data folder. nats-server does not lock its store, so this lock is ours.
 *
 * An abstract Unix socket named after the folder: the kernel lets one process hold it, and frees it
 * when that process dies, however it dies. A file beside the data says who holds it.
 */
import { createHash } from "node:crypto";
import { access, constants, mkdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { isSameProcess, type ProcessIdentity, processIdentity } from "./processes.ts";

export interface DataLock {
  release(): Promise<void>;
}

export interface LockHolder extends ProcessIdentity {
  readonly command: string;
}

/** Somebody else's Wherry runs on the folder, or it is not ours to write. */
export class DataFolderError extends Error {
  override readonly name = "DataFolderError";
}

export async function lockData(dataDir: string): Promise<DataLock> {
  const folder = await ensureWritable(dataDir);
  const note = join(folder, "lock");
  const name = createHash("sha256").update(folder).digest("hex").slice(0, 32);
  const server = createServer((socket) => socket.destroy());
  server.unref();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(`\0wherry-${name}`, resolve);
  }).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== "EADDRINUSE") throw error;
    const holder = await lockHolder(folder);
    const who = holder ? `process ${holder.pid} (${holder.command})` : "another Wherry";
    throw new DataFolderError(`the data folder ${folder} is in use by ${who}`, { cause: error });
  });
  const identity = await processIdentity(process.pid);
  const command = process.argv.slice(1).join(" ");
  await writeFile(note, `${JSON.stringify({ ...identity, command })}\n`);
  return {
    async release() {
      await rm(note, { force: true });
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Makes the folder if it is absent; returns its real path. */
async function ensureWritable(dataDir: string): Promise<string> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    await access(dataDir, constants.W_OK | constants.X_OK);
    return await realpath(dataDir);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const advice = "run as its owner, or choose another with --data";
    throw new DataFolderError(`cannot write the data folder ${dataDir} (${code}): ${advice}`, {
      cause: error,
    });
  }
}

/** The living process that noted itself as the holder. */
export async function lockHolder(dataDir: string): Promise<LockHolder | undefined> {
  try {
    const holder = JSON.parse(await readFile(join(dataDir, "lock"), "utf8")) as LockHolder;
    return (await isSameProcess(holder)) ? holder : undefined;
  } catch {
    return undefined;
  }
}
