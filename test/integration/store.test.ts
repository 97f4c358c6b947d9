import { expect } from "vitest";
import { createLog } from "../../runtime/log.ts";
import { connectNats, type NatsBus } from "../../runtime/nats-bus.ts";
import { realClock, realRandom } from "../../runtime/real.ts";
import { openJournal } from "../../runtime/store/jetstream.ts";
import { createStore } from "../../runtime/store/objects.ts";
import type { Store } from "../../runtime/store/store.ts";
import { startNatsServer } from "../harness/nats-server.ts";
import { waitFor } from "../harness/wait.ts";
import { describeStore } from "./store-contract.ts";

const world = { clock: realClock, random: realRandom, log: createLog({ level: "silent" }) };

describeStore("real", async () => {
  const server = await startNatsServer({ jetstream: true });
  const buses: NatsBus[] = [];
  const stores: Store[] = [];
  return {
    async connect() {
      const inboxPrefix = "_INBOX.api";
      const bus = await connectNats({ ...world, servers: server.url, name: "store", inboxPrefix });
      buses.push(bus);
      const { serverVersion } = bus;
      return await openJournal({ ...world, bus, serverVersion }, { bucket: "wherry", maxAgeMs: 0 });
    },
    open(journal) {
      const store = createStore({ ...world, journal });
      stores.push(store);
      return store;
    },
    settle: (promise) => promise,
    until: async (what, condition) => {
      await waitFor(what, condition, { everyMs: 2, timeoutMs: 10_000 });
    },
    async dispose() {
      await Promise.all(stores.map((store) => store.close()));
      await Promise.all(buses.map((bus) => bus.close()));
      await server.dispose();
      expect(server.running).toBe(false);
    },
  };
});
