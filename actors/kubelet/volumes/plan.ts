/** What is in a volume: from the Pod's spec, ConfigMaps and Secrets to files. Pure. */

import {
  type KeyToPath,
  type Pod,
  quantityValue,
  type ServiceAccountTokenProjection,
  type Volume,
} from "../../../manifests/index.ts";
import { type EnvSources, podField, resourceField } from "../env.ts";
import { type VolumeContent, VolumeError, type VolumeFile } from "./files.ts";

const defaultFileMode = 0o644;

interface Projection {
  items?: KeyToPath[];
  optional?: boolean;
}

/** Throws a VolumeError when something it needs is not there. */
export function planVolume(pod: Pod, volume: Volume, sources: EnvSources): VolumeContent {
  if (volume.hostPath) {
    const { path, type = "" } = volume.hostPath;
    return { type: "host-path", path, check: type };
  }
  if (volume.emptyDir) {
    const { medium, sizeLimit } = volume.emptyDir;
    const sizeBytes = sizeLimit ? quantityValue(sizeLimit) : undefined;
    return { type: "empty", medium: medium === "Memory" ? "Memory" : "", sizeBytes };
  }
  return { type: "files", files: planFiles(pod, volume, sources) };
}

function planFiles(pod: Pod, volume: Volume, sources: EnvSources): VolumeFile[] {
  const { configMap, secret, downwardAPI, projected } = volume;
  if (configMap) {
    const mode = configMap.defaultMode ?? defaultFileMode;
    return project(configMapData(configMap.name ?? "", configMap, sources), configMap, mode);
  }
  if (secret) {
    const mode = secret.defaultMode ?? defaultFileMode;
    return project(secretData(secret.secretName ?? "", secret, sources), secret, mode);
  }
  if (downwardAPI) {
    const { items = [], defaultMode = defaultFileMode } = downwardAPI;
    return downwardFiles(pod, items, defaultMode, sources);
  }
  const mode = projected?.defaultMode ?? defaultFileMode;
  return (projected?.sources ?? []).flatMap((source) => {
    if (source.configMap) {
      const { name = "" } = source.configMap;
      const data = configMapData(name, source.configMap, sources);
      return project(data, source.configMap, mode);
    }
    if (source.secret) {
      const { name = "" } = source.secret;
      return project(secretData(name, source.secret, sources), source.secret, mode);
    }
    if (source.serviceAccountToken) return tokenFile(source.serviceAccountToken, mode, sources);
    return downwardFiles(pod, source.downwardAPI?.items ?? [], mode, sources);
  });
}

function tokenFile(
  projection: ServiceAccountTokenProjection,
  mode: number,
  { tokens }: EnvSources,
): VolumeFile[] {
  const token = tokens.get(tokenKey(projection));
  if (token === undefined) throw new VolumeError("failed to fetch token");
  return [{ path: safePath(projection.path), data: new TextEncoder().encode(token), mode }];
}

/** Projections with the same key are given the same token. */
export function tokenKey({ audience = "", expirationSeconds }: TokenWish): string {
  return `${expirationSeconds ?? ""} ${audience}`;
}

type TokenWish = Pick<ServiceAccountTokenProjection, "audience" | "expirationSeconds">;

/** The tokens that a pod's volumes hold. */
export function tokenWishes(pod: Pod): TokenWish[] {
  return (pod.spec.volumes ?? []).flatMap(({ projected }) =>
    (projected?.sources ?? []).flatMap((source) => source.serviceAccountToken ?? []),
  );
}

type Data = Map<string, Uint8Array>;

function configMapData(
  name: string,
  { optional }: Projection,
  { configMaps }: EnvSources,
): Data | undefined {
  const found = configMaps.get(name);
  if (!found) return absent("configmap", name, optional);
  const data: Data = new Map();
  for (const [key, value] of Object.entries(found.data ?? {})) {
    data.set(key, new TextEncoder().encode(value));
  }
  for (const [key, value] of Object.entries(found.binaryData ?? {})) data.set(key, bytes(value));
  return data;
}

function secretData(
  name: string,
  { optional }: Projection,
  { secrets }: EnvSources,
): Data | undefined {
  const found = secrets.get(name);
  if (!found) return absent("secret", name, optional);
  return new Map(Object.entries(found.data ?? {}).map(([key, value]) => [key, bytes(value)]));
}

function absent(kind: string, name: string, optional: boolean | undefined): undefined {
  if (optional) return undefined;
  throw new VolumeError(`${kind} "${name}" not found`);
}

function bytes(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, "base64"));
}

function project(data: Data | undefined, projection: Projection, mode: number): VolumeFile[] {
  if (!data) return [];
  if (!projection.items) {
    return [...data].map(([path, content]) => ({ path, data: content, mode }));
  }
  const files: VolumeFile[] = [];
  for (const item of projection.items) {
    const content = data.get(item.key);
    if (content) files.push({ path: safePath(item.path), data: content, mode: item.mode ?? mode });
    else if (!projection.optional) {
      throw new VolumeError(`references non-existent config key: ${item.key}`);
    }
  }
  return files;
}

function downwardFiles(
  pod: Pod,
  items: NonNullable<NonNullable<Volume["downwardAPI"]>["items"]>,
  defaultMode: number,
  sources: EnvSources,
): VolumeFile[] {
  return items.map(({ path, fieldRef, resourceFieldRef, mode = defaultMode }) => ({
    path: safePath(path),
    data: new TextEncoder().encode(
      fieldRef
        ? podField(pod, fieldRef.fieldPath, sources)
        : downwardResource(pod, resourceFieldRef, sources),
    ),
    mode,
  }));
}

function downwardResource(
  pod: Pod,
  ref: { containerName?: string; resource: string; divisor?: string } | undefined,
  sources: EnvSources,
): string {
  const container = pod.spec.containers.find(({ name }) => name === ref?.containerName);
  if (!ref || !container) throw new VolumeError(`container ${ref?.containerName} not found`);
  return resourceField(container, ref.resource, ref.divisor, sources);
}

/** The API has checked it; a path that leaves the volume must not depend on that. */
function safePath(path: string): string {
  if (path.startsWith("/") || path.split("/").includes("..")) {
    throw new VolumeError(`"${path}" must stay inside the volume`);
  }
  return path;
}

/** Names of the ConfigMaps and Secrets that a pod refers to. */
export function references(pod: Pod): { configMaps: Set<string>; secrets: Set<string> } {
  const configMaps = new Set<string>();
  const secrets = new Set<string>();
  const add = (set: Set<string>, name: string | undefined): void => void (name && set.add(name));
  for (const volume of pod.spec.volumes ?? []) {
    add(configMaps, volume.configMap?.name);
    add(secrets, volume.secret?.secretName);
    for (const source of volume.projected?.sources ?? []) {
      add(configMaps, source.configMap?.name);
      add(secrets, source.secret?.name);
    }
  }
  for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
    for (const { configMapRef, secretRef } of container.envFrom ?? []) {
      add(configMaps, configMapRef?.name);
      add(secrets, secretRef?.name);
    }
    for (const { valueFrom } of container.env ?? []) {
      add(configMaps, valueFrom?.configMapKeyRef?.name);
      add(secrets, valueFrom?.secretKeyRef?.name);
    }
  }
  return { configMaps, secrets };
}
