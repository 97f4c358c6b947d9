/**
 * Starts one container: image, volumes, environment, create, start. Every way to fail has the
 * reason that upstream shows while the container waits (k8s:pkg/kubelet/kuberuntime and
 * k8s:pkg/kubelet/container/sync_result.go).
 */

import { isNotFound } from "../../manifests/api-error.ts";
import {
  ConfigMap,
  type Container,
  type Kind,
  type KubeObject,
  type Pod,
  Secret,
} from "../../manifests/index.ts";
import { errorMessage } from "../../runtime/errors.ts";
import { keyIn } from "../kit/object.ts";
import { computeContainerConfig } from "./container-config.ts";
import { type ContainerMount, EngineError, type SandboxState } from "./engine.ts";
import { ContainerConfigError, computeEnv, type EnvSources } from "./env.ts";
import type { NodeEnvironment } from "./environment.ts";
import { hostsFile } from "./pod-network.ts";
import type { Waiting } from "./status.ts";
import { terminationFile } from "./termination.ts";
import { VolumeError } from "./volumes/files.ts";
import { planVolume, references } from "./volumes/plan.ts";

export type PodVolumes = Map<string, { hostPath: string; readOnly: boolean }>;

/** Events about the pod or one of its containers, as the worker records them. */
export interface Tell {
  normal(reason: string, message: string, container?: string): void;
  warning(reason: string, message: string, container?: string): void;
}

export type StartOutcome =
  | { type: "started" }
  | { type: "waiting"; waiting: Waiting; retryMs: number };

const configRetryMs = 5_000;
const runRetryMs = 1_000;

/** ConfigMaps and Secrets as they are now; what does not exist is undefined in the maps. */
export async function fetchSources(env: NodeEnvironment, pod: Pod): Promise<EnvSources> {
  const { nodeIP, nodeName } = env.config;
  const names = references(pod);
  const namespace = pod.metadata.namespace;
  const [configMaps, secrets, tokens] = await Promise.all([
    fetchAll(env, ConfigMap, namespace, names.configMaps),
    fetchAll(env, Secret, namespace, names.secrets),
    env.tokens.of(pod),
  ]);
  const allocatable = env.node()?.status?.allocatable ?? {};
  const services = env.services();
  return { configMaps, secrets, tokens, services, podIP: "", nodeIP, nodeName, allocatable };
}

async function fetchAll<T extends KubeObject>(
  env: NodeEnvironment,
  kind: Kind<T>,
  namespace: string | undefined,
  names: Iterable<string>,
): Promise<Map<string, T | undefined>> {
  const found = new Map<string, T | undefined>();
  for (const name of names) {
    const object = await env.api.get(kind, keyIn(namespace, name)).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
    found.set(name, object);
  }
  return found;
}

/** Makes or updates all volumes; throws a VolumeError whose message is that of FailedMount. */
export async function ensureVolumes(
  env: NodeEnvironment,
  pod: Pod,
  sources: EnvSources,
): Promise<PodVolumes> {
  const volumes: PodVolumes = new Map();
  const uid = pod.metadata.uid ?? "";
  for (const volume of pod.spec.volumes ?? []) {
    try {
      const content = planVolume(pod, volume, sources);
      const hostPath = await env.config.files.ensureVolume(uid, volume.name, content);
      volumes.set(volume.name, { hostPath, readOnly: content.type === "files" });
    } catch (error) {
      const message = `MountVolume.SetUp failed for volume "${volume.name}" : ${errorMessage(error)}`;
      throw new VolumeError(message, { cause: error });
    }
  }
  return volumes;
}

export interface StartRequest {
  pod: Pod;
  container: Container;
  attempt: number;
  sandbox: SandboxState;
  volumes: PodVolumes;
  sources: EnvSources;
  tell: Tell;
  /** Given up when it aborts: the pod is to go. */
  signal: AbortSignal;
}

