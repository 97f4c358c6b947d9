/**
 * One Wherry on one data folder. nats-server does not lock its store, so this lock is ours.
 *
 * An abstract Unix socket named after the folder: the kernel lets one process hold it, and frees it
 * when that process dies, however it dies. A file beside the data says who holds it, for people.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";

export interface DataLock {
  release(): Promise<void>;
}

export class DataLockedError extends Error {
  override readonly name = "DataLockedError";
}

export async function lockData(dataDir: string): Promise<DataLock> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const folder = await realpath(dataDir);
  const note = join(folder, "lock");
  const name = createHash("sha256").update(folder).digest("hex").slice(0, 32);
  const server = createServer((socket) => socket.destroy());
  server.unref();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(`\0wherry-${name}`, resolve);
  }).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== "EADDRINUSE") throw error;
    const holder = (await readFile(note, "utf8").catch(() => "")).trim();
    const who = holder || "another Wherry";
    throw new DataLockedError(`the data folder ${folder} is in use by ${who}`, { cause: error });
  });
  const command = process.argv.slice(1).join(" ");
  await writeFile(note, `process ${process.pid} (${command})\n`);
  return {
    async release() {
      await rm(note, { force: true });
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
