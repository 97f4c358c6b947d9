/** Ingress, IngressClass and NetworkPolicy (k8s:pkg/apis/networking/validation/validation.go). */
import type {
  HTTPIngressPath,
  Ingress,
  IngressBackend,
  IngressClass,
  IngressClassParametersReference,
  IngressServiceBackend,
  IngressSpec,
  IPBlock,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  TypedLocalObjectReference,
} from "../schema/types.generated.ts";
import { isStrictSubset } from "../validation/addresses.ts";
import type { FieldErrors } from "../validation/field-error.ts";
import {
  cidr,
  dns1035Label,
  dnsSubdomain,
  isCidr,
  isIPv4,
  isIPv6,
  pathSegment,
  portName,
  portNumber,
  wildcardDnsSubdomain,
} from "../validation/formats.ts";
import { each, format, optional, type RuleTable } from "../validation/rules.ts";
import { IMMUTABLE, type UpdateValidatorTable } from "../validation/validator.ts";

const PATH_TYPES = ["Exact", "ImplementationSpecific", "Prefix"];
const BAD_SEQUENCES = ["//", "/./", "/../", "%2f", "%2F"];
const BAD_ENDINGS = ["/..", "/."];
const CLASS_ANNOTATION = "kubernetes.io/ingress.class";
const MOST_CONTROLLER = 250;

export const ingressRules: RuleTable = {
  "networking.v1.Ingress": { whole: validateClassNames },
  "networking.v1.IngressSpec": {
    fields: { ingressClassName: format(dnsSubdomain) },
    whole: (errors, spec: IngressSpec, at) => {
      if (spec.rules?.length || spec.defaultBackend) return;
      errors.invalid(at, spec, "either `defaultBackend` or `rules` must be specified");
    },
  },
  "networking.v1.IngressRule": {
    fields: {
      host: (errors, host: string, at) => {
        if (isIPv4(host) || isIPv6(host)) {
          errors.invalid(at, host, "must be a DNS name, not an IP address");
        }
        hostName(errors, host, at);
      },
    },
  },
  "networking.v1.IngressTLS": {
    fields: { hosts: each(hostName), secretName: optional(dnsSubdomain) },
  },
  "networking.v1.HTTPIngressRuleValue": { required: { paths: "" } },
  "networking.v1.HTTPIngressPath": { mayBeEmpty: ["pathType"], whole: validatePath },
  "networking.v1.IngressBackend": { whole: validateBackend },
  "networking.v1.IngressServiceBackend": { fields: { name: format(dns1035Label) } },
  "core.v1.TypedLocalObjectReference": { whole: validateReference },
  "networking.v1.IngressClassSpec": { required: { controller: "" }, fields: { controller } },
  "networking.v1.IngressClassParametersReference": { whole: validateParameters },
  "networking.v1.NetworkPolicyPort": { whole: validatePort },
  "networking.v1.NetworkPolicyPeer": { whole: validatePeer },
  "networking.v1.IPBlock": { fields: { cidr: format(cidr) }, whole: validateBlock },
  "networking.v1.NetworkPolicySpec": {
    fields: {
      policyTypes: (errors, types: string[], at) => {
        if (types.length <= 2) return;
        errors.invalid(at, types, "may not specify more than two policyTypes");
      },
    },
  },
};

export const ingressUpdateValidators: UpdateValidatorTable = {
  "networking.v1.IngressClass": (errors, { spec }: IngressClass, old: IngressClass) => {
    if (spec?.controller === old.spec?.controller) return;
    errors.invalid("spec.controller", spec?.controller, IMMUTABLE);
  },
};

/** The class was an annotation once; both at the same time say nothing clear. */
function validateClassNames(errors: FieldErrors, { metadata, spec }: Ingress): void {
  const annotated = metadata.annotations?.[CLASS_ANNOTATION];
  // Updates are let be: what was written before the field existed goes on.
  if (annotated === undefined || spec?.ingressClassName === undefined) return;
  if (metadata.resourceVersion) return;
  const detail = "can not be set when the class field is also set";
  errors.invalid(`annotations.${CLASS_ANNOTATION}`, annotated, detail);
}

function hostName(errors: FieldErrors, host: string, at: string): void {
  if (host === "") return;
  const check = host.includes("*") ? wildcardDnsSubdomain : dnsSubdomain;
  errors.invalidEach(at, host, check(host));
}

