/**
 * Discovery: which groups, versions and resources are served, in the old form (a document for
 * each group version) and the aggregated one (apidiscovery.k8s.io/v2), from the kinds' own table.
 */

import { compareVersions, type Kind, storedKind, subresource } from "../../../manifests/index.ts";
import { pathNotFound, type Registry } from "../registry/registry.ts";
import { sha256 } from "./digest.ts";

type AggregatedVersion = "v2" | "v2beta1";

/** The versions of the aggregated form, which differ in nothing but their name, by what `as` says. */
export const aggregatedForms: ReadonlyMap<string, AggregatedVersion> = new Map(
  (["v2", "v2beta1"] as const).map((version) => [
    `APIGroupDiscoveryList.${version}.apidiscovery.k8s.io`,
    version,
  ]),
);

export interface Discovery {
  /** The document at `api`, `apis`, `api/v1`, `apis/apps` or `apis/apps/v1`, as a server at an address says it. */
  legacy(path: string, serverAddress: string): unknown;
  /** Of `api` or `apis`; undefined elsewhere, where only the old form exists. */
  aggregated(path: string, version: AggregatedVersion): unknown;
  /** Where there are documents. */
  paths(): string[];
}

interface Group {
  readonly name: string;
  /** The preferred one first. */
  readonly versions: Map<string, Kind[]>;
}

export function createDiscovery(registry: Registry): Discovery {
  let revision: string | undefined;
  let known: Discovery;
  /** Custom kinds come and go; the documents are made anew when they have. */
  function current(): Discovery {
    if (revision === undefined || revision !== registry.revision) {
      revision = registry.revision;
      known = discoveryOf(registry.resources.map(({ kind }) => kind));
    }
    return known;
  }
  return {
    legacy: (path, serverAddress) => current().legacy(path, serverAddress),
    aggregated: (path, version) => current().aggregated(path, version),
    paths: () => current().paths(),
  };
}

function discoveryOf(all: readonly Kind[]): Discovery {
  const groups = new Map<string, Group>();
  for (const kind of all) {
    const group = groups.get(kind.group) ?? { name: kind.group, versions: new Map() };
    groups.set(kind.group, group);
    const kinds = group.versions.get(kind.version);
    if (kinds) kinds.push(kind);
    else group.versions.set(kind.version, [kind]);
  }
  for (const group of groups.values()) sortVersions(group);
  const core = groups.get("");
  const named = [...groups.values()].filter(({ name }) => name !== "");

  function legacy(path: string, serverAddress: string): unknown {
    const [root, first = "", second = ""] = path.split("/");
    if (root === "api" && !first) {
      const serverAddressByClientCIDRs = [{ clientCIDR: "0.0.0.0/0", serverAddress }];
      return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs };
    }
    if (root === "apis" && !first) {
      return { kind: "APIGroupList", apiVersion: "v1", groups: named.map(groupDocument) };
    }
    const group = root === "api" ? core : groups.get(first);
    const version = root === "api" ? first : second;
    if (!group) throw pathNotFound();
    if (root === "apis" && !version) {
      return { kind: "APIGroup", apiVersion: "v1", ...groupDocument(group) };
    }
    const kinds = group.versions.get(version);
    if (!kinds) throw pathNotFound();
    return {
      kind: "APIResourceList",
      apiVersion: "v1",
      groupVersion: groupVersion(group.name, version),
      resources: kinds.flatMap(legacyResources),
    };
  }

  return {
    legacy,
    paths() {
      const below = named.flatMap(({ name, versions }) => [
        `/apis/${name}`,
        ...[...versions.keys()].map((version) => `/apis/${name}/${version}`),
      ]);
      return ["/api", "/api/v1", "/apis", "/apis/", ...below];
    },
    aggregated(path, version) {
      if (path !== "api" && path !== "apis") return undefined;
      const shown = path === "api" ? (core ? [core] : []) : named;
      return {
        kind: "APIGroupDiscoveryList",
        apiVersion: `apidiscovery.k8s.io/${version}`,
        metadata: {},
        items: shown.map(aggregatedGroup),
      };
    },
  };
}

function sortVersions(group: Group): void {
  const sorted = [...group.versions].sort(([a], [b]) => compareVersions(a, b));
  group.versions.clear();
  for (const [version, kinds] of sorted) group.versions.set(version, kinds);
}

function groupVersion(group: string, version: string): string {
  return group ? `${group}/${version}` : version;
}

function groupDocument(group: Group) {
  const versions = [...group.versions.keys()].map((version) => ({
    groupVersion: groupVersion(group.name, version),
    version,
  }));
  return { name: group.name, versions, preferredVersion: versions[0] };
}

function legacyResources(kind: Kind): object[] {
  const { resource, singular, namespaced, shortNames, categories, verbs } = kind;
  const own = {
    name: resource,
    singularName: singular,
    namespaced,
    kind: kind.kind,
    verbs,
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(categories.length > 0 ? { categories } : {}),
    ...(kind.verbs.includes("get") ? { storageVersionHash: storageVersionHash(kind) } : {}),
  };
  const below = subresourcesOf(kind).map((sub) => ({
    name: `${resource}/${sub.name}`,
    singularName: "",
    namespaced,
    ...(sub.apiVersion === kind.apiVersion ? {} : groupAndVersion(sub.apiVersion)),
    kind: sub.kind,
    verbs: sub.verbs,
  }));
  return [own, ...below];
}

/** k8s: apiserver/pkg/endpoints/discovery/storageversionhash.go. */
function storageVersionHash(shown: Kind): string {
  const { group, version, kind } = storedKind(shown);
  const digest = sha256(`${group}/${version}/${kind}`);
  return Buffer.from(digest.subarray(0, 8)).toString("base64");
}

function aggregatedGroup(group: Group) {
  return {
    metadata: { name: group.name, creationTimestamp: null },
    versions: [...group.versions].map(([version, kinds]) => ({
      version,
      resources: kinds.map(aggregatedResource),
      freshness: "Current",
    })),
  };
}

function aggregatedResource(kind: Kind) {
  const { group, version, resource, singular, namespaced, shortNames, categories, verbs } = kind;
  const below = subresourcesOf(kind).map((sub) => ({
    subresource: sub.name,
    responseKind: { ...groupAndVersion(sub.apiVersion), kind: sub.kind },
    verbs: sub.verbs,
  }));
  return {
    resource,
    responseKind: { group, version, kind: kind.kind },
    scope: namespaced ? "Namespaced" : "Cluster",
    singularResource: singular,
    verbs,
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(categories.length > 0 ? { categories } : {}),
    ...(below.length > 0 ? { subresources: below } : {}),
  };
}

function subresourcesOf(kind: Kind) {
  return kind.subresources.flatMap((name) => subresource(kind, name) ?? []);
}

function groupAndVersion(apiVersion: string): { group: string; version: string } {
  const [version = "", group = ""] = apiVersion.split("/").reverse();
  return { group, version };
}
