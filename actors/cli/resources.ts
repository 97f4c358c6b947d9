/** Finds what a user means by `deploy`, `svc` or `pods.v1`, from the server's discovery. */
import { CommandError } from "./errors.ts";
import type { Rest } from "./rest.ts";

export interface Resource {
  group: string;
  version: string;
  /** Plural, as in the path. */
  name: string;
  singular: string;
  kind: string;
  namespaced: boolean;
  shortNames: readonly string[];
  categories: readonly string[];
}

interface Discovery {
  items: {
    metadata: { name?: string };
    versions: {
      version: string;
      resources?: {
        resource: string;
        singularResource: string;
        responseKind?: { kind: string };
        scope: string;
        shortNames?: string[];
        categories?: string[];
      }[];
    }[];
  }[];
}

const aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/** Everything that the server serves, the preferred version of each group first. */
export async function discover(rest: Rest): Promise<Resource[]> {
  const documents = await Promise.all(
    ["/api", "/apis"].map((path) => rest.json<Discovery>({ path, accept: aggregated })),
  );
  return documents.flatMap(({ items }) =>
    items.flatMap(({ metadata, versions }) =>
      versions.flatMap(({ version, resources = [] }) =>
        resources.map((it) => ({
          group: metadata.name ?? "",
          version,
          name: it.resource,
          singular: it.singularResource,
          kind: it.responseKind?.kind ?? "",
          namespaced: it.scope === "Namespaced",
          shortNames: it.shortNames ?? [],
          categories: it.categories ?? [],
        })),
      ),
    ),
  );
}

/** One word of the command line: `pods`, `po`, `deployments.apps`, `all`. */
export function findResources(resources: readonly Resource[], word: string): Resource[] {
  const wanted = word.toLowerCase();
  const category = resources.filter(({ categories }) => categories.includes(wanted));
  if (category.length > 0) return firstVersions(category);
  const [name, ...rest] = wanted.split(".");
  const group = rest.join(".");
  const found = resources.find(
    (it) =>
      (it.name === name || it.singular === name || it.shortNames.includes(name ?? "")) &&
      (group === "" || it.group === group || `${it.version}.${it.group}` === group),
  );
  if (!found) throw new CommandError(`the server doesn't have a resource type "${word}"`);
  return [found];
}

function firstVersions(resources: readonly Resource[]): Resource[] {
  const first = new Map<string, Resource>();
  for (const it of resources) {
    const id = `${it.name}.${it.group}`;
    if (!first.has(id)) first.set(id, it);
  }
  return [...first.values()];
}

export function resourceOfKind(
  resources: readonly Resource[],
  apiVersion: string,
  kind: string,
): Resource {
  const found = resources.find(
    (it) =>
      it.kind === kind && apiVersion === (it.group ? `${it.group}/${it.version}` : it.version),
  );
  if (found) return found;
  throw new CommandError(`no matches for kind "${kind}" in version "${apiVersion}"`);
}

export function pathOf(resource: Resource, namespace: string | undefined, name?: string): string {
  const { group, version } = resource;
  const root = group ? `/apis/${group}/${version}` : `/api/${version}`;
  const scope = resource.namespaced && namespace ? `/namespaces/${namespace}` : "";
  return `${root}${scope}/${resource.name}${name ? `/${encodeURIComponent(name)}` : ""}`;
}

/** As kubectl prints an object: `deployment.apps/web`. */
export function displayName({ group, singular }: Resource, name: string): string {
  return `${singular}${group ? `.${group}` : ""}/${name}`;
}
