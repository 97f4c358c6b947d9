/**
 * Where the pods behind a Service can be reached, as values: what EndpointSlices and Endpoints
 * are both written from (k8s.io/endpointslice `podToEndpoint`, `getEndpointPorts`). Pure.
 */

import equal from "fast-deep-equal";
import type {
  DiscoveryEndpointPort,
  Endpoint,
  Pod,
  Service,
  ServicePort,
} from "../../manifests/index.ts";
import { hasLabels } from "../../manifests/kinds/label-selector.ts";
import { isFinished, isReady } from "./pods.ts";

export type AddressType = "IPv4" | "IPv6";

/** A port as a pod listens on it. */
export type ResolvedPort = DiscoveryEndpointPort & { port: number };

/** Endpoints that listen on the same ports, and so share slices. */
export interface EndpointGroup {
  addressType: AddressType;
  ports: ResolvedPort[];
  endpoints: Endpoint[];
}

export const headlessLabel = "service.kubernetes.io/headless";

export function isHeadless({ spec }: Service): boolean {
  return spec.clusterIP === "None";
}

/** Services whose endpoints are somebody else's business have no selector. */
export function isSelecting({ spec }: Service): boolean {
  return spec.selector !== undefined && Object.keys(spec.selector).length > 0;
}

export function selectsPod(service: Service, pod: Pod): boolean {
  return isSelecting(service) && hasLabels(service.spec.selector ?? {}, pod.metadata.labels);
}

export function addressTypesOf({ spec }: Service): AddressType[] {
  const families = spec.ipFamilies ?? [];
  return families.length > 0 ? families.filter(isAddressType) : ["IPv4"];
}

function isAddressType(family: string): family is AddressType {
  return family === "IPv4" || family === "IPv6";
}

export function addressOf({ status }: Pod, type: AddressType): string | undefined {
  const addresses = status?.podIPs?.map(({ ip }) => ip) ?? [status?.podIP ?? ""];
  return addresses.find((ip) => ip && ip.includes(":") === (type === "IPv6"));
}

/** Whether anything that an endpoint is made from differs; pods change often for other reasons. */
export function changesEndpoint(before: Pod, after: Pod): boolean {
  const parts = (pod: Pod) => [
    pod.metadata.labels,
    pod.metadata.deletionTimestamp,
    pod.spec.nodeName,
    pod.status?.podIP,
    pod.status?.podIPs,
    pod.status?.phase,
    isReady(pod),
  ];
  return !equal(parts(before), parts(after));
}

/** `zoneOf` knows the zone of a node by its name. */
export function computeGroups(
  service: Service,
  pods: readonly Pod[],
  zoneOf: (node: string) => string | undefined,
): EndpointGroup[] {
  const groups = new Map<string, EndpointGroup>();
  for (const addressType of addressTypesOf(service)) {
    for (const pod of pods) {
      const address = addressOf(pod, addressType);
      if (!address || isFinished(pod.status?.phase)) continue;
      const ports = portsOf(service, pod);
      const id = JSON.stringify([addressType, ports]);
      const group = groups.get(id) ?? { addressType, ports, endpoints: [] };
      group.endpoints.push(computeEndpoint(service, pod, address, zoneOf));
      groups.set(id, group);
    }
  }
  return [...groups.values()];
}

function computeEndpoint(
  service: Service,
  pod: Pod,
  address: string,
  zoneOf: (node: string) => string | undefined,
): Endpoint {
  const { name, namespace, uid, deletionTimestamp } = pod.metadata;
  const { nodeName } = pod.spec;
  const serving = isReady(pod);
  const terminating = deletionTimestamp !== undefined;
  const ready = service.spec.publishNotReadyAddresses || (serving && !terminating);
  return withoutUndefined({
    addresses: [address],
    conditions: { ready: Boolean(ready), serving, terminating },
    hostname: hostnameOf(service, pod),
    targetRef: { kind: "Pod", namespace, name, uid },
    nodeName,
    zone: nodeName ? zoneOf(nodeName) : undefined,
  });
}

/** A pod's own DNS name exists below the Service that it names as its subdomain. */
export function hostnameOf({ metadata }: Service, { spec }: Pod): string | undefined {
  return spec.hostname && spec.subdomain === metadata.name ? spec.hostname : undefined;
}

/** A named target port is looked up in each pod; one that has no such port is left out there. */
export function portsOf(service: Service, pod: Pod): ResolvedPort[] {
  const ports: ResolvedPort[] = [];
  for (const servicePort of service.spec.ports ?? []) {
    const port = targetPort(servicePort, pod);
    if (port === undefined) continue;
    const { name = "", protocol = "TCP", appProtocol } = servicePort;
    ports.push(withoutUndefined({ name, protocol, port, appProtocol }));
  }
  return ports;
}

function targetPort({ targetPort: target, port, protocol }: ServicePort, pod: Pod) {
  if (target === undefined || target === 0) return port;
  if (typeof target === "number") return target;
  const sidecars = pod.spec.initContainers?.filter(
    ({ restartPolicy }) => restartPolicy === "Always",
  );
  for (const container of [...pod.spec.containers, ...(sidecars ?? [])]) {
    const found = container.ports?.find(
      (candidate) =>
        candidate.name === target && (candidate.protocol ?? "TCP") === (protocol ?? "TCP"),
    );
    if (found) return found.containerPort;
  }
  return undefined;
}

/** So that a value compares equal to what comes back from the API. */
export function withoutUndefined<T extends object>(value: T): T {
  const entries = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(entries) as T;
}
