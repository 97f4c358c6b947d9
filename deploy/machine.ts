/**
 * The machine below the actors: the lock, ports, address ranges, tools, nats-server and an engine.
 *
 * Everything that can be refused is refused before anything is started, by name: who holds the
 * port, which route a range overlaps, which command installs what is missing.
 */
import { podNetwork } from "../actors/kubelet/engines/docker/network.ts";
import type { Log } from "../runtime/log.ts";
import { computeCidrTrouble, type HostRoute } from "./cidr.ts";
import { type DockerEngine, defaultSocket, findDocker, startDockerd } from "./dockerd.ts";
import { type ClusterIdentity, newClusterId, readIdentity, writeIdentity } from "./identity.ts";
import { ensureImages, isPublicRegistryReachable } from "./images/index.ts";
import { type DataLock, lockData } from "./lock.ts";
import type { Role } from "./nats/roles.ts";
import { type NatsServer, startNats } from "./nats/server.ts";
import { nodeNames, type UpOptions } from "./options.ts";
import { assertPortFree, freePort } from "./ports.ts";
import { runDirOf, runningRecord } from "./records.ts";
import { run } from "./setup/exec.ts";
import { ensureTools, type Tools } from "./setup/index.ts";
import type { ToolName } from "./setup/tools.ts";

export interface Machine {
  readonly identity: ClusterIdentity;
  readonly tools: Tools<"nats-server"> & Partial<Tools>;
  readonly nats: NatsServer;
  /** Undefined with the simulated engine. */
  readonly engine: DockerEngine | undefined;
  /** Resolves once the engine has the images that pods cannot be without. */
  readonly images: Promise<void>;
  readonly lock: DataLock;
}

/** The request is sound but this machine refuses it; said without a stack. */
export class MachineError extends Error {
  override readonly name = "MachineError";
}

export interface MachineOptions {
  readonly up: UpOptions;
  readonly roles: readonly Role[];
  readonly log: Log;
  /** Plain lines for the person who started Wherry. */
  readonly say: (line: string) => void;
}

/** NATS speaks clear text, so that `--listen` is for HTTPS alone. */
const loopback = "127.0.0.1";

export async function startMachine(options: MachineOptions): Promise<Machine> {
  const { up, log } = options;
  assertPrivileges(up);
  const lock = await lockData(up.dataDir);
  const started: (() => Promise<void>)[] = [];
  try {
    const found = up.engine === "sim" ? undefined : await lookForDocker();
    const tools = await findTools(options, found);
    const identity = await chooseIdentity(up, found?.socketPath);
    await assertRanges(up, identity, tools.ip);
    const startingNats = startNats({
      dataDir: up.dataDir,
      natsServer: tools["nats-server"],
      host: loopback,
      port: identity.natsPort,
      roles: options.roles,
      log,
    }).then((nats) => {
      started.push(() => nats.child.stop());
      return nats;
    });
    const startingEngine = startEngine(options, found, tools).then((engine) => {
      const child = engine?.child;
      if (child) started.push(() => child.stop());
      return engine;
    });
    const outcomes = await Promise.allSettled([startingNats, startingEngine]);
    const failure = outcomes.find((it) => it.status === "rejected");
    if (failure?.status === "rejected") throw failure.reason;
    const engine = await startingEngine;
    const images = engine ? loadImages(engine, options) : Promise.resolve();
    // Whoever starts a node waits for them; a stop before that makes them fail unheard.
    images.catch(() => undefined);
    return { identity, tools, nats: await startingNats, engine, images, lock };
  } catch (error) {
    for (const stop of started) await stop();
    await lock.release();
    throw error;
  }
}

/** The right to use Docker is not enough. */
function assertPrivileges({ engine }: UpOptions): void {
  if (engine === "sim" || process.getuid?.() === 0) return;
  throw new MachineError(
    "pod networks and Service addresses take root: run as root, or only pretend: --engine sim",
  );
}

