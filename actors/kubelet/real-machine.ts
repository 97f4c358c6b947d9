/** Reads the machine we run on: a driver at the edge. */

import { readFileSync, statfsSync } from "node:fs";
import { arch, cpus, hostname, release, totalmem } from "node:os";
import type { SandboxConfig } from "./engine.ts";
import type { MachineInfo } from "./machine.ts";

const goArchitectures: Record<string, string> = { x64: "amd64", ia32: "386" };

export function readMachine(dataDir: string): MachineInfo {
  const { blocks, bsize } = statfsSync(dataDir);
  const osRelease = readText("/etc/os-release");
  return {
    cpus: cpus().length,
    memoryBytes: totalmem(),
    ephemeralStorageBytes: blocks * bsize,
    hostname: hostname().toLowerCase(),
    machineID: readText("/etc/machine-id"),
    bootID: readText("/proc/sys/kernel/random/boot_id"),
    kernelVersion: release(),
    osImage: /^PRETTY_NAME="?([^"\n]*)/m.exec(osRelease)?.[1] ?? "Linux",
    architecture: goArchitectures[arch()] ?? arch(),
  };
}

/** The machine's own resolver, as pods with dnsPolicy Default get it. */
export function readHostDns(path = "/etc/resolv.conf"): SandboxConfig["dns"] {
  return parseResolvConf(readText(path));
}

export function parseResolvConf(text: string): SandboxConfig["dns"] {
  const dns: SandboxConfig["dns"] = { servers: [], searches: [], options: [] };
  for (const line of text.split("\n")) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    if (keyword === "nameserver") dns.servers.push(...values.slice(0, 1));
    if (keyword === "search" || keyword === "domain") dns.searches = values;
    if (keyword === "options") dns.options.push(...values);
  }
  return dns;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}
