/** Brings the images Wherry needs into an engine: the pause image always, stand-ins if need be. */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import type Docker from "dockerode";
import { cacheDir, pathExists } from "../setup/cache.ts";
import { ensurePackages } from "../setup/index.ts";
import { type ImageContent, imageArchive } from "./archive.ts";
import {
  busyboxContent,
  nginxContent,
  pauseContent,
  pauseImage,
  type Roots,
  standInImages,
} from "./contents.ts";

export { pauseImage } from "./contents.ts";

export interface ImageOptions {
  readonly log: (line: string) => void;
  readonly cache?: string;
}

// Part of the archives' names: raise it when the content of an image changes.
const format = 1;
const packages = ["catatonit", "busybox-static", "nginx"] as const;

/**
 * The pause image goes into any engine, a foreign one too: a pod cannot be without it, and
 * `wherry down --purge` takes it out again.
 */
export async function ensurePauseImage(docker: Docker, options: ImageOptions): Promise<void> {
  if (await hasImage(docker, pauseImage)) return;
  const archive = await cachedArchive("pause", options, async () => {
    return pauseContent(await ensurePackages(["catatonit"], options));
  });
  await load(docker, archive);
}

/** For a dockerd that Wherry started, and only where the public registry does not answer. */
export async function ensureStandIns(docker: Docker, options: ImageOptions): Promise<void> {
  const missing: string[] = [];
  for (const name of standInImages) if (!(await hasImage(docker, name))) missing.push(name);
  if (missing.length === 0) return;
  const contents: Record<string, (roots: Roots) => Promise<ImageContent>> = {
    busybox: busyboxContent,
    nginx: nginxContent,
  };
  for (const [name, content] of Object.entries(contents)) {
    if (!missing.some((tag) => tag.startsWith(`${name}:`))) continue;
    options.log(`loading a stand-in for ${missing.filter((it) => it.startsWith(name)).join(", ")}`);
    const archive = await cachedArchive(name, options, async () => {
      return content(await ensurePackages(packages, options));
    });
    await load(docker, archive);
  }
}

/** Whether a pull from the public registry has a chance at all. Any answer counts. */
export async function isPublicRegistryReachable(timeoutMs = 2_000): Promise<boolean> {
  const url = "https://registry-1.docker.io/v2/";
  return fetch(url, { signal: AbortSignal.timeout(timeoutMs), redirect: "manual" }).then(
    // The registry itself says 401 to strangers; a proxy on the way says something else.
    (response) => response.status === 401 || response.ok,
    () => false,
  );
}

export async function hasImage(docker: Docker, name: string): Promise<boolean> {
  try {
    await docker.getImage(name).inspect();
    return true;
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return false;
    throw error;
  }
}

/** Archives are kept, so that the next engine has its images in a fraction of a second. */
async function cachedArchive(
  name: string,
  options: ImageOptions,
  content: () => Promise<ImageContent>,
): Promise<string> {
  const folder = join(options.cache ?? cacheDir(), "images");
  const path = join(folder, `${name}-${format}.tar`);
  if (await pathExists(path)) return path;
  options.log(`building the image ${name} from Debian packages`);
  await mkdir(folder, { recursive: true });
  const staged = `${path}.${process.pid}`;
  await writeFile(staged, await imageArchive(await content()));
  await rename(staged, path);
  return path;
}

async function load(docker: Docker, archive: string): Promise<void> {
  const progress = await docker.loadImage(Readable.from([await readFile(archive)]));
  const said: string[] = [];
  for await (const chunk of progress) said.push(String(chunk));
  const failure = said.join("").match(/"error":"([^"]*)"/)?.[1];
  if (failure) throw new Error(`cannot load ${archive}: ${failure}`);
}
