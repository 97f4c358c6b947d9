/** The paths of one group version: for each kind its collection, its objects and their subresources. */
import type { Kind, Verb } from "../kinds/kind.ts";
import { schemaPackage } from "../kinds/kind.ts";
import { type Subresource, subresource } from "../kinds/lookup.ts";

type Operation = Record<string, unknown>;
/** Where a type's schema stands in the document. */
type Refer = (typeName: string) => string;

const STRATEGIC = "application/strategic-merge-patch+json";
const PATCHES = [
  "application/apply-patch+yaml",
  "application/json-patch+json",
  "application/merge-patch+json",
  STRATEGIC,
];

const query = (name: string, type: string) => ({ name, in: "query", schema: { type } });
const inPath = (name: string) => ({ name, in: "path", required: true, schema: { type: "string" } });

const PRETTY = query("pretty", "string");
const WRITE = [
  query("dryRun", "string"),
  query("fieldManager", "string"),
  query("fieldValidation", "string"),
];
const DELETE = [
  query("dryRun", "string"),
  query("gracePeriodSeconds", "integer"),
  query("orphanDependents", "boolean"),
  query("propagationPolicy", "string"),
];
const LIST = [
  query("allowWatchBookmarks", "boolean"),
  query("continue", "string"),
  query("fieldSelector", "string"),
  query("labelSelector", "string"),
  query("limit", "integer"),
  query("resourceVersion", "string"),
  query("resourceVersionMatch", "string"),
  query("sendInitialEvents", "boolean"),
  query("timeoutSeconds", "integer"),
  query("watch", "boolean"),
];

/** Verb of the API, method of HTTP, and the name that clients know the action by. */
const COLLECTION: [Verb, string, string, object[]][] = [
  ["list", "get", "list", LIST],
  ["create", "post", "post", WRITE],
  ["deletecollection", "delete", "deletecollection", [...DELETE, ...LIST]],
];
const OBJECT: [Verb, string, string, object[]][] = [
  ["get", "get", "get", []],
  ["update", "put", "put", WRITE],
  ["patch", "patch", "patch", [...WRITE, query("force", "boolean")]],
  ["delete", "delete", "delete", DELETE],
];

export function openapiPaths(root: string, kinds: readonly Kind[], refer: Refer): object {
  const paths: Record<string, object> = {};
  for (const kind of kinds) {
    const scope = kind.namespaced ? "/namespaces/{namespace}" : "";
    const collection = `${root}${scope}/${kind.resource}`;
    const place = kind.namespaced ? [inPath("namespace")] : [];
    add(paths, collection, [...place, PRETTY], operations(kind, COLLECTION, refer));
    const named = [inPath("name"), ...place, PRETTY];
    add(paths, `${collection}/{name}`, named, operations(kind, OBJECT, refer));
    if (kind.namespaced && kind.verbs.includes("list")) {
      const list = { get: operation(kind, "list", "get", LIST, refer) };
      add(paths, `${root}/${kind.resource}`, [PRETTY], list);
    }
    for (const name of kind.subresources) {
      const found = subresource(kind, name);
      if (!found) continue;
      const part = subresourceOperations(kind, found, refer);
      add(paths, `${collection}/{name}/${name}`, named, part);
    }
  }
  return paths;
}

function add(
  paths: Record<string, object>,
  path: string,
  parameters: object[],
  found: Record<string, Operation>,
): void {
  if (Object.keys(found).length > 0) paths[path] = { ...found, parameters };
}

function operations(kind: Kind, table: typeof OBJECT, refer: Refer): Record<string, Operation> {
  const found: Record<string, Operation> = {};
  for (const [verb, method, action, parameters] of table) {
    if (!kind.verbs.includes(verb)) continue;
    found[method] = operation(kind, action, method, parameters, refer);
  }
  return found;
}

interface Target {
  group: string;
  version: string;
  kind: string;
  typeName: string;
  model?: Kind["model"];
}

function operation(
  target: Target,
  action: string,
  method: string,
  parameters: object[],
  refer: Refer,
): Operation {
  const body = bodyOf(target, method, refer);
  const answers = { list: `${target.typeName}List`, delete: "meta.v1.Status" };
  const answer =
    action === "deletecollection"
      ? answers.delete
      : (answers[action as keyof typeof answers] ?? target.typeName);
  return {
    tags: [target.group === "" ? `core_${target.version}` : `${target.group}_${target.version}`],
    parameters,
    ...(body && { requestBody: body }),
    responses: { "200": { description: "OK", content: json(refer(answer)) } },
    "x-kubernetes-action": action,
    "x-kubernetes-group-version-kind": {
      group: target.group,
      kind: target.kind,
      version: target.version,
    },
  };
}

function bodyOf(target: Target, method: string, refer: Refer): object | undefined {
  if (method === "get") return undefined;
  if (method === "delete") return { content: json(refer("meta.v1.DeleteOptions")) };
  if (method !== "patch") return { content: json(refer(target.typeName)), required: true };
  const schema = { $ref: refer("meta.v1.Patch") };
  // kubectl believes what stands here: apply sends a strategic patch to whoever takes one.
  const patches = PATCHES.filter((type) => !target.model || type !== STRATEGIC);
  const content = Object.fromEntries(patches.map((type) => [type, { schema }]));
  return { content, required: true };
}

function json(ref: string): object {
  return { "application/json": { schema: { $ref: ref } } };
}

/** Subresources that open a connection have no type in the table, and are not described. */
function subresourceOperations(
  of: Kind,
  part: Subresource,
  refer: Refer,
): Record<string, Operation> {
  if (part.kind.endsWith("Options")) return {};
  const slash = part.apiVersion.indexOf("/");
  const group = slash < 0 ? "" : part.apiVersion.slice(0, slash);
  const version = part.apiVersion.slice(slash + 1);
  const isItself = part.apiVersion === of.apiVersion && part.kind === of.kind;
  const typeName = isItself ? of.typeName : `${schemaPackage(group, version)}.${part.kind}`;
  const target = {
    group,
    version,
    kind: part.kind,
    typeName,
    ...(isItself ? { model: of.model } : {}),
  };
  const methods: Partial<Record<Verb, string>> = {
    get: "get",
    update: "put",
    patch: "patch",
    create: "post",
  };
  const found: Record<string, Operation> = {};
  for (const verb of part.verbs) {
    const method = methods[verb];
    if (!method) continue;
    found[method] = operation(target, method, method, method === "get" ? [] : WRITE, refer);
  }
  return found;
}
