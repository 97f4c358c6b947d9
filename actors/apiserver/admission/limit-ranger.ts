/**
 * LimitRanger: a namespace's defaults and bounds for what containers, pods and claims ask for.
 * k8s: plugin/pkg/admission/limitranger.
 */

import {
  type Container,
  compareQuantity,
  LimitRange,
  type LimitRangeItem,
  PersistentVolumeClaim,
  Pod,
  quantityMilliValue,
} from "../../../manifests/index.ts";
import { podResourceList, type ResourceList } from "../../../manifests/kinds/resource-lists.ts";
import { type AdmissionContext, type Attributes, concerns, type Plugin, refused } from "./chain.ts";

const annotation = "kubernetes.io/limit-ranger";

export const limitRanger: Plugin = {
  name: "LimitRanger",

  handles: (target) =>
    concerns(target, [Pod], "CREATE") ||
    concerns(target, [PersistentVolumeClaim], "CREATE", "UPDATE") ||
    (target.resource.stored === Pod && target.subresource === "resize"),

  mutate(attributes, context) {
    const { resource, operation } = attributes;
    if (resource.stored !== Pod || operation !== "CREATE") return undefined;
    return itemsFor(attributes, context).reduce(
      (pod, item) => (item.type === "Container" ? withDefaults(pod, item) : pod),
      attributes.object as Pod,
    );
  },

  validate(attributes, context) {
    const { resource, object } = attributes;
    if (!object || object.metadata.deletionTimestamp) return;
    const items = itemsFor(attributes, context);
    const faults = items.flatMap((item) =>
      resource.stored === Pod
        ? faultsOfPod(object as Pod, item)
        : faultsOfClaim(object as PersistentVolumeClaim, item),
    );
    if (faults.length > 0) throw refused(attributes, aggregate(faults));
  },
};

function itemsFor({ namespace }: Attributes, { reader }: AdmissionContext): LimitRangeItem[] {
  return reader.list(LimitRange, namespace).flatMap(({ spec }) => spec?.limits ?? []);
}

/** k8s: utilerrors.NewAggregate. */
function aggregate(faults: readonly string[]): string {
  const once = [...new Set(faults)];
  return once.length === 1 ? String(once[0]) : `[${once.join(", ")}]`;
}

function withDefaults(pod: Pod, item: LimitRangeItem): Pod {
  const said: string[] = [];
  const fill = (containers: readonly Container[], what: string) =>
    containers.map((container) => {
      const { requests = {}, limits = {} } = container.resources ?? {};
      const newRequests = missing(item.defaultRequest, requests);
      const newLimits = missing(item.default, limits);
      const tell = (added: ResourceList, kind: string) => {
        const names = Object.keys(added).sort().join(", ");
        if (names) said.push(`${names} ${kind} for ${what} ${container.name}`);
      };
      tell(newRequests, "request");
      tell(newLimits, "limit");
      if (Object.keys({ ...newRequests, ...newLimits }).length === 0) return container;
      const resources = {
        ...container.resources,
        limits: { ...limits, ...newLimits },
        requests: { ...requests, ...newRequests },
      };
      return { ...container, resources };
    });
  const containers = fill(pod.spec.containers, "container");
  const initContainers = fill(pod.spec.initContainers ?? [], "init container");
  if (said.length === 0) return pod;
  const annotations = {
    ...pod.metadata.annotations,
    [annotation]: `LimitRanger plugin set: ${said.join("; ")}`,
  };
  return {
    ...pod,
    metadata: { ...pod.metadata, annotations },
    spec: { ...pod.spec, containers, ...(initContainers.length > 0 ? { initContainers } : {}) },
  };
}

function missing(defaults: ResourceList = {}, given: ResourceList): ResourceList {
  return Object.fromEntries(Object.entries(defaults).filter(([name]) => given[name] === undefined));
}

function faultsOfPod(pod: Pod, item: LimitRangeItem): string[] {
  if (item.type === "Pod") {
    const requests = podResourceList(pod, "requests");
    return faultsOf(item, requests, podResourceList(pod, "limits"));
  }
  if (item.type !== "Container") return [];
  const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  return containers.flatMap(({ resources }) =>
    faultsOf(item, resources?.requests ?? {}, resources?.limits ?? {}),
  );
}

function faultsOfClaim({ spec }: PersistentVolumeClaim, item: LimitRangeItem): string[] {
  if (item.type !== "PersistentVolumeClaim") return [];
  const requests = spec.resources?.requests ?? {};
  const most = each(item.max, (name, bound) => {
    const words = `maximum ${name} usage per ${item.type} is ${bound}`;
    const request = requests[name];
    if (request === undefined) return `${words}.  No request is specified`;
    return compareQuantity(request, bound) > 0 ? `${words}, but request is ${request}` : undefined;
  });
  return [...faultsOf({ type: item.type, min: item.min }, requests, {}), ...most];
}

function faultsOf(item: LimitRangeItem, requests: ResourceList, limits: ResourceList): string[] {
  const { type } = item;
  return [
    ...each(item.min, (name, bound) => {
      const words = `minimum ${name} usage per ${type} is ${bound}`;
      const [request, limit] = [requests[name], limits[name]];
      if (request === undefined) return `${words}.  No request is specified`;
      if (compareQuantity(request, bound) < 0) return `${words}, but request is ${request}`;
      const low = limit !== undefined && compareQuantity(limit, bound) < 0;
      return low ? `${words}, but limit is ${limit}` : undefined;
    }),
    ...each(item.max, (name, bound) => {
      const words = `maximum ${name} usage per ${type} is ${bound}`;
      const [request, limit] = [requests[name], limits[name]];
      if (limit === undefined) return `${words}.  No limit is specified`;
      if (compareQuantity(limit, bound) > 0) return `${words}, but limit is ${limit}`;
      const high = request !== undefined && compareQuantity(request, bound) > 0;
      return high ? `${words}, but request is ${request}` : undefined;
    }),
    ...each(item.maxLimitRequestRatio, (name, bound) => {
      const words = `${name} max limit to request ratio per ${type} is ${bound}`;
      const request = quantityMilliValue(requests[name] ?? "0");
      const limit = quantityMilliValue(limits[name] ?? "0");
      if (request === 0) return `${words}, but no request is specified or request is 0`;
      if (limit === 0) return `${words}, but no limit is specified or limit is 0`;
      const ratio = limit / request;
      if (ratio * 1000 <= quantityMilliValue(bound)) return undefined;
      return `${words}, but provided ratio is ${ratio.toFixed(6)}`;
    }),
  ];
}

/** In the order of names, where upstream has none. */
function each(
  bounds: ResourceList = {},
  judge: (name: string, bound: string) => string | undefined,
): string[] {
  return Object.keys(bounds)
    .sort()
    .flatMap((name) => judge(name, bounds[name] ?? "0") ?? []);
}
