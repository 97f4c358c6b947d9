/**
 * Every kind that a Kubernetes v1.32 API server serves by default, one row each.
 *
 * Each name is both a type and a value: `Pod` the object's type, `Pod` the kind's descriptor. All other types of the
 * API are exported from here too. Names follow `kubectl api-resources` of v1.32; the tables of short names, categories
 * and verbs are those of each registry's storage upstream (k8s:pkg/registry).
 */
import type * as T from "../schema/types.generated.ts";
import { eventsEvent } from "./event.ts";
import { horizontalPodAutoscalerV1 } from "./horizontal-pod-autoscaler.ts";
import { defineKind, type Kind } from "./kind.ts";

export type * from "../schema/types.generated.ts";

// core
export type Pod = T.Pod;
export const Pod = defineKind<T.Pod>("v1", "Pod", {
  short: ["po"],
  categories: ["all"],
  subresources: [
    "attach",
    "binding",
    "ephemeralcontainers",
    "eviction",
    "exec",
    "log",
    "portforward",
    "proxy",
    "status",
  ],
});
export type Service = T.Service;
export const Service = defineKind<T.Service>("v1", "Service", {
  short: ["svc"],
  categories: ["all"],
  subresources: ["proxy", "status"],
});
export type Namespace = T.Namespace;
export const Namespace = defineKind<T.Namespace>("v1", "Namespace", {
  cluster: true,
  short: ["ns"],
  subresources: ["finalize", "status"],
  verbs: ["create", "delete", "get", "list", "patch", "update", "watch"],
});
export type Node = T.Node;
export const Node = defineKind<T.Node>("v1", "Node", {
  cluster: true,
  short: ["no"],
  subresources: ["proxy", "status"],
});
export type ConfigMap = T.ConfigMap;
export const ConfigMap = defineKind<T.ConfigMap>("v1", "ConfigMap", { short: ["cm"] });
export type Secret = T.Secret;
export const Secret = defineKind<T.Secret>("v1", "Secret");
export type ServiceAccount = T.ServiceAccount;
export const ServiceAccount = defineKind<T.ServiceAccount>("v1", "ServiceAccount", {
  short: ["sa"],
  subresources: ["token"],
});
export type Endpoints = T.Endpoints;
export const Endpoints = defineKind<T.Endpoints>("v1", "Endpoints", {
  plural: "endpoints",
  short: ["ep"],
});
export type Event = T.Event;
export const Event = defineKind<T.Event>("v1", "Event", { short: ["ev"] });
export type PersistentVolume = T.PersistentVolume;
export const PersistentVolume = defineKind<T.PersistentVolume>("v1", "PersistentVolume", {
  cluster: true,
  short: ["pv"],
  subresources: ["status"],
});
export type PersistentVolumeClaim = T.PersistentVolumeClaim;
export const PersistentVolumeClaim = defineKind<T.PersistentVolumeClaim>(
  "v1",
  "PersistentVolumeClaim",
  { short: ["pvc"], subresources: ["status"] },
);
export type ReplicationController = T.ReplicationController;
export const ReplicationController = defineKind<T.ReplicationController>(
  "v1",
  "ReplicationController",
  { short: ["rc"], categories: ["all"], subresources: ["scale", "status"] },
);
export type PodTemplate = T.PodTemplate;
export const PodTemplate = defineKind<T.PodTemplate>("v1", "PodTemplate");
export type LimitRange = T.LimitRange;
export const LimitRange = defineKind<T.LimitRange>("v1", "LimitRange", { short: ["limits"] });
export type ResourceQuota = T.ResourceQuota;
export const ResourceQuota = defineKind<T.ResourceQuota>("v1", "ResourceQuota", {
  short: ["quota"],
  subresources: ["status"],
});
export type Binding = T.Binding;
export const Binding = defineKind<T.Binding>("v1", "Binding", { verbs: ["create"] });
export type ComponentStatus = T.ComponentStatus;
export const ComponentStatus = defineKind<T.ComponentStatus>("v1", "ComponentStatus", {
  cluster: true,
  plural: "componentstatuses",
  short: ["cs"],
  verbs: ["get", "list"],
});