async function lookForDocker(): Promise<DockerEngine | undefined> {
  const found = await findDocker();
  if (found === "forbidden") {
    throw new MachineError(
      `the Docker at ${defaultSocket()} refuses us: mend its rights, or name another by DOCKER_HOST`,
    );
  }
  return found === "absent" ? undefined : found;
}

async function findTools(
  { up, say }: MachineOptions,
  docker: DockerEngine | undefined,
): Promise<Tools<"nats-server"> & Partial<Tools>> {
  const needs = new Set<ToolName>(["nats-server"]);
  if (up.engine !== "sim") {
    needs.add("ip");
    if (up.proxy !== "none") needs.add("nft");
    if (!docker) needs.add("dockerd");
  }
  return (await ensureTools({
    needs: [...needs],
    install: up.install,
    log: say,
  })) as Tools<"nats-server"> & Partial<Tools>;
}

async function startEngine(
  { up, log }: MachineOptions,
  found: DockerEngine | undefined,
  tools: Partial<Tools>,
): Promise<DockerEngine | undefined> {
  if (up.engine === "sim") return undefined;
  return found ?? startDockerd({ dataDir: up.dataDir, dockerd: tools.dockerd ?? "", log });
}

async function loadImages({ docker, owned }: DockerEngine, { say }: MachineOptions): Promise<void> {
  const needsStandIns = owned && !(await isPublicRegistryReachable());
  const standIns = needsStandIns ? (["busybox", "nginx"] as const) : [];
  await ensureImages(docker, ["pause", ...standIns], { log: say });
}

/** Keeps the id for good, and a freely chosen port for as long as it can be had. */
async function chooseIdentity(
  up: UpOptions,
  foreignDocker: string | undefined,
): Promise<ClusterIdentity> {
  const before = await readIdentity(up.dataDir);
  const natsServer = { name: "nats-server", runDir: runDirOf(up.dataDir) };
  const natsRuns = (await runningRecord(natsServer)) !== undefined;
  const natsIsOurs = (port: number): boolean => natsRuns && before?.natsPort === port;
  const identity: ClusterIdentity = {
    id: before?.id ?? newClusterId(),
    httpsPort: await choosePort(up.listen, up.httpsPort, before?.httpsPort, "--https-port"),
    natsPort: natsIsOurs(up.natsPort || (before?.natsPort ?? 0))
      ? (before?.natsPort ?? 0)
      : await choosePort(loopback, up.natsPort, before?.natsPort, "--nats-port"),
    podCidr: up.podCidr.text,
    serviceCidr: up.serviceCidr.text,
    nodes: nodeNames(up),
    foreignDocker,
  };
  await writeIdentity(up.dataDir, identity);
  return identity;
}

async function choosePort(
  host: string,
  wanted: number,
  remembered: number | undefined,
  option: string,
): Promise<number> {
  if (wanted !== 0) {
    await assertPortFree(host, wanted, option).catch((error: Error) => {
      throw new MachineError(`${error.message}; choose another with ${option}`, { cause: error });
    });
    return wanted;
  }
  if (remembered) {
    const free = await assertPortFree(host, remembered, option).then(
      () => true,
      () => false,
    );
    if (free) return remembered;
  }
  return freePort(host);
}

/** What a killed Wherry left is ours: its bridges by name, and the route that ends its pod range. */
function isOwnRoute({ id, nodes, podCidr }: ClusterIdentity, route: HostRoute): boolean {
  if (route.type === "unreachable") return route.dst === podCidr;
  return nodes.some((node) => route.dev === podNetwork({ cluster: id, node }, podCidr).bridge);
}

async function assertRanges(
  up: UpOptions,
  identity: ClusterIdentity,
  ip: string | undefined,
): Promise<void> {
  const routes = ip ? (JSON.parse((await run(ip, ["-json", "route"])).stdout) as HostRoute[]) : [];
  const trouble = computeCidrTrouble({
    cidrs: [
      { option: "--pod-cidr", cidr: up.podCidr },
      { option: "--service-cidr", cidr: up.serviceCidr },
    ],
    routes,
    isOwn: (route) => isOwnRoute(identity, route),
  });
  if (trouble.length > 0) throw new MachineError(trouble.join("\n"));
}
