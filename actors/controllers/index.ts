/** Every controller of the cluster, in the order in which a Pod meets them. */

import type { Controller } from "../kit/controller.ts";
import { clusterRoleAggregation } from "./clusterrole-aggregation.ts";
import { customResourceDefinition } from "./custom-resource-definition.ts";
import { deployment } from "./deployment.ts";
import { endpointSlice } from "./endpoint-slice.ts";
import { endpoints } from "./endpoints.ts";
import { garbageCollector } from "./garbage-collector.ts";
import { namespace } from "./namespace.ts";
import { nodeLifecycle } from "./node-lifecycle.ts";
import { podGc } from "./pod-gc.ts";
import { replicaset } from "./replicaset.ts";
import { rootCaPublisher } from "./root-ca-publisher.ts";
import { serviceAccount } from "./service-account.ts";

export interface ControllerSettings {
  /** The certificate authority of the API, for pods. */
  caPem: string;
}

export function controllers({ caPem }: ControllerSettings): Controller[] {
  return [
    serviceAccount,
    rootCaPublisher(caPem),
    deployment,
    replicaset,
    endpointSlice,
    endpoints,
    nodeLifecycle,
    podGc,
    customResourceDefinition,
    garbageCollector,
    namespace,
    clusterRoleAggregation,
  ];
}
