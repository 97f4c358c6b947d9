import type { Endpoint, EndpointSlice, Service } from "../../manifests/index.ts";

/** One address and port that clients dial, and where its connections go. Pure data. */
export interface Frontend {
  address: string;
  protocol: Protocol;
  port: number;
  /** All connections of one client go to one endpoint (sessionAffinity ClientIP). */
  sticky: boolean;
  /** In a stable order, without repeats; empty: connections are refused. */
  endpoints: readonly Backend[];
}

export interface Backend {
  address: string;
  port: number;
}

export type Protocol = "tcp" | "udp" | "sctp";

/** What the whole data plane should do, by `<address>.<protocol>.<port>`. */
export type Frontends = ReadonlyMap<string, Frontend>;

/**
 * Computes the frontends of one Service from its slices, as kube-proxy does
 * (k8s:pkg/proxy/topology.go CategorizeEndpoints): the ready endpoints, or, when there are none,
 * those that are serving while they terminate.
 *
 * @param localNodes names of the nodes on this machine, for internalTrafficPolicy Local.
 */
export function computeFrontends(
  service: Service,
  slices: readonly EndpointSlice[],
  localNodes: ReadonlySet<string>,
): Frontend[] {
  const address = service.spec.clusterIP;
  if (!address || address === "None" || service.spec.type === "ExternalName") return [];
  if (address.includes(":")) return []; // Differs from Kubernetes: IPv4 only so far.
  const local = service.spec.internalTrafficPolicy === "Local";
  return (service.spec.ports ?? []).map((port) => ({
    address,
    protocol: asProtocol(port.protocol),
    port: port.port,
    sticky: service.spec.sessionAffinity === "ClientIP",
    endpoints: backendsOf(slices, port, (endpoint) =>
      local ? localNodes.has(endpoint.nodeName ?? "") : true,
    ),
  }));
}

function backendsOf(
  slices: readonly EndpointSlice[],
  servicePort: { name?: string; protocol?: string },
  eligible: (endpoint: Endpoint) => boolean,
): Backend[] {
  const ready = new Map<string, Backend>();
  const draining = new Map<string, Backend>();
  for (const slice of slices) {
    if (slice.addressType !== "IPv4") continue;
    const port = slice.ports?.find(
      (candidate) =>
        (candidate.name ?? "") === (servicePort.name ?? "") &&
        asProtocol(candidate.protocol) === asProtocol(servicePort.protocol),
    )?.port;
    if (port === undefined) continue;
    for (const endpoint of slice.endpoints) {
      const address = endpoint.addresses[0];
      if (address === undefined || !eligible(endpoint)) continue;
      const { ready: isReady = true, serving = isReady, terminating } = endpoint.conditions ?? {};
      const chosen = isReady ? ready : serving && terminating ? draining : undefined;
      chosen?.set(`${address}:${port}`, { address, port });
    }
  }
  const usable = ready.size > 0 ? ready : draining;
  return [...usable.keys()].sort().flatMap((key) => usable.get(key) ?? []);
}

function asProtocol(protocol: string | undefined): Protocol {
  if (protocol === "UDP") return "udp";
  if (protocol === "SCTP") return "sctp";
  return "tcp";
}

export function frontendKey({ address, protocol, port }: Frontend): string {
  return `${address}.${protocol}.${port}`;
}
