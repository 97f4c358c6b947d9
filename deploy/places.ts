/** Who has which addresses: the nodes' shares of the pod range, and the well-known Services. */
import type { Cidr } from "./cidr.ts";
import { formatAddress } from "./cidr.ts";

/** A node's share of the pod addresses. */
export interface NodePlace {
  readonly name: string;
  readonly podCidr: string;
  /** The machine's own address among them: the gateway of its pods. */
  readonly gateway: string;
}

const addressesPerNode = 256;

export function computePlaces(podCidr: Cidr, names: readonly string[]): NodePlace[] {
  return names.map((name, index) => {
    const first = podCidr.first + index * addressesPerNode;
    return { name, podCidr: `${formatAddress(first)}/24`, gateway: formatAddress(first + 1) };
  });
}

/** How many nodes there is room for. */
export function mostNodes(podCidr: Cidr): number {
  return (podCidr.last - podCidr.first + 1) / addressesPerNode;
}

/** `default/kubernetes` is the first address, `kube-system/kube-dns` the tenth. */
export function serviceAddress(serviceCidr: Cidr, of: "kubernetes" | "kube-dns"): string {
  return formatAddress(serviceCidr.first + (of === "kubernetes" ? 1 : 10));
}

/** Where a door that listens on `host` is reached from this machine. */
export function reachable(host: string): string {
  return host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
}
