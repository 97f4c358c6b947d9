/**
 * TaintNodesByCondition: a node that has just come is not ready; the node lifecycle controller
 * takes the taint away. k8s: plugin/pkg/admission/nodetaint.
 */

import { Node } from "../../../manifests/index.ts";
import { concerns, type Plugin } from "./chain.ts";

const notReady = { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" } as const;

export const taintNodesByCondition: Plugin = {
  name: "TaintNodesByCondition",
  handles: (target) => concerns(target, [Node], "CREATE"),
  mutate({ object }) {
    const node = object as Node;
    const taints = node.spec?.taints ?? [];
    const known = taints.some(({ key, effect }) => key === notReady.key && effect === "NoSchedule");
    if (known) return undefined;
    return { ...node, spec: { ...node.spec, taints: [...taints, { ...notReady }] } };
  },
};
