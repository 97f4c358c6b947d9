/**
 * Set-up: finds the tools Wherry needs, or fetches them; idempotent, and says what it does.
 *
 * A tool on PATH that is new enough is taken. Otherwise its Debian package is unpacked into the
 * cache folder (debian.ts), so that the machine itself stays as it was.
 */
import { access, constants, mkdir, readdir, rename, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { cacheDir, pathExists } from "./cache.ts";
import { DebianArchive, type Suite } from "./debian.ts";
import { tryRun } from "./exec.ts";
import { isAtLeast, parseVersion, type Tool, type ToolName, tools } from "./tools.ts";

export interface SetupOptions<T extends ToolName> {
  readonly needs: readonly T[];
  /** False: change nothing; a missing tool is an error that names the command to run. */
  readonly install: boolean;
  readonly log: (line: string) => void;
  readonly cache?: string;
}

/** Absolute paths of the tools asked for. */
export type Tools<T extends ToolName = ToolName> = Readonly<Record<T, string>>;

/** A missing tool that set-up may not or cannot fetch. */
export class MissingToolsError extends Error {
  override readonly name = "MissingToolsError";
}

export async function ensureTools<T extends ToolName>(options: SetupOptions<T>): Promise<Tools<T>> {
  const cache = options.cache ?? cacheDir();
  const found: Partial<Record<ToolName, string>> = {};
  const missing: ToolName[] = [];
  const finding = options.needs.map(async (name) => ({ name, path: await findTool(name, cache) }));
  for (const { name, path } of await Promise.all(finding)) {
    if (path) found[name] = path;
    else missing.push(name);
  }
  if (missing.length > 0 && !options.install) throw missingTools(missing);
  const archives = new Map<Suite, Promise<DebianArchive>>();
  try {
    for (const name of missing) {
      options.log(`${name} is missing: ${tools[name].purpose}`);
      found[name] = await fetchTool(name, cache, archives, options.log);
    }
  } finally {
    for (const archive of archives.values()) await (await archive).close();
  }
  return found as Record<T, string>;
}

/** Unpacks packages of the machine's release for their files (images are built from them). */
export async function ensurePackages<P extends string>(
  names: readonly P[],
  options: { cache?: string; log: (line: string) => void },
): Promise<Readonly<Record<P, string>>> {
  const cache = options.cache ?? cacheDir();
  const roots: Partial<Record<P, string>> = {};
  let archive: DebianArchive | undefined;
  try {
    for (const name of names) {
      const target = join(cache, "packages", name);
      roots[name] = target;
      if (await pathExists(target)) continue;
      archive ??= await DebianArchive.open(cache, "machine", options.log);
      await archive.unpack(name, target);
    }
  } finally {
    await archive?.close();
  }
  return roots as Record<P, string>;
}

function missingTools(missing: readonly ToolName[]): MissingToolsError {
  const lines = missing.map((name) => `  ${name}: ${tools[name].purpose}`);
  // The machine's own release has not all of them, or not new enough.
  const plain = missing.every((it) => (tools[it] as Tool).suites[0] === "machine");
  const packages = [...new Set(missing.map((it) => tools[it].package))].join(" ");
  const other = plain ? `, or install them: apt-get install ${packages}` : "";
  return new MissingToolsError(
    `missing, and not to be fetched:\n${lines.join("\n")}\nFetch them once: npx wherry setup${other}`,
  );
}

async function findTool(name: ToolName, cache: string): Promise<string | undefined> {
  const tool: Tool = tools[name];
  for (const path of [await findOnPath(name), join(cache, "bin", name)]) {
    if (path && (await isGoodEnough(path, tool))) return path;
  }
  return undefined;
}

async function isGoodEnough(path: string, tool: Tool): Promise<boolean> {
  const printed = await tryRun(path, tool.versionArgs);
  if (printed === undefined) return false;
  return tool.minimum.length === 0 || isAtLeast(parseVersion(printed) ?? [], tool.minimum);
}

/** Administrators' folders are searched too: a user's PATH often lacks them. */
export async function findOnPath(name: string): Promise<string | undefined> {
  const folders = (process.env.PATH ?? "").split(delimiter);
  for (const folder of [...folders, "/usr/local/sbin", "/usr/sbin", "/sbin"]) {
    const path = join(folder, name);
    const runnable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (folder !== "" && runnable) return path;
  }
  return undefined;
}

async function fetchTool(
  name: ToolName,
  cache: string,
  archives: Map<Suite, Promise<DebianArchive>>,
  log: (line: string) => void,
): Promise<string> {
  const tool: Tool = tools[name];
  const reasons: string[] = [];
  for (const suite of tool.suites) {
    const target = join(
      cache,
      "packages",
      suite === "machine" ? tool.package : `${tool.package}-${suite}`,
    );
    try {
      if (!(await pathExists(target))) {
        if (!archives.has(suite)) archives.set(suite, DebianArchive.open(cache, suite, log));
        await (await archives.get(suite))?.unpack(tool.package, target);
      }
      const path = await writeLauncher(name, target, cache);
      if (await isGoodEnough(path, tool)) {
        log(`${name} is ready: ${path}`);
        return path;
      }
      reasons.push(`${suite} has none that is at least ${tool.minimum.join(".")}`);
    } catch (error) {
      reasons.push((error as Error).message);
    }
  }
  throw new MissingToolsError(`${name} cannot be had (${tool.purpose}): ${reasons.join("; ")}`);
}

const binFolders = ["usr/bin", "usr/sbin", "bin", "sbin"];

/**
 * A package unpacked beside the system finds its libraries and helper programs (dockerd its
 * containerd and runc) only when told where they are; the launcher does, then becomes the program.
 */
async function writeLauncher(name: string, root: string, cache: string): Promise<string> {
  const folders = binFolders.map((folder) => join(root, folder));
  const present = await Promise.all(folders.map((folder) => pathExists(join(folder, name))));
  const home = folders[present.indexOf(true)];
  if (home === undefined) throw new Error(`${root} holds no ${name}`);
  const libraries = await libraryFolders(root);
  const script = [
    "#!/bin/sh",
    `PATH="${folders.join(":")}:$PATH"; export PATH`,
    ...(libraries.length > 0
      ? [`LD_LIBRARY_PATH="${libraries.join(":")}"; export LD_LIBRARY_PATH`]
      : []),
    `exec "${join(home, name)}" "$@"`,
    "",
  ].join("\n");
  const path = join(cache, "bin", name);
  await mkdir(join(cache, "bin"), { recursive: true });
  await writeFile(`${path}.${process.pid}`, script, { mode: 0o755 });
  await rename(`${path}.${process.pid}`, path);
  return path;
}

/** `usr/lib/<triplet>` and `lib/<triplet>` of an unpacked tree. */
async function libraryFolders(root: string): Promise<string[]> {
  const folders: string[] = [];
  for (const lib of ["usr/lib", "lib"]) {
    const entries = await readdir(join(root, lib)).catch(() => []);
    for (const entry of entries) {
      if (/^\w+-linux-gnu\w*$/.test(entry)) folders.push(join(root, lib, entry));
    }
  }
  return folders;
}
