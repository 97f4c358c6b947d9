/**
 * `wherry run <role…>`: a further process of the control plane, which joins the cluster that runs on
 * a data folder by way of its NATS. What is owned goes to it when the owner is gone; what is
 * replicated shares the work at once. It ends by a signal, or by `wherry down`.
 */
import { createLog, type LogLevel } from "../runtime/log.ts";
import type { Stores } from "../runtime/store/open.ts";
import { createSystem } from "../runtime/supervisor.ts";
import { ensureCertificates, serverHosts } from "./certificates.ts";
import { type Cidr, parseCidr } from "./cidr.ts";
import {
  newOwnerIdentity,
  openInformers,
  startApi,
  startControllers,
  startLedger,
  startScheduler,
} from "./control-plane.ts";
import { type ClusterIdentity, readIdentity } from "./identity.ts";
import { MachineError } from "./machine.ts";
import { type Credentials, ensureCredentials } from "./nats/credentials.ts";
import type { Role } from "./nats/roles.ts";
import { defaults } from "./options.ts";
import { computePlaces, serviceAddress } from "./places.ts";
import { freePort } from "./ports.ts";
import { recordOfThisProcess, removeRecord, runDirOf, writeRecord } from "./records.ts";
import type { SecurityOptions } from "./security-options.ts";
import type { Site } from "./site.ts";
import { stopSignal } from "./up.ts";
import { UsageError } from "./usage.ts";
import { Connections } from "./world.ts";

const runnable = ["api", "controllers", "scheduler", "ledger"] as const;
const unbuilt = ["node", "proxy", "dns"];

export interface RunOptions {
  readonly dataDir: string;
  readonly roles: readonly (typeof runnable)[number][];
  readonly clusterDomain: string;
  readonly security: SecurityOptions;
}

export function readRunRoles(given: readonly string[]): RunOptions["roles"] {
  const missing = given.find((it) => unbuilt.includes(it));
  if (missing) throw new UsageError(`run ${missing} is not built yet: only wherry up starts it`);
  const unknown = given.find((it) => !runnable.some((role) => role === it));
  if (unknown) throw new UsageError(`${unknown} is no role; there are ${runnable.join(", ")}`);
  return runnable.filter((role) => given.includes(role));
}

/** Begins the names of the records of such processes; see records.ts. */
export const runPrefix = "run-";

export async function runRoles(options: RunOptions): Promise<void> {
  const { stopped } = stopSignal();
  const identity = await readJoined(options.dataDir);
  const record = { name: `${runPrefix}${process.pid}`, runDir: runDirOf(options.dataDir) };
  await writeRecord(record, await recordOfThisProcess(record.name));
  try {
    await serve(await joinSite(identity, options), options.roles, stopped);
  } finally {
    await removeRecord(record);
  }
}

async function serve(
  site: Site,
  roles: RunOptions["roles"],
  stopped: Promise<void>,
): Promise<void> {
  const stores = roles.includes("api") ? await startApi(site) : undefined;
  const informers = await openInformers(site, "controllers");
  const parts = { informers, identity: newOwnerIdentity() };
  if (roles.includes("controllers")) await startControllers(site, parts);
  if (roles.includes("scheduler")) await startScheduler(site, parts);
  if (roles.includes("ledger")) await startLedger(site, parts);
  const api = stores ? ` (API at https://${site.listen}:${site.httpsPort})` : "";
  process.stdout.write(`Wherry runs ${roles.join(", ")}${api}\n`);
  await stopped;
  await stop(site, informers, stores);
}

async function stop(site: Site, informers: { close(): void }, stores?: Stores): Promise<void> {
  await site.system.stop();
  informers.close();
  await stores?.close();
  await site.connections.close();
}

interface Joined {
  readonly identity: ClusterIdentity;
  readonly podCidr: Cidr;
  readonly serviceCidr: Cidr;
}

async function readJoined(dataDir: string): Promise<Joined> {
  const identity = await readIdentity(dataDir);
  const podCidr = parseCidr(identity?.podCidr ?? "");
  const serviceCidr = parseCidr(identity?.serviceCidr ?? "");
  if (identity && podCidr && serviceCidr) return { identity, podCidr, serviceCidr };
  throw new MachineError(`${dataDir} holds no cluster to join: start one with wherry up`);
}

async function joinSite(
  { identity, podCidr, serviceCidr }: Joined,
  { dataDir, roles, clusterDomain, security }: RunOptions,
): Promise<Site> {
  const log = createLog({ level: (process.env.WHERRY_LOG ?? "warn") as LogLevel });
  const listen = defaults.listen;
  const addresses = [listen, serviceAddress(serviceCidr, "kubernetes")];
  const hosts = serverHosts({ addresses, clusterDomain });
  const credentials = new Map<Role, Credentials>();
  for (const role of runnable) credentials.set(role, await ensureCredentials(dataDir, role));
  const nats = {
    url: `nats://127.0.0.1:${identity.natsPort}`,
    credentials(role: Role): Credentials {
      const found = credentials.get(role);
      if (!found) throw new Error(`no NATS credentials were read for ${role}`);
      return found;
    },
  };
  const connections = new Connections(nats, log);
  const first = await connections.worldOf(roles[0] ?? "api").catch((error: Error) => {
    throw new MachineError(`NATS does not answer at ${nats.url}: ${error.message}`, {
      cause: error,
    });
  });
  return {
    identity,
    dataDir,
    listen,
    httpsPort: await freePort(listen),
    podCidr,
    serviceCidr,
    clusterDomain,
    security,
    places: computePlaces(podCidr, identity.nodes),
    // Pods are led to the doors on the bridge, which belongs to `wherry up`.
    podSide: undefined,
    certificates: await ensureCertificates(dataDir, hosts),
    connections,
    system: createSystem(first),
    log,
  };
}
