/** `wherry apply`: makes the cluster hold what the manifests say, and says what that changed. */
import { isConflict, isNotFound } from "../../manifests/api-error.ts";
import {
  createThreeWayPatch,
  type Kind,
  type KubeObject,
  kindByGvk,
  lastApplied,
  threeWayPatchType,
  withLastApplied,
} from "../../manifests/index.ts";
import { errorMessage } from "../../runtime/errors.ts";
import type { Command, CommandContext } from "./command.ts";
import { CommandError } from "./errors.ts";
import { readManifests } from "./files.ts";
import { discover, displayName, pathOf, type Resource, resourceOfKind } from "./resources.ts";

interface ApplyArgs {
  filename?: string[];
  recursive?: boolean;
  dryRun?: boolean;
}

export const apply: Command<ApplyArgs> = {
  usage: "apply",
  describe: "create or change objects: apply -f web.yaml, apply -f folder, apply -f -",
  options: (yargs) =>
    yargs.options({
      filename: {
        alias: "f",
        type: "string",
        array: true,
        demandOption: true,
        describe: "file, folder or - for standard input",
      },
      recursive: { alias: "R", type: "boolean", describe: "folders within folders too" },
      "dry-run": { type: "boolean", describe: "let the server check it all and keep nothing" },
    }),
  async run(context, args) {
    const manifests = await readManifests(args.filename ?? [], args.recursive === true);
    const known = await discover(context.rest);
    let failed = 0;
    for (const { source, object } of manifests) {
      try {
        const resource = resourceOfKind(known, object.apiVersion ?? "", object.kind ?? "");
        const change = await applyOne(context, resource, object, args.dryRun === true);
        const note = args.dryRun ? " (server dry run)" : "";
        context.say(`${displayName(resource, object.metadata.name)} ${change}${note}`);
      } catch (error) {
        failed++;
        context.warn(`Error from ${source}: ${errorMessage(error)}`);
      }
    }
    if (failed > 0) throw new CommandError(`${failed} of ${manifests.length} could not be applied`);
  },
};

/** Somebody else's write in between is no reason to give up at once; as often as kubectl tries. */
const attempts = 5;

async function applyOne(
  context: CommandContext,
  resource: Resource,
  object: KubeObject,
  dryRun: boolean,
): Promise<"created" | "configured" | "unchanged"> {
  const { rest } = context;
  const kind = kindByGvk(object.apiVersion ?? "", object.kind ?? "");
  const namespace = object.metadata.namespace ?? context.namespace;
  const path = pathOf(resource, namespace, object.metadata.name);
  const query = {
    dryRun: dryRun ? "All" : undefined,
    fieldManager: "wherry",
    fieldValidation: "Strict",
  };
  // As kubectl writes it: the namespace that was meant is part of what was applied.
  const metadata = resource.namespaced ? { ...object.metadata, namespace } : object.metadata;
  const manifest = withLastApplied({ ...object, metadata });
  for (let attempt = 1; ; attempt++) {
    try {
      const current = await rest.json<KubeObject>({ path });
      const patch = computePatch(kind, manifest, current);
      if (!patch) return "unchanged";
      const contentType = threeWayPatchType(kind);
      await rest.json({ method: "PATCH", path, query, body: patch, contentType });
      return "configured";
    } catch (error) {
      if (isNotFound(error) && attempt === 1) {
        const body = manifest;
        await rest.json({ method: "POST", path: pathOf(resource, namespace), query, body });
        return "created";
      }
      if (!isConflict(error) || attempt === attempts) throw error;
    }
  }
}

function computePatch(kind: Kind | undefined, manifest: KubeObject, current: KubeObject) {
  return createThreeWayPatch(kind, lastApplied(current), { ...manifest }, { ...current });
}
