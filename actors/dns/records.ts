/**
 * What the cluster's names resolve to: a pure function of Services and EndpointSlices.
 *
 * Follows the Kubernetes DNS specification 1.1.0 (k8s:dns/docs/specification.md) with the
 * addresses-as-names of CoreDNS's kubernetes plugin. IPv4 only so far.
 */
import type { EndpointSlice, Service } from "../../manifests/index.ts";

export interface Records {
  service(namespace: string, name: string): Service | undefined;
  slices(namespace: string, service: string): readonly EndpointSlice[];
  namespaceExists(name: string): boolean;
  /** The Service or endpoint that has this address, as a full name without the last dot. */
  nameOf(address: string): string | undefined;
}

export type Answer =
  | { type: "A" | "CNAME" | "PTR" | "TXT"; name: string; ttl: number; data: string }
  | {
      type: "SRV";
      name: string;
      ttl: number;
      data: { priority: number; weight: number; port: number; target: string };
    };

/**
 * `answers` may be empty: the name exists, but has no record of the type. `unknown`: it does not
 * exist. `elsewhere`: not a name of this cluster; ask the machine's own resolvers.
 */
export type Resolution =
  | { type: "answers"; answers: Answer[]; additional: Answer[] }
  | { type: "unknown" }
  | { type: "elsewhere" };

/** Seconds; what CoreDNS gives. Short, because clients must notice endpoints that went away. */
export const ttlSeconds = 5;

interface Host {
  hostname: string;
  address: string;
}

interface PortRecord {
  name: string;
  protocol: string;
  port: number;
}

export function resolve(
  records: Records,
  domain: string,
  question: { name: string; type: string },
): Resolution {
  const name = question.name.toLowerCase().replace(/\.$/, "");
  if (name.endsWith(".in-addr.arpa")) return resolveReverse(records, name, question.type);
  if (name !== domain && !name.endsWith(`.${domain}`)) return { type: "elsewhere" };
  const labels = name === domain ? [] : name.slice(0, -domain.length - 1).split(".");
  const kind = labels.pop();
  if (kind === undefined) return nothing;
  if (kind === "dns-version" && labels.length === 0) {
    return found(question.type, [{ type: "TXT", name, ttl: ttlSeconds, data: "1.1.0" }]);
  }
  if (kind !== "svc" && kind !== "pod") return { type: "unknown" };
  const namespace = labels.pop();
  if (namespace === undefined) return nothing;
  if (!records.namespaceExists(namespace)) return { type: "unknown" };
  if (kind === "pod") return resolvePod(labels, name, question.type);
  const service = labels.pop();
  if (service === undefined) return nothing;
  return resolveService(records, { domain, namespace, service, labels, name, type: question.type });
}

const nothing: Resolution = { type: "answers", answers: [], additional: [] };

interface ServiceQuestion {
  domain: string;
  namespace: string;
  service: string;
  /** What stands before the Service's name. */
  labels: string[];
  name: string;
  type: string;
}

function resolveService(records: Records, question: ServiceQuestion): Resolution {
  const { domain, namespace, name, labels, type } = question;
  const service = records.service(namespace, question.service);
  if (!service) return { type: "unknown" };
  if (service.spec.type === "ExternalName" && labels.length === 0) {
    const data = service.spec.externalName ?? "";
    return found("CNAME", [{ type: "CNAME", name, ttl: ttlSeconds, data }]);
  }
  const slices = records.slices(namespace, question.service);
  const headless = service.spec.clusterIP === "None";
  const hosts = headless
    ? hostsOf(slices, service.spec.publishNotReadyAddresses === true)
    : [{ hostname: "", address: service.spec.clusterIP ?? "" }];
  const addresses = (of: Host[]) => of.map((host) => addressRecord(name, host.address));

  if (labels.length === 0) {
    if (headless && hosts.length === 0) return { type: "unknown" };
    return found(type, addresses(hosts));
  }
  if (labels.length === 1 && headless) {
    const named = hosts.filter((host) => host.hostname === labels[0]);
    return named.length === 0 ? { type: "unknown" } : found(type, addresses(named));
  }
  const [port, protocol] = labels;
  const ports = (headless ? slicePorts(slices) : servicePorts(service)).filter(
    (candidate) =>
      `_${candidate.name}` === port && `_${candidate.protocol.toLowerCase()}` === protocol,
  );
  if (labels.length !== 2 || ports.length === 0) return { type: "unknown" };
  const base = `${question.service}.${namespace}.svc.${domain}`;
  return resolvePort({ name, type, base, hosts, ports });
}

function resolvePort(of: {
  name: string;
  type: string;
  base: string;
  hosts: Host[];
  ports: PortRecord[];
}): Resolution {
  const target = (host: Host) => (host.hostname ? `${host.hostname}.${of.base}` : of.base);
  const answers = of.hosts.flatMap((host) =>
    of.ports.map(({ port }): Answer => {
      const data = { priority: 0, weight: 100, port, target: target(host) };
      return { type: "SRV", name: of.name, ttl: ttlSeconds, data };
    }),
  );
  const additional = of.hosts.map((host) => addressRecord(target(host), host.address));
  return found(of.type, answers, additional);
}

/** `10-244-1-7.<namespace>.pod.<domain>`: the address is in the name. */
function resolvePod(labels: string[], name: string, type: string): Resolution {
  const address = labels[0]?.replaceAll("-", ".");
  if (address === undefined) return nothing;
  if (labels.length !== 1 || !isIPv4(address)) return { type: "unknown" };
  return found(type, [addressRecord(name, address)]);
}

function isIPv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && +part < 256);
}

function resolveReverse(records: Records, name: string, type: string): Resolution {
  const address = name.slice(0, -".in-addr.arpa".length).split(".").reverse().join(".");
  const data = records.nameOf(address);
  if (data === undefined) return { type: "elsewhere" };
  return found(type, [{ type: "PTR", name, ttl: ttlSeconds, data }]);
}

/** The records of the type that was asked for; a CNAME answers every type. */
function found(type: string, records: Answer[], additional: Answer[] = []): Resolution {
  const answers = records.filter(
    (record) => record.type === type || record.type === "CNAME" || type === "ANY",
  );
  return { type: "answers", answers, additional: answers.length > 0 ? additional : [] };
}

function addressRecord(name: string, data: string): Answer {
  return { type: "A", name, ttl: ttlSeconds, data };
}

/** The endpoints of a headless Service; one without a hostname is named after its address. */
export function hostsOf(slices: readonly EndpointSlice[], unreadyToo: boolean): Host[] {
  const hosts = new Map<string, Host>();
  for (const slice of slices) {
    if (slice.addressType !== "IPv4") continue;
    for (const endpoint of slice.endpoints) {
      if (endpoint.conditions?.ready === false && !unreadyToo) continue;
      for (const address of endpoint.addresses) {
        const hostname = endpoint.hostname ?? address.replaceAll(".", "-");
        hosts.set(address, { hostname, address });
      }
    }
  }
  return [...hosts.values()];
}

function slicePorts(slices: readonly EndpointSlice[]): PortRecord[] {
  const ports = new Map<string, PortRecord>();
  for (const { name = "", protocol = "TCP", port } of slices.flatMap((it) => it.ports ?? [])) {
    if (port !== undefined) ports.set(`${name}/${protocol}/${port}`, { name, protocol, port });
  }
  return [...ports.values()];
}

function servicePorts(service: Service): PortRecord[] {
  return (service.spec.ports ?? []).map(({ name = "", protocol = "TCP", port }) => {
    return { name, protocol, port };
  });
}
