/** Arithmetic on resource lists such as `{cpu: "500m", pods: "1"}`; after k8s:apiserver/pkg/quota/v1. */

import { addQuantity, compareQuantity, parseQuantity, subQuantity } from "../quantity.ts";
import type { Container, Pod } from "../schema/types.generated.ts";

export type ResourceList = Readonly<Record<string, string>>;

export function addLists(a: ResourceList, b: ResourceList): ResourceList {
  const sum: Record<string, string> = { ...a };
  for (const [name, amount] of Object.entries(b)) {
    const known = sum[name];
    sum[name] = known === undefined ? amount : addQuantity(known, amount);
  }
  return sum;
}

/** Every name of either; below zero where `b` has more. */
export function subtractLists(a: ResourceList, b: ResourceList): ResourceList {
  const rest: Record<string, string> = { ...a };
  for (const [name, amount] of Object.entries(b))
    rest[name] = subQuantity(rest[name] ?? "0", amount);
  return rest;
}

/** Only what `holds`. */
export function pickFrom(
  list: ResourceList,
  holds: (name: string, amount: string) => boolean,
): ResourceList {
  return Object.fromEntries(Object.entries(list).filter(([name, amount]) => holds(name, amount)));
}

export function isPositive(amount: string): boolean {
  return parseQuantity(amount).nano > 0n;
}

/** `pods=1,requests.cpu=500m`, in the order of their names. */
export function formatList(list: ResourceList): string {
  return Object.keys(list)
    .sort()
    .map((name) => `${name}=${list[name]}`)
    .join(",");
}

/**
 * The requests or the limits of a whole Pod, as quantities.
 * After k8s:component-helpers/resource/helpers.go `PodRequests` and `PodLimits`.
 */
export function podResourceList({ spec }: Pod, what: "requests" | "limits"): ResourceList {
  const of = ({ resources }: Container): ResourceList => resources?.[what] ?? {};
  let running = (spec.containers ?? []).map(of).reduce(addLists, {});
  let sidecars: ResourceList = {};
  let initial: ResourceList = {};
  for (const container of spec.initContainers ?? []) {
    if (container.restartPolicy === "Always") {
      running = addLists(running, of(container));
      sidecars = addLists(sidecars, of(container));
      initial = greaterOf(initial, sidecars);
    } else initial = greaterOf(initial, addLists(of(container), sidecars));
  }
  const most = greaterOf(running, initial);
  const overhead = pickFrom(
    spec.overhead ?? {},
    (name) => what === "requests" || (most[name] !== undefined && isPositive(most[name])),
  );
  return addLists(most, overhead);
}

function greaterOf(a: ResourceList, b: ResourceList): ResourceList {
  const most: Record<string, string> = { ...a };
  for (const [name, amount] of Object.entries(b)) {
    const known = most[name];
    if (known === undefined || compareQuantity(amount, known) > 0) most[name] = amount;
  }
  return most;
}