export async function startContainer(
  env: NodeEnvironment,
  request: StartRequest,
): Promise<StartOutcome> {
  const { pod, container, tell, signal } = request;
  const { name, image } = container;
  const onPulling = (): void => tell.normal("Pulling", `Pulling image "${image}"`, name);
  const owner = pod.metadata.uid ?? "";
  const found = await env.images.ensure(owner, container, onPulling, signal);
  if (found.type === "waiting") {
    const { reason, message, event, retryMs } = found;
    if (event.type === "warning") tell.warning(event.reason, event.message, name);
    else tell.normal(event.reason, event.message, name);
    tell.warning("Failed", `Error: ${reason}`, name);
    return { type: "waiting", waiting: { reason, message }, retryMs };
  }
  tell.normal("Pulled", found.message, name);
  const id = await create(env, request);
  if (typeof id !== "string") return id;
  signal.throwIfAborted();
  try {
    await env.config.engine.startContainer(id);
  } catch (error) {
    return failed(error, request, "RunContainerError", runRetryMs);
  }
  tell.normal("Started", `Started container ${name}`, name);
  return { type: "started" };
}

async function create(env: NodeEnvironment, request: StartRequest): Promise<string | StartOutcome> {
  const { pod, container, attempt, sandbox, volumes, tell } = request;
  const sources = { ...request.sources, podIP: podIP(env, pod, sandbox) };
  let config: ReturnType<typeof computeContainerConfig>;
  try {
    const mounts = await ownMounts(env, request);
    await ensureSubPaths(env, request);
    config = computeContainerConfig(pod, container, {
      attempt,
      env: computeEnv(pod, container, sources),
      volumes,
      mounts,
      allocatable: sources.allocatable,
    });
  } catch (error) {
    const isConfig = error instanceof ContainerConfigError || error instanceof VolumeError;
    if (!isConfig) throw error;
    return failed(error, request, "CreateContainerConfigError", configRetryMs);
  }
  try {
    const id = await env.config.engine.createContainer(sandbox.id, config);
    tell.normal("Created", `Created container: ${container.name}`, container.name);
    return id;
  } catch (error) {
    return failed(error, request, "CreateContainerError", runRetryMs);
  }
}

function failed(
  error: unknown,
  { container, tell }: StartRequest,
  reason: string,
  retryMs: number,
): StartOutcome {
  if (error instanceof EngineError && error.code === "unavailable") throw error;
  const message = errorMessage(error);
  tell.warning("Failed", `Error: ${message}`, container.name);
  return { type: "waiting", waiting: { reason, message }, retryMs };
}

export function podIP(env: NodeEnvironment, pod: Pod, sandbox: SandboxState | undefined): string {
  return pod.spec.hostNetwork ? env.config.nodeIP : (sandbox?.ip ?? "");
}

/** What the kubelet gives every container: /etc/hosts and the file for its last words. */
async function ownMounts(env: NodeEnvironment, request: StartRequest): Promise<ContainerMount[]> {
  const { pod, container, attempt, sandbox } = request;
  const { files, dns } = env.config;
  const uid = pod.metadata.uid ?? "";
  const mounts: ContainerMount[] = [];
  const taken = new Set(container.volumeMounts?.map(({ mountPath }) => mountPath));
  if (!pod.spec.hostNetwork && !taken.has("/etc/hosts")) {
    const text = hostsFile(pod, podIP(env, pod, sandbox), dns?.domain ?? "cluster.local");
    const hostPath = await files.writeFile(uid, "etc-hosts", text);
    mounts.push({ hostPath, containerPath: "/etc/hosts", readOnly: false });
  }
  const { terminationMessagePath } = container;
  if (terminationMessagePath) {
    const name = terminationFile(container.name, attempt);
    const hostPath = await files.writeFile(uid, name, "", 0o666);
    mounts.push({ hostPath, containerPath: terminationMessagePath, readOnly: false });
  }
  return mounts;
}

async function ensureSubPaths(env: NodeEnvironment, request: StartRequest): Promise<void> {
  const { pod, container, volumes } = request;
  for (const { name, subPath } of container.volumeMounts ?? []) {
    const volume = volumes.get(name);
    const leavesVolume = subPath?.startsWith("/") || subPath?.split("/").includes("..");
    if (!subPath || !volume || leavesVolume) continue;
    const { files } = env.config;
    await files.ensureSubPath(pod.metadata.uid ?? "", volume.hostPath, subPath);
  }
}
