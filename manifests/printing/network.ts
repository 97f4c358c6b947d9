/** Services and what is around them (k8s:pkg/printers/internalversion/printers.go). */
import type {
  EndpointSlice,
  Endpoints,
  Ingress,
  IngressClass,
  NetworkPolicy,
  Service,
} from "../schema/types.generated.ts";
import {
  age,
  columns,
  firstThree,
  orNone,
  type PrinterTable,
  showLabels,
  showSelector,
} from "./printer.ts";

export const networkPrinters: PrinterTable = {
  "core.v1.Service": {
    columns: columns("Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age", "+Selector"),
    cells: (service: Service, nowMs) => [
      service.metadata.name,
      service.spec.type ?? "",
      orNone(service.spec.clusterIPs?.[0] ?? service.spec.clusterIP),
      externalIP(service),
      servicePorts(service),
      age(service, nowMs),
      showLabels(service.spec.selector),
    ],
  },
  "core.v1.Endpoints": {
    columns: columns("Name", "Endpoints", "Age"),
    cells: (endpoints: Endpoints, nowMs) => [
      endpoints.metadata.name,
      firstThree(endpointAddresses(endpoints), "<none>"),
      age(endpoints, nowMs),
    ],
  },
  "discovery.v1.EndpointSlice": {
    columns: columns("Name", "AddressType", "Ports", "Endpoints", "Age"),
    cells: (slice: EndpointSlice, nowMs) => [
      slice.metadata.name,
      slice.addressType,
      firstThree(slice.ports?.map(({ port }) => String(port ?? "*")) ?? [], "<unset>"),
      firstThree(
        slice.endpoints.flatMap(({ addresses }) => addresses),
        "<unset>",
      ),
      age(slice, nowMs),
    ],
  },
  "networking.v1.Ingress": {
    columns: columns("Name", "Class", "Hosts", "Address", "Ports", "Age"),
    cells: (ingress: Ingress, nowMs) => [
      ingress.metadata.name,
      orNone(ingress.spec.ingressClassName),
      firstThree(ingress.spec.rules?.flatMap(({ host }) => host || []) ?? [], "*"),
      addresses(ingress.status?.loadBalancer?.ingress),
      ingress.spec.tls?.length ? "80, 443" : "80",
      age(ingress, nowMs),
    ],
  },
  "networking.v1.IngressClass": {
    columns: columns("Name", "Controller", "Parameters", "Age"),
    cells: (ingressClass: IngressClass, nowMs) => {
      const ref = ingressClass.spec.parameters;
      const group = ref?.apiGroup ? `.${ref.apiGroup}` : "";
      return [
        ingressClass.metadata.name,
        ingressClass.spec.controller ?? "",
        orNone(ref && `${ref.kind}${group}/${ref.name}`),
        age(ingressClass, nowMs),
      ];
    },
  },
  "networking.v1.NetworkPolicy": {
    columns: columns("Name", "Pod-Selector", "Age"),
    cells: (policy: NetworkPolicy, nowMs) => [
      policy.metadata.name,
      showSelector(policy.spec.podSelector),
      age(policy, nowMs),
    ],
  },
};

function addresses(ingress: { ip?: string; hostname?: string }[] | undefined): string {
  return ingress?.map(({ ip, hostname }) => ip || hostname || "").join(",") ?? "";
}

function externalIP({ spec, status }: Service): string {
  if (spec.type === "ExternalName") return spec.externalName ?? "";
  const given = spec.externalIPs ?? [];
  if (spec.type !== "LoadBalancer") return orNone(given.join(","));
  const balancer = addresses(status?.loadBalancer?.ingress);
  const all = [balancer, ...given].filter((address) => address !== "");
  return all.length > 0 ? all.join(",") : "<pending>";
}

function servicePorts({ spec }: Service): string {
  const ports = spec.ports?.map(({ port, nodePort, protocol }) =>
    nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
  );
  return orNone(ports?.join(","));
}

function endpointAddresses({ subsets = [] }: Endpoints): string[] {
  return subsets.flatMap(({ addresses: ready = [], ports = [] }) =>
    ports.length === 0
      ? ready.map(({ ip }) => ip)
      : ports.flatMap(({ port }) => ready.map(({ ip }) => `${ip}:${port}`)),
  );
}
