/** Brings the images Wherry needs into an engine: the pause image always, stand-ins if need be. */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import type Docker from "dockerode";
import { cacheDir, pathExists } from "../setup/cache.ts";
import { ensurePackages } from "../setup/index.ts";
import { type ImageContent, imageArchive } from "./archive.ts";
import { busyboxContent, nginxContent, pauseContent, pauseImage, type Roots } from "./contents.ts";

export { pauseImage } from "./contents.ts";

export interface ImageOptions {
  readonly log: (line: string) => void;
  readonly cache?: string;
}

// Part of the archives' names: raise it when the content of an image changes.
const format = 1;

export type ImageName = "pause" | "busybox" | "nginx";

interface Recipe {
  readonly tags: readonly string[];
  readonly packages: readonly (keyof Roots)[];
  content(roots: Roots): ImageContent | Promise<ImageContent>;
}

const packages = ["catatonit", "busybox-static", "nginx"] as const;
const recipes: Readonly<Record<ImageName, Recipe>> = {
  pause: { tags: [pauseImage], packages: ["catatonit"], content: pauseContent },
  busybox: { tags: ["busybox:1.35"], packages, content: busyboxContent },
  nginx: { tags: ["nginx:1.22", "nginx:1.23"], packages, content: nginxContent },
};

/**
 * The pause image goes into any engine, a foreign one too: a pod cannot be without it, and
 * `wherry down --purge` takes it out again. The others are stand-ins, for a dockerd that Wherry
 * started, and only where the public registry does not answer.
 */
export async function ensureImages(
  docker: Docker,
  names: readonly ImageName[],
  options: ImageOptions,
): Promise<void> {
  const archives: string[] = [];
  for (const name of names) {
    const missing = await missingTags(docker, recipes[name].tags);
    if (missing.length === 0) continue;
    if (name !== "pause") options.log(`loading a stand-in for ${missing.join(", ")}`);
    // One after the other: some are built from the same packages.
    archives.push(await cachedArchive(name, options));
  }
  await Promise.all(archives.map((archive) => load(docker, archive)));
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

async function missingTags(docker: Docker, tags: readonly string[]): Promise<string[]> {
  const present = await Promise.all(tags.map((tag) => hasImage(docker, tag)));
  return tags.filter((_, index) => !present[index]);
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
async function cachedArchive(name: ImageName, options: ImageOptions): Promise<string> {
  const folder = join(options.cache ?? cacheDir(), "images");
  const path = join(folder, `${name}-${format}.tar`);
  if (await pathExists(path)) return path;
  options.log(`building the image ${name} from Debian packages`);
  await mkdir(folder, { recursive: true });
  const staged = `${path}.${process.pid}`;
  const { packages, content } = recipes[name];
  const roots = (await ensurePackages(packages, options)) as Roots;
  await writeFile(staged, await imageArchive(await content(roots)));
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
