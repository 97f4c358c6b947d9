/** A TCP relay between a client and a server of a test: a wire that can be cut and stalled. */

import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { connect, createServer } from "node:net";

export interface TestWire {
  readonly url: string;
  /** Breaks all connections through it; new ones are let through. */
  cut(): void;
  /** Takes nothing from the server, so that it piles up there. */
  stall(): void;
  resume(): void;
  dispose(): Promise<void>;
}

/** `target` is asked for at each connection: a server may come back on another port. */
export async function openWire(target: () => number): Promise<TestWire> {
  const pairs = new Set<{ client: Socket; server: Socket }>();
  let stalled = false;
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
    server.on("data", (data) => {
      if (!client.write(data)) server.pause();
    });
    client.on("drain", () => stalled || server.resume());
    client.pipe(server, { end: true });
    if (stalled) server.pause();
  });
  relay.listen(0, "127.0.0.1");
  await once(relay, "listening");
  return {
    url: `nats://127.0.0.1:${(relay.address() as AddressInfo).port}`,
    cut() {
      for (const { client, server } of pairs)
        for (const socket of [client, server]) socket.destroy();
    },
    stall() {
      stalled = true;
      for (const { server } of pairs) server.pause();
    },
    resume() {
      stalled = false;
      for (const { server } of pairs) server.resume();
    },
    async dispose() {
      for (const { client, server } of pairs)
        for (const socket of [client, server]) socket.destroy();
      relay.close();
      await once(relay, "close");
    },
  };
}
