/** Reads the manifests that `-f` names: files, folders, or `-` for standard input. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { KubeObject } from "../../manifests/index.ts";
import { parseManifests } from "../../manifests/index.ts";
import { errorMessage } from "../../runtime/errors.ts";
import { CommandError } from "./errors.ts";

const manifestName = /\.(ya?ml|json)$/;

export interface Manifest {
  /** Where it stands, for messages. */
  source: string;
  object: KubeObject;
}

export async function readManifests(
  names: readonly string[],
  recursive: boolean,
): Promise<Manifest[]> {
  const manifests: Manifest[] = [];
  for (const name of names) {
    for (const path of await expand(name, recursive)) {
      manifests.push(...(await readOne(path)));
    }
  }
  if (manifests.length === 0) throw new CommandError("no objects passed to apply");
  return manifests;
}

async function expand(name: string, recursive: boolean): Promise<string[]> {
  if (name === "-") return [name];
  const info = await stat(name).catch(() => undefined);
  if (!info) throw new CommandError(`the path "${name}" does not exist`);
  if (!info.isDirectory()) return [name];
  const entries = await readdir(name, { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  const paths: string[] = [];
  for (const entry of entries) {
    const path = join(name, entry.name);
    if (entry.isDirectory() && recursive) paths.push(...(await expand(path, true)));
    else if (!entry.isDirectory() && manifestName.test(entry.name)) paths.push(path);
  }
  return paths;
}

async function readOne(path: string): Promise<Manifest[]> {
  const text = path === "-" ? await readStandardInput() : await readFile(path, "utf8");
  const source = path === "-" ? "standard input" : path;
  let documents: unknown[];
  try {
    documents = parseManifests(text);
  } catch (error) {
    throw new CommandError(`error parsing ${source}: ${errorMessage(error)}`, { cause: error });
  }
  return documents.flatMap((document) => objectsOf(document, source));
}

/** A List counts as what is in it. */
function objectsOf(document: unknown, source: string): Manifest[] {
  const object = document as KubeObject & { items?: unknown[] };
  if (typeof object !== "object" || object === null || !object.kind || !object.apiVersion) {
    throw new CommandError(`error validating ${source}: apiVersion and kind must be set`);
  }
  if (object.kind === "List") return (object.items ?? []).flatMap((it) => objectsOf(it, source));
  if (!object.metadata?.name && !object.metadata?.generateName) {
    throw new CommandError(`error validating ${source}: ${object.kind} has no metadata.name`);
  }
  return [{ source, object }];
}

async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
