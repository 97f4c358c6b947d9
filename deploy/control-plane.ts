/** Starts the control plane's roles: any of them, alone or together, in this process. */
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { apiserver } from "../actors/apiserver/apiserver.ts";
import type { Grants } from "../actors/apiserver/authz/actors.ts";
import { defaultHorizonMs } from "../actors/apiserver/compaction.ts";
import { controllersActor, controllersWrites } from "../actors/controllers/controllers.ts";
import { dnsWrites } from "../actors/dns/dns.ts";
import { createApi } from "../actors/kit/client.ts";
import { createInformers, type Informers } from "../actors/kit/informer.ts";
import { owned, ownerWrites } from "../actors/kit/owned.ts";
import { grantsOf } from "../actors/kit/writes.ts";
import { ledger, ledgerWrites } from "../actors/scheduler/ledger.ts";
import { shard, shardWrites } from "../actors/scheduler/shard.ts";
import { openJournals, openStores, type Stores } from "../runtime/store/open.ts";
import { createApiEdge } from "./api-edge.ts";
import { actorRoles, principalOf, type Role } from "./nats/roles.ts";
import { serviceAddress } from "./places.ts";
import type { Site } from "./site.ts";
import { gitVersion } from "./version.ts";
import { createWebhookDialer } from "./webhook-dialer.ts";

const shards = 2;

/** An API actor with both doors. */
export async function startApi(site: Site): Promise<Stores> {
  const { certificates, listen, httpsPort, podSide, serviceCidr } = site;
  const world = await site.connections.worldOf("api");
  const { bus, clock, random, log } = world;
  const { serverVersion } = bus;
  const journals = await openJournals({ bus, serverVersion, clock, random, log });
  const stores = openStores(journals, { clock, random, log });
  const checks = new Map([
    ["store", () => stores.ready],
    ["nats", () => bus.connected],
  ]);
  const edge = { certificates, host: listen, port: httpsPort, podSide, gitVersion, checks };
  const config = {
    replica: randomBytes(4).toString("hex"),
    principal: world.principal,
    stores,
    grants: computeGrants(),
    manifestEvents: true,
    compaction: { journals, horizonMs: defaultHorizonMs },
    admission: { dialer: createWebhookDialer() },
    serviceCidr: serviceCidr.text,
    dnsAddress: serviceAddress(serviceCidr, "kube-dns"),
    edge: createApiEdge(edge),
  };
  site.system.spawn(apiserver, config, { world });
  return stores;
}

/** Each role may write what its actors declare, by the table that they declare it in. */
export function computeGrants(): Grants {
  const writes = {
    api: ownerWrites,
    controllers: controllersWrites,
    scheduler: [...ownerWrites, ...shardWrites],
    ledger: [...ownerWrites, ...ledgerWrites],
    proxy: [],
    dns: dnsWrites,
  };
  return new Map(actorRoles.map((role) => [principalOf(role), grantsOf(writes[role])]));
}

/**
 * The caches of this process, read over the connection of one of its roles. Sharing them is what
 * one process is for: every role of the control plane may read everything.
 */
export async function openInformers(site: Site, role: Role): Promise<Informers> {
  const { bus, clock, log, principal } = await site.connections.worldOf(role);
  return createInformers(createApi(bus, clock, { principal, writes: [] }), { clock, log });
}

/** Names this process among the candidates for what is owned. */
export function newOwnerIdentity(): string {
  return `${hostname()}_${process.pid}_${randomBytes(4).toString("hex")}`;
}

export interface OwnedParts {
  readonly informers: Informers;
  readonly identity: string;
}

export async function startControllers(site: Site, parts: OwnedParts): Promise<void> {
  const world = await site.connections.worldOf("controllers");
  const { principal } = world;
  const caPem = site.certificates.authority.certificate;
  site.system.spawn(controllersActor, { ...parts, principal, caPem }, { world });
}

export async function startScheduler(site: Site, parts: OwnedParts): Promise<void> {
  const world = await site.connections.worldOf("scheduler");
  const { principal } = world;
  const { informers } = parts;
  for (let index = 0; index < shards; index++) {
    const name = `scheduler-${index}`;
    const args = { principal, informers, shard: index, shards };
    site.system.spawn(
      owned(shard),
      { ...parts, name, principal, args: (ownership) => ({ ...args, ownership }) },
      { name, world },
    );
  }
}

export async function startLedger(site: Site, parts: OwnedParts): Promise<void> {
  const world = await site.connections.worldOf("ledger");
  const { principal } = world;
  const { informers } = parts;
  site.system.spawn(
    owned(ledger),
    {
      ...parts,
      name: "ledger",
      principal,
      args: (ownership) => ({ principal, informers, ownership }),
    },
    { name: "ledger", world },
  );
}
