/** Services (k8s:pkg/apis/core/validation/validation.go, ValidateService). */
import type { Service, ServicePort } from "../schema/types.generated.ts";
import { nonSpecialAddress } from "../validation/addresses.ts";
import { type FieldErrors, GoText, goList, goStrings } from "../validation/field-error.ts";
import {
  cidr,
  dnsLabel,
  dnsSubdomain,
  inRange,
  ipAddress,
  portNumber,
  portReference,
  qualifiedName,
} from "../validation/formats.ts";
import { validateLabels } from "../validation/metadata.ts";
import type { UpdateValidatorTable, ValidatorTable } from "../validation/validator.ts";

const TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const AFFINITIES = ["ClientIP", "None"];
const PROTOCOLS = ["SCTP", "TCP", "UDP"];
const POLICIES = ["Cluster", "Local"];
const FAMILIES = ["IPv4", "IPv6"];
const FAMILY_POLICIES = ["PreferDualStack", "RequireDualStack", "SingleStack"];
/** Of the kubelet, which must not be reached from outside by way of a load balancer. */
const KUBELET_PORT = 10_250;
const DAY_SECONDS = 86_400;

export const serviceValidators: ValidatorTable = {
  "core.v1.Service": validateService,
};

export const serviceUpdateValidators: UpdateValidatorTable = {
  "core.v1.Service": validateServiceUpdate,
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
  validateAddresses(errors, service);
  validateTraffic(errors, service);
  validateLoadBalancer(errors, service);
}

function validateAddresses(errors: FieldErrors, { spec }: Service): void {
  const ips = spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : []);
  if (ips.length > 0 && spec.type !== "ExternalName") {
    if (ips.length > 2) {
      errors.invalid("spec.clusterIPs", goList(ips), "may only hold up to 2 values");
    }
    if (spec.clusterIP && ips[0] !== spec.clusterIP) {
      errors.invalid("spec.clusterIPs", goList(ips), "first value must match `clusterIP`");
    }
    ips.forEach((ip, i) => {
      if (ip !== "None") errors.invalidEach(`spec.clusterIPs[${i}]`, ip, ipAddress(ip));
    });
  }
  spec.externalIPs?.forEach((ip, i) => {
    const faults = ipAddress(ip);
    const all = faults.length > 0 ? faults : nonSpecialAddress(ip);
    errors.invalidEach(`spec.externalIPs[${i}]`, ip, all);
  });
  const { ipFamilies = [], ipFamilyPolicy: policy } = spec;
  ipFamilies.forEach((family, i) => {
    const at = `spec.ipFamilies[${i}]`;
    if (!FAMILIES.includes(family)) errors.notSupported(at, family, FAMILIES);
    else if (ipFamilies.indexOf(family) < i) errors.duplicate(at, family);
  });
  if (policy !== undefined && !FAMILY_POLICIES.includes(policy)) {
    errors.notSupported("spec.ipFamilyPolicy", policy, FAMILY_POLICIES);
  }
}

/** Who may be sent where: among the pods of all nodes, or of the one that a packet came to. */
function validateTraffic(errors: FieldErrors, { spec }: Service): void {
  const { externalTrafficPolicy: external, internalTrafficPolicy: internal, type } = spec;
  const isExternal =
    type === "NodePort" || type === "LoadBalancer" || (spec.externalIPs?.length ?? 0) > 0;
  if (external && !isExternal) {
    const detail = "may only be set for externally-accessible services";
    errors.invalid("spec.externalTrafficPolicy", external, detail);
  } else if (external && !POLICIES.includes(external)) {
    errors.notSupported("spec.externalTrafficPolicy", external, POLICIES);
  }
  if (spec.healthCheckNodePort && !(type === "LoadBalancer" && external === "Local")) {
    const detail =
      "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    errors.invalid("spec.healthCheckNodePort", spec.healthCheckNodePort, detail);
  }
  if (internal !== undefined && !POLICIES.includes(internal)) {
    errors.notSupported("spec.internalTrafficPolicy", internal, POLICIES);
  }
  const { trafficDistribution: distribution } = spec;
  if (distribution !== undefined && distribution !== "PreferClose") {
    errors.notSupported("spec.trafficDistribution", distribution, ["PreferClose"]);
  }
}

function validateLoadBalancer(errors: FieldErrors, { spec }: Service): void {
  const isBalanced = spec.type === "LoadBalancer";
  const onlyThen = "may only be used when `type` is 'LoadBalancer'";
  if (isBalanced) {
    spec.ports?.forEach(({ port }, i) => {
      const detail = `may not expose port ${KUBELET_PORT} externally since it is used by kubelet`;
      if (port === KUBELET_PORT) errors.invalid(`spec.ports[${i}]`, port, detail);
    });
  }
  if (spec.loadBalancerSourceRanges?.length) {
    const at = "spec.LoadBalancerSourceRanges";
    if (!isBalanced) errors.forbidden(at, onlyThen);
    spec.loadBalancerSourceRanges.forEach((range, i) => {
      errors.invalidEach(`${at}[${i}]`, range.trim(), cidr(range.trim()));
    });
  }
  if (spec.allocateLoadBalancerNodePorts !== undefined && !isBalanced) {
    errors.forbidden("spec.allocateLoadBalancerNodePorts", onlyThen);
  }
  const { loadBalancerClass } = spec;
  if (loadBalancerClass === undefined) return;
  if (!isBalanced) errors.forbidden("spec.loadBalancerClass", onlyThen);
  else {
    const faults = qualifiedName(loadBalancerClass);
    errors.invalidEach("spec.loadBalancerClass", loadBalancerClass, faults);
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
    if (port.appProtocol !== undefined) {
      errors.invalidEach(`${at}.appProtocol`, port.appProtocol, qualifiedName(port.appProtocol));
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
  const [now, then] = [service.spec.loadBalancerClass, old.spec.loadBalancerClass];
  const stays = service.spec.type === "LoadBalancer" && old.spec.type === "LoadBalancer";
  if (stays && now !== then) {
    errors.invalid("spec.loadBalancerClass", now, "may not change once set");
  }
  if (service.spec.type === "ExternalName" || old.spec.type === "ExternalName") return;
  const before = old.spec.clusterIP;
  const after = service.spec.clusterIP;
  if (!before || before === after) return;
  const shown = new GoText(goStrings(service.spec.clusterIPs ?? (after ? [after] : [])));
  const detail = after ? "may not change once set" : "primary clusterIP can not be unset";
  errors.invalid("spec.clusterIPs[0]", shown, detail);
}
