/** `wherry get`: objects as the server prints them, or whole. */
import { isNotFound } from "../../manifests/api-error.ts";
import { type KubeObject, sortKeys, stringifyYaml } from "../../manifests/index.ts";
import type { Command, CommandContext } from "./command.ts";
import { CommandError } from "./errors.ts";
import { lines } from "./lines.ts";
import { discover, displayName, findResources, pathOf, type Resource } from "./resources.ts";
import { type Table, tableLines } from "./table.ts";

interface GetArgs {
  resources?: string;
  names?: string[];
  output?: string;
  allNamespaces?: boolean;
  selector?: string;
  fieldSelector?: string;
  watch?: boolean;
  headers?: boolean;
  ignoreNotFound?: boolean;
}

const tableType = "application/json;as=Table;v=v1;g=meta.k8s.io";
const formats = ["wide", "name", "json", "yaml"];

export const get: Command<GetArgs> = {
  usage: "get <resources> [names..]",
  describe: "list objects: get pods, get deploy,svc -o wide, get pod web -o yaml",
  options: (yargs) =>
    yargs
      .positional("resources", { type: "string", describe: "kinds, with commas, or kind/name" })
      .positional("names", { type: "string", array: true, describe: "only these" })
      .options({
        output: { alias: "o", choices: formats, describe: "how to print" },
        "all-namespaces": { alias: "A", type: "boolean", describe: "of every namespace" },
        selector: { alias: "l", type: "string", describe: "labels: app=web,tier!=cache" },
        "field-selector": { type: "string", describe: "fields: status.phase=Running" },
        watch: { alias: "w", type: "boolean", describe: "go on printing what changes" },
        headers: { type: "boolean", default: true, describe: "--no-headers: rows only" },
        "ignore-not-found": { type: "boolean", describe: "a missing object is no error" },
      }),
  async run(context, args) {
    const targets = await resolveTargets(context, args.resources ?? "", args.names ?? []);
    if (args.output && args.output !== "wide") await printObjects(context, targets, args);
    else await printTables(context, targets, args);
  },
};

/** One resource, and the one object wanted of it, if any. */
export interface Target {
  resource: Resource;
  name?: string;
}

export async function resolveTargets(
  { rest }: Pick<CommandContext, "rest">,
  words: string,
  names: readonly string[],
): Promise<Target[]> {
  const known = await discover(rest);
  if (words.includes("/")) {
    return [words, ...names].map((word) => {
      const [kind = "", name, ...more] = word.split("/");
      if (!name || more.length > 0) {
        throw new CommandError(`"${word}" is not of the form kind/name, as the others are`);
      }
      const [resource] = findResources(known, kind);
      if (!resource) throw new CommandError(`the server doesn't have a resource type "${kind}"`);
      return { resource, name };
    });
  }
  const resources = words.split(",").flatMap((word) => findResources(known, word));
  if (names.length === 0) return resources.map((resource) => ({ resource }));
  return resources.flatMap((resource) => names.map((name) => ({ resource, name })));
}

function requestFor({ resource, name }: Target, namespace: string | undefined, args: GetArgs) {
  return {
    path: pathOf(resource, namespace, name),
    query: { labelSelector: args.selector, fieldSelector: args.fieldSelector },
  };
}

async function printTables(context: CommandContext, targets: Target[], args: GetArgs) {
  const namespace = args.allNamespaces ? undefined : context.namespace;
  const several = new Set(targets.map(({ resource }) => resource.name)).size > 1;
  let printed = 0;
  for (const target of targets) {
    const request = requestFor(target, namespace, args);
    const table = await found(args, () =>
      context.rest.json<Table>({ ...request, accept: tableType }),
    );
    if (!table) continue;
    if (table.rows.length > 0) {
      if (printed > 0 && several) context.say("");
      printed += table.rows.length;
      for (const line of tableLines(table, layout(target, args, several))) context.say(line);
    }
    if (args.watch) await printChanges(context, target, args, table);
  }
  if (printed === 0 && !args.watch && !args.ignoreNotFound) {
    context.warn(
      namespace ? `No resources found in ${namespace} namespace.` : "No resources found",
    );
  }
}

function layout({ resource }: Target, args: GetArgs, several: boolean) {
  return {
    wide: args.output === "wide",
    withNamespace: args.allNamespaces === true && resource.namespaced,
    header: args.headers !== false,
    prefix: several ? displayName(resource, "") : undefined,
  };
}

/** Until the watch is stopped; one that the server ended is opened again where it ended. */
async function printChanges(context: CommandContext, target: Target, args: GetArgs, table: Table) {
  const namespace = args.allNamespaces ? undefined : context.namespace;
  const { path, query } = requestFor({ resource: target.resource }, namespace, args);
  const fieldSelector = target.name ? `metadata.name=${target.name}` : query.fieldSelector;
  let resourceVersion = table.metadata?.resourceVersion;
  while (!context.signal.aborted) {
    const body = await context.rest.stream({
      path,
      query: { ...query, fieldSelector, resourceVersion, watch: "true" },
      accept: tableType,
      signal: context.signal,
    });
    for await (const line of lines(body)) {
      const { type, object } = JSON.parse(line) as { type: string; object: Table };
      if (type === "ERROR") throw new CommandError(`the watch ended: ${JSON.stringify(object)}`);
      resourceVersion = object.metadata?.resourceVersion ?? resourceVersion;
      const changed = {
        ...object,
        columnDefinitions: object.columnDefinitions ?? table.columnDefinitions,
      };
      const options = { ...layout(target, args, false), header: false };
      for (const row of tableLines(changed, options)) context.say(row);
    }
  }
}

async function printObjects(context: CommandContext, targets: Target[], args: GetArgs) {
  const namespace = args.allNamespaces ? undefined : context.namespace;
  const objects: KubeObject[] = [];
  for (const target of targets) {
    const answer = await found(args, () =>
      context.rest.json<KubeObject & { items?: KubeObject[] }>(requestFor(target, namespace, args)),
    );
    if (!answer) continue;
    const { apiVersion, kind } = answer;
    const items = answer.items?.map((it) => {
      return { apiVersion, kind: kind?.replace(/List$/, ""), ...it };
    });
    const shown = items ?? [answer];
    if (args.output === "name") {
      for (const { metadata } of shown) context.say(displayName(target.resource, metadata.name));
    }
    objects.push(...shown);
  }
  if (args.output === "name" || (objects.length === 0 && args.ignoreNotFound)) return;
  const single = targets.length === 1 && targets[0]?.name ? objects[0] : undefined;
  const list = { apiVersion: "v1", kind: "List", metadata: {}, items: objects };
  const whole = sortKeys(single ?? list);
  context.say(
    args.output === "yaml" ? stringifyYaml(whole).trimEnd() : JSON.stringify(whole, undefined, 4),
  );
}

/** Undefined instead of a NotFound that the user does not mind. */
async function found<T>(args: GetArgs, ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (args.ignoreNotFound && isNotFound(error)) return undefined;
    throw error;
  }
}
