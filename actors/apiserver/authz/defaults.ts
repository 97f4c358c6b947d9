/** The default roles and bindings as objects, from the tables beside this file. */

import {
  ClusterRole,
  ClusterRoleBinding,
  type Kind,
  type ObjectMeta,
  type PolicyRule,
  Role,
  RoleBinding,
  type RoleRef,
  type Subject,
} from "../../../manifests/index.ts";
import {
  anonymous,
  authenticatedGroup,
  mastersGroup,
  nodesGroup,
  unauthenticatedGroup,
} from "../authn/user.ts";
import { controllerTable } from "./default-controllers.ts";
import { clusterRoleTable, eventsRule, rule } from "./default-roles.ts";
import { rbacGroup } from "./policy.ts";

/** Of any of the four kinds. */
export interface Grantor {
  metadata: ObjectMeta;
  rules?: PolicyRule[];
  aggregationRule?: ClusterRole["aggregationRule"];
  subjects?: Subject[];
  roleRef?: RoleRef;
}

export interface DefaultObject {
  readonly kind: Kind;
  readonly object: Grantor;
}

export const autoUpdate = "rbac.authorization.kubernetes.io/autoupdate";
const aggregateTo = "rbac.authorization.k8s.io/aggregate-to-";
const controllerPrefix = "system:controller:";
const system = "kube-system";
/** Only tokens that name it among their auth-extra-groups: others were given for other things. */
const newNodesGroup = "system:bootstrappers:kubeadm:default-node-token";
const read = "get list watch";

/** Each holds what is labelled for it; `edit` is labelled for `admin`, and `view` for `edit`. */
const aggregated: readonly [name: string, into: string | undefined][] = [
  ["admin", undefined],
  ["edit", "admin"],
  ["view", "edit"],
];

const user = (name: string): Subject => ({ kind: "User", apiGroup: rbacGroup, name });
const group = (name: string): Subject => ({ kind: "Group", apiGroup: rbacGroup, name });
const account = (name: string): Subject => ({ kind: "ServiceAccount", name, namespace: system });

const clusterBindings: Readonly<Record<string, readonly Subject[]>> = {
  "cluster-admin": [group(mastersGroup)],
  "system:discovery": [group(authenticatedGroup)],
  "system:basic-user": [group(authenticatedGroup)],
  "system:public-info-viewer": [group(authenticatedGroup), group(unauthenticatedGroup)],
  "system:monitoring": [group("system:monitoring")],
  "system:node-proxier": [user("system:kube-proxy")],
  "system:kube-controller-manager": [user("system:kube-controller-manager")],
  "system:kube-dns": [account("kube-dns")],
  "system:kube-scheduler": [user("system:kube-scheduler")],
  "system:volume-scheduler": [user("system:kube-scheduler")],
  // Nodes have an authorizer of their own; the binding is there for who wants to fill it.
  "system:node": [],
  "system:service-account-issuer-discovery": [group("system:serviceaccounts")],
  // Not upstream's own, but what every installer of it adds: a node's certificate is renewed
  // without asking a person.
  "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient": [group(nodesGroup)],
  // And a machine that holds a token of this group may become a node, as kubeadm has it.
  "system:node-bootstrapper": [group(newNodesGroup)],
  "system:certificates.k8s.io:certificatesigningrequests:nodeclient": [group(newNodesGroup)],
};

interface NamespacedDefault {
  readonly role: string;
  /** When it differs from the role's. */
  readonly binding?: string;
  readonly namespace: string;
  readonly rules: readonly PolicyRule[];
  readonly subjects: readonly Subject[];
}

