/** Defaults of Service and of what stands behind it (k8s:pkg/apis/core/v1/defaults.go, pkg/apis/discovery/v1). */
import type {
  EndpointSlice,
  Endpoints,
  IngressClassParametersReference,
  LoadBalancerIngress,
  NetworkPolicyPort,
  NetworkPolicySpec,
  ServicePort,
  ServiceSpec,
} from "../schema/types.generated.ts";
import type { DefaultTable } from "./default-table.ts";

/** Three hours: for so long a client keeps its pod under sessionAffinity ClientIP. */
const AFFINITY_SECONDS = 10_800;

export const serviceDefaults: DefaultTable = {
  "core.v1.ServiceSpec": setService,
  "core.v1.ServicePort": (port: ServicePort) => {
    port.protocol ||= "TCP";
    port.targetPort ||= port.port;
  },
  "core.v1.LoadBalancerIngress": (ingress: LoadBalancerIngress) => {
    if (ingress.ip) ingress.ipMode ??= "VIP";
  },
  "core.v1.Endpoints": (endpoints: Endpoints) => {
    for (const subset of endpoints.subsets ?? []) {
      for (const port of subset.ports ?? []) port.protocol ||= "TCP";
    }
  },
  "discovery.v1.EndpointSlice": (slice: EndpointSlice) => {
    for (const port of slice.ports ?? []) {
      port.name ??= "";
      port.protocol ??= "TCP";
    }
  },
  "networking.v1.NetworkPolicyPort": (port: NetworkPolicyPort) => {
    port.protocol ??= "TCP";
  },
  "networking.v1.NetworkPolicySpec": (spec: NetworkPolicySpec) => {
    if (spec.policyTypes?.length) return;
    spec.policyTypes = spec.egress?.length ? ["Ingress", "Egress"] : ["Ingress"];
  },
  "networking.v1.IngressClassParametersReference": (ref: IngressClassParametersReference) => {
    ref.scope ??= "Cluster";
  },
};

function setService(spec: ServiceSpec): void {
  spec.sessionAffinity ||= "None";
  if (spec.sessionAffinity === "None") delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === "ClientIP") {
    const timeoutSeconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? AFFINITY_SECONDS;
    spec.sessionAffinityConfig = { clientIP: { timeoutSeconds } };
  }
  spec.type ||= "ClusterIP";
  const isExternal = spec.type === "NodePort" || spec.type === "LoadBalancer";
  if (isExternal) spec.externalTrafficPolicy ||= "Cluster";
  if (spec.type !== "ExternalName") spec.internalTrafficPolicy ??= "Cluster";
  if (spec.type === "LoadBalancer") spec.allocateLoadBalancerNodePorts ??= true;
}
