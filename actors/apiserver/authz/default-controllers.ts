/**
 * The roles of upstream's controllers, each bound to the ServiceAccount of its name in kube-system:
 * for clusters whose users run one of them beside ours. Facts of Kubernetes v1.32, as a table.
 */

import type { PolicyRule } from "../../../manifests/index.ts";
import { eventsRule as events, rule } from "./default-roles.ts";

const read = "get list watch";
const certificates = "certificates.k8s.io";
const storage = "storage.k8s.io";

/** A kind's status and finalizers, which its controller keeps. */
function keeps(groups: string, resource: string): PolicyRule[] {
  return ["status", "finalizers"].map((part) => rule("update", groups, `${resource}/${part}`));
}

const makesPods = rule("create delete list patch watch", "core", "pods");

/** By the controller's name. */
export const controllerTable: Readonly<Record<string, readonly PolicyRule[]>> = {
  "attachdetach-controller": [
    rule("list watch", "core", "persistentvolumeclaims persistentvolumes"),
    rule(read, "core", "nodes"),
    rule("patch update", "core", "nodes/status"),
    rule("list watch", "core", "pods"),
    events,
    rule(`create delete ${read}`, storage, "volumeattachments"),
    rule(read, storage, "csidrivers"),
    rule(read, storage, "csinodes"),
  ],
  "certificate-controller": [
    rule(`delete ${read}`, certificates, "certificatesigningrequests"),
    rule(
      "update",
      certificates,
      "certificatesigningrequests/approval certificatesigningrequests/status",
    ),
    rule("approve", certificates, "signers", "kubernetes.io/kube-apiserver-client-kubelet"),
    rule(
      "sign",
      certificates,
      "signers",
      "kubernetes.io/kube-apiserver-client kubernetes.io/kube-apiserver-client-kubelet kubernetes.io/kubelet-serving kubernetes.io/legacy-unknown",
    ),
    rule("create", "authorization.k8s.io", "subjectaccessreviews"),
    events,
  ],
  "clusterrole-aggregation-controller": [
    rule(`escalate ${read} patch update`, "rbac.authorization.k8s.io", "clusterroles"),
  ],
  "cronjob-controller": [
    rule(`${read} update`, "batch", "cronjobs"),
    rule(`create delete ${read} patch update`, "batch", "jobs"),
    ...keeps("batch", "cronjobs"),
    rule("delete list watch", "core", "pods"),
    events,
  ],
  "daemon-set-controller": [
    rule(read, "apps extensions", "daemonsets"),
    ...keeps("apps extensions", "daemonsets"),
    rule("list watch", "core", "nodes"),
    makesPods,
    rule("create", "core", "pods/binding"),
    rule(`create delete ${read} patch update`, "apps", "controllerrevisions"),
    events,
  ],
  "deployment-controller": [
    rule(`${read} update`, "apps extensions", "deployments"),
    ...keeps("apps extensions", "deployments"),
    rule(`create delete ${read} patch update`, "apps extensions", "replicasets"),
    rule(`${read} update`, "core", "pods"),
    events,
  ],
  "disruption-controller": [
    rule(read, "apps extensions", "deployments"),
    rule(read, "apps extensions", "replicasets"),
    rule(read, "core", "replicationcontrollers"),
    rule(read, "policy", "poddisruptionbudgets"),
    rule(read, "apps", "statefulsets"),
    rule("update", "policy", "poddisruptionbudgets/status"),
    rule("patch update", "core", "pods/status"),
    rule("get", "*", "*/scale"),
    events,
  ],
  "endpoint-controller": [
    rule(read, "core", "pods services"),
    rule(`create delete ${read} update`, "core", "endpoints"),
    rule("create", "core", "endpoints/restricted"),
    events,
  ],
  "endpointslice-controller": [
    rule(read, "core", "nodes pods services"),
    rule("update", "core", "services/finalizers"),
    rule(`create delete ${read} update`, "discovery.k8s.io", "endpointslices"),
    events,
  ],
  "endpointslicemirroring-controller": [
    rule(read, "core", "endpoints services"),
    rule("update", "core", "services/finalizers"),
    rule("update", "core", "endpoints/finalizers"),
    rule(`create delete ${read} update`, "discovery.k8s.io", "endpointslices"),
    events,
  ],
  "ephemeral-volume-controller": [
    rule(read, "core", "pods"),
    rule("update", "core", "pods/finalizers"),
    rule(`create ${read}`, "core", "persistentvolumeclaims"),
    events,
  ],
  "expand-controller": [
    rule(`${read} patch update`, "core", "persistentvolumes"),
    rule("patch update", "core", "persistentvolumeclaims/status"),
    rule(read, "core", "persistentvolumeclaims"),
    rule("get", "core", "endpoints services"),
    events,
  ],
  "generic-garbage-collector": [rule(`delete ${read} patch update`, "*", "*"), events],
  "horizontal-pod-autoscaler": [
    rule(read, "autoscaling", "horizontalpodautoscalers"),
    rule("update", "autoscaling", "horizontalpodautoscalers/status"),
    rule("get update", "*", "*/scale"),
    rule("list watch", "core", "pods"),
    rule("list watch", "metrics.k8s.io", "pods"),
    rule(read, "custom.metrics.k8s.io", "*"),
    rule(read, "external.metrics.k8s.io", "*"),
    events,
  ],
  "job-controller": [
    rule(`${read} patch update`, "batch", "jobs"),
    ...keeps("batch", "jobs"),
    makesPods,
    events,
  ],
  "legacy-service-account-token-cleaner": [
    rule("get", "core", "configmaps", "kube-apiserver-legacy-service-account-token-tracking"),
    rule("patch delete", "core", "secrets"),
  ],
  "namespace-controller": [
    rule(`delete ${read}`, "core", "namespaces"),
    rule("update", "core", "namespaces/finalize namespaces/status"),
    rule(`delete deletecollection ${read}`, "*", "*"),
  ],
  "node-controller": [
    rule(`delete ${read} patch update`, "core", "nodes"),
    rule("patch update", "core", "nodes/status"),
    rule("patch update", "core", "pods/status"),
    rule(`delete ${read}`, "core", "pods"),
    events,
  ],
  "persistent-volume-binder": [
    rule(`create delete ${read} update`, "core", "persistentvolumes"),
    rule("update", "core", "persistentvolumes/status"),
    rule(`${read} update`, "core", "persistentvolumeclaims"),
    rule("update", "core", "persistentvolumeclaims/status"),
    rule(`create delete ${read}`, "core", "pods"),
    rule(read, storage, "storageclasses"),
    rule("list watch", "core", "nodes"),
    events,
    rule("watch", "core", "events"),
    rule("get", "core", "endpoints services"),
  ],
  "pod-garbage-collector": [
    rule("delete list watch", "core", "pods"),
    rule(read, "core", "nodes"),
    rule("patch", "core", "pods/status"),
  ],
  "pv-protection-controller": [rule(`${read} update`, "core", "persistentvolumes"), events],
  "pvc-protection-controller": [
    rule(`${read} update`, "core", "persistentvolumeclaims"),
    rule(read, "core", "pods"),
    events,
  ],
  "replicaset-controller": [
    rule(`${read} update`, "apps extensions", "replicasets"),
    ...keeps("apps extensions", "replicasets"),
    makesPods,
    events,
  ],
  "replication-controller": [
    rule(`${read} update`, "core", "replicationcontrollers"),
    ...keeps("core", "replicationcontrollers"),
    makesPods,
    events,
  ],
  "resourcequota-controller": [
    rule("list watch", "*", "*"),
    rule("update", "core", "resourcequotas/status"),
    events,
  ],
  "root-ca-cert-publisher": [rule("create update", "core", "configmaps"), events],
  "route-controller": [
    rule("list watch", "core", "nodes"),
    rule("patch", "core", "nodes/status"),
    events,
  ],
  "service-account-controller": [rule("create", "core", "serviceaccounts"), events],
  "service-controller": [
    rule(read, "core", "services"),
    rule("patch update", "core", "services/status"),
    rule("list watch", "core", "nodes"),
    events,
  ],
  "statefulset-controller": [
    rule("list watch", "core", "pods"),
    rule(read, "apps", "statefulsets"),
    ...keeps("apps", "statefulsets"),
    rule("create delete get patch update", "core", "pods"),
    rule(`create delete ${read} patch update`, "apps", "controllerrevisions"),
    rule(`create ${read}`, "core", "persistentvolumeclaims"),
    rule("delete update", "core", "persistentvolumeclaims"),
    rule("update", "core", "pods/finalizers"),
    events,
  ],
  "ttl-after-finished-controller": [rule(`delete ${read}`, "batch", "jobs"), events],
  "ttl-controller": [rule("list patch update watch", "core", "nodes"), events],
  "validatingadmissionpolicy-status-controller": [
    rule(read, "admissionregistration.k8s.io", "validatingadmissionpolicies"),
    rule("get patch update", "admissionregistration.k8s.io", "validatingadmissionpolicies/status"),
    events,
  ],
};
