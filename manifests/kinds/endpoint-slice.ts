/** How an EndpointSlice says whose it is: the labels of upstream (k8s.io/api/discovery/v1). */
import type { EndpointSlice } from "../schema/types.generated.ts";

export const serviceNameLabel = "kubernetes.io/service-name";
/** Who writes the slice; the endpoint slice controller touches only its own. */
export const managedByLabel = "endpointslice.kubernetes.io/managed-by";

/** `namespace/name` of the Service that the slice belongs to. */
export function serviceOf({ metadata }: EndpointSlice): string {
  return `${metadata.namespace ?? ""}/${metadata.labels?.[serviceNameLabel] ?? ""}`;
}
