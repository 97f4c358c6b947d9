/**
 * The cluster roles that every cluster has, as a table: what Kubernetes v1.32 documents under
 * "Default roles and role bindings", with the feature gates as they are by default.
 */

import type { PolicyRule } from "../../../manifests/index.ts";

/** Words are separated by spaces; the group `core` is the empty one. */
export function rule(verbs: string, groups: string, resources: string, names = ""): PolicyRule {
  return {
    verbs: words(verbs),
    apiGroups: words(groups).map((group) => (group === "core" ? "" : group)),
    resources: words(resources),
    ...(names ? { resourceNames: words(names) } : {}),
  };
}

function urls(paths: string, verbs = "get"): PolicyRule {
  return { verbs: words(verbs), nonResourceURLs: words(paths) };
}

function words(text: string): string[] {
  return text.split(" ");
}

const read = "get list watch";
const write = "create update patch delete deletecollection";
const readWrite = `${read} ${write}`;
const readUpdate = `${read} update patch`;

export const eventsRule = rule("create update patch", "core events.k8s.io", "events");
const reviewTokens = rule("create", "authentication.k8s.io", "tokenreviews");
const reviewAccess = rule("create", "authorization.k8s.io", "subjectaccessreviews");
const health = "/healthz /livez /readyz /version /version/";

/** What the node authorizer gives to all nodes alike; the rest it narrows to what is the node's. */
export const nodeRules: readonly PolicyRule[] = [
  reviewTokens,
  rule("create", "authorization.k8s.io", "localsubjectaccessreviews subjectaccessreviews"),
  rule(read, "core", "services"),
  rule("create get list watch", "core", "nodes"),
  rule("update patch", "core", "nodes/status"),
  rule("update patch", "core", "nodes"),
  rule("create update patch", "core events.k8s.io", "events"),
  rule(read, "core", "pods"),
  rule("create delete", "core", "pods"),
  rule("update patch", "core", "pods/status"),
  rule("create", "core", "pods/eviction"),
  rule(read, "core", "secrets configmaps"),
  rule("get", "core", "persistentvolumeclaims persistentvolumes"),
  rule("get", "core", "endpoints"),
  rule(`create ${read}`, "certificates.k8s.io", "certificatesigningrequests"),
  rule("get create update patch delete", "coordination.k8s.io", "leases"),
  rule("get", "storage.k8s.io", "volumeattachments"),
  rule("get update patch", "core", "persistentvolumeclaims/status"),
  rule("create", "core", "serviceaccounts/token"),
  rule(read, "storage.k8s.io", "csidrivers"),
  rule("get create update patch delete", "storage.k8s.io", "csinodes"),
  rule(read, "node.k8s.io", "runtimeclasses"),
];

const workloads =
  "daemonsets deployments deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale";
const oldWorkloads =
  "daemonsets deployments deployments/scale ingresses networkpolicies replicasets replicasets/scale replicationcontrollers/scale";
const statuses = (resources: string) =>
  words(resources)
    .map((resource) => `${resource}/status`)
    .join(" ");
const streams = "pods/attach pods/exec pods/portforward pods/proxy";

