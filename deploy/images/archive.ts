/** Image archives as `docker load` reads them, made without an engine: one layer, exact bytes. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { pack } from "tar-stream";

/** What goes into the layer; paths are absolute, parents are made as needed. */
export type Entry =
  | { readonly path: string; readonly from: string; readonly mode?: number }
  | { readonly path: string; readonly text: string; readonly mode?: number }
  | { readonly path: string; readonly linkTo: string }
  | { readonly path: string; readonly folder: true; readonly mode?: number };

/** The part of an image's configuration that we use, as the image specification spells it. */
export interface ImageConfig {
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env?: readonly string[];
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly StopSignal?: string;
  readonly WorkingDir?: string;
  readonly Labels: Readonly<Record<string, string>>;
}

export interface ImageContent {
  readonly tags: readonly string[];
  readonly entries: readonly Entry[];
  readonly config: ImageConfig;
}

// A fixed moment: the same content always makes the same image id.
const epoch = new Date(0);

/** The whole archive: manifest, configuration and layer. */
export async function imageArchive(content: ImageContent): Promise<Buffer> {
  const layer = await layerTar(content.entries);
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === "x64" ? "amd64" : process.arch,
      os: "linux",
      created: epoch.toISOString(),
      config: content.config,
      rootfs: { type: "layers", diff_ids: [`sha256:${sha256(layer)}`] },
      history: [{ created: epoch.toISOString(), created_by: "wherry" }],
    }),
  );
  const configName = `${sha256(config)}.json`;
  const manifest = [{ Config: configName, RepoTags: content.tags, Layers: ["layer.tar"] }];
  const tar = pack();
  tar.entry({ name: configName, mtime: epoch }, config);
  tar.entry({ name: "layer.tar", mtime: epoch }, layer);
  tar.entry({ name: "manifest.json", mtime: epoch }, JSON.stringify(manifest));
  tar.finalize();
  return collect(tar);
}

async function layerTar(entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack();
  const folders = new Set<string>();
  const parents = (path: string): void => {
    const steps = path.split("/").slice(1, -1);
    for (let depth = 1; depth <= steps.length; depth++) folder(steps.slice(0, depth).join("/"));
  };
  const folder = (name: string, mode = 0o755): void => {
    if (folders.has(name)) return;
    folders.add(name);
    tar.entry({ name: `${name}/`, type: "directory", mode, mtime: epoch });
  };
  for (const entry of entries) {
    parents(entry.path);
    const name = entry.path.slice(1);
    if ("folder" in entry) folder(name, entry.mode);
    else if ("linkTo" in entry) {
      tar.entry({ name, type: "symlink", linkname: entry.linkTo, mtime: epoch });
    } else {
      const body = "from" in entry ? await readFile(entry.from) : entry.text;
      tar.entry({ name, mode: entry.mode ?? 0o644, mtime: epoch }, body);
    }
  }
  tar.finalize();
  return collect(tar);
}

async function collect(tar: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function sha256(data: Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}
