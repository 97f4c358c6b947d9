/** What is odd about a pod, or the template of one (k8s:pkg/api/pod/warnings.go). */
import { parseQuantity } from "../quantity.ts";
import type {
  Affinity,
  Container,
  ContainerPort,
  EnvVar,
  NodeSelectorTerm,
  PodSpec,
  PodTemplateSpec,
  Volume,
} from "../schema/types.generated.ts";

/** By the label of a node that has another name now. */
const NODE_LABELS: Record<string, readonly [since: string, now: string]> = {
  "beta.kubernetes.io/arch": ["v1.14", "kubernetes.io/arch"],
  "beta.kubernetes.io/os": ["v1.14", "kubernetes.io/os"],
  "failure-domain.beta.kubernetes.io/region": ["v1.17", "topology.kubernetes.io/region"],
  "failure-domain.beta.kubernetes.io/zone": ["v1.17", "topology.kubernetes.io/zone"],
  "beta.kubernetes.io/instance-type": ["v1.17", "node.kubernetes.io/instance-type"],
};

const VOLUMES: Partial<Record<keyof Volume, string>> = {
  photonPersistentDisk: "deprecated in v1.11, non-functional in v1.16+",
  gitRepo: "deprecated in v1.11",
  scaleIO: "deprecated in v1.16, non-functional in v1.22+",
  flocker: "deprecated in v1.22, non-functional in v1.25+",
  storageos: "deprecated in v1.22, non-functional in v1.25+",
  quobyte: "deprecated in v1.22, non-functional in v1.25+",
  glusterfs: "deprecated in v1.25, non-functional in v1.26+",
  cephfs: "deprecated in v1.28, non-functional in v1.31+",
  rbd: "deprecated in v1.28, non-functional in v1.31+",
};

/** Annotations that were fields in the making; a key that ends in a slash stands for all that begin so. */
const ANNOTATIONS: readonly (readonly [key: string, what: string])[] = [
  [
    "seccomp.security.alpha.kubernetes.io/pod",
    'non-functional in v1.27+; use the "seccompProfile" field instead',
  ],
  [
    "container.seccomp.security.alpha.kubernetes.io/",
    'non-functional in v1.27+; use the "seccompProfile" field instead',
  ],
  [
    "container.apparmor.security.beta.kubernetes.io/",
    'deprecated since v1.30; use the "appArmorProfile" field instead',
  ],
  [
    "security.alpha.kubernetes.io/sysctls",
    'non-functional in v1.11+; use the "sysctls" field instead',
  ],
  [
    "security.alpha.kubernetes.io/unsafe-sysctls",
    'non-functional in v1.11+; use the "sysctls" field instead',
  ],
  [
    "scheduler.alpha.kubernetes.io/critical-pod",
    'non-functional in v1.16+; use the "priorityClassName" field instead',
  ],
];

/** Undefined for a label that is as it should be. */
export function nodeLabelWarning(label: string): string | undefined {
  const known = Object.hasOwn(NODE_LABELS, label) ? NODE_LABELS[label] : undefined;
  return known && `deprecated since ${known[0]}; use ${JSON.stringify(known[1])} instead`;
}

/** `prefix` ends in a dot unless it is empty. */
export function podTemplateWarnings(
  { metadata, spec }: PodTemplateSpec,
  prefix: string,
  isUpdate: boolean,
): string[] {
  const warnings: string[] = [];
  for (const key of Object.keys(metadata?.annotations ?? {})) {
    const found = ANNOTATIONS.find(([name]) =>
      name.endsWith("/") ? key.startsWith(name) : key === name,
    );
    // A pod that runs cannot lose its annotation's meaning any more.
    if (found && !(isUpdate && prefix === "")) {
      warnings.push(`${prefix}metadata.annotations[${key}]: ${found[1]}`);
    }
  }
  if (spec) addSpecWarnings(warnings, spec, `${prefix}spec`);
  return warnings;
}

