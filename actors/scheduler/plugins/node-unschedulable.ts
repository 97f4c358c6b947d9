/** NodeUnschedulable: keeps pods off cordoned nodes, unless they tolerate the taint that says so. */

import { tolerates } from "../../../manifests/kinds/tolerations.ts";
import type { Plugin } from "../framework.ts";

const cordoned = {
  key: "node.kubernetes.io/unschedulable",
  value: "",
  effect: "NoSchedule",
} as const;

export const nodeUnschedulable: Plugin = {
  name: "NodeUnschedulable",
  helpedBy: ["node-added", "node-taints"],
  filter: (pod, { node }) =>
    !node.unschedulable || tolerates(pod.tolerations, cordoned)
      ? undefined
      : ["node(s) were unschedulable"],
};
