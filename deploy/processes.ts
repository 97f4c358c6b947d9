/** Processes as /proc shows them: which one a pid means, who holds a port; and how one is ended. */
import { readdir, readFile, readlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** A pid alone says little, pids are used again; with its start time since boot it is unique. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: string;
  readonly bootId: string;
}

async function bootId(): Promise<string> {
  return (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
}

/** Fields 3 (state) and 22 (start time) of /proc/<pid>/stat; the name may hold spaces. */
export function parseStat(stat: string): { state: string; startTime: string } | undefined {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, startTime] = [fields[0], fields[19]];
  return state === undefined || startTime === undefined ? undefined : { state, startTime };
}

/** Undefined when there is no such process, or only its corpse. */
export async function processIdentity(pid: number): Promise<ProcessIdentity | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const parsed = parseStat(stat);
  if (!parsed || parsed.state === "Z" || parsed.state === "X") return undefined;
  return { pid, startTime: parsed.startTime, bootId: await bootId() };
}

export async function isSameProcess(identity: ProcessIdentity): Promise<boolean> {
  const now = await processIdentity(identity.pid);
  return now?.startTime === identity.startTime && now.bootId === identity.bootId;
}

const endPollMs = 15;

/** SIGTERM, then SIGKILL. Never signals a pid that has come to mean another process. */
export async function endProcess(identity: ProcessIdentity, timeoutMs: number): Promise<void> {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    const deadline = performance.now() + timeoutMs;
    if (!(await isSameProcess(identity))) return;
    try {
      process.kill(identity.pid, signal);
    } catch {
      return;
    }
    while (performance.now() < deadline) {
      if (!(await isSameProcess(identity))) return;
      await sleep(endPollMs);
    }
  }
  throw new Error(`process ${identity.pid} does not end`);
}

export async function commandLine(pid: number): Promise<string> {
  const raw = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return raw.split("\0").join(" ").trim();
}

/** Inodes of sockets that listen on the TCP port, from the text of /proc/net/tcp or tcp6. */
export function listeningInodes(table: string, port: number): string[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, "0");
  const inodes: string[] = [];
  for (const line of table.split("\n").slice(1)) {
    const fields = line.trim().split(/\s+/);
    const [, local, , state] = fields;
    const inode = fields[9];
    if (state === "0A" && local?.endsWith(`:${wanted}`) && inode) inodes.push(inode);
  }
  return inodes;
}

export interface PortHolder {
  readonly pid: number;
  readonly command: string;
}

/** The process that listens on a TCP port of this machine, as far as we may look. */
export async function portHolder(port: number): Promise<PortHolder | undefined> {
  const tables = await Promise.all(
    ["tcp", "tcp6"].map((name) => readFile(`/proc/net/${name}`, "utf8").catch(() => "")),
  );
  const inodes = new Set(tables.flatMap((table) => listeningInodes(table, port)));
  if (inodes.size === 0) return undefined;
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    for (const fd of await readdir(`/proc/${entry}/fd`).catch(() => [])) {
      const target = await readlink(`/proc/${entry}/fd/${fd}`).catch(() => "");
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode && inodes.has(inode)) {
        return { pid: Number(entry), command: await commandLine(Number(entry)) };
      }
    }
  }
  return undefined;
}
