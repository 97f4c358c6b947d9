/**
 * The container engine: the Docker that answers, else a dockerd of Wherry's own.
 *
 * Ours lives wholly under the data folder and leaves the machine's network alone: it makes no
 * bridge and no packet rules, because pod networks and Service rules are Wherry's. It runs with
 * --live-restore, so that pods outlive a crash of dockerd or of Wherry.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import Docker from "dockerode";
import type { Log } from "../runtime/log.ts";
import { Child } from "./children.ts";
import { processIdentity } from "./processes.ts";
import { runDirOf } from "./records.ts";

export interface DockerEngine {
  readonly docker: Docker;
  readonly socketPath: string;
  /** True when Wherry started it: only then may it load stand-in images and stop it. */
  readonly owned: boolean;
  /** Undefined for a Docker of somebody else's. */
  readonly child: Child | undefined;
}

const readyTimeoutMs = 30_000;
const stopTimeoutMs = 20_000;

/** The socket that DOCKER_HOST names, or the usual one; undefined for hosts reached by TCP. */
export function defaultSocket(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const host = env.DOCKER_HOST;
  if (!host) return "/var/run/docker.sock";
  return host.startsWith("unix://") ? host.slice("unix://".length) : undefined;
}

/** Why a Docker does not serve us, or undefined when it does. */
export async function dockerTrouble(docker: Docker): Promise<"absent" | "forbidden" | undefined> {
  try {
    await docker.ping();
    return undefined;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return code === "EACCES" || code === "EPERM" ? "forbidden" : "absent";
  }
}

/** The Docker that runs on this machine already, and whether it lets us in. */
export async function findDocker(
  socketPath = defaultSocket(),
): Promise<DockerEngine | "absent" | "forbidden"> {
  if (socketPath === undefined) return "absent";
  const docker = new Docker({ socketPath });
  const trouble = await dockerTrouble(docker);
  return trouble ?? { docker, socketPath, owned: false, child: undefined };
}

/** Folders and names of the dockerd that belongs to one data folder. */
export function dockerdPaths(dataDir: string) {
  const root = join(resolve(dataDir), "docker");
  const short = createHash("sha256").update(root).digest("hex").slice(0, 8);
  return {
    root,
    data: join(root, "data"),
    // Sockets below it must stay under 108 bytes, however deep the data folder lies.
    exec: `/run/wherry/${short}`,
    socket: join("/run/wherry", `${short}.sock`),
    pidfile: join("/run/wherry", `${short}.pid`),
    runDir: runDirOf(resolve(dataDir)),
    cgroupParent: `/wherry-${short}`,
  };
}

export function dockerdArgs(paths: ReturnType<typeof dockerdPaths>): string[] {
  return [
    `--data-root=${paths.data}`,
    `--exec-root=${paths.exec}`,
    `--host=unix://${paths.socket}`,
    `--pidfile=${paths.pidfile}`,
    // Nothing of the machine's own Docker configuration applies to ours.
    `--config-file=${join(paths.root, "daemon.json")}`,
    "--live-restore",
    "--bridge=none",
    "--iptables=false",
    "--ip6tables=false",
    "--ip-forward=false",
    "--ip-masq=false",
    "--userland-proxy=false",
    "--exec-opt=native.cgroupdriver=cgroupfs",
    `--cgroup-parent=${paths.cgroupParent}`,
    "--log-level=warn",
  ];
}

/** Starts (or adopts) the dockerd of this data folder. */
export async function startDockerd(options: {
  dataDir: string;
  /** Path of the program; see `ensureTools`. */
  dockerd: string;
  log: Log;
  /** Further arguments, for tests: a registry mirror. */
  args?: readonly string[];
}): Promise<DockerEngine> {
  const paths = dockerdPaths(options.dataDir);
  await mkdir(paths.data, { recursive: true, mode: 0o711 });
  await mkdir(paths.exec, { recursive: true, mode: 0o711 });
  const docker = new Docker({ socketPath: paths.socket });
  const child = await Child.start(
    {
      name: "dockerd",
      command: options.dockerd,
      args: [...dockerdArgs(paths), ...(options.args ?? [])],
      runDir: paths.runDir,
      healthy: async () => (await dockerTrouble(docker)) === undefined,
      prepare: async () => {
        await writeFile(join(paths.root, "daemon.json"), "{}\n");
        await removeStalePidFiles(paths);
      },
      readyTimeoutMs,
      stopTimeoutMs,
    },
    options.log,
  );
  return { docker, socketPath: paths.socket, owned: true, child };
}

/**
 * After a kill -9 the pid files stay; when another process has come to bear such a pid, dockerd
 * refuses to start, and waits 25 s for a containerd that is none.
 */
async function removeStalePidFiles(paths: ReturnType<typeof dockerdPaths>): Promise<void> {
  await rm(paths.pidfile, { force: true });
  const containerdPid = join(paths.exec, "containerd/containerd.pid");
  const pid = Number((await readFile(containerdPid, "utf8").catch(() => "")).trim());
  if (!pid) return;
  const name = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "");
  const isContainerd = name.trim() === "containerd" && (await processIdentity(pid)) !== undefined;
  if (!isContainerd) await rm(containerdPid, { force: true });
}
