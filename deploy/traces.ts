/** What engines leave on a machine after their processes are gone: mounts, cgroups, folders. */
import { readdir, readFile, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { dockerdPaths } from "./dockerd.ts";
import { commandLine } from "./processes.ts";
import { run } from "./setup/exec.ts";

/** Mount points below (or at) a folder, innermost first. */
export function mountsBelow(mountinfo: string, folder: string): string[] {
  const points: string[] = [];
  for (const line of mountinfo.split("\n")) {
    // Blanks in a path are written as octal escapes.
    const point = line.split(" ")[4]?.replace(/\\(\d{3})/g, (_, octal: string) => {
      return String.fromCharCode(Number.parseInt(octal, 8));
    });
    if (point !== undefined && (point === folder || point.startsWith(`${folder}/`))) {
      points.push(point);
    }
  }
  return points.reverse();
}

export async function unmountBelow(folder: string): Promise<void> {
  for (const point of mountsBelow(await readFile("/proc/self/mountinfo", "utf8"), folder)) {
    await run("umount", ["--lazy", point]);
  }
}

/** Processes whose command line names the folder: containerd and shims that lost their dockerd. */
async function processesNaming(folder: string): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry)).map(Number);
  const named: number[] = [];
  for (const pid of pids) {
    if (pid !== process.pid && (await commandLine(pid)).includes(`${folder}/`)) named.push(pid);
  }
  return named;
}

/** The hierarchies of cgroup v1, or the one of v2. */
async function cgroupRoots(): Promise<string[]> {
  const root = "/sys/fs/cgroup";
  const folders = await readdir(root).catch(() => []);
  return [root, ...folders.map((name) => join(root, name))];
}

/** Removes a cgroup with all below it, in every hierarchy. One that still holds processes stays. */
export async function removeCgroup(path: string): Promise<void> {
  for (const root of await cgroupRoots()) await removeCgroupTree(join(root, path));
}

async function removeCgroupTree(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (entry.isDirectory()) await removeCgroupTree(join(folder, entry.name));
  }
  await rmdir(folder).catch(() => undefined);
}

/**
 * Removes all that a dockerd of ours left outside its data: call it when its containers were
 * removed and it was stopped. With `data`, its images and layers go too.
 */
export async function removeDockerdTraces(
  dataDir: string,
  options: { data: boolean },
): Promise<void> {
  const paths = dockerdPaths(dataDir);
  for (const pid of await processesNaming(paths.exec)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended by itself meanwhile.
    }
  }
  await unmountBelow(paths.exec);
  await unmountBelow(paths.root);
  await removeCgroup(paths.cgroupParent);
  await rm(paths.exec, { recursive: true, force: true });
  await rm(paths.socket, { force: true });
  await rm(paths.pidfile, { force: true });
  await rmdir("/run/wherry").catch(() => undefined);
  if (options.data) await rm(paths.root, { recursive: true, force: true });
}
