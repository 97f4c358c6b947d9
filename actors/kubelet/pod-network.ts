/** What a pod's sandbox is told of names: hostname, resolv.conf, /etc/hosts. Pure. */

import type { Pod } from "../../manifests/index.ts";
import type { SandboxConfig } from "./engine.ts";

type Dns = SandboxConfig["dns"];

export interface ClusterDns {
  server: string;
  domain: string;
}

/** The kernel takes no more than three servers, and libc no more searches than these. */
const mostServers = 3;
const mostSearches = 32;

/** After k8s:pkg/kubelet/network/dns/dns.go `GetPodDNS`. `host` is the machine's own. */
export function podDns(pod: Pod, cluster: ClusterDns | undefined, host: Dns): Dns {
  const { dnsConfig } = pod.spec;
  const base = baseDns(pod, cluster, host);
  const options = new Map(base.options.map((option) => [option.split(":")[0] ?? option, option]));
  for (const { name, value } of dnsConfig?.options ?? []) {
    if (name) options.set(name, value ? `${name}:${value}` : name);
  }
  return {
    servers: unique([...base.servers, ...(dnsConfig?.nameservers ?? [])]).slice(0, mostServers),
    searches: unique([...base.searches, ...(dnsConfig?.searches ?? [])]).slice(0, mostSearches),
    options: [...options.values()],
  };
}

function baseDns(pod: Pod, cluster: ClusterDns | undefined, host: Dns): Dns {
  const { dnsPolicy = "ClusterFirst", hostNetwork } = pod.spec;
  if (dnsPolicy === "None") return { servers: [], searches: [], options: [] };
  const usesHost = dnsPolicy === "Default" || (dnsPolicy === "ClusterFirst" && hostNetwork);
  if (usesHost || !cluster) return host;
  const { domain, server } = cluster;
  const own = [`${pod.metadata.namespace}.svc.${domain}`, `svc.${domain}`, domain];
  return { servers: [server], searches: [...own, ...host.searches], options: ["ndots:5"] };
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}

/** Linux allows 64 characters less one; upstream cuts there and takes off what may not end it. */
export function podHostname(pod: Pod): string {
  const wanted = pod.spec.hostname || pod.metadata.name;
  return wanted.slice(0, 63).replace(/[-.]+$/, "");
}

export function hostsFile(pod: Pod, podIP: string, domain: string): string {
  const hostname = podHostname(pod);
  const { subdomain } = pod.spec;
  const fullName = `${hostname}.${subdomain}.${pod.metadata.namespace}.svc.${domain}`;
  const names = subdomain ? `${fullName}\t${hostname}` : hostname;
  const lines = [
    "# Kubernetes-managed hosts file.",
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::0\tip6-localnet",
    "ff00::0\tip6-mcastprefix",
    "ff02::1\tip6-allnodes",
    "ff02::2\tip6-allrouters",
    ...(podIP ? [`${podIP}\t${names}`] : []),
  ];
  for (const { ip, hostnames = [] } of pod.spec.hostAliases ?? []) {
    lines.push(`${ip}\t${hostnames.join("\t")}`);
  }
  return `${lines.join("\n")}\n`;
}