// apps
export type Deployment = T.Deployment;
export const Deployment = defineKind<T.Deployment>("apps/v1", "Deployment", {
  short: ["deploy"],
  categories: ["all"],
  subresources: ["scale", "status"],
});
export type ReplicaSet = T.ReplicaSet;
export const ReplicaSet = defineKind<T.ReplicaSet>("apps/v1", "ReplicaSet", {
  short: ["rs"],
  categories: ["all"],
  subresources: ["scale", "status"],
});
export type StatefulSet = T.StatefulSet;
export const StatefulSet = defineKind<T.StatefulSet>("apps/v1", "StatefulSet", {
  short: ["sts"],
  categories: ["all"],
  subresources: ["scale", "status"],
});
export type DaemonSet = T.DaemonSet;
export const DaemonSet = defineKind<T.DaemonSet>("apps/v1", "DaemonSet", {
  short: ["ds"],
  categories: ["all"],
  subresources: ["status"],
});
export type ControllerRevision = T.ControllerRevision;
export const ControllerRevision = defineKind<T.ControllerRevision>("apps/v1", "ControllerRevision");

// batch
export type Job = T.Job;
export const Job = defineKind<T.Job>("batch/v1", "Job", {
  categories: ["all"],
  subresources: ["status"],
});
export type CronJob = T.CronJob;
export const CronJob = defineKind<T.CronJob>("batch/v1", "CronJob", {
  short: ["cj"],
  categories: ["all"],
  subresources: ["status"],
});

// autoscaling
export type HorizontalPodAutoscaler = T.HorizontalPodAutoscaler;
export const HorizontalPodAutoscaler = defineKind<T.HorizontalPodAutoscaler>(
  "autoscaling/v2",
  "HorizontalPodAutoscaler",
  { short: ["hpa"], categories: ["all"], subresources: ["status"] },
);
export type HorizontalPodAutoscalerV1 = T.HorizontalPodAutoscalerV1;
export const HorizontalPodAutoscalerV1 = defineKind<T.HorizontalPodAutoscalerV1>(
  "autoscaling/v1",
  "HorizontalPodAutoscaler",
  {
    short: ["hpa"],
    categories: ["all"],
    subresources: ["status"],
    conversion: horizontalPodAutoscalerV1,
  },
);

// networking.k8s.io
export type Ingress = T.Ingress;
export const Ingress = defineKind<T.Ingress>("networking.k8s.io/v1", "Ingress", {
  plural: "ingresses",
  short: ["ing"],
  subresources: ["status"],
});
export type IngressClass = T.IngressClass;
export const IngressClass = defineKind<T.IngressClass>("networking.k8s.io/v1", "IngressClass", {
  cluster: true,
  plural: "ingressclasses",
});
export type NetworkPolicy = T.NetworkPolicy;
export const NetworkPolicy = defineKind<T.NetworkPolicy>("networking.k8s.io/v1", "NetworkPolicy", {
  plural: "networkpolicies",
  short: ["netpol"],
});

// policy
export type PodDisruptionBudget = T.PodDisruptionBudget;
export const PodDisruptionBudget = defineKind<T.PodDisruptionBudget>(
  "policy/v1",
  "PodDisruptionBudget",
  { short: ["pdb"], subresources: ["status"] },
);

// rbac.authorization.k8s.io
export type Role = T.Role;
export const Role = defineKind<T.Role>("rbac.authorization.k8s.io/v1", "Role");
export type RoleBinding = T.RoleBinding;
export const RoleBinding = defineKind<T.RoleBinding>("rbac.authorization.k8s.io/v1", "RoleBinding");
export type ClusterRole = T.ClusterRole;
export const ClusterRole = defineKind<T.ClusterRole>(
  "rbac.authorization.k8s.io/v1",
  "ClusterRole",
  { cluster: true },
);
export type ClusterRoleBinding = T.ClusterRoleBinding;
export const ClusterRoleBinding = defineKind<T.ClusterRoleBinding>(
  "rbac.authorization.k8s.io/v1",
  "ClusterRoleBinding",
  { cluster: true },
);

