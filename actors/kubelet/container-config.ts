/** From a container's spec to what the engine is told. Pure. */

import {
  type Container,
  type Pod,
  quantityMilliValue,
  quantityValue,
} from "../../manifests/index.ts";
import { podQOSClass } from "../../manifests/kinds/pod-qos.ts";
import { definitionAnnotation, definitionOf } from "./actions.ts";
import type {
  ContainerConfig,
  ContainerMount,
  ContainerResources,
  ContainerSecurity,
} from "./engine.ts";
import { ContainerConfigError, type EnvSources, expand, type NameValue } from "./env.ts";

export interface ContainerInput {
  attempt: number;
  env: NameValue[];
  /** Folders of the pod's volumes by name. */
  volumes: ReadonlyMap<string, { hostPath: string; readOnly: boolean }>;
  /** Files that the kubelet gives every container. */
  mounts: ContainerMount[];
  allocatable: EnvSources["allocatable"];
}

export function computeContainerConfig(
  pod: Pod,
  container: Container,
  input: ContainerInput,
): ContainerConfig {
  const env = new Map(input.env.map(({ name, value }) => [name, value]));
  const expanded = (text: string): string => expand(text, (name) => env.get(name));
  return {
    name: container.name,
    attempt: input.attempt,
    image: container.image ?? "",
    command: container.command?.map(expanded),
    args: container.args?.map(expanded),
    env: input.env,
    workingDir: container.workingDir,
    mounts: [...volumeMounts(container, input), ...input.mounts],
    resources: computeResources(pod, container, input.allocatable),
    tty: container.tty ?? false,
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    security: computeSecurity(pod, container),
    labels: {},
    annotations: { [definitionAnnotation]: definitionOf(container) },
  };
}

function volumeMounts(container: Container, input: ContainerInput): ContainerMount[] {
  return (container.volumeMounts ?? []).map((mount) => {
    const volume = input.volumes.get(mount.name);
    if (!volume) {
      throw new ContainerConfigError(`volume "${mount.name}" of the mount is not in the pod`);
    }
    const { subPath } = mount;
    if (subPath && (subPath.startsWith("/") || subPath.split("/").includes(".."))) {
      throw new ContainerConfigError(`subPath "${subPath}" must stay inside the volume`);
    }
    return {
      hostPath: subPath ? `${volume.hostPath}/${subPath}` : volume.hostPath,
      containerPath: mount.mountPath,
      readOnly: volume.readOnly || (mount.readOnly ?? false),
    };
  });
}

/** After k8s:pkg/kubelet/cm/helpers_linux.go `MilliCPUToShares` and `MilliCPUToQuota`. */
export function computeResources(
  pod: Pod,
  { resources }: Container,
  allocatable: EnvSources["allocatable"],
): ContainerResources {
  const limit = (name: string): string | undefined => resources?.limits?.[name];
  const request = (name: string): string | undefined => resources?.requests?.[name] ?? limit(name);
  const cpuRequest = quantityMilliValue(request("cpu") ?? "0");
  const cpuLimit = quantityMilliValue(limit("cpu") ?? "0");
  const memoryLimit = quantityValue(limit("memory") ?? "0");
  return {
    cpuShares: Math.max(2, Math.floor((cpuRequest * 1024) / 1000)),
    ...(cpuLimit > 0 ? { cpuQuota: Math.max(1000, cpuLimit * 100) } : {}),
    ...(memoryLimit > 0 ? { memoryLimitBytes: memoryLimit } : {}),
    oomScoreAdj: oomScoreAdj(pod, quantityValue(request("memory") ?? "0"), allocatable),
  };
}

/** Who uses most of what it did not ask for dies first; after k8s:pkg/kubelet/qos/policy.go. */
function oomScoreAdj(
  pod: Pod,
  memoryRequest: number,
  allocatable: EnvSources["allocatable"],
): number {
  const qos = podQOSClass(pod);
  if (qos === "Guaranteed") return -997;
  if (qos === "BestEffort") return 1000;
  const capacity = quantityValue(allocatable.memory ?? "0") || 1;
  const score = 1000 - Math.floor((1000 * memoryRequest) / capacity);
  return Math.min(999, Math.max(3, score));
}

function computeSecurity(pod: Pod, container: Container): ContainerSecurity {
  const own = container.securityContext ?? {};
  const shared = pod.spec.securityContext ?? {};
  const uid = own.runAsUser ?? shared.runAsUser;
  const gid = own.runAsGroup ?? shared.runAsGroup;
  if ((own.runAsNonRoot ?? shared.runAsNonRoot) && !uid) {
    const why = uid === 0 ? "container's runAsUser breaks non-root policy" : unknownUser;
    throw new ContainerConfigError(why);
  }
  const user = uid === undefined ? undefined : gid === undefined ? `${uid}` : `${uid}:${gid}`;
  if (gid !== undefined && uid === undefined) {
    throw new ContainerConfigError("runAsGroup needs runAsUser");
  }
  return {
    user,
    readOnlyRootFilesystem: own.readOnlyRootFilesystem ?? false,
    privileged: own.privileged ?? false,
    noNewPrivileges: own.allowPrivilegeEscalation === false,
    addCapabilities: own.capabilities?.add ?? [],
    dropCapabilities: own.capabilities?.drop ?? [],
  };
}

/** Differs from Kubernetes: the user that an image names is not looked at; the pod must say it. */
const unknownUser = "runAsNonRoot is set, and no runAsUser says as whom";
