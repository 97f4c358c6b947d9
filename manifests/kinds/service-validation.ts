/** Service, Endpoints, EndpointSlice and Ingress (k8s:pkg/apis/core/validation ValidateService, pkg/apis/discovery). */
import type {
  EndpointSlice,
  Ingress,
  NetworkPolicy,
  Service,
  ServicePort,
} from "../schema/types.generated.ts";
import { type FieldErrors, GoText, goStrings } from "../validation/field-error.ts";
import {
  dnsLabel,
  dnsSubdomain,
  inRange,
  ipAddress,
  portNumber,
  portReference,
} from "../validation/formats.ts";
import { validateLabels } from "../validation/metadata.ts";
import { validateSelector } from "../validation/selector.ts";
import {
  IMMUTABLE,
  type UpdateValidatorTable,
  type ValidatorTable,
} from "../validation/validator.ts";

const TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const AFFINITIES = ["ClientIP", "None"];
const PROTOCOLS = ["SCTP", "TCP", "UDP"];
const ADDRESS_TYPES = ["FQDN", "IPv4", "IPv6"];
const PATH_TYPES = ["Exact", "ImplementationSpecific", "Prefix"];
const MOST_ENDPOINTS = 1000;
const DAY_SECONDS = 86_400;

export const serviceValidators: ValidatorTable = {
  "core.v1.Service": validateService,
  "discovery.v1.EndpointSlice": validateEndpointSlice,
  "networking.v1.Ingress": validateIngress,
  "networking.v1.NetworkPolicy": validateNetworkPolicy,
};

export const serviceUpdateValidators: UpdateValidatorTable = {
  "core.v1.Service": validateServiceUpdate,
  "discovery.v1.EndpointSlice": (errors, slice: EndpointSlice, old: EndpointSlice) => {
    if (slice.addressType === old.addressType) return;
    errors.invalid("addressType", slice.addressType, IMMUTABLE);
  },
};

function validateService(errors: FieldErrors, service: Service): void {
  const { spec } = service;
  const isHeadless = spec.clusterIP === "None";
  const ports = spec.ports ?? [];
  if (ports.length === 0 && !isHeadless && spec.type !== "ExternalName") {
    errors.required("spec.ports");
  }
  if (!spec.type) errors.required("spec.type");
  else if (!TYPES.includes(spec.type)) errors.notSupported("spec.type", spec.type, TYPES);
  if ((spec.type === "LoadBalancer" || spec.type === "NodePort") && isHeadless) {
    const detail = `may not be set to 'None' for ${spec.type} services`;
    errors.invalid("spec.clusterIPs[0]", "None", detail);
  }
  if (spec.type === "ExternalName") validateExternalName(errors, service);
  validatePorts(errors, ports, spec.type ?? "");
  validateLabels(errors, spec.selector, "spec.selector");
  validateAffinity(errors, service);
  const ips = spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : []);
  ips.forEach((ip, i) => {
    if (ip !== "None") errors.invalidEach(`spec.clusterIPs[${i}]`, ip, ipAddress(ip));
  });
  spec.externalIPs?.forEach((ip, i) => {
    errors.invalidEach(`spec.externalIPs[${i}]`, ip, ipAddress(ip));
  });
  const policies = ["Cluster", "Local"];
  for (const field of ["internalTrafficPolicy", "externalTrafficPolicy"] as const) {
    const policy = spec[field];
    if (policy && !policies.includes(policy)) {
      errors.notSupported(`spec.${field}`, policy, policies);
    }
  }
}

function validateExternalName(errors: FieldErrors, service: Service): void {
  const { externalName, clusterIP } = service.spec;
  if (clusterIP) {
    errors.forbidden("spec.clusterIPs", "may not be set for ExternalName services");
  }
  if (!externalName) errors.required("spec.externalName");
  else {
    const host = externalName.replace(/\.$/, "");
    errors.invalidEach("spec.externalName", externalName, dnsSubdomain(host));
  }
}

function validatePorts(errors: FieldErrors, ports: ServicePort[], type: string): void {
  const names = new Set<string>();
  const seen = new Set<string>();
  const nodePorts = new Set<string>();
  ports.forEach((port, i) => {
    const at = `spec.ports[${i}]`;
    if (!port.name && ports.length > 1) errors.required(`${at}.name`);
    else if (port.name) {
      errors.invalidEach(`${at}.name`, port.name, dnsLabel(port.name));
      if (names.has(port.name)) errors.duplicate(`${at}.name`, port.name);
      names.add(port.name);
    }
    errors.invalidEach(`${at}.port`, port.port, portNumber(port.port));
    if (!port.protocol) errors.required(`${at}.protocol`);
    else if (!PROTOCOLS.includes(port.protocol)) {
      errors.notSupported(`${at}.protocol`, port.protocol, PROTOCOLS);
    }
    const target = port.targetPort ?? port.port;
    errors.invalidEach(`${at}.targetPort`, target, portReference(target));
    if (port.nodePort && type === "ClusterIP") {
      errors.forbidden(`${at}.nodePort`, "may not be used when `type` is 'ClusterIP'");
    }
    const nodeKey = `${port.protocol}/${port.nodePort}`;
    if (port.nodePort && nodePorts.has(nodeKey)) {
      errors.duplicate(`${at}.nodePort`, new GoText(String(port.nodePort)));
    }
    nodePorts.add(nodeKey);
    const key = `${port.protocol}/${port.port}`;
    if (seen.has(key)) errors.duplicate(at, goServicePort(port));
    seen.add(key);
  });
}

