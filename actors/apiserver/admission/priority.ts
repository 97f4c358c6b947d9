/**
 * Priority: a pod's class becomes its number, and at most one class is everybody's default.
 * k8s: plugin/pkg/admission/priority.
 */

import { Pod, PriorityClass } from "../../../manifests/index.ts";
import { type AdmissionContext, type Attributes, concerns, type Plugin, refused } from "./chain.ts";

/** The two classes that every cluster has (k8s: pkg/apis/scheduling/v1/helpers.go). */
const systemPriorities: Readonly<Record<string, number>> = {
  "system-cluster-critical": 2_000_000_000,
  "system-node-critical": 2_000_001_000,
};

const preemptByDefault = "PreemptLowerPriority";

export const priority: Plugin = {
  name: "Priority",
  handles: (target) =>
    concerns(target, [Pod], "CREATE", "UPDATE") ||
    concerns(target, [PriorityClass], "CREATE", "UPDATE"),

  mutate(attributes, context) {
    if (attributes.resource.stored !== Pod) return undefined;
    return attributes.old ? keepPriority(attributes) : admitPod(attributes, context);
  },

  validate(attributes, { reader }) {
    const made = attributes.object as PriorityClass;
    if (attributes.resource.stored !== PriorityClass || !made.globalDefault) return;
    const other = reader.list(PriorityClass).find(({ globalDefault }) => globalDefault);
    if (!other || other.metadata.name === made.metadata.name) return;
    const why =
      `PriorityClass ${other.metadata.name} is already marked as default. ` +
      "Only one default can exist";
    throw refused(attributes, why);
  },
};

/** An update that says nothing of them leaves both as they are. */
function keepPriority({ object, old }: Attributes): Pod {
  const [pod, before] = [object as Pod, old as Pod];
  return {
    ...pod,
    spec: {
      ...pod.spec,
      priority: pod.spec.priority ?? before.spec.priority,
      preemptionPolicy: pod.spec.preemptionPolicy ?? before.spec.preemptionPolicy,
    },
  };
}

function admitPod(attributes: Attributes, { reader }: AdmissionContext): Pod | Promise<Pod> {
  const { priorityClassName: name } = (attributes.object as Pod).spec;
  const found = name
    ? systemPriorities[name] === undefined
      ? reader.fetch(PriorityClass, "", name)
      : reader.get(PriorityClass, "", name)
    : lowest(reader.list(PriorityClass).filter(({ globalDefault }) => globalDefault));
  const admit = (read: PriorityClass | undefined) =>
    withPriority(attributes, priorityOf(attributes, name, read));
  return found instanceof Promise ? found.then(admit) : admit(found);
}

function withPriority(attributes: Attributes, priority: Priority): Pod {
  const { priorityClassName, value, policy } = priority;
  const pod = attributes.object as Pod;
  const { priority: given, preemptionPolicy } = pod.spec;
  if (given !== undefined && given !== value) {
    const why =
      `the integer value of priority (${given}) must not be provided in pod spec; ` +
      `priority admission controller computed ${value} from the given PriorityClass name`;
    throw refused(attributes, why);
  }
  if (preemptionPolicy && preemptionPolicy !== policy) {
    const why =
      `the string value of PreemptionPolicy (${preemptionPolicy}) must not be provided in pod spec; ` +
      `priority admission controller computed ${policy} from the given PriorityClass name`;
    throw refused(attributes, why);
  }
  const named = priorityClassName ? { priorityClassName } : {};
  return { ...pod, spec: { ...pod.spec, ...named, priority: value, preemptionPolicy: policy } };
}

interface Priority {
  priorityClassName: string | undefined;
  value: number;
  policy: NonNullable<Pod["spec"]["preemptionPolicy"]>;
}

function priorityOf(
  attributes: Attributes,
  name: string | undefined,
  found: PriorityClass | undefined,
): Priority {
  if (found) {
    const policy = found.preemptionPolicy ?? preemptByDefault;
    return { priorityClassName: found.metadata.name, value: found.value, policy };
  }
  if (!name) return { priorityClassName: undefined, value: 0, policy: preemptByDefault };
  const value = systemPriorities[name];
  if (value !== undefined) return { priorityClassName: name, value, policy: preemptByDefault };
  throw refused(attributes, `no PriorityClass with name ${name} was found`);
}

/** Two defaults can only have been made at one moment; the lower one counts. */
function lowest(classes: readonly PriorityClass[]): PriorityClass | undefined {
  return [...classes].sort((a, b) => a.value - b.value)[0];
}