const viewRules: readonly PolicyRule[] = [
  rule(
    read,
    "core",
    "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status",
  ),
  rule(
    read,
    "core",
    "bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status",
  ),
  rule(read, "core", "namespaces"),
  rule(read, "discovery.k8s.io", "endpointslices"),
  rule(
    read,
    "apps",
    `controllerrevisions ${workloads} ${statuses("daemonsets deployments replicasets statefulsets")}`,
  ),
  rule(read, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
  rule(read, "batch", "cronjobs cronjobs/status jobs jobs/status"),
  rule(
    read,
    "extensions",
    `${oldWorkloads} ${statuses("daemonsets deployments ingresses replicasets")}`,
  ),
  rule(read, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
  rule(read, "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
];

const editRules: readonly PolicyRule[] = [
  rule(read, "core", `${streams} secrets services/proxy`),
  rule("impersonate", "core", "serviceaccounts"),
  rule(write, "core", `pods ${streams}`),
  rule("create", "core", "pods/eviction"),
  rule(
    write,
    "core",
    "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy",
  ),
  rule("create", "core", "serviceaccounts/token"),
  rule(write, "apps", `${workloads} deployments/rollback`),
  rule(write, "autoscaling", "horizontalpodautoscalers"),
  rule(write, "batch", "cronjobs jobs"),
  rule(write, "extensions", `${oldWorkloads} deployments/rollback`),
  rule(write, "policy", "poddisruptionbudgets"),
  rule(write, "networking.k8s.io", "ingresses networkpolicies"),
  rule(readWrite, "coordination.k8s.io", "leases"),
];

const schedulerRules: readonly PolicyRule[] = [
  eventsRule,
  rule("create", "coordination.k8s.io", "leases"),
  rule("get update", "coordination.k8s.io", "leases", "kube-scheduler"),
  rule(read, "core", "nodes"),
  rule("delete get list watch", "core", "pods"),
  rule("create", "core", "bindings pods/binding"),
  rule("patch update", "core", "pods/status"),
  rule(read, "core", "replicationcontrollers services"),
  rule(read, "apps extensions", "replicasets"),
  rule(read, "apps", "statefulsets"),
  rule(read, "policy", "poddisruptionbudgets"),
  rule(read, "core", "persistentvolumeclaims persistentvolumes"),
  reviewTokens,
  reviewAccess,
  rule(read, "storage.k8s.io", "csinodes"),
  rule(read, "core", "namespaces"),
  rule(read, "storage.k8s.io", "csidrivers"),
  rule(read, "storage.k8s.io", "csistoragecapacities"),
];

const controllerManagerRules: readonly PolicyRule[] = [
  eventsRule,
  rule("create", "coordination.k8s.io", "leases"),
  rule("get update", "coordination.k8s.io", "leases", "kube-controller-manager"),
  rule("create", "core", "secrets serviceaccounts"),
  rule("delete", "core", "secrets"),
  rule("get", "core", "configmaps namespaces secrets serviceaccounts"),
  rule("update", "core", "secrets serviceaccounts"),
  reviewTokens,
  reviewAccess,
  rule("list watch", "*", "*"),
  rule("create", "core", "serviceaccounts/token"),
];

/** `certificatesigningrequests` of a signer are approved by who holds `approve` on the signer. */
const signers = "certificates.k8s.io";
const approve = (signer: string) => [
  rule("approve", signers, "signers", `kubernetes.io/${signer}`),
];
const requestFor = (what: string) => [
  rule("create", signers, `certificatesigningrequests/${what}`),
];

export const clusterRoleTable: Readonly<Record<string, readonly PolicyRule[]>> = {
  "cluster-admin": [rule("*", "*", "*"), urls("*", "*")],
  "system:discovery": [urls(`/api /api/* /apis /apis/* /openapi /openapi/* ${health}`)],
  "system:public-info-viewer": [urls(health)],
  "system:monitoring": [
    urls("/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*"),
  ],
  "system:basic-user": [
    rule("create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
    rule("create", "authentication.k8s.io", "selfsubjectreviews"),
  ],
  "system:aggregate-to-admin": [
    rule("create", "authorization.k8s.io", "localsubjectaccessreviews"),
    rule(readWrite, "rbac.authorization.k8s.io", "rolebindings roles"),
  ],
  "system:aggregate-to-edit": editRules,
  "system:aggregate-to-view": viewRules,
  "system:node": nodeRules,
  "system:node-problem-detector": [
    rule("get", "core", "nodes"),
    rule("patch", "core", "nodes/status"),
    eventsRule,
  ],
  "system:kubelet-api-admin": [
    rule(read, "core", "nodes"),
    rule("proxy", "core", "nodes"),
    rule("*", "core", "nodes/log nodes/metrics nodes/proxy nodes/stats"),
  ],
  "system:node-bootstrapper": [rule(`create ${read}`, signers, "certificatesigningrequests")],
  "system:auth-delegator": [reviewTokens, reviewAccess],
  "system:kube-aggregator": [rule(read, "core", "endpoints services")],
  "system:kube-controller-manager": controllerManagerRules,
  "system:kube-dns": [rule("list watch", "core", "endpoints services")],
  "system:kube-scheduler": schedulerRules,
  "system:node-proxier": [
    rule("list watch", "core", "endpoints services"),
    rule(read, "core", "nodes"),
    eventsRule,
    rule("list watch", "discovery.k8s.io", "endpointslices"),
  ],
  "system:persistent-volume-provisioner": [
    rule(`create delete ${read}`, "core", "persistentvolumes"),
    rule(`${read} update`, "core", "persistentvolumeclaims"),
    rule(read, "storage.k8s.io", "storageclasses"),
    rule("watch", "core", "events"),
    eventsRule,
  ],
  "system:volume-scheduler": [
    rule(readUpdate, "core", "persistentvolumes"),
    rule(read, "storage.k8s.io", "storageclasses"),
    rule(readUpdate, "core", "persistentvolumeclaims"),
  ],
  "system:service-account-issuer-discovery": [
    urls(
      "/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/",
    ),
  ],
  "system:certificates.k8s.io:certificatesigningrequests:nodeclient": requestFor("nodeclient"),
  "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient":
    requestFor("selfnodeclient"),
  "system:certificates.k8s.io:kube-apiserver-client-approver": approve("kube-apiserver-client"),
  "system:certificates.k8s.io:kube-apiserver-client-kubelet-approver": approve(
    "kube-apiserver-client-kubelet",
  ),
  "system:certificates.k8s.io:kubelet-serving-approver": approve("kubelet-serving"),
  "system:certificates.k8s.io:legacy-unknown-approver": approve("legacy-unknown"),
};
