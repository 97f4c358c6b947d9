/** From CRI-shaped configuration to Docker's create options. Pure. */

import type { ContainerCreateOptions, HostConfig } from "dockerode";
import type { ContainerConfig, ContainerSecurity, SandboxConfig } from "../../engine.ts";
import { containerLabels, type Labels, type Owner, sandboxLabels } from "./labels.ts";

/** What the machine under Docker permits. */
export interface Abilities {
  /**
   * CAP_SYS_RESOURCE. Without it the kernel refuses negative oom_score_adj values and every
   * container that would hold this capability, so that both are left out.
   */
  sysResource: boolean;
}

/** As upstream's containerLogMaxSize and containerLogMaxFiles. */
const logConfig = { Type: "json-file", Config: { "max-size": "10m", "max-file": "5" } };

/** Every capability that all supported Dockers know, for "ALL" where not every one is permitted. */
const allCapabilities = (
  "AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND CHOWN DAC_OVERRIDE " +
  "DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN " +
  "MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW SETFCAP SETGID " +
  "SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE " +
  "SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM"
).split(" ");

export function sandboxOptions(
  owner: Owner,
  config: SandboxConfig,
  environment: { pauseImage: string; network: string; abilities: Abilities },
): ContainerCreateOptions {
  return {
    Image: environment.pauseImage,
    ...(config.hostNetwork ? {} : { Hostname: config.hostname }),
    Labels: sandboxLabels(owner, config),
    HostConfig: {
      NetworkMode: config.hostNetwork ? "host" : environment.network,
      IpcMode: "shareable",
      // The sandbox must be the last to die: without it the pod has no network.
      OomScoreAdj: oomScoreAdj(-998, environment.abilities),
      SecurityOpt: ["no-new-privileges"],
      LogConfig: logConfig,
      ...(config.cgroupParent ? { CgroupParent: config.cgroupParent } : {}),
    },
  };
}

export function containerOptions(
  owner: Owner,
  sandbox: { id: string; labels: Labels; cgroupParent: string | undefined },
  config: ContainerConfig,
  abilities: Abilities,
): ContainerCreateOptions {
  const { resources } = config;
  return {
    Image: config.image,
    Entrypoint: config.command,
    Cmd: config.args,
    Env: config.env.map(({ name, value }) => `${name}=${value}`),
    WorkingDir: config.workingDir,
    User: config.security.user,
    Tty: config.tty,
    OpenStdin: config.stdin,
    StdinOnce: config.stdinOnce,
    Labels: containerLabels(owner, sandbox, config),
    HostConfig: {
      NetworkMode: `container:${sandbox.id}`,
      IpcMode: `container:${sandbox.id}`,
      Mounts: config.mounts.map((mount) => ({
        Type: "bind",
        Source: mount.hostPath,
        Target: mount.containerPath,
        ReadOnly: mount.readOnly,
      })),
      CpuShares: resources.cpuShares,
      CpuPeriod: resources.cpuQuota ? 100_000 : undefined,
      CpuQuota: resources.cpuQuota,
      Memory: resources.memoryLimitBytes,
      // A limit that spills into swap would be no limit.
      MemorySwap: resources.memoryLimitBytes,
      OomScoreAdj: oomScoreAdj(resources.oomScoreAdj ?? 0, abilities),
      ReadonlyRootfs: config.security.readOnlyRootFilesystem,
      LogConfig: logConfig,
      ...securityOptions(config.security, abilities),
      ...(sandbox.cgroupParent ? { CgroupParent: sandbox.cgroupParent } : {}),
    },
  };
}

function oomScoreAdj(value: number, abilities: Abilities): number {
  return abilities.sysResource ? value : Math.max(0, value);
}

function securityOptions(security: ContainerSecurity, abilities: Abilities): Partial<HostConfig> {
  const noNewPrivileges = security.noNewPrivileges ? ["no-new-privileges"] : [];
  const dropped = security.dropCapabilities.map(withoutPrefix);
  if (security.privileged && abilities.sysResource) return { Privileged: true };
  const unconfined = ["seccomp=unconfined", "apparmor=unconfined"];
  const added = security.privileged ? ["ALL"] : security.addCapabilities.map(withoutPrefix);
  return {
    CapAdd: permittedCapabilities(added, abilities),
    CapDrop: dropped,
    SecurityOpt: security.privileged ? unconfined : noNewPrivileges,
    ...(security.privileged ? { MaskedPaths: [], ReadonlyPaths: [] } : {}),
  };
}

function permittedCapabilities(names: string[], abilities: Abilities): string[] {
  if (abilities.sysResource) return names;
  const named = names.includes("ALL") ? allCapabilities : names;
  return named.filter((name) => name !== "SYS_RESOURCE");
}

function withoutPrefix(capability: string): string {
  return capability.toUpperCase().replace(/^CAP_/, "");
}
