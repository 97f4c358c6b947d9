import { describe, expect, test } from "vitest";
import { createLog } from "../../runtime/log.ts";
import type { NatsBus } from "../../runtime/nats-bus.ts";
import { connectNats } from "../../runtime/nats-bus.ts";
import type { Allowance } from "../../runtime/sim/network.ts";
import { startNatsServer } from "../harness/nats-server.ts";
import { waitFor } from "../harness/wait.ts";
import type { TestWire } from "../harness/wire.ts";
import { openWire } from "../harness/wire.ts";
import type { BusBench, Principal } from "./bus-contract.ts";
import { benchMaxPendingBytes, benchPrincipals, describeBus } from "./bus-contract.ts";

const log = createLog({ level: "silent" });

describeBus("real", createRealBench);

async function createRealBench(): Promise<BusBench> {
  const server = await startNatsServer({ config: serverConfig() });
  const wires = new Map<Principal, TestWire>();
  const buses: NatsBus[] = [];

  async function wireOf(principal: Principal): Promise<TestWire> {
    const wire = wires.get(principal) ?? (await openWire(() => server.port));
    wires.set(principal, wire);
    return wire;
  }

  return {
    async connect(principal) {
      const bus = await connectNats({
        servers: (await wireOf(principal)).url,
        name: principal,
        inboxPrefix: `_INBOX.${principal}`,
        authentication: { user: principal, password: principal },
        reconnectWaitMs: 20,
        log,
      });
      buses.push(bus);
      return bus;
    },
    cut: async (principal) => (await wireOf(principal)).cut(),
    stall: async (principal) => (await wireOf(principal)).stall(),
    resume: async (principal) => (await wireOf(principal)).resume(),
    stopServer: () => server.kill(),
    startServer: () => server.start(),
    async waitFor(what, condition) {
      await waitFor(what, condition, { timeoutMs: 10_000, everyMs: 2 });
    },
    async dispose() {
      await Promise.all(buses.map((bus) => bus.close()));
      await Promise.all([...wires.values()].map((wire) => wire.dispose()));
      await server.dispose();
      expect(server.running).toBe(false);
    },
  };
}

/** The principals of the contract, as the server's configuration has them. */
function serverConfig(): string {
  const users = Object.entries(benchPrincipals).map(([user, permissions]) => {
    const { publish, subscribe, allowResponses } = permissions;
    const granted = [
      publish && `publish: ${allowance(publish)}`,
      subscribe && `subscribe: ${allowance(subscribe)}`,
      allowResponses &&
        `allow_responses: { max: ${allowResponses.max}, expires: "${allowResponses.expiresMs}ms" }`,
    ].filter(Boolean);
    const limits = granted.length > 0 ? `, permissions: { ${granted.join(", ")} }` : "";
    return `{ user: ${user}, password: ${user}${limits} }`;
  });
  return [
    `max_pending: ${benchMaxPendingBytes}`,
    `write_deadline: "2s"`,
    `authorization { users: [ ${users.join(", ")} ] }`,
  ].join("\n");
}

function allowance({ allow, deny }: Allowance): string {
  const parts = [
    allow && `allow: ${JSON.stringify(allow)}`,
    deny && `deny: ${JSON.stringify(deny)}`,
  ];
  return `{ ${parts.filter(Boolean).join(", ")} }`;
}

describe("nats bus", () => {
  test("nats bus: refuses wrong credentials and a server that is not there", async () => {
    await using server = await startNatsServer({ config: serverConfig() });
    const options = { name: "x", inboxPrefix: "_INBOX.x", log, connectTimeoutMs: 1_000 };
    const authentication = { user: "alpha", password: "wrong" };
    await expect(connectNats({ ...options, servers: server.url, authentication })).rejects.toThrow(
      /authorization/i,
    );
    const { url } = server;
    await server.stop();
    await expect(connectNats({ ...options, servers: url, authentication })).rejects.toThrow();
  });
});
