/**
 * Plugins that are off unless asked for: AlwaysPullImages, ExtendedResourceToleration and
 * PodNodeSelector. k8s: plugin/pkg/admission/{alwayspullimages,extendedresourcetoleration,podnodeselector}.
 */

import { type Container, Namespace, Pod, type Toleration } from "../../../manifests/index.ts";
import { tolerates } from "../../../manifests/kinds/tolerations.ts";
import { concerns, type Plugin, refused } from "./chain.ts";

/** So that whoever runs an image has shown that he may pull it. */
export const alwaysPullImages: Plugin = {
  name: "AlwaysPullImages",
  handles: (target) => concerns(target, [Pod], "CREATE"),
  mutate({ object }) {
    const pod = object as Pod;
    const pull = (container: Container) => ({ ...container, imagePullPolicy: "Always" as const });
    const { containers, initContainers } = pod.spec;
    return {
      ...pod,
      spec: {
        ...pod.spec,
        containers: containers.map(pull),
        ...(initContainers ? { initContainers: initContainers.map(pull) } : {}),
      },
    };
  },
};

/** Nodes with special devices are tainted with the device's name; who asks for one tolerates it. */
export const extendedResourceToleration: Plugin = {
  name: "ExtendedResourceToleration",
  handles: (target) => concerns(target, [Pod], "CREATE"),
  mutate({ object }) {
    const pod = object as Pod;
    const { containers, initContainers = [], tolerations = [] } = pod.spec;
    const asked = [...containers, ...initContainers].flatMap(({ resources }) =>
      Object.keys(resources?.requests ?? {}).filter(isExtended),
    );
    const added = [...new Set(asked)]
      .sort()
      .filter((key) => !tolerates(tolerations, { key, effect: "NoSchedule" }))
      .map((key): Toleration => ({ key, operator: "Exists" }));
    if (added.length === 0) return undefined;
    return { ...pod, spec: { ...pod.spec, tolerations: [...tolerations, ...added] } };
  },
};

function isExtended(name: string): boolean {
  return name.includes("/") && !name.includes("kubernetes.io/") && !name.startsWith("requests.");
}

const nodeSelectorAnnotation = "scheduler.alpha.kubernetes.io/node-selector";

export const podNodeSelector: Plugin = {
  name: "PodNodeSelector",
  handles: (target) => concerns(target, [Pod], "CREATE"),
  mutate(attributes, { reader }) {
    const pod = attributes.object as Pod;
    const namespace = reader.get(Namespace, "", attributes.namespace);
    const text = namespace?.metadata.annotations?.[nodeSelectorAnnotation];
    if (!text) return undefined;
    const wanted = Object.fromEntries(
      text.split(",").map((pair) => pair.split("=", 2).map((part) => part.trim())),
    );
    const given = pod.spec.nodeSelector ?? {};
    if (Object.keys(wanted).some((key) => given[key] !== undefined && given[key] !== wanted[key])) {
      const why = "pod node label selector conflicts with its namespace node label selector";
      throw refused(attributes, why);
    }
    return { ...pod, spec: { ...pod.spec, nodeSelector: { ...given, ...wanted } } };
  },
};
