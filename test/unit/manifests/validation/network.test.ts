import { expect, test } from "vitest";
import {
  EndpointSlice,
  Endpoints,
  Ingress,
  IngressClass,
  NetworkPolicy,
  Service,
} from "../../../../manifests/index.ts";
import { isStrictSubset, nonSpecialAddress } from "../../../../manifests/validation/addresses.ts";
import { isCidr } from "../../../../manifests/validation/formats.ts";
import { creates, faultsOf, updates } from "./faults.ts";

const service = { spec: { ports: [{ port: 80 }] } };
const CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
const LOOPBACK = "may not be in the loopback range (127.0.0.0/8, ::1/128)";
const WILDCARD =
  "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

creates(Service, service, [
  [
    { "spec.type": "LoadBalancer", "spec.ports": [{ port: 10_250 }] },
    "spec.ports[0]: Invalid value: 10250: may not expose port 10250 externally since it is used by kubelet",
  ],
  [
    { "spec.loadBalancerSourceRanges": ["x"] },
    "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
    `spec.LoadBalancerSourceRanges[0]: Invalid value: "x": ${CIDR}`,
  ],
  [
    { "spec.loadBalancerClass": "a", "spec.allocateLoadBalancerNodePorts": true },
    "spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'",
    "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
  ],
  [
    { "spec.externalTrafficPolicy": "Local" },
    'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
  ],
  [
    {
      "spec.type": "NodePort",
      "spec.externalTrafficPolicy": "X",
      "spec.internalTrafficPolicy": "Y",
    },
    'spec.externalTrafficPolicy: Unsupported value: "X": supported values: "Cluster", "Local"',
    'spec.internalTrafficPolicy: Unsupported value: "Y": supported values: "Cluster", "Local"',
  ],
  [
    { "spec.healthCheckNodePort": 30_000 },
    "spec.healthCheckNodePort: Invalid value: 30000: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
  ],
  [
    { "spec.externalIPs": ["127.0.0.1", "0.0.0.0"] },
    `spec.externalIPs[0]: Invalid value: "127.0.0.1": ${LOOPBACK}`,
    'spec.externalIPs[1]: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0)',
  ],
  [
    { "spec.ipFamilies": ["IPv4", "IPv4", "X"], "spec.ipFamilyPolicy": "Y" },
    'spec.ipFamilies[1]: Duplicate value: "IPv4"',
    'spec.ipFamilies[2]: Unsupported value: "X": supported values: "IPv4", "IPv6"',
    'spec.ipFamilyPolicy: Unsupported value: "Y": supported values: "PreferDualStack", "RequireDualStack", "SingleStack"',
  ],
  [
    { "spec.clusterIP": "10.0.0.1", "spec.clusterIPs": ["10.0.0.2"] },
    'spec.clusterIPs: Invalid value: []string{"10.0.0.2"}: first value must match `clusterIP`',
  ],
  [
    { "spec.trafficDistribution": "X" },
    'spec.trafficDistribution: Unsupported value: "X": supported values: "PreferClose"',
  ],
  [
    { "spec.type": "ExternalName", "spec.externalName": undefined },
    "spec.externalName: Required value",
  ],
  [
    {
      "spec.sessionAffinity": "ClientIP",
      "spec.sessionAffinityConfig": { clientIP: { timeoutSeconds: 0 } },
    },
    "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 0: must be greater than 0 and less than 86400",
  ],
]);
updates(Service, { spec: { ...service.spec, type: "LoadBalancer", loadBalancerClass: "a" } }, [
  [
    { "spec.loadBalancerClass": "b" },
    'spec.loadBalancerClass: Invalid value: "b": may not change once set',
  ],
]);

const backend = { service: { name: "s", port: { number: 80 } } };
const path = { path: "/", pathType: "Prefix", backend };
const P = "spec.rules[0].http.paths[0]";

