/** An API actor of the test's own on a real nats-server, and clients of it under any principal. */

import { type ApiServerConfig, apiserver } from "../../actors/apiserver/apiserver.ts";
import { adminPrincipal } from "../../actors/apiserver/authn/user.ts";
import { defaultPolicy } from "../../actors/apiserver/authz/defaults.ts";
import type { Horizons } from "../../actors/apiserver/compaction.ts";
import { type Api, createApi } from "../../actors/kit/client.ts";
import { ownerWrites } from "../../actors/kit/owned.ts";
import { grantsOf } from "../../actors/kit/writes.ts";
import { inboxPrefix } from "../../actors/subjects.ts";
import { ApiError } from "../../manifests/api-error.ts";
import { ServiceAccount } from "../../manifests/index.ts";
import { createLog } from "../../runtime/log.ts";
import { connectNats, type NatsBus } from "../../runtime/nats-bus.ts";
import { createSigningKey } from "../../runtime/pki.ts";
import { realClock, realRandom } from "../../runtime/real.ts";
import type { Journal } from "../../runtime/store/journal.ts";
import { objectKey } from "../../runtime/store/key.ts";
import { openJournals, openStores, type PerStore, type Stores } from "../../runtime/store/open.ts";
import type { WindowLimits } from "../../runtime/store/window.ts";
import { createSystem, type System } from "../../runtime/supervisor.ts";
import { openTokenKeys } from "../../runtime/token-keys.ts";
import { type NatsServer, startNatsServer } from "./nats-server.ts";
import { waitFor } from "./wait.ts";

export const tokenIssuer = "https://kubernetes.default.svc.cluster.local";
export const apiPrincipal = "system:wherry:api";

export interface TestApiConfig extends Partial<ApiServerConfig> {
  /** Compacts the streams it finds, this long after. */
  readonly horizonMs?: Horizons;
  /** What watchers can come back to, when it is to be less than a real store keeps. */
  readonly window?: Partial<WindowLimits>;
}

export interface TestApi {
  readonly server: NatsServer;
  readonly stores: Stores;
  readonly journals: PerStore<Journal>;
  connect(principal: string): Promise<NatsBus>;
  /** A client as the cluster's owner, or as anybody else. */
  client(principal?: string): Promise<Api>;
  /** One API actor more, on stores of its own. */
  start(config?: Partial<ApiServerConfig>): Promise<{ stores: Stores; system: System }>;
  dispose(): Promise<void>;
}

const log = createLog({ level: process.env.WHERRY_TEST_LOG === "debug" ? "debug" : "silent" });
const world = { clock: realClock, random: realRandom, log };

export async function startApi(options: TestApiConfig = {}): Promise<TestApi> {
  const { horizonMs, window, ...config } = options;
  const server = await startNatsServer({ jetstream: { sync: "lazy" } });
  const keys = await openTokenKeys(await createSigningKey());
  const undo: (() => Promise<unknown>)[] = [];

  async function connect(principal: string): Promise<NatsBus> {
    const name = principal;
    const options = { ...world, servers: server.url, name, inboxPrefix: inboxPrefix(principal) };
    const bus = await connectNats(options);
    undo.unshift(() => bus.close());
    return bus;
  }

  async function start(more: Partial<ApiServerConfig> = {}) {
    const bus = await connect(apiPrincipal);
    const journals = await openJournals({ ...world, bus, serverVersion: bus.serverVersion });
    const stores = openStores(journals, world, window ? { window } : {});
    undo.unshift(() => stores.close());
    const system = createSystem({ ...world, bus });
    undo.unshift(() => system.stop());
    await waitFor("the stores to load", () => stores.ready, { everyMs: 2 });
    system.spawn(apiserver, {
      replica: realRandom.suffix(8),
      principal: apiPrincipal,
      stores,
      grants: new Map([[apiPrincipal, grantsOf(ownerWrites)]]),
      serviceCidr: "10.96.0.0/16",
      dnsAddress: "10.96.0.10",
      tokens: { keys, issuer: tokenIssuer },
      ...(horizonMs ? { compaction: { journals, horizonMs } } : {}),
      ...config,
      ...more,
    });
    const { view } = stores.objects;
    const made = [
      "core.namespaces._.default",
      ...defaultPolicy().map(({ kind: { group, resource }, object: { metadata } }) => {
        const { namespace = "", name = "" } = metadata;
        return objectKey({ group, resource, namespace, name });
      }),
    ];
    await waitFor("what every cluster has", () => made.every((key) => view.get(key)), {
      everyMs: 5,
    });
    return { stores, journals, system };
  }

  const { stores, journals } = await start();
  // Pods need an account, and no controller makes it here.
  const owner = createApi(await connect(adminPrincipal), realClock, { principal: adminPrincipal });
  await owner.create(ServiceAccount, { metadata: { name: "default", namespace: "default" } });
  return {
    server,
    stores,
    journals,
    connect,
    start,
    client: async (principal = adminPrincipal) =>
      createApi(await connect(principal), realClock, { principal }),
    async dispose() {
      for (const end of undo) await end();
      await server.dispose();
    },
  };
}

/** The Status with which a request was refused. */
export async function refusal(promise: Promise<unknown>): Promise<ApiError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error("it was not refused");
}