const namespaced: readonly NamespacedDefault[] = [
  {
    role: "extension-apiserver-authentication-reader",
    binding: "system::extension-apiserver-authentication-reader",
    namespace: system,
    rules: [rule(read, "core", "configmaps", "extension-apiserver-authentication")],
    subjects: [user("system:kube-controller-manager"), user("system:kube-scheduler")],
  },
  ...["kube-controller-manager", "kube-scheduler"].map((name) => ({
    role: `system::leader-locking-${name}`,
    namespace: system,
    rules: [rule("watch", "core", "configmaps"), rule("get update", "core", "configmaps", name)],
    subjects: [user(`system:${name}`), account(name)],
  })),
  {
    role: "system:controller:bootstrap-signer",
    namespace: system,
    rules: [rule(read, "core", "secrets")],
    subjects: [account("bootstrap-signer")],
  },
  {
    role: "system:controller:cloud-provider",
    namespace: system,
    rules: [rule(`create ${read}`, "core", "configmaps")],
    subjects: [account("cloud-provider")],
  },
  {
    role: "system:controller:token-cleaner",
    namespace: system,
    rules: [rule(`delete ${read}`, "core", "secrets"), eventsRule],
    subjects: [account("token-cleaner")],
  },
  {
    role: "system:controller:bootstrap-signer",
    namespace: "kube-public",
    rules: [
      rule(read, "core", "configmaps"),
      rule("update", "core", "configmaps", "cluster-info"),
      eventsRule,
    ],
    subjects: [account("bootstrap-signer")],
  },
  // As kubeadm has it: who knows nobody yet reads whom to believe.
  {
    role: "kubeadm:bootstrap-signer-clusterinfo",
    namespace: "kube-public",
    rules: [rule("get", "core", "configmaps", "cluster-info")],
    subjects: [user(anonymous.name)],
  },
];

export function defaultPolicy(): DefaultObject[] {
  const roles = Object.entries(clusterRoleTable).map(([name, rules]) => clusterRole(name, rules));
  const bindings = Object.entries(clusterBindings).map(([name, subjects]) =>
    clusterBinding(name, subjects),
  );
  const ofControllers = Object.entries(controllerTable).flatMap(([name, rules]) => [
    clusterRole(controllerPrefix + name, rules),
    clusterBinding(controllerPrefix + name, [account(name)]),
  ]);
  return [
    ...aggregated.map(([name, into]) => aggregatedRole(name, into)),
    ...roles,
    ...bindings,
    ...ofControllers,
    ...namespaced.flatMap(inNamespace),
  ];
}

function clusterRole(name: string, rules: readonly PolicyRule[]): DefaultObject {
  const into = /^system:aggregate-to-(.*)$/.exec(name)?.[1];
  const metadata = metadataOf(name, into);
  return { kind: ClusterRole, object: { metadata, rules: [...rules] } };
}

function aggregatedRole(name: string, into: string | undefined): DefaultObject {
  const selector = { matchLabels: { [aggregateTo + name]: "true" } };
  const aggregationRule = { clusterRoleSelectors: [selector] };
  return { kind: ClusterRole, object: { metadata: metadataOf(name, into), aggregationRule } };
}

function clusterBinding(name: string, subjects: readonly Subject[]): DefaultObject {
  const roleRef = { apiGroup: rbacGroup, kind: "ClusterRole", name };
  return {
    kind: ClusterRoleBinding,
    object: { metadata: metadataOf(name), subjects: [...subjects], roleRef },
  };
}

function inNamespace({ role, binding, namespace, rules, subjects }: NamespacedDefault) {
  const roleRef = { apiGroup: rbacGroup, kind: "Role", name: role };
  const made: DefaultObject[] = [
    { kind: Role, object: { metadata: { ...metadataOf(role), namespace }, rules: [...rules] } },
    {
      kind: RoleBinding,
      object: {
        metadata: { ...metadataOf(binding ?? role), namespace },
        subjects: [...subjects],
        roleRef,
      },
    },
  ];
  return made;
}

function metadataOf(name: string, into?: string): ObjectMeta {
  return {
    name,
    labels: {
      "kubernetes.io/bootstrapping": "rbac-defaults",
      ...(into ? { [aggregateTo + into]: "true" } : {}),
    },
    annotations: { [autoUpdate]: "true" },
  };
}
