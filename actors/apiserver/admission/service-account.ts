/**
 * ServiceAccount: every pod runs as somebody. k8s: plugin/pkg/admission/serviceaccount.
 *
 * Differs from Kubernetes: a service account brings no token volume until tokens are issued.
 */

import { Pod } from "../../../manifests/index.ts";
import { concerns, type Plugin } from "./chain.ts";

export const serviceAccount: Plugin = {
  name: "ServiceAccount",
  handles: (target) => concerns(target, [Pod], "CREATE"),
  mutate({ object }) {
    const pod = object as Pod;
    const serviceAccountName = pod.spec.serviceAccountName || "default";
    return {
      ...pod,
      spec: { ...pod.spec, serviceAccountName, serviceAccount: serviceAccountName },
    };
  },
};