function addSpecWarnings(warnings: string[], spec: PodSpec, path: string): void {
  for (const label of Object.keys(spec.nodeSelector ?? {})) {
    const what = nodeLabelWarning(label);
    if (what) warnings.push(`${path}.nodeSelector[${label}]: ${what}`);
  }
  if (spec.affinity) addAffinityWarnings(warnings, spec.affinity, `${path}.affinity`);
  spec.topologySpreadConstraints?.forEach(({ topologyKey, labelSelector }, i) => {
    const at = `${path}.topologySpreadConstraints[${i}]`;
    addLabelWarning(warnings, topologyKey, `${at}.topologyKey`);
    if (!labelSelector) {
      warnings.push(`${at}.labelSelector: a null labelSelector results in matching no pod`);
    }
  });
  addRepeats(warnings, spec.hostAliases ?? [], `${path}.hostAliases`, "ip");
  spec.imagePullSecrets?.forEach(({ name }, i) => {
    if (!name) warnings.push(`${path}.imagePullSecrets[${i}].name: invalid empty name ""`);
  });
  addRepeats(warnings, spec.imagePullSecrets ?? [], `${path}.imagePullSecrets`, "name");
  spec.volumes?.forEach((volume, i) => {
    for (const source of Object.keys(volume) as (keyof Volume)[]) {
      const what = VOLUMES[source];
      if (what) warnings.push(`${path}.volumes[${i}].${source}: ${what}`);
    }
  });
  for (const list of ["initContainers", "containers"] as const) {
    spec[list]?.forEach((container, i) => {
      addContainerWarnings(warnings, container, `${path}.${list}[${i}]`);
    });
  }
  addPortWarnings(warnings, spec.containers, `${path}.containers`);
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0) {
    const what = "must be >= 0; negative values are invalid and will be treated as 1";
    warnings.push(`${path}.terminationGracePeriodSeconds: ${what}`);
  }
}

function addLabelWarning(warnings: string[], label: string, at: string): void {
  const what = nodeLabelWarning(label);
  if (what) warnings.push(`${at}: ${label} is ${what}`);
}

function addAffinityWarnings(warnings: string[], affinity: Affinity, path: string): void {
  const at = `${path}.nodeAffinity`;
  const {
    requiredDuringSchedulingIgnoredDuringExecution: required,
    preferredDuringSchedulingIgnoredDuringExecution: preferred = [],
  } = affinity.nodeAffinity ?? {};
  required?.nodeSelectorTerms.forEach((term, i) => {
    const field = `requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[${i}]`;
    addTermWarnings(warnings, term, `${at}.${field}`);
  });
  preferred.forEach(({ preference }, i) => {
    const field = `preferredDuringSchedulingIgnoredDuringExecution[${i}].preference`;
    addTermWarnings(warnings, preference, `${at}.${field}`);
  });
}

export function addTermWarnings(warnings: string[], term: NodeSelectorTerm, at: string): void {
  term.matchExpressions?.forEach(({ key }, i) => {
    addLabelWarning(warnings, key, `${at}.matchExpressions[${i}].key`);
  });
}

function addRepeats<T extends object>(
  warnings: string[],
  items: readonly T[],
  path: string,
  field: keyof T & string,
): void {
  const seen = new Set<unknown>();
  items.forEach((item, i) => {
    const value = item[field];
    if (value && seen.has(value)) {
      warnings.push(`${path}[${i}].${field}: duplicate ${field} ${JSON.stringify(value)}`);
    }
    seen.add(value);
  });
}

function addContainerWarnings(warnings: string[], container: Container, at: string): void {
  addEnvWarnings(warnings, container.env ?? [], `${at}.env`);
  const { limits = {}, requests = {} } = container.resources ?? {};
  for (const [list, amounts] of Object.entries({ requests, limits })) {
    for (const name of ["memory", "ephemeral-storage"]) {
      addFraction(warnings, amounts[name], `${at}.resources.${list}[${name}]`);
    }
  }
}

/** Part of a byte is no amount of memory. */
export function addFraction(warnings: string[], quantity: string | undefined, at: string): void {
  if (quantity === undefined || parseQuantity(quantity).nano % 1_000_000_000n === 0n) return;
  const what = `fractional byte value ${JSON.stringify(quantity)} is invalid, must be an integer`;
  warnings.push(`${at}: ${what}`);
}

/** A second definition is meant when it is made from the first. */
function addEnvWarnings(warnings: string[], env: readonly EnvVar[], path: string): void {
  if (env.length < 2) return;
  const seen = new Set<string>();
  env.forEach(({ name, value, valueFrom }, i) => {
    const extends_ = !valueFrom && value?.includes(`$(${name})`);
    if (seen.has(name) && !extends_) {
      const what = `hides previous definition of ${JSON.stringify(name)}`;
      warnings.push(`${path}[${i}]: ${what}, which may be dropped when using apply`);
    }
    seen.add(name);
  });
}

function addPortWarnings(warnings: string[], containers: readonly Container[], path: string): void {
  const seen = new Map<string, string>();
  containers.forEach((container, c) => {
    container.ports?.forEach((port, p) => {
      const at = `${path}[${c}].ports[${p}]`;
      const key = portKey(port);
      const before = seen.get(key);
      if (before) warnings.push(`${at}: duplicate port definition with ${before}`);
      else seen.set(key, at);
    });
  });
}

function portKey({ protocol, hostIP, hostPort, containerPort }: ContainerPort): string {
  return [protocol ?? "TCP", hostIP ?? "", hostPort ?? 0, containerPort].join("/");
}