creates(Ingress, { spec: { rules: [{ http: { paths: [path] } }] } }, [
  [
    { "spec.rules": undefined },
    "spec: Invalid value: {}: either `defaultBackend` or `rules` must be specified",
  ],
  [
    { "spec.rules[0].host": "1.2.3.4" },
    'spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address',
  ],
  [{ "spec.rules[0].host": "*.example.com" }],
  [
    { "spec.rules[0].host": "a.*.com" },
    `spec.rules[0].host: Invalid value: "a.*.com": ${WILDCARD}`,
  ],
  [{ "spec.rules[0].http.paths": [] }, "spec.rules[0].http.paths: Required value"],
  [
    { [`${P}.pathType`]: "X" },
    `${P}.pathType: Unsupported value: "X": supported values: "Exact", "ImplementationSpecific", "Prefix"`,
  ],
  [{ [`${P}.path`]: "a" }, `${P}.path: Invalid value: "a": must be an absolute path`],
  [{ [`${P}.path`]: "/a//b" }, `${P}.path: Invalid value: "/a//b": must not contain '//'`],
  [{ [`${P}.path`]: "/a/.." }, `${P}.path: Invalid value: "/a/..": cannot end with '/..'`],
  [{ [`${P}.path`]: undefined, [`${P}.pathType`]: "ImplementationSpecific" }],
  [
    { [`${P}.backend`]: {} },
    `${P}.backend: Invalid value: "": resource or service backend is required`,
  ],
  [
    { [`${P}.backend`]: { ...backend, resource: { kind: "A", name: "b" } } },
    `${P}.backend: Invalid value: "": cannot set both resource and service backends`,
  ],
  [
    { [`${P}.backend.service`]: { name: "s", port: { name: "a", number: 1 } } },
    `${P}.backend: Invalid value: "": cannot set both port name & port number`,
  ],
  [
    { [`${P}.backend.service`]: { name: "s" } },
    `${P}.backend: Required value: port name or number is required`,
  ],
  [
    { [`${P}.backend.service`]: { name: "", port: { number: 70_000 } } },
    `${P}.backend.service.name: Required value`,
    `${P}.backend.service.port.number: Invalid value: 70000: must be between 1 and 65535, inclusive`,
  ],
  [
    {
      metadata: { annotations: { "kubernetes.io/ingress.class": "a" } },
      "spec.ingressClassName": "b",
    },
    'annotations.kubernetes.io/ingress.class: Invalid value: "a": can not be set when the class field is also set',
  ],
]);

const C = "spec.controller";
creates(IngressClass, { spec: { controller: "a.b/c" } }, [
  [{ [C]: undefined }, `${C}: Required value`],
  [
    { [C]: "ab" },
    `${C}: Invalid value: "ab": must be a domain-prefixed path (such as "acme.io/foo")`,
  ],
  [
    { "spec.parameters": { kind: "K", name: "n", scope: "Namespace" } },
    "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'",
  ],
  [
    { "spec.parameters": { kind: "K", name: "n", scope: "Cluster", namespace: "a" } },
    "spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'",
  ],
  [
    { "spec.parameters": { kind: "", name: "", scope: "X" } },
    "spec.parameters.kind: Required value",
    "spec.parameters.name: Required value",
    'spec.parameters.scope: Unsupported value: "X": supported values: "Cluster", "Namespace"',
  ],
]);
updates(IngressClass, { spec: { controller: "a.b/c" } }, [
  [{ [C]: "a.b/d" }, `${C}: Invalid value: "a.b/d": field is immutable`],
]);

const ipBlock = { cidr: "10.0.0.0/8" };
creates(NetworkPolicy, { spec: { podSelector: {}, ingress: [{ from: [{ ipBlock }] }] } }, [
  [
    { "spec.ingress[0].from": [{}] },
    "spec.ingress[0].from[0]: Required value: must specify a peer",
  ],
  [
    { "spec.ingress[0].from": [{ ipBlock, podSelector: {} }] },
    "spec.ingress[0].from[0]: Forbidden: may not specify both ipBlock and another peer",
  ],
  [
    { "spec.ingress[0].from": [{ ipBlock: { cidr: "x", except: ["y"] } }] },
    `spec.ingress[0].from[0].ipBlock.cidr: Invalid value: "x": ${CIDR}`,
    `spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "y": ${CIDR}`,
  ],
  [
    {
      "spec.ingress[0].from": [{ ipBlock: { ...ipBlock, except: ["11.0.0.0/16", "10.1.0.0/16"] } }],
    },
    'spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`',
  ],
  [
    {
      "spec.ingress[0].ports": [
        { port: 80, endPort: 70 },
        { port: "a", endPort: 70 },
        { endPort: 70 },
        { port: 0 },
        { protocol: "X" },
      ],
    },
    "spec.ingress[0].ports[0].endPort: Invalid value: 70: must be greater than or equal to `port`",
    "spec.ingress[0].ports[1].endPort: Invalid value: 70: may not be specified when `port` is non-numeric",
    "spec.ingress[0].ports[2].endPort: Invalid value: 70: may not be specified when `port` is not specified",
    "spec.ingress[0].ports[3].port: Invalid value: 0: must be between 1 and 65535, inclusive",
    'spec.ingress[0].ports[4].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"',
  ],
  [
    { "spec.policyTypes": ["X"] },
    'spec.policyTypes[0]: Unsupported value: "X": supported values: "Egress", "Ingress"',
  ],
  [
    { "spec.podSelector": { matchExpressions: [{ key: "a", operator: "Is" }] } },
    'spec.podSelector.matchExpressions[0].operator: Invalid value: "Is": not a valid selector operator',
  ],
]);