// storage.k8s.io
export type StorageClass = T.StorageClass;
export const StorageClass = defineKind<T.StorageClass>("storage.k8s.io/v1", "StorageClass", {
  cluster: true,
  plural: "storageclasses",
  short: ["sc"],
});
export type VolumeAttachment = T.VolumeAttachment;
export const VolumeAttachment = defineKind<T.VolumeAttachment>(
  "storage.k8s.io/v1",
  "VolumeAttachment",
  { cluster: true, subresources: ["status"] },
);
export type CSINode = T.CSINode;
export const CSINode = defineKind<T.CSINode>("storage.k8s.io/v1", "CSINode", { cluster: true });
export type CSIDriver = T.CSIDriver;
export const CSIDriver = defineKind<T.CSIDriver>("storage.k8s.io/v1", "CSIDriver", {
  cluster: true,
});
export type CSIStorageCapacity = T.CSIStorageCapacity;
export const CSIStorageCapacity = defineKind<T.CSIStorageCapacity>(
  "storage.k8s.io/v1",
  "CSIStorageCapacity",
  { plural: "csistoragecapacities" },
);

// scheduling.k8s.io, node.k8s.io, coordination.k8s.io, discovery.k8s.io, events.k8s.io
export type PriorityClass = T.PriorityClass;
export const PriorityClass = defineKind<T.PriorityClass>("scheduling.k8s.io/v1", "PriorityClass", {
  cluster: true,
  plural: "priorityclasses",
  short: ["pc"],
});
export type RuntimeClass = T.RuntimeClass;
export const RuntimeClass = defineKind<T.RuntimeClass>("node.k8s.io/v1", "RuntimeClass", {
  cluster: true,
  plural: "runtimeclasses",
});
export type Lease = T.Lease;
export const Lease = defineKind<T.Lease>("coordination.k8s.io/v1", "Lease");
export type EndpointSlice = T.EndpointSlice;
export const EndpointSlice = defineKind<T.EndpointSlice>("discovery.k8s.io/v1", "EndpointSlice");
export type EventsEvent = T.EventsEvent;
export const EventsEvent = defineKind<T.EventsEvent>("events.k8s.io/v1", "Event", {
  short: ["ev"],
  conversion: eventsEvent,
});

// admissionregistration.k8s.io
export type ValidatingWebhookConfiguration = T.ValidatingWebhookConfiguration;
export const ValidatingWebhookConfiguration = defineKind<T.ValidatingWebhookConfiguration>(
  "admissionregistration.k8s.io/v1",
  "ValidatingWebhookConfiguration",
  { cluster: true, categories: ["api-extensions"] },
);
export type MutatingWebhookConfiguration = T.MutatingWebhookConfiguration;
export const MutatingWebhookConfiguration = defineKind<T.MutatingWebhookConfiguration>(
  "admissionregistration.k8s.io/v1",
  "MutatingWebhookConfiguration",
  { cluster: true, categories: ["api-extensions"] },
);
export type ValidatingAdmissionPolicy = T.ValidatingAdmissionPolicy;
export const ValidatingAdmissionPolicy = defineKind<T.ValidatingAdmissionPolicy>(
  "admissionregistration.k8s.io/v1",
  "ValidatingAdmissionPolicy",
  {
    cluster: true,
    plural: "validatingadmissionpolicies",
    categories: ["api-extensions"],
    subresources: ["status"],
  },
);
export type ValidatingAdmissionPolicyBinding = T.ValidatingAdmissionPolicyBinding;
export const ValidatingAdmissionPolicyBinding = defineKind<T.ValidatingAdmissionPolicyBinding>(
  "admissionregistration.k8s.io/v1",
  "ValidatingAdmissionPolicyBinding",
  { cluster: true, categories: ["api-extensions"] },
);

