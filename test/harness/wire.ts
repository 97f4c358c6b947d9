/** A TCP relay between a client and a server of a test: a wire that can be cut and stalled. */

import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { connect, createServer } from "node:net";

type End = "client" | "server";

export interface TestWire {
  readonly port: number;
  readonly url: string;
  /** Breaks all connections through it; new ones are let through. */
  cut(): void;
  /** Takes nothing from the server, so that it piles up there. */
  stall(): void;
  /** Takes nothing from either side, as a network that is parted. */
  part(): void;
  resume(): void;
  dispose(): Promise<void>;
}

/** `target` is asked for at each connection: a server may come back on another port. */
export async function openWire(target: () => number): Promise<TestWire> {
  const pairs = new Set<Record<End, Socket>>();
  let held: readonly End[] = [];

  /** What one end sends, to the other. */
  function forward(pair: Record<End, Socket>, from: End, to: End): void {
    pair[from].on("data", (data) => {
      if (!pair[to].write(data)) pair[from].pause();
    });
    pair[to].on("drain", () => held.includes(from) || pair[from].resume());
    if (held.includes(from)) pair[from].pause();
  }

  function hold(ends: readonly End[]): void {
    held = ends;
    for (const pair of pairs)
      for (const end of ["client", "server"] as const)
        if (held.includes(end)) pair[end].pause();
        else pair[end].resume();
  }

  const relay = createServer((client) => {
    const server = connect({ host: "127.0.0.1", port: target() });
    const pair = { client, server };
    pairs.add(pair);
    const end = (): void => {
      client.destroy();
      server.destroy();
      pairs.delete(pair);
    };
    for (const socket of [client, server]) socket.setNoDelay(true).on("error", end);
    client.on("close", end);
    // What the server still sent before it closed belongs to the client, unless it is stalled.
    server.on("end", () => client.end());
    client.on("end", () => server.end());
    forward(pair, "server", "client");
    forward(pair, "client", "server");
  });
  relay.listen(0, "127.0.0.1");
  await once(relay, "listening");
  const { port } = relay.address() as AddressInfo;
  return {
    port,
    url: `nats://127.0.0.1:${port}`,
    cut() {
      for (const { client, server } of pairs)
        for (const socket of [client, server]) socket.destroy();
    },
    stall: () => hold(["server"]),
    part: () => hold(["client", "server"]),
    resume: () => hold([]),
    async dispose() {
      for (const { client, server } of pairs)
        for (const socket of [client, server]) socket.destroy();
      relay.close();
      await once(relay, "close");
    },
  };
}
