/**
 * DenyServiceExternalIPs, off unless asked for: an address that is not the cluster's cannot be
 * taken over by a Service. k8s: plugin/pkg/admission/denyserviceexternalips.
 */

import { Service } from "../../../manifests/index.ts";
import { concerns, type Plugin, refused } from "./chain.ts";

export const denyServiceExternalIps: Plugin = {
  name: "DenyServiceExternalIPs",
  handles: (target) => concerns(target, [Service], "CREATE", "UPDATE"),
  validate(attributes) {
    const ipsOf = (service: unknown) => (service as Service | undefined)?.spec.externalIPs ?? [];
    const before = new Set(ipsOf(attributes.old));
    if (ipsOf(attributes.object).every((ip) => before.has(ip))) return;
    throw refused(attributes, "Use of external IPs is denied by admission control");
  },
};
