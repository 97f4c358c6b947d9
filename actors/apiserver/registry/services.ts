/**
 * Services: a ClusterIP and node ports of their own, for as long as they exist.
 *
 * Each address and port that is in use has a record of its own beside the objects, written and
 * deleted in the same atomic group as the Service that uses it. So two API actors cannot give one
 * address twice, and none is lost when one of them dies; upstream needs a repair loop for that.
 */

import { ApiError, type ApiStatus, apiError } from "../../../manifests/api-error.ts";
import {
  type FieldError,
  invalidStatus,
  Service,
  type ServicePort,
} from "../../../manifests/index.ts";
import { objectKey } from "../../../runtime/store/key.ts";
import type { Operation, View } from "../../../runtime/store/store.ts";
import { addressAt, type Cidr, contains } from "./cidr.ts";
import type { Allocation, HookContext, Hooks } from "./hooks.ts";
import { withoutForeignFields } from "./service-types.ts";

export interface ServiceNetwork {
  readonly serviceCidr: Cidr;
  readonly nodePorts: { readonly first: number; readonly last: number };
}

type Claimed = "clusterips" | "nodeports";

const randomTries = 32;

export function serviceHooks(network: ServiceNetwork): Hooks<Service> {
  return {
    prepareUpdate: (service, old) => withoutForeignFields(keepAllocated(service, old), old),
    check: (service, old) => checkAddress(service, old, network),
    allocate: (service, old, context) => allocate(service, old, context, network),
    release: (service, { view }) => [
      ...released(view, "clusterips", clusterIPsOf(service)),
      ...released(view, "nodeports", nodePortsOf(service)),
    ],
  };
}

/** What a client leaves out stays as it was allocated (k8s: service/rest, patchAllocatedValues). */
function keepAllocated(service: Service, old: Service): Service {
  const spec = { ...service.spec };
  if (needsAddress(service) && needsAddress(old) && !spec.clusterIP) {
    spec.clusterIP = old.spec.clusterIP;
    spec.clusterIPs = old.spec.clusterIPs;
  }
  if (needsNodePorts(service) && needsNodePorts(old)) {
    spec.ports = spec.ports?.map((port) => {
      const same = old.spec.ports?.find((before) => samePort(before, port));
      return port.nodePort || !same?.nodePort ? port : { ...port, nodePort: same.nodePort };
    });
  }
  return { ...service, spec };
}

function samePort(a: ServicePort, b: ServicePort): boolean {
  return a.port === b.port && (a.protocol || "TCP") === (b.protocol || "TCP");
}

function allocate(
  service: Service,
  old: Service | undefined,
  { view, random }: HookContext,
  network: ServiceNetwork,
): Allocation<Service> {
  const spec = { ...service.spec };
  if (!needsAddress(service)) {
    delete spec.clusterIP;
    delete spec.clusterIPs;
  } else {
    spec.clusterIP ||= freeAddress(view, network.serviceCidr, random);
    spec.clusterIPs = [spec.clusterIP];
    if (spec.clusterIP !== "None" || spec.selector) {
      spec.ipFamilies ??= ["IPv4"];
      spec.ipFamilyPolicy ??= "SingleStack";
    }
  }
  const taken = new Set<number>();
  spec.ports = spec.ports?.map((port) => {
    if (!needsNodePorts(service)) return withoutNodePort(port);
    const nodePort = port.nodePort || freePort(view, network, random, taken);
    taken.add(nodePort);
    return { ...port, nodePort };
  });
  const object = { ...service, spec };
  const operations = [
    ...exchanged(view, "clusterips", object, clusterIPsOf(old), clusterIPsOf(object)),
    ...exchanged(view, "nodeports", object, nodePortsOf(old), nodePortsOf(object)),
  ];
  return { object, operations };
}

/** Claims what is new and gives back what is no longer used. */
function exchanged(
  view: View,
  what: Claimed,
  service: Service,
  before: readonly string[],
  after: readonly string[],
): Operation[] {
  const claims = after.filter((value) => !before.includes(value));
  return [
    ...claims.map((value) => claim(view, what, value, service)),
    ...released(
      view,
      what,
      before.filter((value) => !after.includes(value)),
    ),
  ];
}

function claim(view: View, what: Claimed, value: string, { metadata }: Service): Operation {
  const key = claimKey(what, value);
  if (view.get(key)) throw taken(what, value, metadata.name ?? "");
  const holder = { namespace: metadata.namespace, name: metadata.name, uid: metadata.uid };
  return { key, value: new TextEncoder().encode(JSON.stringify(holder)), expected: 0 };
}

