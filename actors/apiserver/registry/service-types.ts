/**
 * A Service that becomes another type: what only the old type had goes with it, unless the client says otherwise in
 * the same breath (k8s: registry/core/service/strategy.go, dropTypeDependentFields).
 */

import equal from "fast-deep-equal";
import type { Service } from "../../../manifests/index.ts";

type Spec = Service["spec"];

const isBalanced = ({ type }: Spec): boolean => type === "LoadBalancer";
const hasAddress = ({ type }: Spec): boolean => type !== "ExternalName";
const isExternal = (spec: Spec): boolean =>
  isBalanced(spec) || spec.type === "NodePort" || (spec.externalIPs?.length ?? 0) > 0;

/** Fields, and who has them. */
const owned: readonly (readonly [fields: readonly (keyof Spec)[], has: (spec: Spec) => boolean])[] =
  [
    [["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"], hasAddress],
    [["internalTrafficPolicy"], hasAddress],
    [["externalTrafficPolicy"], isExternal],
    [["allocateLoadBalancerNodePorts", "loadBalancerClass"], isBalanced],
    [["healthCheckNodePort"], (spec) => isBalanced(spec) && spec.externalTrafficPolicy === "Local"],
  ];

export function withoutForeignFields(service: Service, old: Service): Service {
  const spec: Spec = { ...service.spec };
  for (const [fields, has] of owned) {
    if (!has(old.spec) || has(spec)) continue;
    for (const field of fields) if (equal(spec[field], old.spec[field])) delete spec[field];
  }
  if (hasNodePorts(old.spec) && !hasNodePorts(spec) && samePorts(spec, old.spec)) {
    spec.ports = spec.ports?.map(({ nodePort: _given, ...port }) => port);
  }
  return { ...service, spec };
}

function hasNodePorts(spec: Spec): boolean {
  if (spec.type === "NodePort") return true;
  return isBalanced(spec) && spec.allocateLoadBalancerNodePorts !== false;
}

/** Whether nobody asked for a node port that was not there before. */
function samePorts(spec: Spec, old: Spec): boolean {
  const before = new Set(old.ports?.map(({ nodePort }) => nodePort));
  return (spec.ports ?? []).every(({ nodePort }) => !nodePort || before.has(nodePort));
}
