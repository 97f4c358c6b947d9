/** RuntimeClass: what a pod's runtime adds to its needs and its places. k8s: plugin/pkg/admission/runtimeclass. */

import equal from "fast-deep-equal";
import { Pod, RuntimeClass } from "../../../manifests/index.ts";
import { compareQuantity } from "../../../manifests/quantity.ts";
import { type Attributes, concerns, type Plugin, refused } from "./chain.ts";

export const runtimeClass: Plugin = {
  name: "RuntimeClass",
  handles: (target) => concerns(target, [Pod], "CREATE"),
  mutate(attributes, { reader }) {
    const pod = attributes.object as Pod;
    const name = pod.spec.runtimeClassName;
    if (!name) {
      if (!pod.spec.overhead) return undefined;
      throw rejected(
        attributes,
        "Pod Overhead set without corresponding RuntimeClass defined Overhead",
      );
    }
    const found = reader.fetch(RuntimeClass, "", name);
    const admit = (read: RuntimeClass | undefined) => {
      if (!read) throw rejected(attributes, `RuntimeClass "${name}" not found`);
      return withScheduling(attributes, withOverhead(attributes, pod, read), read);
    };
    return found instanceof Promise ? found.then(admit) : admit(found);
  },
};

function withOverhead(attributes: Attributes, pod: Pod, { overhead }: RuntimeClass): Pod {
  const fixed = overhead?.podFixed;
  const given = pod.spec.overhead;
  if (given && !sameAmounts(given, fixed ?? {})) {
    throw rejected(attributes, "Pod's Overhead doesn't match RuntimeClass's defined Overhead");
  }
  return fixed ? { ...pod, spec: { ...pod.spec, overhead: fixed } } : pod;
}

function sameAmounts(a: Record<string, string>, b: Record<string, string>): boolean {
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => compareQuantity(a[name] ?? "0", b[name] ?? "-1") === 0);
}

function withScheduling(attributes: Attributes, pod: Pod, { scheduling }: RuntimeClass): Pod {
  if (!scheduling) return pod;
  const nodeSelector = { ...pod.spec.nodeSelector };
  for (const [key, value] of Object.entries(scheduling.nodeSelector ?? {})) {
    const given = nodeSelector[key];
    if (given !== undefined && given !== value) {
      const why =
        `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; ` +
        `pod.spec.nodeSelector[${key}] = ${given}`;
      throw refused(attributes, why);
    }
    nodeSelector[key] = value;
  }
  const own = pod.spec.tolerations ?? [];
  const added = (scheduling.tolerations ?? []).filter((one) => !own.some((it) => equal(it, one)));
  const selected = Object.keys(nodeSelector).length > 0 ? { nodeSelector } : {};
  return { ...pod, spec: { ...pod.spec, ...selected, tolerations: [...own, ...added] } };
}

function rejected(attributes: Attributes, why: string): Error {
  return refused(attributes, `pod rejected: ${why}`);
}
