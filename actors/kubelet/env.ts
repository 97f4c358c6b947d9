/**
 * The environment of a container: Service links, envFrom, env, and `$(NAME)` in values, command
 * and arguments. Pure: ConfigMaps and Secrets are handed in. After
 * k8s:pkg/kubelet/kubelet_pods.go `makeEnvironmentVariables` and k8s:third_party/forked/golang/expansion.
 */

import {
  type ConfigMap,
  type Container,
  type EnvFromSource,
  type EnvVar,
  formatQuantity,
  type Pod,
  parseQuantity,
  type Secret,
  type Service,
} from "../../manifests/index.ts";

/** The container cannot be made from what there is now: CreateContainerConfigError. */
export class ContainerConfigError extends Error {
  override name = "ContainerConfigError";
}

export interface EnvSources {
  configMaps: ReadonlyMap<string, ConfigMap | undefined>;
  secrets: ReadonlyMap<string, Secret | undefined>;
  /** ServiceAccount tokens of the pod, by `tokenKey`. */
  tokens: ReadonlyMap<string, string>;
  /** Of the pod's namespace, and `kubernetes` of default. */
  services: readonly Service[];
  podIP: string;
  nodeIP: string;
  nodeName: string;
  /** What a container without a limit is told that it has. */
  allocatable: Readonly<Record<string, string>>;
}

export interface NameValue {
  name: string;
  value: string;
}

export function computeEnv(pod: Pod, container: Container, sources: EnvSources): NameValue[] {
  const services = new Map(serviceLinks(pod, sources.services));
  const result = new Map<string, string>();
  for (const from of container.envFrom ?? []) {
    for (const [key, value] of envFrom(from, sources)) {
      result.set((from.prefix ?? "") + key, value);
    }
  }
  for (const variable of container.env ?? []) {
    const value = variableValue(pod, container, variable, sources, (name) => {
      return result.get(name) ?? services.get(name);
    });
    if (value !== undefined) result.set(variable.name, value);
  }
  // What the pod says itself comes before what the cluster adds.
  for (const [name, value] of services) if (!result.has(name)) result.set(name, value);
  return [...result].map(([name, value]) => ({ name, value }));
}

/** `$(NAME)` becomes its value; `$$(NAME)` stays as `$(NAME)`; an unknown name stays as it is. */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  return text.replace(/\$\$|\$\(([^)]*)\)/g, (whole, name: string | undefined) => {
    if (name === undefined) return "$";
    return lookup(name) ?? whole;
  });
}

function envFrom(from: EnvFromSource, sources: EnvSources): [string, string][] {
  const { configMapRef, secretRef } = from;
  if (configMapRef) {
    const name = configMapRef.name ?? "";
    const found = sources.configMaps.get(name);
    if (found) return Object.entries(found.data ?? {});
    if (!configMapRef.optional) throw missing("configmap", name);
  }
  if (secretRef) {
    const name = secretRef.name ?? "";
    const found = sources.secrets.get(name);
    if (found) return Object.entries(found.data ?? {}).map(([key, value]) => [key, text(value)]);
    if (!secretRef.optional) throw missing("secret", name);
  }
  return [];
}

function variableValue(
  pod: Pod,
  container: Container,
  variable: EnvVar,
  sources: EnvSources,
  lookup: (name: string) => string | undefined,
): string | undefined {
  const from = variable.valueFrom;
  if (!from) return expand(variable.value ?? "", lookup);
  if (from.fieldRef) return podField(pod, from.fieldRef.fieldPath, sources);
  if (from.resourceFieldRef) {
    const { containerName, resource, divisor } = from.resourceFieldRef;
    const of = containerName
      ? pod.spec.containers.find(({ name }) => name === containerName)
      : container;
    if (!of) throw new ContainerConfigError(`container ${containerName} not found`);
    return resourceField(of, resource, divisor, sources);
  }
  if (from.configMapKeyRef) {
    const { name = "", key, optional } = from.configMapKeyRef;
    const found = sources.configMaps.get(name);
    if (!found && !optional) throw missing("configmap", name);
    const value = found?.data?.[key];
    if (value === undefined && !optional) {
      const where = `ConfigMap ${pod.metadata.namespace}/${name}`;
      throw new ContainerConfigError(`couldn't find key ${key} in ${where}`);
    }
    return value;
  }
  if (from.secretKeyRef) {
    const { name = "", key, optional } = from.secretKeyRef;
    const found = sources.secrets.get(name);
    if (!found && !optional) throw missing("secret", name);
    const value = found?.data?.[key];
    if (value === undefined && !optional) {
      const where = `Secret ${pod.metadata.namespace}/${name}`;
      throw new ContainerConfigError(`couldn't find key ${key} in ${where}`);
    }
    return value === undefined ? undefined : text(value);
  }
  return "";
}

