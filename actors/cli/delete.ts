/** `wherry delete`: by name, by selector or by manifest, and waits until the objects are gone. */
import { isNotFound } from "../../manifests/api-error.ts";
import type { KubeObject } from "../../manifests/index.ts";
import type { Command, CommandContext } from "./command.ts";
import { CommandError } from "./errors.ts";
import { readManifests } from "./files.ts";
import { resolveTargets } from "./get.ts";
import { lines } from "./lines.ts";
import { discover, pathOf, type Resource, resourceOfKind } from "./resources.ts";

interface DeleteArgs {
  resources?: string;
  names?: string[];
  filename?: string[];
  recursive?: boolean;
  selector?: string;
  all?: boolean;
  force?: boolean;
  gracePeriod?: number;
  cascade?: string;
  wait?: boolean;
  ignoreNotFound?: boolean;
}

interface Doomed {
  resource: Resource;
  namespace: string | undefined;
  name: string;
}

export const deleteCommand: Command<DeleteArgs> = {
  usage: "delete [resources] [names..]",
  describe: "delete objects: delete pod web, delete -f web.yaml, delete pods -l app=web",
  options: (yargs) =>
    yargs
      .positional("resources", { type: "string", describe: "kinds, with commas, or kind/name" })
      .positional("names", { type: "string", array: true, describe: "the objects" })
      .options({
        filename: { alias: "f", type: "string", array: true, describe: "file, folder or -" },
        recursive: { alias: "R", type: "boolean", describe: "folders within folders too" },
        selector: { alias: "l", type: "string", describe: "all with these labels" },
        all: { type: "boolean", describe: "all of the kind in the namespace" },
        force: { type: "boolean", describe: "with no grace at all" },
        "grace-period": { type: "number", describe: "seconds that a pod has to stop" },
        cascade: {
          choices: ["background", "foreground", "orphan"],
          default: "background",
          describe: "what becomes of the objects that it owns",
        },
        wait: { type: "boolean", default: true, describe: "--no-wait: do not wait until gone" },
        "ignore-not-found": { type: "boolean", describe: "a missing object is no error" },
      }),
  async run(context, args) {
    const doomed = await choose(context, args);
    if (doomed.length === 0) context.say("No resources found");
    const waiting: Doomed[] = [];
    for (const it of doomed) if (await deleteOne(context, it, args)) waiting.push(it);
    if (args.wait !== false) for (const it of waiting) await waitUntilGone(context, it);
  },
};

async function choose(context: CommandContext, args: DeleteArgs): Promise<Doomed[]> {
  if (args.filename) {
    const known = await discover(context.rest);
    const manifests = await readManifests(args.filename, args.recursive === true);
    return manifests.map(({ object }) => {
      const resource = resourceOfKind(known, object.apiVersion ?? "", object.kind ?? "");
      const namespace = object.metadata.namespace ?? context.namespace;
      return { resource, namespace, name: object.metadata.name };
    });
  }
  if (!args.resources) throw new CommandError("say what to delete: a kind and names, or -f FILE");
  const targets = await resolveTargets(context, args.resources, args.names ?? []);
  const doomed: Doomed[] = [];
  for (const { resource, name } of targets) {
    const { namespace } = context;
    if (name) doomed.push({ resource, namespace, name });
    else if (args.all || args.selector) {
      const { items } = await context.rest.json<{ items: KubeObject[] }>({
        path: pathOf(resource, namespace),
        query: { labelSelector: args.selector },
      });
      doomed.push(...items.map((it) => ({ resource, namespace, name: it.metadata.name })));
    } else throw new CommandError("resource(s) were provided, but no name was specified");
  }
  return doomed;
}

const propagation: Record<string, string> = {
  background: "Background",
  foreground: "Foreground",
  orphan: "Orphan",
};

/** False when there was nothing to delete. */
async function deleteOne(context: CommandContext, it: Doomed, args: DeleteArgs): Promise<boolean> {
  const gracePeriodSeconds = args.force ? 0 : args.gracePeriod;
  try {
    await context.rest.json({
      method: "DELETE",
      path: pathOf(it.resource, it.namespace, it.name),
      body: {
        apiVersion: "v1",
        kind: "DeleteOptions",
        propagationPolicy: propagation[args.cascade ?? "background"],
        ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
      },
    });
  } catch (error) {
    if (args.ignoreNotFound && isNotFound(error)) return false;
    throw error;
  }
  const { singular, group } = it.resource;
  context.say(
    `${singular}${group ? `.${group}` : ""} "${it.name}" ${args.force ? "force " : ""}deleted`,
  );
  return true;
}

/** Watches the one object until its deletion is told, or it turns out to be gone already. */
async function waitUntilGone({ rest, signal }: CommandContext, it: Doomed): Promise<void> {
  while (!signal.aborted) {
    let resourceVersion: string | undefined;
    try {
      const object = await rest.json<KubeObject>({
        path: pathOf(it.resource, it.namespace, it.name),
      });
      if (!object.metadata.deletionTimestamp) return; // Somebody made it anew.
      resourceVersion = object.metadata.resourceVersion;
    } catch (error) {
      if (isNotFound(error)) return;
      throw error;
    }
    const body = await rest.stream({
      path: pathOf(it.resource, it.namespace),
      query: { watch: "true", fieldSelector: `metadata.name=${it.name}`, resourceVersion },
      signal,
    });
    for await (const line of lines(body)) {
      if ((JSON.parse(line) as { type: string }).type === "DELETED") return;
    }
  }
}
