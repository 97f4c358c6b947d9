/** Images in Docker: what is there, and pulling what is not. */

import type { Readable } from "node:stream";
import type Docker from "dockerode";
import type { ImageAuth, ImageState } from "../../engine.ts";
import { EngineError } from "../../engine.ts";
import { call, callUnlessGone, retryRemoval, toPullError } from "./errors.ts";

/** Without a tag or digest Docker would pull every tag that the repository has. */
export function withTag(image: string): string {
  if (image.includes("@")) return image;
  const lastPart = image.slice(image.lastIndexOf("/") + 1);
  return lastPart.includes(":") ? image : `${image}:latest`;
}

export async function imageState(docker: Docker, image: string): Promise<ImageState | undefined> {
  const found = await callUnlessGone(() => docker.getImage(withTag(image)).inspect());
  if (!found) return undefined;
  return {
    id: found.Id,
    tags: found.RepoTags ?? [],
    digests: found.RepoDigests ?? [],
    sizeBytes: found.Size,
    user: found.Config?.User ?? "",
  };
}

export async function listImages(docker: Docker): Promise<ImageState[]> {
  const images = await call(() => docker.listImages());
  return images.map((image) => ({
    id: image.Id,
    tags: (image.RepoTags ?? []).filter((tag) => tag !== "<none>:<none>"),
    digests: (image.RepoDigests ?? []).filter((digest) => digest !== "<none>@<none>"),
    sizeBytes: image.Size,
    user: "",
  }));
}

export async function pullImage(
  docker: Docker,
  image: string,
  auth?: ImageAuth,
  signal?: AbortSignal,
): Promise<ImageState> {
  const authconfig = auth && {
    username: auth.username,
    password: auth.password,
    serveraddress: auth.registry,
  };
  try {
    const options = { fromImage: withTag(image), ...(signal ? { abortSignal: signal } : {}) };
    const progress = (await (authconfig
      ? docker.createImage(authconfig, options)
      : docker.createImage(options))) as Readable;
    await followPull(docker, progress);
  } catch (error) {
    throw toPullError(error);
  }
  const pulled = await imageState(docker, image);
  if (!pulled) throw new EngineError("pull-failed", `image ${image} is absent after its pull`);
  return pulled;
}

/** A pull that fails half-way has answered 200 long before: the failure is a line of its progress. */
function followPull(docker: Docker, progress: Readable): Promise<void> {
  return new Promise((resolve, reject) => {
    // The library does not tell of a connection that breaks half-way.
    progress.on("close", () => reject(new Error("the connection to Docker was lost")));
    docker.modem.followProgress(progress, (error, lines: { error?: string }[]) => {
      const failed = lines?.find((line) => line.error !== undefined);
      if (error) reject(error);
      else if (failed) reject(new Error(failed.error));
      else resolve();
    });
  });
}

export async function removeImage(docker: Docker, id: string): Promise<void> {
  await retryRemoval(() => docker.getImage(id).remove({ force: false }));
}
