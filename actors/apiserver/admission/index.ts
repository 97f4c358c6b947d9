/** Every admission plugin, in the order in which a request meets them (k8s: kubeapiserver/options/plugins.go). */

import type { Plugin } from "./chain.ts";
import { defaultTolerationSeconds } from "./default-toleration-seconds.ts";
import { namespaceLifecycle } from "./namespace-lifecycle.ts";
import { nodeRestriction } from "./node-restriction.ts";
import { priority } from "./priority.ts";
import { serviceAccount } from "./service-account.ts";
import type { WebhookDialer } from "./webhooks/dialer.ts";

/** As upstream's options of the same names: what is added to the default, and what is taken away. */
export interface AdmissionSettings {
  readonly enable?: readonly string[];
  readonly disable?: readonly string[];
  /** Without one every webhook fails as one that cannot be reached. */
  readonly dialer?: WebhookDialer;
}

const all: readonly Plugin[] = [
  namespaceLifecycle,
  nodeRestriction,
  serviceAccount,
  priority,
  defaultTolerationSeconds,
];

export function plugins({ disable = [] }: AdmissionSettings = {}): Plugin[] {
  return all.filter(({ name }) => !disable.includes(name));
}
