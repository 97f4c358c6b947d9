/** How much of each resource a pod asks for, and its quality of service (k8s:component-helpers/resource, qos.go). */
import { parseQuantity, quantityMilliValue, quantityValue } from "../quantity.ts";
import type { Container, Pod, PodQOSClass, PodSpec } from "../schema/types.generated.ts";

/** Processors in thousandths, all else in whole units; the unit in which schedulers and kubelets count. */
export type ResourceAmounts = Record<string, number>;

export function resourceAmount(resource: string, quantity: string): number {
  return resource === "cpu" ? quantityMilliValue(quantity) : quantityValue(quantity);
}

export function resourceAmounts(list: Record<string, string> | undefined): ResourceAmounts {
  const amounts: ResourceAmounts = {};
  for (const [name, quantity] of Object.entries(list ?? {})) {
    amounts[name] = resourceAmount(name, quantity);
  }
  return amounts;
}

export function addAmounts(a: ResourceAmounts, b: ResourceAmounts): ResourceAmounts {
  const sum = { ...a };
  for (const [name, amount] of Object.entries(b)) sum[name] = (sum[name] ?? 0) + amount;
  return sum;
}

function maxAmounts(a: ResourceAmounts, b: ResourceAmounts): ResourceAmounts {
  const most = { ...a };
  for (const [name, amount] of Object.entries(b)) most[name] = Math.max(most[name] ?? 0, amount);
  return most;
}

/** What a node must have free for the pod. */
export function podRequests(spec: PodSpec): ResourceAmounts {
  return podTotal(spec, (container) => resourceAmounts(container.resources?.requests));
}

/** A resource that any container may use without limit is missing here only if none limits it. */
export function podLimits(spec: PodSpec): ResourceAmounts {
  return podTotal(spec, (container) => resourceAmounts(container.resources?.limits));
}

/**
 * Containers run together, so they add up. Init containers run one after the other, beside the sidecars (init
 * containers that restart always) started before them, so the greatest moment counts.
 */
function podTotal(spec: PodSpec, amountsOf: (container: Container) => ResourceAmounts) {
  let running: ResourceAmounts = {};
  for (const container of spec.containers) running = addAmounts(running, amountsOf(container));
  let sidecars: ResourceAmounts = {};
  let greatest: ResourceAmounts = {};
  for (const container of spec.initContainers ?? []) {
    const own = amountsOf(container);
    const moment = addAmounts(own, sidecars);
    if (container.restartPolicy === "Always") {
      running = addAmounts(running, own);
      sidecars = moment;
    }
    greatest = maxAmounts(greatest, moment);
  }
  return addAmounts(maxAmounts(running, greatest), resourceAmounts(spec.overhead));
}

/** The resources of which there is not enough left, by name. */
export function insufficientResources(requests: ResourceAmounts, free: ResourceAmounts): string[] {
  return Object.keys(requests).filter((name) => {
    const wanted = requests[name] ?? 0;
    return wanted > 0 && wanted > (free[name] ?? 0);
  });
}

const QOS_RESOURCES = ["cpu", "memory"];

/** Guaranteed: every container limits both and requests as much. BestEffort: none says anything. */
export function podQosClass(pod: Pod): PodQOSClass {
  const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  let anything = false;
  let guaranteed = true;
  for (const { resources } of all) {
    for (const name of QOS_RESOURCES) {
      const limit = nonZero(resources?.limits?.[name]);
      const request = nonZero(resources?.requests?.[name]);
      if (limit !== undefined || request !== undefined) anything = true;
      if (limit === undefined || limit !== (request ?? limit)) guaranteed = false;
    }
  }
  if (!anything) return "BestEffort";
  return guaranteed ? "Guaranteed" : "Burstable";
}

function nonZero(quantity: string | undefined): bigint | undefined {
  if (quantity === undefined) return undefined;
  const { nano } = parseQuantity(quantity);
  return nano === 0n ? undefined : nano;
}
