/**
 * What an object takes of a ResourceQuota, and which quotas it counts for.
 * Shared by admission, which refuses, and the controller, which recounts.
 * After k8s:pkg/quota/v1/evaluator/core and apiserver/pkg/quota/v1/generic.
 */

import type {
  Container,
  PersistentVolumeClaim,
  Pod,
  ResourceQuota,
  ScopedResourceSelectorRequirement,
  Service,
} from "../schema/types.generated.ts";
import type { Kind, KubeObject } from "./kind.ts";
import { podQOSClass } from "./pod-qos.ts";
import { podResourceList, type ResourceList } from "./resource-lists.ts";

type Amounts = Record<string, string>;
type Usage = (object: KubeObject, nowMs: number) => Amounts;

/** Kinds that quotas name without `count/`. */
const plainNames = new Set([
  "configmaps",
  "persistentvolumeclaims",
  "pods",
  "replicationcontrollers",
  "resourcequotas",
  "secrets",
  "services",
]);

const special: Readonly<Record<string, Usage>> = {
  pods: (object, nowMs) => podUsage(object as Pod, nowMs),
  services: (object) => serviceUsage(object as Service),
  persistentvolumeclaims: (object) => claimUsage(object as PersistentVolumeClaim),
};

/** `count/deployments.apps`, `count/pods`. */
export function countName({ group, resource }: Pick<Kind, "group" | "resource">): string {
  return `count/${resource}${group ? `.${group}` : ""}`;
}

/** By the names that a quota has for it. `nowMs` decides whether a pod is past its grace. */
export function quotaUsage(kind: Kind, object: KubeObject, nowMs: number): ResourceList {
  const core = kind.group === "";
  const usage: Amounts = { [countName(kind)]: "1" };
  const own = core ? special[kind.resource] : undefined;
  if (own) return { ...usage, ...own(object, nowMs) };
  return core && plainNames.has(kind.resource) ? { ...usage, [kind.resource]: "1" } : usage;
}

/** Whether a quota that limits `name` is concerned with objects of this kind. */
export function limitsKind(kind: Pick<Kind, "group" | "resource">, name: string): boolean {
  if (name === countName(kind)) return true;
  if (kind.group !== "") return false;
  switch (kind.resource) {
    case "pods":
      return name === "pods" || podResource.test(name);
    case "services":
      return name === "services" || name.startsWith("services.");
    case "persistentvolumeclaims":
      return (
        name === "persistentvolumeclaims" ||
        name === "requests.storage" ||
        name.includes(".storageclass.storage.k8s.io/")
      );
    default:
      return name === kind.resource && plainNames.has(name);
  }
}

const podResource =
  /^(cpu|memory|ephemeral-storage|hugepages-.+|limits\..+|requests\.(?!storage$).+)$/;
/** Those that a quota may name with and without `requests.`. */
const bareNames = /^(cpu|memory|ephemeral-storage|hugepages-.+)$/;

function podUsage(pod: Pod, nowMs: number): Amounts {
  if (!isCounted(pod, nowMs)) return {};
  const usage: Amounts = { pods: "1" };
  for (const [name, amount] of Object.entries(podResourceList(pod, "requests"))) {
    if (bareNames.test(name)) usage[name] = amount;
    usage[`requests.${name}`] = amount;
  }
  for (const [name, amount] of Object.entries(podResourceList(pod, "limits"))) {
    if (/^(cpu|memory|ephemeral-storage)$/.test(name)) usage[`limits.${name}`] = amount;
  }
  return usage;
}

/** A pod that has ended, or is past its grace period, holds nothing (k8s: QuotaV1Pod). */
function isCounted({ metadata, status }: Pod, nowMs: number): boolean {
  if (status?.phase === "Failed" || status?.phase === "Succeeded") return false;
  const { deletionTimestamp, deletionGracePeriodSeconds } = metadata;
  if (!deletionTimestamp || deletionGracePeriodSeconds === undefined) return true;
  return nowMs <= Date.parse(deletionTimestamp);
}

