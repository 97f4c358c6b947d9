/** What a cluster could leave behind on a machine, as one picture that can be compared. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../deploy/setup/exec.ts";
import { ensureTools } from "../../deploy/setup/index.ts";

/** Lines by where they were seen. */
export type MachinePicture = Readonly<Record<string, readonly string[]>>;

export async function pictureOfMachine(): Promise<MachinePicture> {
  const { ip, nft } = await ensureTools({
    needs: ["ip", "nft"],
    install: true,
    log: () => undefined,
  });
  const lines = async (command: string, ...args: string[]): Promise<string[]> =>
    (await run(command, args)).stdout.split("\n").filter((line) => line !== "");
  return {
    links: (await lines(ip, "-brief", "link")).map((line) => line.split(/[\s@]/)[0] ?? ""),
    routes: (await lines(ip, "route")).map((line) => line.trim()),
    namespaces: await lines(ip, "netns", "list"),
    nftables: await lines(nft, "list", "tables"),
    mounts: (await readFile("/proc/self/mountinfo", "utf8"))
      .split("\n")
      .map((line) => line.split(" ")[4] ?? ""),
    cgroups: await cgroups("/sys/fs/cgroup", 2),
    processes: await processes(),
    settings: await settings(),
    run: await readdir("/run/wherry").catch(() => []),
  };
}

/** Only what is there now and was not before, or the other way round. */
export function differences(before: MachinePicture, after: MachinePicture): string[] {
  return Object.keys(before).flatMap((where) => {
    const [was, is] = [new Set(before[where]), new Set(after[where])];
    return [
      ...[...is].filter((line) => !was.has(line)).map((line) => `+ ${where}: ${line}`),
      ...[...was].filter((line) => !is.has(line)).map((line) => `- ${where}: ${line}`),
    ];
  });
}

async function cgroups(folder: string, depth: number): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const below = entries.filter((it) => it.isDirectory()).map((it) => join(folder, it.name));
  if (depth <= 1) return below;
  return [...below, ...(await Promise.all(below.map((it) => cgroups(it, depth - 1)))).flat()];
}

/**
 * Of engines, by program: pids come and go for many reasons that are not ours. Neither are the
 * servers that other suites start meanwhile (harness/nats-server.ts).
 */
async function processes(): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry));
  const commands = await Promise.all(
    pids.map(async (pid) => {
      const raw = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
      return raw.split("\0").join(" ").trim();
    }),
  );
  return commands.filter(
    (it) =>
      /dockerd|containerd|nats-server|wherry\.mjs|nginx:/.test(it) && !it.includes("/wherry-nats-"),
  );
}

async function settings(): Promise<string[]> {
  const names = ["net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables"];
  return Promise.all(
    names.map(async (name) => {
      // A module that loaded itself brings its settings along, switched as the kernel likes.
      const value = await readFile(`/proc/sys/${name}`, "utf8").catch(() => undefined);
      return name.includes("bridge") ? name : `${name}=${value?.trim()}`;
    }),
  );
}
