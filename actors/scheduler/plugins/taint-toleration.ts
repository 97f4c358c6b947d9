/** TaintToleration: a node's NoSchedule and NoExecute taints refuse, its PreferNoSchedule ones deter. */

import { tolerates } from "../../../manifests/kinds/tolerations.ts";
import type { Taint } from "../../../manifests/schema/types.generated.ts";
import { normalizeToHundred, type Plugin } from "../framework.ts";
import type { PodInfo } from "../pod-info.ts";

export const taintToleration: Plugin = {
  name: "TaintToleration",
  helpedBy: ["node-added", "node-taints"],
  filter: (pod, { node }) => {
    const taint = untolerated(pod, node.taints, ["NoSchedule", "NoExecute"])[0];
    if (taint === undefined) return undefined;
    return [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ""}}`];
  },
  score: {
    weight: 3,
    score: (pod, { node }) => untolerated(pod, node.taints, ["PreferNoSchedule"]).length,
    normalize: (scores) => normalizeToHundred(scores, true),
  },
};

function untolerated(
  pod: PodInfo,
  taints: readonly Taint[],
  effects: readonly string[],
): readonly Taint[] {
  if (taints.length === 0) return taints;
  return taints.filter(
    (taint) => effects.includes(taint.effect) && !tolerates(pod.tolerations, taint),
  );
}