function missing(kind: string, name: string): ContainerConfigError {
  return new ContainerConfigError(`${kind} "${name}" not found`);
}

function text(base64: string): string {
  return Buffer.from(base64, "base64").toString();
}

/** The downward API; after k8s:pkg/fieldpath. */
export function podField(
  pod: Pod,
  path: string,
  at: Pick<EnvSources, "podIP" | "nodeIP" | "nodeName">,
): string {
  const { metadata, spec } = pod;
  const subscript = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (subscript) {
    const map = subscript[1] === "labels" ? metadata.labels : metadata.annotations;
    return map?.[subscript[2] ?? ""] ?? "";
  }
  const fields: Record<string, string | undefined> = {
    "metadata.name": metadata.name,
    "metadata.namespace": metadata.namespace,
    "metadata.uid": metadata.uid,
    "metadata.labels": formatMap(metadata.labels),
    "metadata.annotations": formatMap(metadata.annotations),
    "spec.nodeName": spec.nodeName,
    "spec.serviceAccountName": spec.serviceAccountName ?? "default",
    "status.hostIP": at.nodeIP,
    "status.hostIPs": at.nodeIP,
    "status.podIP": at.podIP,
    "status.podIPs": at.podIP,
  };
  const value = fields[path];
  if (value === undefined) throw new ContainerConfigError(`unsupported fieldPath: ${path}`);
  return value;
}

function formatMap(map: Readonly<Record<string, string>> = {}): string {
  const lines = Object.entries(map).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return lines.sort().join("\n");
}

export function resourceField(
  container: Container,
  resource: string,
  divisor: string | undefined,
  { allocatable }: Pick<EnvSources, "allocatable">,
): string {
  const [list, name = ""] = resource.split(".");
  if ((list !== "limits" && list !== "requests") || !name) {
    throw new ContainerConfigError(`unsupported container resource: ${resource}`);
  }
  const own = container.resources?.[list]?.[name];
  const amount = own ?? (list === "limits" ? allocatable[name] : undefined) ?? "0";
  const unit = parseQuantity(divisor && divisor !== "0" ? divisor : "1");
  const { nano } = parseQuantity(amount);
  const rounded = (nano + unit.nano - 1n) / unit.nano;
  return formatQuantity({ nano: rounded * 1_000_000_000n, format: "DecimalExponent" });
}

/** `REDIS_SERVICE_HOST` and its kin, as Docker links had them. */
function serviceLinks(pod: Pod, services: readonly Service[]): [string, string][] {
  const links: [string, string][] = [];
  for (const service of services) {
    const { name, namespace } = service.metadata;
    const isMaster = namespace === "default" && name === "kubernetes";
    const isNeighbour = namespace === pod.metadata.namespace;
    if (!isMaster && !(isNeighbour && pod.spec.enableServiceLinks !== false)) continue;
    links.push(...linksOf(service));
  }
  return links;
}

function linksOf({ metadata, spec }: Service): [string, string][] {
  const ip = spec?.clusterIP;
  const [first] = spec?.ports ?? [];
  if (!ip || ip === "None" || !first) return [];
  const prefix = variableName(metadata.name);
  const links: [string, string][] = [
    [`${prefix}_SERVICE_HOST`, ip],
    [`${prefix}_SERVICE_PORT`, String(first.port)],
  ];
  for (const { name, port } of spec?.ports ?? []) {
    if (name) links.push([`${prefix}_SERVICE_PORT_${variableName(name)}`, String(port)]);
  }
  const url = (protocol: string, port: number): string =>
    `${protocol.toLowerCase()}://${ip}:${port}`;
  links.push([`${prefix}_PORT`, url(first.protocol ?? "TCP", first.port)]);
  for (const { port, protocol = "TCP" } of spec?.ports ?? []) {
    const name = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
    links.push([name, url(protocol, port)]);
    links.push([`${name}_PROTO`, protocol.toLowerCase()]);
    links.push([`${name}_PORT`, String(port)]);
    links.push([`${name}_ADDR`, ip]);
  }
  return links;
}

function variableName(name: string): string {
  return name.toUpperCase().replaceAll("-", "_");
}
