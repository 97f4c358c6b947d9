/** What the API knows about a kind, as data: the descriptor that every actor names kinds by. */
import type { ObjectMeta } from "../schema/types.generated.ts";
import type { Model } from "./model.ts";

export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
}

export type Verb =
  | "create"
  | "delete"
  | "deletecollection"
  | "get"
  | "list"
  | "patch"
  | "update"
  | "watch";

/** Two versions of one object share what is stored; the hook turns one into the other. */
export interface Conversion {
  /** `group/version` (or `version`) and kind under which the object is stored. */
  apiVersion: string;
  kind: string;
  toStored(object: KubeObject): KubeObject;
  fromStored(object: KubeObject): KubeObject;
}

export interface Kind<T extends KubeObject = KubeObject> {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** Plural, lower case, as in the URL. */
  readonly resource: string;
  readonly singular: string;
  readonly listKind: string;
  /** `v1` or `apps/v1`. */
  readonly apiVersion: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly subresources: readonly string[];
  readonly verbs: readonly Verb[];
  /** The type's name in the schema table, such as `core.v1.Pod`; without a model it must be there. */
  readonly typeName: string;
  /** Present when the object is stored as another version. */
  readonly conversion?: Conversion;
  /** Present when the kind is none of the table: it arrived at run time. */
  readonly model?: Model;
  /** Never set: carries the object's type for the compiler alone. */
  readonly object?: T;
}

export interface KindOptions {
  /** The plural, when it is not the lower-case kind with an `s` behind it. */
  plural?: string;
  cluster?: true;
  short?: string[];
  categories?: string[];
  subresources?: string[];
  verbs?: Verb[];
  conversion?: Conversion;
}

export const ALL_VERBS: readonly Verb[] = [
  "create",
  "delete",
  "deletecollection",
  "get",
  "list",
  "patch",
  "update",
  "watch",
];

/** The table names a package by the first word of its group: `rbac.authorization.k8s.io/v1` is `rbac.v1`. */
export function schemaPackage(group: string, version: string): string {
  return `${group === "" ? "core" : group.split(".")[0]}.${version}`;
}

export function defineKind<T extends KubeObject>(
  apiVersion: string,
  kind: string,
  options: KindOptions = {},
): Kind<T> {
  const slash = apiVersion.indexOf("/");
  const group = slash < 0 ? "" : apiVersion.slice(0, slash);
  const version = apiVersion.slice(slash + 1);
  const singular = kind.toLowerCase();
  return Object.freeze({
    group,
    version,
    kind,
    resource: options.plural ?? `${singular}s`,
    singular,
    listKind: `${kind}List`,
    apiVersion,
    namespaced: !options.cluster,
    shortNames: options.short ?? [],
    categories: options.categories ?? [],
    subresources: options.subresources ?? [],
    verbs: options.verbs ?? ALL_VERBS,
    typeName: `${schemaPackage(group, version)}.${kind}`,
    conversion: options.conversion,
  });
}
