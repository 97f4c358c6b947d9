/** Every controller of the cluster, in the order in which a Pod meets them. */

import type { CertificateSigner } from "../../runtime/certificate-requests.ts";
import type { TokenKeys } from "../../runtime/token-keys.ts";
import type { Controller } from "../kit/controller.ts";
import { bootstrapSigner } from "./bootstrap-signer.ts";
import { clusterRoleAggregation } from "./clusterrole-aggregation.ts";
import { csrApproving } from "./csr-approving.ts";
import { csrCleaner } from "./csr-cleaner.ts";
import { csrSigning } from "./csr-signing.ts";
import { customResourceDefinition } from "./custom-resource-definition.ts";
import { deployment } from "./deployment.ts";
import { endpointSlice } from "./endpoint-slice.ts";
import { endpoints } from "./endpoints.ts";
import { garbageCollector } from "./garbage-collector.ts";
import { namespace } from "./namespace.ts";
import { nodeLifecycle } from "./node-lifecycle.ts";
import { podGc } from "./pod-gc.ts";
import { pvProtection } from "./pv-protection.ts";
import { pvcProtection } from "./pvc-protection.ts";
import { replicaset } from "./replicaset.ts";
import { resourceQuota } from "./resource-quota.ts";
import { rootCaPublisher } from "./root-ca-publisher.ts";
import { serviceAccount } from "./service-account.ts";
import { token } from "./token.ts";
import { tokenCleaner } from "./token-cleaner.ts";

export interface ControllerSettings {
  /** The certificate authority of the API, for pods. */
  caPem: string;
  /** Signs the tokens that Secrets hold. */
  tokenKeys?: TokenKeys;
  /** Signs certificates in the authority's name. */
  signer?: CertificateSigner;
  /** The kubeconfig in kube-public/cluster-info. */
  clusterInfo?: string;
}

export function controllers(settings: ControllerSettings): Controller[] {
  const { caPem, tokenKeys, signer, clusterInfo } = settings;
  return [
    serviceAccount,
    token({ caPem, keys: tokenKeys }),
    csrApproving,
    csrSigning(signer),
    csrCleaner,
    tokenCleaner,
    bootstrapSigner(clusterInfo),
    rootCaPublisher(caPem),
    deployment,
    replicaset,
    endpointSlice,
    endpoints,
    nodeLifecycle,
    podGc,
    customResourceDefinition,
    resourceQuota,
    pvcProtection,
    pvProtection,
    garbageCollector,
    namespace,
    clusterRoleAggregation,
  ];
}
