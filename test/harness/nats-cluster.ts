/**
 * Three real nats-servers in a cluster on loopback, which of them leads a stream, and the wires
 * between them, which can be parted.
 */

import { once } from "node:events";
import { createServer } from "node:net";
import type { Bus } from "../../runtime/bus.ts";
import { askApi } from "../../runtime/store/jetstream-api.ts";
import { type NatsServer, startNatsServer } from "./nats-server.ts";
import { waitFor } from "./wait.ts";
import { openWire, type TestWire } from "./wire.ts";

export interface NatsCluster {
  readonly servers: readonly NatsServer[];
  /** The server that leads a stream, as `bus` is told. Rejects while there is none. */
  leaderOf(bus: Bus, stream: string): Promise<NatsServer>;
  /** The server that a consumer lives on. */
  hostOf(bus: Bus, stream: string, consumer: string): Promise<NatsServer>;
  /** Resolves once every server holds all of a stream, as it must before one may be lost again. */
  whole(bus: Bus, stream: string): Promise<void>;
  /** Parts a server from the two others; its clients stay connected to it. */
  isolate(server: NatsServer): void;
  rejoin(): void;
  dispose(): Promise<void>;
}

interface Led {
  cluster: { leader?: string; replicas?: { current: boolean; offline?: boolean; lag?: number }[] };
}

const size = 3;

/** Given to those who hear of a server from others: only our wires lead to one. */
const nowhere = "127.0.0.1:1";

export async function startNatsCluster(): Promise<NatsCluster> {
  const routePorts = await freePorts(size);
  const nths = [...routePorts.keys()];
  const wires: { from: number; to: number; wire: TestWire }[] = [];
  for (const from of nths)
    for (const to of nths)
      if (from !== to) wires.push({ from, to, wire: await openWire(() => routePorts[to] ?? 0) });
  const named = new Map<string, NatsServer>();
  const start = async (nth: number): Promise<void> => {
    const name = `server-${nth}`;
    const listen = JSON.stringify(`127.0.0.1:${routePorts[nth]}`);
    const routes = wires.filter(({ from }) => from === nth).map(({ wire }) => wire.url);
    const config = `cluster {
      name: test, listen: ${listen}, advertise: "${nowhere}", routes: ${JSON.stringify(routes)}
    }`;
    named.set(name, await startNatsServer({ jetstream: true, name, config }));
  };
  const started = await Promise.allSettled(nths.map(start));
  const servers = nths.flatMap((nth) => named.get(`server-${nth}`) ?? []);

  async function dispose(): Promise<void> {
    await Promise.all(servers.map((server) => server.dispose()));
    await Promise.all(wires.map(({ wire }) => wire.dispose()));
  }

  async function leading(bus: Bus, what: string): Promise<NatsServer> {
    const { cluster } = await askApi<Led>(bus, what);
    const server = named.get(cluster.leader ?? "");
    if (!server) throw new Error(`${what} has no leader`);
    return server;
  }

  const failed = started.find((result) => result.status === "rejected");
  if (failed) {
    await dispose();
    throw failed.reason;
  }
  return {
    servers,
    leaderOf: (bus, stream) => leading(bus, `STREAM.INFO.${stream}`),
    hostOf: (bus, stream, consumer) => leading(bus, `CONSUMER.INFO.${stream}.${consumer}`),
    async whole(bus, stream) {
      await waitFor(`all of ${stream} on every server`, async () => {
        const { cluster } = await askApi<Led>(bus, `STREAM.INFO.${stream}`);
        const replicas = cluster.replicas ?? [];
        return replicas.length === size - 1 && replicas.every((one) => one.current && !one.offline);
      });
    },
    isolate(server) {
      const nth = servers.indexOf(server);
      for (const { from, to, wire } of wires) if (from === nth || to === nth) wire.part();
    },
    rejoin() {
      for (const { wire } of wires) wire.resume();
    },
    dispose,
  };
}

/** Ports that were free a moment ago: the servers have to know each other's before they start. */
async function freePorts(count: number): Promise<number[]> {
  const listeners = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(listeners.map((listener) => once(listener, "listening")));
  const ports = listeners.map((listener) => {
    const address = listener.address();
    return typeof address === "object" && address ? address.port : 0;
  });
  await Promise.all(listeners.map((listener) => once(listener.close(), "close")));
  return ports;
}
