/** What a Pod takes of its node, for whoever counts it: scheduler, ledger, kubelet, quota. */

import { quantityMilliValue, quantityValue } from "../quantity.ts";
import type { Container, Pod } from "../schema/types.generated.ts";

/** By resource name: millicores for cpu, whole units (bytes, pieces) for all others. */
export type ResourceAmounts = Map<string, number>;

/** The amounts of a resource list such as `status.allocatable` of a Node. */
export function resourceAmounts(list: Readonly<Record<string, string>> = {}): ResourceAmounts {
  const amounts: ResourceAmounts = new Map();
  for (const [name, quantity] of Object.entries(list))
    amounts.set(name, name === "cpu" ? quantityMilliValue(quantity) : quantityValue(quantity));
  return amounts;
}

/**
 * The requests of a whole Pod: its containers and sidecars together, or an init container with
 * the sidecars started before it where that is more; then the overhead.
 * After k8s:component-helpers/resource/helpers.go `PodRequests`.
 */
export function podRequests({ spec }: Pod): ResourceAmounts {
  const running: ResourceAmounts = new Map();
  for (const container of spec.containers) addTo(running, requestsOf(container));
  const sidecars: ResourceAmounts = new Map();
  const initial: ResourceAmounts = new Map();
  for (const container of spec.initContainers ?? []) {
    const requests = requestsOf(container);
    if (container.restartPolicy === "Always") {
      addTo(running, requests);
      addTo(sidecars, requests);
      raiseTo(initial, sidecars);
    } else {
      addTo(requests, sidecars);
      raiseTo(initial, requests);
    }
  }
  raiseTo(running, initial);
  addTo(running, resourceAmounts(spec.overhead));
  return running;
}

/** A container that states a limit only has been defaulted to request as much. */
function requestsOf({ resources }: Container): ResourceAmounts {
  return resourceAmounts(resources?.requests);
}

function addTo(sum: ResourceAmounts, more: ResourceAmounts): void {
  for (const [name, amount] of more) sum.set(name, (sum.get(name) ?? 0) + amount);
}

function raiseTo(most: ResourceAmounts, other: ResourceAmounts): void {
  for (const [name, amount] of other) most.set(name, Math.max(most.get(name) ?? 0, amount));
}
