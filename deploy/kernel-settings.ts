/**
 * Kernel settings that clusters on this machine changed, so that the last one out puts them back.
 *
 * The record lies under /run: it is as old as the settings themselves, and a reboot takes both.
 */
import { mkdir, readdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

const root = "/run/wherry";
const clusters = join(root, "clusters");
const settings = join(root, "settings");

/** Says that a cluster relies on the settings from now on. */
export async function holdSettings(cluster: string): Promise<void> {
  await mkdir(clusters, { recursive: true });
  await writeFile(join(clusters, cluster), "");
}

/** Notes a setting's value before it is changed for the first time. */
export async function noteSetting(name: string, before: string): Promise<void> {
  await mkdir(settings, { recursive: true });
  const file = join(settings, name.replaceAll("/", "="));
  await writeFile(file, before, { flag: "wx" }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
}

/** The cluster is gone; when it was the last one, every setting is as it was before the first. */
export async function releaseSettings(cluster: string): Promise<void> {
  await rm(join(clusters, cluster), { force: true });
  const others = await readdir(clusters).catch(() => []);
  if (others.length > 0) return;
  for (const file of await readdir(settings).catch(() => [])) {
    const before = await readFile(join(settings, file), "utf8");
    // A module that was unloaded meanwhile took its setting along.
    await writeFile(`/proc/sys/${file.replaceAll("=", "/")}`, before).catch(() => undefined);
    await rm(join(settings, file));
  }
  for (const folder of [settings, clusters, root]) await rmdir(folder).catch(() => undefined);
}
