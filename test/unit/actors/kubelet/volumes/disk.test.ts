import {
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DiskFiles } from "../../../../../actors/kubelet/volumes/disk.ts";
import type { VolumeFile } from "../../../../../actors/kubelet/volumes/files.ts";

let root: string;
let disk: DiskFiles;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "wherry-disk-"));
  disk = new DiskFiles(root);
});
afterEach(async () => {
  for (const uid of await disk.listPods()) await disk.removePod(uid);
  expect(await disk.listPods()).toEqual([]);
  await rm(root, { recursive: true });
});

const file = (path: string, text: string, mode = 0o644): VolumeFile => ({
  path,
  data: new TextEncoder().encode(text),
  mode,
});
const put = (...files: VolumeFile[]) => disk.ensureVolume("pod", "v", { type: "files", files });
const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

describe("volumes on disk", () => {
  test("volumes on disk: an update replaces all files in one step", async () => {
    const path = await put(file("a", "1"), file("deep/b", "2", 0o400));
    expect(await readFile(join(path, "a"), "utf8")).toBe("1");
    expect(await modeOf(join(path, "deep/b"))).toBe(0o400);
    const first = await readlink(join(path, "..data"));
    await put(file("a", "1"), file("deep/b", "2", 0o400));
    expect(await readlink(join(path, "..data"))).toBe(first);
    await put(file("a", "new"), file("c", "3"));
    expect(await readlink(join(path, "..data"))).not.toBe(first);
    expect(await readFile(join(path, "a"), "utf8")).toBe("new");
    // The old version and the name that is no more are gone.
    expect((await readdir(path)).filter((name) => !name.startsWith(".."))).toEqual(["a", "c"]);
    expect((await readdir(path)).filter((name) => name.startsWith(".."))).toHaveLength(2);
  });

  test("volumes on disk: an update that was cut off is made good", async () => {
    const path = await put(file("a", "1"));
    await symlink("..9", join(path, "..data_new"));
    await put(file("a", "2"));
    expect(await readFile(join(path, "a"), "utf8")).toBe("2");
  });

  test("volumes on disk: an empty directory is for everybody, and stays what it is", async () => {
    const path = await disk.ensureVolume("pod", "e", { type: "empty", medium: "" });
    expect(await modeOf(path)).toBe(0o777);
    await writeFile(join(path, "kept"), "");
    await disk.ensureVolume("pod", "e", { type: "empty", medium: "" });
    expect(await readdir(path)).toEqual(["kept"]);
    await disk.ensureSubPath("pod", path, "sub/path");
    expect(await readdir(join(path, "sub"))).toEqual(["path"]);
    await symlink(root, join(path, "out"));
    await expect(disk.ensureSubPath("pod", path, "out/etc")).rejects.toThrow(
      "leads out of its volume",
    );
    expect(await readdir(root)).toEqual(["pods"]);
  });

  test("volumes on disk: a host path must be what its type says", async () => {
    const present = join(root, "file");
    await writeFile(present, "");
    const check = (path: string, type: string) =>
      disk.ensureVolume("pod", "h", { type: "host-path", path, check: type });
    expect(await check(present, "File")).toBe(present);
    expect(await check(present, "")).toBe(present);
    await expect(check(present, "Directory")).rejects.toThrow(
      `hostPath type check failed: ${present} is not a directory`,
    );
    await expect(check(join(root, "none"), "Directory")).rejects.toThrow("is not a directory");
    await check(join(root, "made/here"), "DirectoryOrCreate");
    await check(join(root, "made/file"), "FileOrCreate");
    expect(await readdir(join(root, "made"))).toEqual(["file", "here"]);
  });

  test("volumes on disk: files of the kubelet keep their identity", async () => {
    const path = await disk.writeFile("pod", "termination/app-0", "", 0o666);
    const { ino } = await stat(path);
    await writeFile(path, `${"x".repeat(5_000)}end`);
    expect(await disk.readTail("pod", "termination/app-0", 4)).toBe("xend");
    expect(await disk.readTail("pod", "none", 4)).toBe("");
    await disk.writeFile("pod", "termination/app-0", "new");
    expect((await stat(path)).ino).toBe(ino);
  });

  test("volumes on disk: a pod's name cannot leave the folder", async () => {
    await expect(disk.writeFile("../pod", "x", "")).rejects.toThrow(
      "cannot be the name of a folder",
    );
    await expect(disk.removePod("..")).rejects.toThrow("cannot be the name of a folder");
  });
});
