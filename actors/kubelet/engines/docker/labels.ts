/**
 * Names and labels of everything that the driver makes in Docker.
 *
 * Every object carries `wherry.io/cluster`, so that several clusters share one Docker and
 * `wherry down --purge` finds all of its own. Names are made of uid and attempt, so that making
 * the same thing twice is a name conflict and never a second sandbox.
 */

import type { ContainerConfig, SandboxConfig } from "../../engine.ts";

export const label = {
  cluster: "wherry.io/cluster",
  node: "wherry.io/node",
  kind: "wherry.io/kind",
  podUid: "wherry.io/pod-uid",
  podNamespace: "wherry.io/pod-namespace",
  podName: "wherry.io/pod-name",
  container: "wherry.io/container",
  sandbox: "wherry.io/sandbox",
  attempt: "wherry.io/attempt",
  tty: "wherry.io/tty",
  hostNetwork: "wherry.io/host-network",
  labels: "wherry.io/labels",
  annotations: "wherry.io/annotations",
} as const;

/** Whose objects the driver makes and sees: of one node of one cluster. */
export interface Owner {
  cluster: string;
  node: string;
}

export type Labels = Record<string, string>;

export function ownerLabels(owner: Owner, kind: "sandbox" | "container" | "network"): Labels {
  return { [label.cluster]: owner.cluster, [label.node]: owner.node, [label.kind]: kind };
}

export function ownerFilter(owner: Owner, kind?: "sandbox" | "container"): string[] {
  const filter = [`${label.cluster}=${owner.cluster}`, `${label.node}=${owner.node}`];
  return kind ? [...filter, `${label.kind}=${kind}`] : filter;
}

export function sandboxName(owner: Owner, config: SandboxConfig): string {
  const parts = [owner.cluster, "POD", config.name, config.namespace, config.uid, config.attempt];
  return dockerName(parts);
}

export function containerName(owner: Owner, sandbox: Labels, config: ContainerConfig): string {
  const pod = [sandbox[label.podName], sandbox[label.podNamespace], sandbox[label.podUid]];
  return dockerName([owner.cluster, config.name, ...pod, config.attempt]);
}

function dockerName(parts: (string | number | undefined)[]): string {
  return ["wherry", ...parts].join("_").replace(/[^A-Za-z0-9_.-]/g, "-");
}

export function sandboxLabels(owner: Owner, config: SandboxConfig): Labels {
  return {
    ...ownerLabels(owner, "sandbox"),
    [label.podUid]: config.uid,
    [label.podNamespace]: config.namespace,
    [label.podName]: config.name,
    [label.attempt]: String(config.attempt),
    [label.hostNetwork]: String(config.hostNetwork),
    [label.labels]: JSON.stringify(config.labels),
    [label.annotations]: JSON.stringify(config.annotations),
  };
}

export function containerLabels(
  owner: Owner,
  sandbox: { id: string; labels: Labels },
  config: ContainerConfig,
): Labels {
  return {
    ...ownerLabels(owner, "container"),
    [label.podUid]: sandbox.labels[label.podUid] ?? "",
    [label.podNamespace]: sandbox.labels[label.podNamespace] ?? "",
    [label.podName]: sandbox.labels[label.podName] ?? "",
    [label.sandbox]: sandbox.id,
    [label.container]: config.name,
    [label.attempt]: String(config.attempt),
    [label.tty]: String(config.tty),
    [label.labels]: JSON.stringify(config.labels),
    [label.annotations]: JSON.stringify(config.annotations),
  };
}

/** A record that was kept as JSON in one label; what somebody else wrote there counts as empty. */
export function decodeRecord(json: string | undefined): Labels {
  try {
    const value: unknown = JSON.parse(json ?? "{}");
    if (typeof value !== "object" || value === null) return {};
    const entries = Object.entries(value).filter((entry) => typeof entry[1] === "string");
    return Object.fromEntries(entries);
  } catch {
    return {};
  }
}
