/**
 * DefaultTolerationSeconds: how long a pod stays on a node that is not ready or not reachable.
 * k8s: plugin/pkg/admission/defaulttolerationseconds.
 */

import { Pod, type Toleration } from "../../../manifests/index.ts";
import { concerns, type Plugin } from "./chain.ts";

const tolerationSeconds = 300;
const taints = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];

export const defaultTolerationSeconds: Plugin = {
  name: "DefaultTolerationSeconds",
  handles: (target) => concerns(target, [Pod], "CREATE", "UPDATE"),
  mutate({ object }) {
    const pod = object as Pod;
    const tolerations = pod.spec.tolerations ?? [];
    const missing = taints.filter((key) => !tolerations.some((one) => coversNoExecute(one, key)));
    if (missing.length === 0) return undefined;
    const added = missing.map(
      (key): Toleration => ({ key, operator: "Exists", effect: "NoExecute", tolerationSeconds }),
    );
    return { ...pod, spec: { ...pod.spec, tolerations: [...tolerations, ...added] } };
  },
};

function coversNoExecute({ key, effect }: Toleration, taint: string): boolean {
  return (!key || key === taint) && (!effect || effect === "NoExecute");
}
