/**
 * Pods' folders on the real disk: `<root>/pods/<uid>/{volumes/<name>,…}`. A driver at the edge.
 *
 * Files of ConfigMaps and Secrets lie in a folder of their own for each version, to which `..data`
 * points; a new version is written whole, then the link is replaced in one step, so that no
 * container ever sees half of an update (as k8s:pkg/volume/util/atomic_writer.go).
 */

import { execFile } from "node:child_process";
import {
  chmod,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { type PodFiles, type VolumeContent, VolumeError, type VolumeFile } from "./files.ts";

const run = promisify(execFile);

type StatMethod = "isDirectory" | "isFile" | "isSocket" | "isCharacterDevice" | "isBlockDevice";

/** What a hostPath's type demands to be there, and what is made when nothing is. */
const hostPathChecks: Record<string, { is: StatMethod; creates?: "folder" | "file" }> = {
  Directory: { is: "isDirectory" },
  DirectoryOrCreate: { is: "isDirectory", creates: "folder" },
  File: { is: "isFile" },
  FileOrCreate: { is: "isFile", creates: "file" },
  Socket: { is: "isSocket" },
  CharDevice: { is: "isCharacterDevice" },
  BlockDevice: { is: "isBlockDevice" },
};

export class DiskFiles implements PodFiles {
  readonly #root: string;

  /** `root` must be seen by the engine under the same path. */
  constructor(root: string) {
    this.#root = resolve(root, "pods");
  }

  async ensureVolume(uid: string, name: string, content: VolumeContent): Promise<string> {
    if (content.type === "host-path") {
      await ensureHostPath(content.path, content.check);
      return content.path;
    }
    const path = join(this.#pod(uid), "volumes", name);
    await mkdir(path, { recursive: true });
    if (content.type === "files") await writeVersion(path, content.files);
    else {
      await chmod(path, 0o777);
      if (content.medium === "Memory") await ensureTmpfs(path, content.sizeBytes);
    }
    return path;
  }

  /** A link that a container made in its volume must not lead the mount to the machine's files. */
  async ensureSubPath(_uid: string, volumePath: string, subPath: string): Promise<void> {
    const volume = await realpath(volumePath);
    let path = volumePath;
    for (const part of subPath.split("/")) {
      path = join(path, part);
      if (!(await exists(path))) await mkdir(path, { mode: 0o777 });
      const real = await realpath(path);
      if (real !== volume && !real.startsWith(`${volume}/`)) {
        throw new VolumeError(`subPath "${subPath}" leads out of its volume`);
      }
    }
  }

  async writeFile(uid: string, name: string, text: string, mode = 0o644): Promise<string> {
    const path = join(this.#pod(uid), name);
    await mkdir(dirname(path), { recursive: true });
    // Written in place: a container that has the file mounted keeps seeing it.
    if ((await readFile(path, "utf8").catch(() => undefined)) !== text) {
      await writeFile(path, text);
      await chmod(path, mode);
    }
    return path;
  }

  async readTail(uid: string, name: string, bytes: number): Promise<string> {
    const file = await open(join(this.#pod(uid), name)).catch(() => undefined);
    if (!file) return "";
    try {
      const { size } = await file.stat();
      const length = Math.min(size, bytes);
      const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
      return buffer.toString();
    } finally {
      await file.close();
    }
  }

  async removePod(uid: string): Promise<void> {
    const path = this.#pod(uid);
    const volumes = join(path, "volumes");
    for (const name of await readdir(volumes).catch(() => [])) {
      const volume = join(volumes, name);
      // What is mounted here must not be emptied through the mount.
      while (await isMountPoint(volume)) await run("umount", [volume]);
    }
    await rm(path, { recursive: true, force: true });
  }

  async listPods(): Promise<string[]> {
    return readdir(this.#root).catch(() => []);
  }

  #pod(uid: string): string {
    if (!/^[A-Za-z0-9._-]+$/.test(uid) || uid.startsWith(".")) {
      throw new VolumeError(`"${uid}" cannot be the name of a folder`);
    }
    return join(this.#root, uid);
  }
}

async function ensureHostPath(path: string, check: string): Promise<void> {
  const rule = hostPathChecks[check];
  // Without a type upstream checks nothing, and engines make the folder.
  if (!rule) {
    if (!(await exists(path))) await mkdir(path, { recursive: true });
    return;
  }
  if (rule.creates && !(await exists(path))) {
    if (rule.creates === "folder") await mkdir(path, { recursive: true, mode: 0o755 });
    else await writeFile(path, "", { flag: "a", mode: 0o644 });
  }
  const found = await stat(path).catch(() => undefined);
  if (!found?.[rule.is]()) {
    throw new VolumeError(`hostPath type check failed: ${path} is not a ${words[check] ?? check}`);
  }
}

const words: Record<string, string> = {
  Directory: "directory",
  DirectoryOrCreate: "directory",
  File: "file",
  FileOrCreate: "file",
  Socket: "socket file",
  CharDevice: "character device",
  BlockDevice: "block device",
};

async function ensureTmpfs(path: string, sizeBytes: number | undefined): Promise<void> {
  if (await isMountPoint(path)) return;
  const size = sizeBytes === undefined ? [] : ["-o", `size=${sizeBytes},mode=0777`];
  try {
    await run("mount", ["-t", "tmpfs", ...size, "tmpfs", path]);
    await chmod(path, 0o777);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new VolumeError(`emptyDir.medium Memory needs the right to mount: ${why}`, {
      cause: error,
    });
  }
}

async function isMountPoint(path: string): Promise<boolean> {
  const [here, above] = await Promise.all([
    lstat(path).catch(() => undefined),
    lstat(dirname(path)).catch(() => undefined),
  ]);
  return here !== undefined && above !== undefined && here.dev !== above.dev;
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

async function writeVersion(root: string, files: readonly VolumeFile[]): Promise<void> {
  const link = join(root, "..data");
  const current = await readlink(link).catch(() => undefined);
  if (current !== undefined && (await holdsExactly(join(root, current), files))) return;
  const next = `..${(Number(current?.slice(2)) || 0) + 1}`;
  const folder = join(root, next);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  for (const { path, data, mode } of files) {
    const target = join(folder, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, data);
    await chmod(target, mode);
  }
  await rm(`${link}_new`, { force: true });
  await symlink(next, `${link}_new`);
  await rename(`${link}_new`, link);
  await linkNames(root, files);
  if (current !== undefined) await rm(join(root, current), { recursive: true, force: true });
}

/** The names that containers see: links into `..data`, one for each first part of a path. */
async function linkNames(root: string, files: readonly VolumeFile[]): Promise<void> {
  const names = new Set(files.map(({ path }) => path.split("/")[0] ?? path));
  for (const name of names) {
    await symlink(join("..data", name), join(root, name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
  for (const name of await readdir(root)) {
    if (!name.startsWith("..") && !names.has(name)) await rm(join(root, name), { force: true });
  }
}

async function holdsExactly(folder: string, files: readonly VolumeFile[]): Promise<boolean> {
  const listed = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  if (listed.filter((entry) => entry.isFile()).length !== files.length) return false;
  for (const { path, data, mode } of files) {
    const target = join(folder, path);
    const [content, info] = await Promise.all([
      readFile(target).catch(() => undefined),
      stat(target).catch(() => undefined),
    ]);
    if (!content?.equals(data) || ((info?.mode ?? 0) & 0o777) !== mode) return false;
  }
  return true;
}
