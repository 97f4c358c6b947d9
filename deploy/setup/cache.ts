import { mkdir, mkdtemp, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/**
 * The per-user folder for what set-up fetched or built: tools and image archives. It belongs to no
 * cluster: everything in it can be made again, so that deleting it costs only time.
 */
export function cacheDir(env: NodeJS.ProcessEnv = process.env): string {
  if (env.WHERRY_CACHE) return env.WHERRY_CACHE;
  return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "wherry");
}

export async function pathExists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/**
 * Makes the folder `path` in one step: `fill` works in a folder beside it, which is renamed when it
 * is complete. So a folder that exists is whole, whoever was killed half-way, and of two processes
 * that fill it at once one wins and the other throws its copy away.
 */
export async function ensureFolder(
  path: string,
  fill: (staging: string) => Promise<void>,
): Promise<string> {
  if (await pathExists(path)) return path;
  await mkdir(join(path, ".."), { recursive: true });
  const staging = await mkdtemp(`${path}.new-`);
  try {
    await fill(staging);
    await rename(staging, path).catch(async (error: unknown) => {
      if (!(await pathExists(path))) throw error;
    });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  return path;
}