function goServicePort(port: ServicePort): GoText {
  const zero = 'TargetPort:intstr.IntOrString{Type:0, IntVal:0, StrVal:""}, NodePort:0';
  const protocol = JSON.stringify(port.protocol);
  const rest = `AppProtocol:(*string)(nil), Port:${port.port}, ${zero}`;
  return new GoText(`core.ServicePort{Name:"", Protocol:${protocol}, ${rest}}`);
}

function validateAffinity(errors: FieldErrors, service: Service): void {
  const { sessionAffinity, sessionAffinityConfig: config } = service.spec;
  if (!sessionAffinity) errors.required("spec.sessionAffinity");
  else if (!AFFINITIES.includes(sessionAffinity)) {
    errors.notSupported("spec.sessionAffinity", sessionAffinity, AFFINITIES);
  }
  const seconds = config?.clientIP?.timeoutSeconds;
  if (seconds === undefined) return;
  const faults = inRange(seconds, 1, DAY_SECONDS).map(
    () => `must be greater than 0 and less than ${DAY_SECONDS}`,
  );
  errors.invalidEach("spec.sessionAffinityConfig.clientIP.timeoutSeconds", seconds, faults);
}

/** A Service keeps its address for life, unless it becomes or was a mere name. */
function validateServiceUpdate(errors: FieldErrors, service: Service, old: Service): void {
  if (service.spec.type === "ExternalName" || old.spec.type === "ExternalName") return;
  const before = old.spec.clusterIP;
  const after = service.spec.clusterIP;
  if (!before || before === after) return;
  const shown = new GoText(goStrings(service.spec.clusterIPs ?? (after ? [after] : [])));
  const detail = after ? "may not change once set" : "primary clusterIP can not be unset";
  errors.invalid("spec.clusterIPs[0]", shown, detail);
}

function validateEndpointSlice(errors: FieldErrors, slice: EndpointSlice): void {
  if (!slice.addressType) errors.required("addressType");
  else if (!ADDRESS_TYPES.includes(slice.addressType)) {
    errors.notSupported("addressType", slice.addressType, ADDRESS_TYPES);
  }
  if (slice.endpoints.length > MOST_ENDPOINTS) {
    const detail = `must have at most ${MOST_ENDPOINTS} items`;
    errors.add("FieldValueTooMany", "endpoints", slice.endpoints.length, detail);
  }
  slice.endpoints.forEach((endpoint, i) => {
    const at = `endpoints[${i}].addresses`;
    if (endpoint.addresses.length === 0) {
      errors.required(at, "must contain at least 1 address");
    }
    if (slice.addressType === "FQDN") return;
    endpoint.addresses.forEach((address, a) => {
      errors.invalidEach(`${at}[${a}]`, address, ipAddress(address));
    });
  });
  const names = new Set<string>();
  slice.ports?.forEach((port, i) => {
    const name = port.name ?? "";
    if (names.has(name)) errors.duplicate(`ports[${i}].name`, name);
    names.add(name);
    if (port.protocol && !PROTOCOLS.includes(port.protocol)) {
      errors.notSupported(`ports[${i}].protocol`, port.protocol, PROTOCOLS);
    }
  });
}

function validateIngress(errors: FieldErrors, ingress: Ingress): void {
  const { rules = [], defaultBackend } = ingress.spec;
  if (rules.length === 0 && !defaultBackend) {
    const detail = "either `defaultBackend` or `rules` must be specified";
    errors.invalid("spec", ingress.spec, detail);
  }
  rules.forEach((rule, r) => {
    rule.http?.paths.forEach((path, p) => {
      const at = `spec.rules[${r}].http.paths[${p}]`;
      if (!path.pathType) errors.required(`${at}.pathType`, "pathType must be specified");
      else if (!PATH_TYPES.includes(path.pathType)) {
        errors.notSupported(`${at}.pathType`, path.pathType, PATH_TYPES);
      }
      if (path.pathType !== "ImplementationSpecific" && !path.path?.startsWith("/")) {
        errors.invalid(`${at}.path`, path.path ?? "", "must be an absolute path");
      }
      if (path.backend.service && !path.backend.service.name) {
        errors.required(`${at}.backend.service.name`);
      }
    });
  });
}

function validateNetworkPolicy(errors: FieldErrors, policy: NetworkPolicy): void {
  validateSelector(errors, policy.spec.podSelector, "spec.podSelector");
  const types = ["Egress", "Ingress"];
  policy.spec.policyTypes?.forEach((type, i) => {
    if (!types.includes(type)) errors.notSupported(`spec.policyTypes[${i}]`, type, types);
  });
}
