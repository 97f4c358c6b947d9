/** Endpoints and EndpointSlices (k8s:pkg/apis/core/validation, pkg/apis/discovery/validation). */
import type {
  Endpoint,
  EndpointAddress,
  EndpointSlice,
  EndpointSubset,
  Endpoints,
  ObjectMeta,
} from "../schema/types.generated.ts";
import { ipv4Address, ipv6Address, nonSpecialAddress } from "../validation/addresses.ts";
import type { FieldErrors } from "../validation/field-error.ts";
import {
  dnsLabel,
  dnsSubdomain,
  domainName,
  ipAddress,
  portNumber,
  qualifiedName,
} from "../validation/formats.ts";
import { validateLabels } from "../validation/metadata.ts";
import type { RuleTable } from "../validation/rules.ts";
import {
  IMMUTABLE,
  type UpdateValidatorTable,
  type ValidatorTable,
} from "../validation/validator.ts";

const ADDRESS_TYPES = ["FQDN", "IPv4", "IPv6"];
const PROTOCOLS = ["SCTP", "TCP", "UDP"];
const MOST_ENDPOINTS = 1000;
const MOST_PORTS = 20_000;
const MOST_ADDRESSES = 100;
const MOST_TOPOLOGY = 16;
const MOST_ZONE_HINTS = 8;

const ADDRESS_CHECKS: Record<string, (value: string) => string[]> = {
  IPv4: ipv4Address,
  IPv6: ipv6Address,
  FQDN: (value) => domainName(value.replace(/\.$/, ""), 2),
};

export const endpointValidators: ValidatorTable = {
  "discovery.v1.EndpointSlice": validateSlice,
};

export const endpointRules: RuleTable = {
  "core.v1.Endpoints": { whole: validateEndpoints },
};

export const endpointUpdateValidators: UpdateValidatorTable = {
  "discovery.v1.EndpointSlice": (errors, slice: EndpointSlice, old: EndpointSlice) => {
    if (slice.addressType === old.addressType) return;
    errors.invalid("addressType", slice.addressType, IMMUTABLE);
  },
};

/**
 * Where the API itself is. Differs from Kubernetes: that may be on loopback, for a cluster of one machine. Nobody
 * else's endpoints may, or they would lead to what a node keeps to itself.
 */
function isOfApi({ namespace, name }: ObjectMeta): boolean {
  return namespace === "default" && name === "kubernetes";
}

type AddressCheck = (address: string) => string[];

function othersReach(metadata: ObjectMeta): AddressCheck {
  return isOfApi(metadata) ? () => [] : nonSpecialAddress;
}

function validateSlice(errors: FieldErrors, slice: EndpointSlice): void {
  const reach = othersReach(slice.metadata);
  const { addressType, endpoints, ports = [] } = slice;
  if (!addressType) errors.required("addressType");
  else if (!ADDRESS_TYPES.includes(addressType)) {
    errors.notSupported("addressType", addressType, ADDRESS_TYPES);
  }
  if (endpoints.length > MOST_ENDPOINTS) {
    errors.tooMany("endpoints", endpoints.length, MOST_ENDPOINTS);
    return;
  }
  endpoints.forEach((endpoint, i) => {
    validateEndpoint(errors, endpoint, `endpoints[${i}]`, addressType, reach);
  });
  if (ports.length > MOST_PORTS) errors.tooMany("ports", ports.length, MOST_PORTS);
  const names = new Set<string>();
  ports.forEach((port, i) => {
    const at = `ports[${i}]`;
    const name = port.name ?? "";
    if (names.has(name)) errors.duplicate(`${at}.name`, name);
    else if (name) errors.invalidEach(`${at}.name`, name, dnsLabel(name));
    names.add(name);
    validateProtocol(errors, port, at);
  });
}

function validateProtocol(
  errors: FieldErrors,
  { protocol, appProtocol }: { protocol?: string; appProtocol?: string },
  at: string,
): void {
  if (!protocol) errors.required(`${at}.protocol`);
  else if (!PROTOCOLS.includes(protocol)) {
    errors.notSupported(`${at}.protocol`, protocol, PROTOCOLS);
  }
  if (appProtocol !== undefined) {
    errors.invalidEach(`${at}.appProtocol`, appProtocol, qualifiedName(appProtocol));
  }
}

