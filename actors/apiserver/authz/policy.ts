/**
 * Roles and bindings as the store's view has them, indexed by subject. An object is parsed once,
 * when it changes; to find what binds a user takes a look at each of its groups.
 */

import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  RoleBinding,
  RoleRef,
  Subject,
} from "../../../manifests/index.ts";
import { parseObjectKey, resourcePrefix } from "../../../runtime/store/key.ts";
import type { Store } from "../../../runtime/store/store.ts";
import type { User } from "../request.ts";
import { type Follower, follow } from "./follow.ts";

export const rbacGroup = "rbac.authorization.k8s.io";

/** A binding, and by which of its subjects it binds somebody. */
export interface Bound {
  readonly subject: Subject;
  readonly roleRef: RoleRef;
  readonly name: string;
  /** Empty for a ClusterRoleBinding. */
  readonly namespace: string;
}

const decoder = new TextDecoder();
const resources = ["roles", "clusterroles", "rolebindings", "clusterrolebindings"];

export class Policy implements Follower {
  /** False while the view is not loaded: nobody is known to be bound to anything then. */
  readonly begin: () => boolean;
  readonly #rules = new Map<string, readonly PolicyRule[]>();
  readonly #bindings = new Map<string, readonly Bound[]>();
  /** By namespace and subject. */
  readonly #bound = new Map<string, Set<Bound>>();

  constructor(store: Store) {
    const prefixes = resources.map((resource) => resourcePrefix(rbacGroup, resource));
    this.begin = follow(store, prefixes, this);
  }

  /** Everything that binds the user in a namespace, or with an empty one in the cluster. */
  *boundTo(user: User, namespace: string): Iterable<Bound> {
    this.begin();
    for (const place of namespace ? ["", namespace] : [""]) {
      yield* this.#bound.get(idOf(place, "User", user.name)) ?? [];
      for (const group of user.groups) yield* this.#bound.get(idOf(place, "Group", group)) ?? [];
    }
  }

  /** Undefined when there is no such role. `namespace` is the binding's. */
  rulesOf({ kind, name }: RoleRef, namespace: string): readonly PolicyRule[] | undefined {
    this.begin();
    return this.#rules.get(roleId(kind === "ClusterRole" ? "" : namespace, name));
  }

  put({ key, value }: { key: string; value: Uint8Array }): void {
    const place = parseObjectKey(key);
    if (!place) return;
    const object: unknown = JSON.parse(decoder.decode(value));
    if (place.resource.endsWith("roles")) {
      this.#rules.set(roleId(place.namespace, place.name), (object as ClusterRole).rules ?? []);
      return;
    }
    this.remove(key);
    const { subjects = [], roleRef } = object as RoleBinding | ClusterRoleBinding;
    const { name, namespace } = place;
    const bounds = subjects.map((subject): Bound => ({ subject, roleRef, name, namespace }));
    this.#bindings.set(key, bounds);
    for (const bound of bounds) {
      const id = subjectId(bound);
      this.#bound.set(id, (this.#bound.get(id) ?? new Set()).add(bound));
    }
  }

  remove(key: string): void {
    const place = parseObjectKey(key);
    if (!place) return;
    if (place.resource.endsWith("roles")) {
      this.#rules.delete(roleId(place.namespace, place.name));
      return;
    }
    for (const bound of this.#bindings.get(key) ?? []) {
      const id = subjectId(bound);
      const under = this.#bound.get(id);
      under?.delete(bound);
      if (under?.size === 0) this.#bound.delete(id);
    }
    this.#bindings.delete(key);
  }
}

function roleId(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

function idOf(namespace: string, kind: string, name: string): string {
  return `${namespace}/${kind}/${name}`;
}

/** A service account is the user that its tokens name. */
function subjectId({ subject, namespace }: Bound): string {
  const { kind, name } = subject;
  if (kind !== "ServiceAccount") return idOf(namespace, kind, name);
  const of = subject.namespace || namespace;
  return idOf(namespace, "User", `system:serviceaccount:${of}:${name}`);
}
