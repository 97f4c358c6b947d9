/**
 * The node authorizer: a node reads what the pods bound to it refer to, and keeps what is its own.
 * After k8s:plugin/pkg/auth/authorizer/node. What is about pods is as narrow here as upstream's
 * NodeRestriction admission makes it there.
 */

import type { PersistentVolume, PersistentVolumeClaim } from "../../../manifests/index.ts";
import { objectKey } from "../../../runtime/store/key.ts";
import type { Store } from "../../../runtime/store/store.ts";
import { nodeOf, nodesGroup } from "../authn/user.ts";
import { fullResource, type User } from "../request.ts";
import {
  type Access,
  type Asked,
  allow,
  type Decision,
  isPath,
  noOpinion,
  refuse,
} from "./access.ts";
import { nodeRules } from "./default-roles.ts";
import { NodePods } from "./node-pods.ts";
import type { Reference } from "./pod-references.ts";
import { ruleAllows } from "./rules.ts";
import { volumeSecrets } from "./volume-secrets.ts";

const decoder = new TextDecoder();
const readVerbs = ["get", "list", "watch"];
const ownVerbs = ["get", "create", "update", "patch", "delete"];
const leaseNamespace = "kube-node-lease";
const yes = allow("");

/** The node that a user is: it must be in the group too, as upstream asks. */
export function nodeIdentity({ name, groups }: User): string | undefined {
  return groups.includes(nodesGroup) ? nodeOf(name) || undefined : undefined;
}

export class NodeAuthorizer {
  readonly #store: Store;
  readonly #pods: NodePods;

  constructor(store: Store) {
    this.#store = store;
    this.#pods = new NodePods(store);
  }

  decide(asked: Asked): Decision {
    const node = nodeIdentity(asked.user);
    if (node === undefined || isPath(asked)) return noOpinion;
    const about = this.#rules[`${asked.group}/${asked.resource}`];
    if (about) return about(node, asked);
    return nodeRules.some((rule) => ruleAllows(rule, asked)) ? yes : noOpinion;
  }