creates(EndpointSlice, { addressType: "IPv4", endpoints: [{ addresses: ["10.0.0.1"] }] }, [
  [
    { addressType: "X" },
    'addressType: Unsupported value: "X": supported values: "FQDN", "IPv4", "IPv6"',
  ],
  [
    { "endpoints[0].addresses": [] },
    "endpoints[0].addresses: Required value: must contain at least 1 address",
  ],
  [
    { "endpoints[0].addresses": ["127.0.0.1", "::1"] },
    `endpoints[0].addresses[0]: Invalid value: "127.0.0.1": ${LOOPBACK}`,
    'endpoints[0].addresses[1]: Invalid value: "::1": must be a valid IPv4 address',
  ],
  [
    { addressType: "IPv6" },
    'endpoints[0].addresses[0]: Invalid value: "10.0.0.1": must be a valid IPv6 address',
  ],
  [
    { addressType: "FQDN", "endpoints[0].addresses": ["a"] },
    'endpoints[0].addresses[0]: Invalid value: "a": should be a domain with at least two segments separated by dots',
  ],
  [
    { "endpoints[0].addresses": Array(101).fill("10.0.0.1") },
    "endpoints[0].addresses: Too many: 101: must have at most 100 items",
  ],
  [{ ports: [{ name: "a" }, { name: "a" }] }, 'ports[1].name: Duplicate value: "a"'],
  [
    { ports: [{ protocol: "X" }] },
    'ports[0].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"',
  ],
  [
    { "endpoints[0].hints": { forZones: [{ name: "a" }, { name: "a" }] } },
    'endpoints[0].hints.forZones[1].name: Duplicate value: "a"',
  ],
]);
updates(EndpointSlice, { addressType: "IPv4", endpoints: [] }, [
  [{ addressType: "IPv6" }, 'addressType: Invalid value: "IPv6": field is immutable'],
]);

creates(Endpoints, { subsets: [{ addresses: [{ ip: "10.0.0.1" }], ports: [{ port: 1 }] }] }, [
  [
    { "subsets[0].addresses": [] },
    "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`",
  ],
  [
    { "subsets[0].addresses": [{ ip: "x" }, { ip: "169.254.0.1" }] },
    'subsets[0].addresses[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    'subsets[0].addresses[1].ip: Invalid value: "169.254.0.1": may not be in the link-local range (169.254.0.0/16, fe80::/10)',
  ],
  [
    { "subsets[0].ports": [{ port: 0 }, { port: 1, name: "a", protocol: "X" }] },
    'subsets[0].ports[1].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"',
    "subsets[0].ports[0].name: Required value",
    "subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
  ],
]);

test("Endpoints: the API's own may be on loopback", () => {
  const metadata = { name: "kubernetes" };
  const slice = { addressType: "IPv4", endpoints: [{ addresses: ["127.0.0.1"] }] };
  const subsets = [{ addresses: [{ ip: "127.0.0.1" }], ports: [{ port: 1 }] }];
  expect(faultsOf(EndpointSlice, { metadata, ...slice })).toEqual([]);
  expect(faultsOf(Endpoints, { metadata, subsets })).toEqual([]);
  const elsewhere = { metadata: { ...metadata, namespace: "other" }, ...slice };
  expect(faultsOf(EndpointSlice, elsewhere)).toHaveLength(1);
});

test.each([
  ["10.0.0.0/8", "10.1.0.0/16", true],
  ["10.0.0.0/8", "10.0.0.0/8", false],
  ["10.0.0.0/8", "11.0.0.0/16", false],
  ["2001:db8::/32", "2001:db8:1::/48", true],
  ["2001:db8::/32", "10.0.0.0/8", false],
  ["::/0", "fe80::1/128", true],
])("addresses: %s holds %s: %s", (outer, inner, holds) => {
  expect(isStrictSubset(outer, inner)).toBe(holds);
});

test("addresses: ranges are well formed, and addresses of one's own are not others'", () => {
  expect(["10.0.0.0/8", "::/0", "::1/128"].map(isCidr)).toEqual([true, true, true]);
  expect(["10.0.0.0", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/08"].some(isCidr)).toBe(false);
  expect(["10.0.0.1", "2001:db8::1"].flatMap(nonSpecialAddress)).toEqual([]);
  expect(nonSpecialAddress("::1")).toEqual([LOOPBACK]);
});