function released(view: View, what: Claimed, values: readonly string[]): Operation[] {
  return values.flatMap((value) => {
    const key = claimKey(what, value);
    const entry = view.get(key);
    return entry ? [{ key, value: entry.value, expected: entry.sequence, delete: true }] : [];
  });
}

function claimKey(what: Claimed, value: string): string {
  return objectKey({ group: "wherry.io", resource: what, namespace: "", name: value });
}

/**
 * A free address, by chance: from the upper part of the range first, so that addresses which
 * people choose themselves, the low ones, stay free (k8s: ipallocator, ServiceIPStaticSubrange).
 */
function freeAddress(view: View, cidr: Cidr, random: HookContext["random"]): string {
  const usable = cidr.size - 2;
  const reserved = Math.min(Math.max(16, Math.floor(cidr.size / 16)), 256, usable - 1);
  const isFree = (offset: number) => !view.get(claimKey("clusterips", addressAt(cidr, offset)));
  for (let tries = 0; tries < randomTries; tries++) {
    const offset = 1 + reserved + random.int(usable - reserved);
    if (isFree(offset)) return addressAt(cidr, offset);
  }
  for (let offset = usable; offset >= 1; offset--) {
    if (isFree(offset)) return addressAt(cidr, offset);
  }
  throw apiError("InternalError", "failed to allocate a serviceIP: range is full");
}

function freePort(
  view: View,
  { nodePorts: { first, last } }: ServiceNetwork,
  random: HookContext["random"],
  taken: ReadonlySet<number>,
): number {
  const count = last - first + 1;
  const start = random.int(count);
  for (let step = 0; step < count; step++) {
    const port = first + ((start + step) % count);
    if (!taken.has(port) && !view.get(claimKey("nodeports", String(port)))) return port;
  }
  throw apiError("InternalError", "failed to allocate a nodePort: range is full");
}

function checkAddress(
  service: Service,
  old: Service | undefined,
  { serviceCidr, nodePorts }: ServiceNetwork,
): FieldError[] {
  const causes: FieldError[] = [];
  const before = clusterIPsOf(old);
  for (const address of clusterIPsOf(service)) {
    if (before.includes(address) || contains(serviceCidr, address)) continue;
    const why = `provided IP is not in the valid range. The range of valid IPs is ${serviceCidr.text}`;
    causes.push(invalid("spec.clusterIPs", [address], `failed to allocate IP ${address}: ${why}`));
  }
  for (const [at, { nodePort }] of (service.spec.ports ?? []).entries()) {
    if (!nodePort || (nodePort >= nodePorts.first && nodePort <= nodePorts.last)) continue;
    const why = `provided port is not in the valid range. The range of valid ports is ${nodePorts.first}-${nodePorts.last}`;
    causes.push(invalid(`spec.ports[${at}].nodePort`, nodePort, why));
  }
  return causes;
}

function taken(what: Claimed, value: string, name: string): Error {
  const error =
    what === "clusterips"
      ? invalid("spec.clusterIPs", [value], `failed to allocate IP ${value}: ${isTaken("IP")}`)
      : invalid("spec.ports[0].nodePort", Number(value), isTaken("port"));
  return new ApiError(invalidStatus(Service, name, [error]) as ApiStatus);
}

function isTaken(what: string): string {
  return `provided ${what} is already allocated`;
}

function invalid(field: string, badValue: unknown, detail: string): FieldError {
  return { reason: "FieldValueInvalid", field, badValue, detail };
}

function needsAddress({ spec }: Service): boolean {
  return spec.type !== "ExternalName";
}

function needsNodePorts({ spec }: Service): boolean {
  if (spec.type === "NodePort") return true;
  return spec.type === "LoadBalancer" && spec.allocateLoadBalancerNodePorts !== false;
}

/** Addresses that are claimed; a headless Service has none. */
function clusterIPsOf(service: Service | undefined): string[] {
  const address = service && needsAddress(service) ? service.spec.clusterIP : undefined;
  return address && address !== "None" ? [address] : [];
}

/** Each once: TCP and UDP of one Service may share a number. */
function nodePortsOf(service: Service | undefined): string[] {
  const ports = (service?.spec.ports ?? []).flatMap(({ nodePort }) => nodePort || []);
  return [...new Set(ports)].map(String);
}

function withoutNodePort(port: ServicePort): ServicePort {
  const { nodePort: _given, ...rest } = port;
  return rest;
}