// certificates.k8s.io, apiextensions.k8s.io, apiregistration.k8s.io, flowcontrol.apiserver.k8s.io
export type CertificateSigningRequest = T.CertificateSigningRequest;
export const CertificateSigningRequest = defineKind<T.CertificateSigningRequest>(
  "certificates.k8s.io/v1",
  "CertificateSigningRequest",
  { cluster: true, short: ["csr"], subresources: ["approval", "status"] },
);
export type CustomResourceDefinition = T.CustomResourceDefinition;
export const CustomResourceDefinition = defineKind<T.CustomResourceDefinition>(
  "apiextensions.k8s.io/v1",
  "CustomResourceDefinition",
  {
    cluster: true,
    short: ["crd", "crds"],
    categories: ["api-extensions"],
    subresources: ["status"],
  },
);
export type APIService = T.APIService;
export const APIService = defineKind<T.APIService>("apiregistration.k8s.io/v1", "APIService", {
  cluster: true,
  categories: ["api-extensions"],
  subresources: ["status"],
});
export type FlowSchema = T.FlowSchema;
export const FlowSchema = defineKind<T.FlowSchema>(
  "flowcontrol.apiserver.k8s.io/v1",
  "FlowSchema",
  { cluster: true, subresources: ["status"] },
);
export type PriorityLevelConfiguration = T.PriorityLevelConfiguration;
export const PriorityLevelConfiguration = defineKind<T.PriorityLevelConfiguration>(
  "flowcontrol.apiserver.k8s.io/v1",
  "PriorityLevelConfiguration",
  { cluster: true, subresources: ["status"] },
);

// authentication.k8s.io, authorization.k8s.io: questions, answered and not kept
export type TokenReview = T.TokenReview;
export const TokenReview = defineKind<T.TokenReview>("authentication.k8s.io/v1", "TokenReview", {
  cluster: true,
  verbs: ["create"],
});
export type SelfSubjectReview = T.SelfSubjectReview;
export const SelfSubjectReview = defineKind<T.SelfSubjectReview>(
  "authentication.k8s.io/v1",
  "SelfSubjectReview",
  { cluster: true, verbs: ["create"] },
);
export type SubjectAccessReview = T.SubjectAccessReview;
export const SubjectAccessReview = defineKind<T.SubjectAccessReview>(
  "authorization.k8s.io/v1",
  "SubjectAccessReview",
  { cluster: true, verbs: ["create"] },
);
export type SelfSubjectAccessReview = T.SelfSubjectAccessReview;
export const SelfSubjectAccessReview = defineKind<T.SelfSubjectAccessReview>(
  "authorization.k8s.io/v1",
  "SelfSubjectAccessReview",
  { cluster: true, verbs: ["create"] },
);
export type LocalSubjectAccessReview = T.LocalSubjectAccessReview;
export const LocalSubjectAccessReview = defineKind<T.LocalSubjectAccessReview>(
  "authorization.k8s.io/v1",
  "LocalSubjectAccessReview",
  { verbs: ["create"] },
);
export type SelfSubjectRulesReview = T.SelfSubjectRulesReview;
export const SelfSubjectRulesReview = defineKind<T.SelfSubjectRulesReview>(
  "authorization.k8s.io/v1",
  "SelfSubjectRulesReview",
  { cluster: true, verbs: ["create"] },
);

// Wherry's own
/** Who owns a shard, written at each change of owner: its resourceVersion fences the one before. */
export type Epoch = T.Epoch;
export const Epoch = defineKind<T.Epoch>("wherry.io/v1", "Epoch", { cluster: true });

export const BUILTIN_KINDS: readonly Kind[] = [
  Pod,
  Service,
  Namespace,
  Node,
  ConfigMap,
  Secret,
  ServiceAccount,
  Endpoints,
  Event,
  PersistentVolume,
  PersistentVolumeClaim,
  ReplicationController,
  PodTemplate,
  LimitRange,
  ResourceQuota,
  Binding,
  ComponentStatus,
  Deployment,
  ReplicaSet,
  StatefulSet,
  DaemonSet,
  ControllerRevision,
  Job,
  CronJob,
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerV1,
  Ingress,
  IngressClass,
  NetworkPolicy,
  PodDisruptionBudget,
  Role,
  RoleBinding,
  ClusterRole,
  ClusterRoleBinding,
  StorageClass,
  VolumeAttachment,
  CSINode,
  CSIDriver,
  CSIStorageCapacity,
  PriorityClass,
  RuntimeClass,
  Lease,
  EndpointSlice,
  EventsEvent,
  ValidatingWebhookConfiguration,
  MutatingWebhookConfiguration,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  CertificateSigningRequest,
  CustomResourceDefinition,
  APIService,
  FlowSchema,
  PriorityLevelConfiguration,
  TokenReview,
  SelfSubjectReview,
  SubjectAccessReview,
  SelfSubjectAccessReview,
  LocalSubjectAccessReview,
  SelfSubjectRulesReview,
  Epoch,
];