  /** By group and resource; what is not here is the same for all nodes. */
  readonly #rules: Readonly<Record<string, (node: string, access: Access) => Decision>> = {
    "/secrets": (node, access) => this.#readReferred(node, "secret", access),
    "/configmaps": (node, access) => this.#readReferred(node, "configmap", access),
    "/persistentvolumeclaims": (node, access) => {
      if (access.subresource !== "status") return this.#get(node, access);
      const { verb, namespace, name } = access;
      if (verb !== "update" && verb !== "patch") {
        return refuse("can only get/update/patch this type");
      }
      return this.#related(node, this.#pods.refers(node, claim, namespace, name), access);
    },
    "/persistentvolumes": (node, access) => this.#get(node, access),
    "resource.k8s.io/resourceclaims": (node, access) => this.#get(node, access),
    "storage.k8s.io/volumeattachments": (node, access) => this.#get(node, access),
    "/serviceaccounts": (node, access) => this.#token(node, access),
    "coordination.k8s.io/leases": decideLease,
    "storage.k8s.io/csinodes": decideCsiNode,
    "resource.k8s.io/resourceslices": (node, access) => this.#slice(node, access),
    "/nodes": decideNode,
    "/pods": (node, access) => this.#pod(node, access),
  };

  #readReferred(node: string, kind: "secret" | "configmap", access: Access): Decision {
    const { verb, subresource, namespace, name } = access;
    if (!readVerbs.includes(verb)) return refuse("can only read resources of this type");
    if (subresource) return refuse("cannot read subresource");
    if (!namespace) return refuse("can only read namespaced object of this type");
    const direct = this.#pods.refers(node, kind, namespace, name);
    const found = direct || (kind === "secret" && this.#bySomeVolume(node, namespace, name));
    return this.#related(node, found, access);
  }

  /** node ← pod ← claim ← volume ← secret. */
  #bySomeVolume(node: string, namespace: string, name: string): boolean {
    const wanted = `${namespace}/${name}`;
    return this.#pods.referred(node, claim).some((id) => {
      const [of = "", claimName = ""] = id.split("/");
      const found = this.#find<PersistentVolumeClaim>("persistentvolumeclaims", claimName, of);
      const volumeName = found?.spec.volumeName;
      const volume = volumeName && this.#find<PersistentVolume>("persistentvolumes", volumeName);
      const ref = volume ? volume.spec.claimRef : undefined;
      if (!volume || ref?.namespace !== of || ref.name !== claimName) return false;
      return volumeSecrets(volume).includes(wanted);
    });
  }

  #get(node: string, access: Access): Decision {
    const { verb, subresource } = access;
    if (verb !== "get") return refuse("can only get individual resources of this type");
    if (subresource) return refuse("cannot get subresource");
    return this.#related(node, this.#reaches(node, access), access);
  }

  #reaches(node: string, { resource, namespace, name }: Access): boolean {
    switch (resource) {
      case "persistentvolumes": {
        const ref = this.#find<PersistentVolume>(resource, name)?.spec.claimRef;
        return (
          ref !== undefined && this.#pods.refers(node, claim, ref.namespace ?? "", ref.name ?? "")
        );
      }
      case "volumeattachments":
        return this.#nodeNamed("storage.k8s.io", resource, name) === node;
      case "resourceclaims":
        return this.#pods.refers(node, "resourceclaim", namespace, name);
      case "pods":
        return this.#pods.refers(node, "pod", namespace, name);
      default:
        return this.#pods.refers(node, claim, namespace, name);
    }
  }

  #related(node: string, found: boolean, { name }: Access): Decision {
    if (!name) return refuse("No Object name found");
    return found ? yes : refuse(`no relationship found between node '${node}' and this object`);
  }

  #token(node: string, access: Access): Decision {
    const { verb, subresource, namespace, name } = access;
    if (verb !== "create" || !name) {
      return refuse("can only create tokens for individual service accounts");
    }
    if (subresource !== "token") {
      return refuse("can only create token subresource of serviceaccount");
    }
    return this.#related(node, this.#pods.refers(node, "serviceaccount", namespace, name), access);
  }

  #slice(node: string, access: Access): Decision {
    const { verb, subresource, fields, name } = access;
    if (subresource) return refuse("cannot authorize ResourceSlice subresources");
    // Its nodeName is in the body: what may be in there is admission's to say.
    if (verb === "create") return yes;
    if (verb === "list" || verb === "watch" || verb === "deletecollection") {
      if (fields?.get("nodeName") === node) return yes;
      return refuse(
        "can only list/watch/deletecollection resourceslices with nodeName field selector",
      );
    }
    const own = this.#nodeNamed("resource.k8s.io", "resourceslices", name) === node;
    return this.#related(node, own, access);
  }

  #pod(node: string, access: Access): Decision {
    const { verb, namespace, name, fields } = access;
    const own = () => this.#related(node, this.#pods.refers(node, "pod", namespace, name), access);
    switch (fullResource(access)) {
      case "pods":
        if (verb === "get") return own();
        if (verb === "delete") return own();
        // A mirror pod: admission sees that it is one, and of this node.
        if (verb === "create") return noOpinion;
        if (verb !== "list" && verb !== "watch") return noOpinion;
        if (fields?.get("spec.nodeName") === node) return yes;
        return name ? own() : refuse("can only list/watch pods with spec.nodeName field selector");
      case "pods/status":
        return verb === "update" || verb === "patch" ? own() : noOpinion;
      case "pods/eviction":
        return verb === "create" ? own() : noOpinion;
      default:
        return noOpinion;
    }
  }

  #nodeNamed(group: string, resource: string, name: string): string | undefined {
    const found = this.#find<{ spec: { nodeName?: string } }>(resource, name, "", group);
    return found?.spec.nodeName;
  }

  #find<T>(resource: string, name: string, namespace = "", group = ""): T | undefined {
    const entry = this.#store.view.get(objectKey({ group, resource, namespace, name }));
    return entry && (JSON.parse(decoder.decode(entry.value)) as T);
  }
}

const claim: Reference = "persistentvolumeclaim";

function decideLease(node: string, { verb, namespace, name }: Access): Decision {
  if (!ownVerbs.includes(verb)) {
    return refuse("can only get, create, update, patch, or delete a node lease");
  }
  if (namespace !== leaseNamespace) {
    return refuse(`can only access leases in the "${leaseNamespace}" system namespace`);
  }
  if (verb === "create" || name === node) return yes;
  return refuse("can only access node lease with the same name as the requesting node");
}

function decideCsiNode(node: string, { verb, subresource, name }: Access): Decision {
  if (!ownVerbs.includes(verb)) {
    return refuse("can only get, create, update, patch, or delete a CSINode");
  }
  if (subresource) return refuse("cannot authorize CSINode subresources");
  if (verb === "create" || name === node) return yes;
  return refuse("can only access CSINode with the same name as the requesting node");
}

/** A create carries its name in the body; the registry checks it against the user. */
function decideNode(node: string, { verb, subresource, name }: Access): Decision {
  if (subresource === "status") {
    return (verb === "update" || verb === "patch") && name === node ? yes : noOpinion;
  }
  if (subresource) return noOpinion;
  if (verb === "create") return yes;
  if (verb === "update" || verb === "patch") return name === node ? yes : noOpinion;
  if (!readVerbs.includes(verb)) return noOpinion;
  if (name === node) return yes;
  const wanted = name ? `read '${name}'` : "read all nodes";
  return refuse(`node '${node}' cannot ${wanted}, only its own Node object`);
}