function validateEndpoint(
  errors: FieldErrors,
  endpoint: Endpoint,
  at: string,
  type: string,
  reach: AddressCheck,
): void {
  const { addresses, nodeName, deprecatedTopology, hostname, hints } = endpoint;
  const field = `${at}.addresses`;
  if (addresses.length === 0) errors.required(field, "must contain at least 1 address");
  else if (addresses.length > MOST_ADDRESSES) {
    errors.tooMany(field, addresses.length, MOST_ADDRESSES);
  }
  addresses.forEach((address, a) => {
    const faults = ADDRESS_CHECKS[type]?.(address) ?? [];
    const isAddress = faults.length === 0 && type !== "FQDN";
    const all = isAddress ? reach(address) : faults;
    errors.invalidEach(`${field}[${a}]`, address, all);
  });
  if (nodeName !== undefined) {
    errors.invalidEach(`${at}.nodeName`, nodeName, dnsSubdomain(nodeName));
  }
  const topology = Object.keys(deprecatedTopology ?? {}).length;
  if (topology > MOST_TOPOLOGY) {
    errors.tooMany(`${at}.deprecatedTopology`, topology, MOST_TOPOLOGY);
  }
  validateLabels(errors, deprecatedTopology, `${at}.deprecatedTopology`);
  if (hostname !== undefined) errors.invalidEach(`${at}.hostname`, hostname, dnsLabel(hostname));
  validateHints(errors, hints?.forZones ?? [], `${at}.hints.forZones`);
}

function validateHints(errors: FieldErrors, zones: readonly { name: string }[], at: string): void {
  if (zones.length > MOST_ZONE_HINTS) errors.tooMany(at, zones.length, MOST_ZONE_HINTS);
  const names = new Set<string>();
  zones.forEach(({ name }, i) => {
    if (names.has(name)) errors.duplicate(`${at}[${i}].name`, name);
    else errors.invalidEach(`${at}[${i}].name`, name, qualifiedName(name));
    names.add(name);
  });
}

function validateEndpoints(errors: FieldErrors, { metadata, subsets = [] }: Endpoints): void {
  const reach = othersReach(metadata);
  subsets.forEach((subset, i) => {
    validateSubset(errors, subset, `subsets[${i}]`, reach);
  });
}

function validateSubset(
  errors: FieldErrors,
  subset: EndpointSubset,
  at: string,
  reach: AddressCheck,
): void {
  const { addresses = [], notReadyAddresses = [], ports = [] } = subset;
  if (addresses.length + notReadyAddresses.length === 0) {
    errors.required(at, "must specify `addresses` or `notReadyAddresses`");
  }
  for (const [field, list] of Object.entries({ addresses, notReadyAddresses })) {
    list.forEach((address, i) => {
      validateAddress(errors, address, `${at}.${field}[${i}]`, reach);
    });
  }
  ports.forEach((port, i) => {
    const field = `${at}.ports[${i}]`;
    if (!port.name && ports.length > 1) errors.required(`${field}.name`);
    else if (port.name) errors.invalidEach(`${field}.name`, port.name, dnsLabel(port.name));
    errors.invalidEach(`${field}.port`, port.port, portNumber(port.port));
    if (!port.protocol) errors.required(`${field}.protocol`);
    if (port.appProtocol !== undefined) {
      errors.invalidEach(`${field}.appProtocol`, port.appProtocol, qualifiedName(port.appProtocol));
    }
  });
}

function validateAddress(
  errors: FieldErrors,
  address: EndpointAddress,
  at: string,
  reach: AddressCheck,
): void {
  const { ip, hostname, nodeName } = address;
  if (ip) {
    const faults = ipAddress(ip);
    errors.invalidEach(`${at}.ip`, ip, faults.length > 0 ? faults : reach(ip));
  }
  if (hostname) errors.invalidEach(`${at}.hostname`, hostname, dnsLabel(hostname));
  if (nodeName !== undefined) {
    errors.invalidEach(`${at}.nodeName`, nodeName, dnsSubdomain(nodeName));
  }
}
