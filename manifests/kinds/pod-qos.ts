/** The quality of service that a pod's resources ask for (k8s:pkg/apis/core/helper/qos/qos.go). */
import { quantityMilliValue } from "../quantity.ts";
import type { Container, Pod, PodQOSClass } from "../schema/types.generated.ts";

const counted = ["cpu", "memory"];

/** Guaranteed: every container limits both, and asks for all of it. BestEffort: none asks for anything. */
export function podQOSClass({ spec }: Pod): PodQOSClass {
  const containers: readonly Pick<Container, "resources">[] = [
    ...(spec.initContainers ?? []),
    ...spec.containers,
  ];
  const asks = containers.some(({ resources }) =>
    counted.some(
      (name) => isPositive(resources?.requests?.[name]) || isPositive(resources?.limits?.[name]),
    ),
  );
  if (!asks) return "BestEffort";
  return containers.every(isGuaranteed) ? "Guaranteed" : "Burstable";
}

function isGuaranteed({ resources }: Pick<Container, "resources">): boolean {
  return counted.every((name) => {
    const limit = resources?.limits?.[name];
    const request = resources?.requests?.[name] ?? limit;
    return isPositive(limit) && amount(request) === amount(limit);
  });
}

function isPositive(quantity: string | undefined): boolean {
  return amount(quantity) > 0;
}

function amount(quantity: string | undefined): number {
  return quantity === undefined ? 0 : quantityMilliValue(quantity);
}