function validatePath(errors: FieldErrors, { path = "", pathType }: HTTPIngressPath, at: string) {
  if (pathType === undefined || pathType === null) {
    errors.required(`${at}.pathType`, "pathType must be specified");
  } else if (!PATH_TYPES.includes(pathType)) {
    errors.notSupported(`${at}.pathType`, pathType, PATH_TYPES);
  } else if (!path.startsWith("/")) {
    if (pathType === "ImplementationSpecific" && path === "") return;
    errors.invalid(`${at}.path`, path, "must be an absolute path");
  } else if (pathType !== "ImplementationSpecific") {
    for (const bad of BAD_SEQUENCES) {
      if (path.includes(bad)) errors.invalid(`${at}.path`, path, `must not contain '${bad}'`);
    }
    for (const bad of BAD_ENDINGS) {
      if (path.endsWith(bad)) errors.invalid(`${at}.path`, path, `cannot end with '${bad}'`);
    }
  }
}

function validateBackend(errors: FieldErrors, backend: IngressBackend, at: string): void {
  const { service, resource } = backend;
  if (service && resource) {
    errors.invalid(at, "", "cannot set both resource and service backends");
  } else if (service) validateServicePort(errors, service, at);
  else if (!resource) errors.invalid(at, "", "resource or service backend is required");
}

function validateServicePort(errors: FieldErrors, { port }: IngressServiceBackend, at: string) {
  const { name, number } = port ?? {};
  if (name && number) errors.invalid(at, "", "cannot set both port name & port number");
  else if (name) errors.invalidEach(`${at}.service.port.name`, name, portName(name));
  else if (number) errors.invalidEach(`${at}.service.port.number`, number, portNumber(number));
  else errors.required(at, "port name or number is required");
}

type Reference = Pick<TypedLocalObjectReference, "apiGroup" | "kind" | "name">;

function validateReference(errors: FieldErrors, { apiGroup, kind, name }: Reference, at: string) {
  if (apiGroup !== undefined)
    errors.invalidEach(`${at}.apiGroup`, apiGroup, dnsSubdomain(apiGroup));
  if (kind) errors.invalidEach(`${at}.kind`, kind, pathSegment(kind));
  if (name) errors.invalidEach(`${at}.name`, name, pathSegment(name));
}

function controller(errors: FieldErrors, name: string, at: string): void {
  if (name.length > MOST_CONTROLLER) errors.tooLong(at, MOST_CONTROLLER);
  const slash = name.indexOf("/");
  if (slash <= 0 || slash === name.length - 1) {
    errors.invalid(at, name, 'must be a domain-prefixed path (such as "acme.io/foo")');
    return;
  }
  const domain = name.slice(0, slash);
  errors.invalidEach(at, domain, dnsSubdomain(domain));
}

function validateParameters(
  errors: FieldErrors,
  parameters: IngressClassParametersReference,
  at: string,
): void {
  validateReference(errors, parameters, at);
  const { scope, namespace } = parameters;
  if (scope === undefined) errors.required(`${at}.scope`);
  else if (scope !== "Cluster" && scope !== "Namespace") {
    errors.notSupported(`${at}.scope`, scope, ["Cluster", "Namespace"]);
  } else if (scope === "Namespace" && !namespace) {
    errors.required(`${at}.namespace`, "`parameters.scope` is set to 'Namespace'");
  } else if (scope === "Cluster" && namespace !== undefined) {
    errors.forbidden(`${at}.namespace`, "`parameters.scope` is set to 'Cluster'");
  }
}

function validatePort(errors: FieldErrors, { port, endPort }: NetworkPolicyPort, at: string): void {
  const field = `${at}.endPort`;
  if (typeof port === "number") {
    errors.invalidEach(`${at}.port`, port, portNumber(port));
    if (endPort === undefined) return;
    if (endPort < port) errors.invalid(field, endPort, "must be greater than or equal to `port`");
    errors.invalidEach(field, endPort, portNumber(endPort));
  } else if (typeof port === "string") {
    if (endPort !== undefined) {
      errors.invalid(field, endPort, "may not be specified when `port` is non-numeric");
    }
    errors.invalidEach(`${at}.port`, port, portName(port));
  } else if (endPort !== undefined) {
    errors.invalid(field, endPort, "may not be specified when `port` is not specified");
  }
}

function validatePeer(errors: FieldErrors, peer: NetworkPolicyPeer, at: string): void {
  const { podSelector, namespaceSelector, ipBlock } = peer;
  if (!podSelector && !namespaceSelector && !ipBlock) errors.required(at, "must specify a peer");
  else if (ipBlock && (podSelector || namespaceSelector)) {
    errors.forbidden(at, "may not specify both ipBlock and another peer");
  }
}

function validateBlock(errors: FieldErrors, block: IPBlock, at: string): void {
  block.except?.forEach((value, i) => {
    const field = `${at}.except[${i}]`;
    errors.invalidEach(field, value, cidr(value));
    if (!isCidr(block.cidr) || !isCidr(value) || isStrictSubset(block.cidr, value)) return;
    errors.invalid(field, value, "must be a strict subset of `cidr`");
  });
}
