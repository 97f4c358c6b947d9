/** Every admission plugin, in the order in which a request meets them (k8s: kubeapiserver/options/plugins.go). */

import { certificateSubjectRestriction } from "./certificate-subject-restriction.ts";
import type { Plugin } from "./chain.ts";
import { defaultTolerationSeconds } from "./default-toleration-seconds.ts";
import { namespaceLifecycle } from "./namespace-lifecycle.ts";
import { nodeRestriction } from "./node-restriction.ts";
import { priority } from "./priority.ts";
import { type AccountParts, serviceAccount } from "./service-account.ts";

/** As upstream's options of the same names: what is added to the default, and what is taken away. */
export interface AdmissionSettings {
  readonly enable?: readonly string[];
  readonly disable?: readonly string[];
}

export function plugins(settings: AdmissionSettings = {}, parts: AccountParts): Plugin[] {
  const { disable = [] } = settings;
  const all: readonly Plugin[] = [
    namespaceLifecycle,
    nodeRestriction,
    serviceAccount(parts),
    priority,
    defaultTolerationSeconds,
    certificateSubjectRestriction,
  ];
  return all.filter(({ name }) => !disable.includes(name));
}