function serviceUsage({ spec }: Service): Amounts {
  const usage: Amounts = {
    services: "1",
    "services.nodeports": "0",
    "services.loadbalancers": "0",
  };
  const ports = spec.ports ?? [];
  if (spec.type === "NodePort") usage["services.nodeports"] = String(ports.length);
  if (spec.type === "LoadBalancer") {
    const given = ports.filter(({ nodePort }) => nodePort).length;
    const allocated = spec.allocateLoadBalancerNodePorts === false ? given : ports.length;
    usage["services.nodeports"] = String(allocated);
    usage["services.loadbalancers"] = "1";
  }
  return usage;
}

function claimUsage({ metadata, spec }: PersistentVolumeClaim): Amounts {
  const old = metadata.annotations?.["volume.beta.kubernetes.io/storage-class"];
  const storageClass = old ?? spec.storageClassName;
  const storage = spec.resources?.requests?.storage;
  const prefix = `${storageClass}.storageclass.storage.k8s.io/`;
  return {
    persistentvolumeclaims: "1",
    ...(storageClass ? { [`${prefix}persistentvolumeclaims`]: "1" } : {}),
    ...(storage ? { "requests.storage": storage } : {}),
    ...(storage && storageClass ? { [`${prefix}requests.storage`]: storage } : {}),
  };
}

/** All scopes of a quota hold for the object; only pods have scopes. */
export function inScopes({ spec }: ResourceQuota, kind: Kind, object: KubeObject): boolean {
  const requirements: ScopedResourceSelectorRequirement[] = [
    ...(spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: "Exists" as const })),
    ...(spec?.scopeSelector?.matchExpressions ?? []),
  ];
  if (requirements.length === 0) return true;
  if (kind.group !== "" || kind.resource !== "pods") return false;
  return requirements.every((requirement) => inScope(requirement, object as Pod));
}

function inScope(requirement: ScopedResourceSelectorRequirement, pod: Pod): boolean {
  const { spec } = pod;
  const ends = (spec.activeDeadlineSeconds ?? -1) >= 0;
  switch (requirement.scopeName) {
    case "Terminating":
      return ends;
    case "NotTerminating":
      return !ends;
    case "BestEffort":
      return podQOSClass(pod) === "BestEffort";
    case "NotBestEffort":
      return podQOSClass(pod) !== "BestEffort";
    case "PriorityClass":
      return holds(requirement, spec.priorityClassName);
    case "CrossNamespacePodAffinity":
      return crossesNamespaces(pod);
    default:
      return false;
  }
}

function holds(
  { operator, values = [] }: ScopedResourceSelectorRequirement,
  priorityClass: string | undefined,
): boolean {
  switch (operator) {
    case "Exists":
      return Boolean(priorityClass);
    case "DoesNotExist":
      return !priorityClass;
    case "In":
      return Boolean(priorityClass) && values.includes(priorityClass ?? "");
    case "NotIn":
      return !values.includes(priorityClass ?? "");
    default:
      return false;
  }
}

function crossesNamespaces({ spec: { affinity } }: Pod): boolean {
  const sides = [affinity?.podAffinity, affinity?.podAntiAffinity];
  const terms = sides.flatMap((side) => [
    ...(side?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(side?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(
      ({ podAffinityTerm }) => podAffinityTerm,
    ),
  ]);
  return terms.some(
    ({ namespaces, namespaceSelector }) =>
      (namespaces ?? []).length > 0 || namespaceSelector !== undefined,
  );
}

const mustBeSaid = [
  "cpu",
  "memory",
  "requests.cpu",
  "requests.memory",
  "limits.cpu",
  "limits.memory",
];

/**
 * What a quota forces every container to say, and which do not: `limits.cpu for: main`.
 * Undefined when all is said.
 */
export function missingFromPod({ spec }: Pod, limited: readonly string[]): string | undefined {
  const required = mustBeSaid.filter((name) => limited.includes(name)).sort();
  const containers = [...spec.containers, ...(spec.initContainers ?? [])];
  const missing = required.flatMap((name) => {
    const silent = containers.filter((container) => !says(container, name));
    const names = [...new Set(silent.map((container) => container.name))].sort();
    return names.length > 0 ? [`${name} for: ${names.join(",")}`] : [];
  });
  return missing.length > 0 ? `must specify ${missing.join("; ")}` : undefined;
}

function says({ resources }: Container, name: string): boolean {
  if (name.startsWith("limits.")) return resources?.limits?.[name.slice(7)] !== undefined;
  return resources?.requests?.[name.replace("requests.", "")] !== undefined;
}
