/** Every admission plugin, in the order in which a request meets them (k8s: kubeapiserver/options/plugins.go). */

import { certificateSubjectRestriction } from "./certificate-subject-restriction.ts";
import { certificateApproval, certificateSigning } from "./certificates.ts";
import type { Plugin } from "./chain.ts";
import { defaultIngressClass } from "./default-ingress-class.ts";
import { defaultTolerationSeconds } from "./default-toleration-seconds.ts";
import { denyServiceExternalIps } from "./deny-service-external-ips.ts";
import { limitRanger } from "./limit-ranger.ts";
import { namespaceLifecycle } from "./namespace-lifecycle.ts";
import { nodeRestriction } from "./node-restriction.ts";
import { ownerReferencesPermissionEnforcement } from "./owner-references.ts";
import { alwaysPullImages, extendedResourceToleration, podNodeSelector } from "./pod-options.ts";
import { type PodSecurityExemptions, podSecurity } from "./pod-security.ts";
import { priority } from "./priority.ts";
import { resourceQuota } from "./resource-quota.ts";
import { runtimeClass } from "./runtime-class.ts";
import { type AccountParts, serviceAccount } from "./service-account.ts";
import {
  defaultStorageClass,
  persistentVolumeClaimResize,
  storageObjectInUseProtection,
} from "./storage.ts";
import { taintNodesByCondition } from "./taint-nodes-by-condition.ts";
import { validatingPolicies } from "./validating-policies.ts";
import type { WebhookDialer } from "./webhooks/dialer.ts";
import { mutatingWebhooks } from "./webhooks/mutating.ts";
import { validatingWebhooks } from "./webhooks/validating.ts";

export interface AdmissionSettings {
  /** As upstream's options of the same names: added to what is on by itself, and taken away. */
  readonly enable?: readonly string[];
  readonly disable?: readonly string[];
  readonly podSecurity?: PodSecurityExemptions;
  /** Tokens are issued; without it pods need no account. */
  readonly accounts?: AccountParts;
  /** Without one every webhook fails as one that cannot be reached. */
  readonly dialer?: WebhookDialer;
}

function all({ podSecurity: exemptions, accounts, dialer }: AdmissionSettings): Plugin[] {
  return [
    namespaceLifecycle,
    podNodeSelector,
    alwaysPullImages,
    limitRanger,
    serviceAccount(accounts),
    nodeRestriction,
    taintNodesByCondition,
    podSecurity(exemptions),
    priority,
    defaultTolerationSeconds,
    extendedResourceToleration,
    defaultStorageClass,
    storageObjectInUseProtection,
    persistentVolumeClaimResize,
    runtimeClass,
    certificateApproval,
    certificateSigning,
    certificateSubjectRestriction,
    defaultIngressClass,
    denyServiceExternalIps,
    ownerReferencesPermissionEnforcement,
    mutatingWebhooks(dialer),
    validatingPolicies,
    validatingWebhooks(dialer),
    resourceQuota(),
  ];
}

const offByDefault = new Set([
  "AlwaysPullImages",
  "DenyServiceExternalIPs",
  "ExtendedResourceToleration",
  "OwnerReferencesPermissionEnforcement",
  "PodNodeSelector",
]);

export const pluginNames: readonly string[] = all({}).map(({ name }) => name);

export function plugins(settings: AdmissionSettings = {}): Plugin[] {
  const { enable = [], disable = [] } = settings;
  return all(settings).filter(
    ({ name }) => !disable.includes(name) && (!offByDefault.has(name) || enable.includes(name)),
  );
}
