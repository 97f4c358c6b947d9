import { expect } from "vitest";
import { createLog } from "../../runtime/log.ts";
import { connectNats, type NatsBus } from "../../runtime/nats-bus.ts";
import { realClock, realRandom } from "../../runtime/real.ts";
import { openJournal } from "../../runtime/store/jetstream.ts";
import { startNatsServer } from "../harness/nats-server.ts";
import { waitFor } from "../harness/wait.ts";
import { describeJournal } from "./journal-contract.ts";

const log = createLog({ level: "silent" });

describeJournal("real", async () => {
  const server = await startNatsServer({ jetstream: true });
  const buses: NatsBus[] = [];
  return {
    async connect() {
      const inboxPrefix = "_INBOX.api";
      const bus = await connectNats({ servers: server.url, name: "journal", inboxPrefix, log });
      buses.push(bus);
      const { serverVersion } = bus;
      return await openJournal(
        { bus, serverVersion, clock: realClock, random: realRandom, log },
        { bucket: "wherry", maxAgeMs: 0 },
      );
    },
    settle: (promise) => promise,
    until: async (what, condition) => {
      await waitFor(what, condition, { everyMs: 2, timeoutMs: 10_000 });
    },
    async dispose() {
      await Promise.all(buses.map((bus) => bus.close()));
      await server.dispose();
      expect(server.running).toBe(false);
    },
  };
});
