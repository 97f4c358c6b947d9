/**
 * The faults of the simulated twin (`runtime/sim/journal.ts`), provoked on a real nats-server.
 * Those that take a cluster of three are in `store-cluster.test.ts`: stale answers and refusals of
 * a deposed leader, the seconds without one, and batches refused although every expectation held.
 */

import { afterEach, beforeEach, expect, test } from "vitest";
import { createLog } from "../../runtime/log.ts";
import { connectNats, type NatsBus } from "../../runtime/nats-bus.ts";
import { realClock, realRandom } from "../../runtime/real.ts";
import { openJournal } from "../../runtime/store/jetstream.ts";
import type { Journal } from "../../runtime/store/journal.ts";
import { type NatsServer, startNatsServer } from "../harness/nats-server.ts";
import { waitFor } from "../harness/wait.ts";
import { openWire, type TestWire } from "../harness/wire.ts";
import { collect, put, text } from "./journal-contract.ts";

const world = { clock: realClock, random: realRandom, log: createLog({ level: "silent" }) };
const wish = { bucket: "wherry", maxAgeMs: 0 };
const patience = { everyMs: 5, timeoutMs: 20_000 };

let server: NatsServer;
let wire: TestWire;
const buses: NatsBus[] = [];

beforeEach(async () => {
  server = await startNatsServer({ jetstream: true, config: "write_deadline: 500ms" });
  wire = await openWire(() => server.port);
});

afterEach(async () => {
  await Promise.all(buses.splice(0).map((bus) => bus.close()));
  await wire.dispose();
  await server.dispose();
});

async function connect(url: string, heartbeatMs = 200): Promise<Journal> {
  const bus = await connectNats({
    ...world,
    servers: url,
    name: "faults",
    inboxPrefix: "_INBOX.api",
    reconnectWaitMs: 20,
  });
  buses.push(bus);
  const { serverVersion } = bus;
  const options = { ...world, bus, serverVersion, appendTimeoutMs: 400, heartbeatMs };
  return await openJournal(options, wish);
}

const unknown = { name: "JournalError", code: "unknown" };
const subject = (key: string): string => `$KV.wherry.${key}`;

test("journal: a lost acknowledgement is of a record that was written", async () => {
  const [journal, witness] = [await connect(wire.url), await connect(server.url)];
  wire.stall();
  await expect(journal.append([put("a", "1", 0)])).rejects.toMatchObject(unknown);
  expect(text(await witness.last(subject("a")))).toBe("1");
  wire.resume();
  // The same write once more is a conflict, and the leader says whose record stands there.
  await expect(journal.append([put("a", "1", 0)])).rejects.toMatchObject({ code: "conflict" });
});

test("journal: a commit lands after its time-out", async () => {
  const journal = await connect(server.url);
  server.pause();
  await expect(journal.append([put("a", "1", 0)])).rejects.toMatchObject(unknown);
  await expect(journal.append([put("b", "2", 0), put("c", "3", 0)])).rejects.toMatchObject(unknown);
  server.resume();
  await waitFor(
    "the late commits",
    async () => (await journal.info()).lastSequence === 3,
    patience,
  );
  expect(text(await journal.last(subject("a")))).toBe("1");
  expect(text(await journal.last(subject("c")))).toBe("3");
});

test("journal: a batch cut off on its way is not written at all", async () => {
  const [journal, witness] = [await connect(wire.url), await connect(server.url)];
  const big = "x".repeat(50_000);
  const records = Array.from({ length: 200 }, (_, at) => put(`k${at}`, big, 0));
  const append = journal.append(records);
  wire.cut();
  await expect(append).rejects.toMatchObject(unknown);
  expect((await witness.info()).lastSequence).toBe(0);
  // An attempt may be written although its answer comes too late: then all of it is.
  await waitFor(
    "the batch to be taken",
    async () => {
      await journal.append(records).catch(() => undefined);
      return (await witness.info()).messages > 0;
    },
    patience,
  );
  expect((await witness.info()).messages).toBe(200);
});

test("journal: without a server everything is unknown; it comes back with every record", async () => {
  const journal = await connect(server.url);
  for (let at = 1; at <= 20; at++) await journal.append([put("a", `${at}`, at - 1)]);
  const before = collect(journal);
  await waitFor("the end", () => before.caughtUp() > 0, patience);
  await server.kill();
  await expect(journal.append([put("b", "x", 0)])).rejects.toMatchObject(unknown);
  await expect(journal.info()).rejects.toMatchObject(unknown);
  const during = collect(journal);
  await waitFor("no consumer without a server", () => during.ends.length === 1, patience);
  await server.start();
  await waitFor("an answer", () => journal.info(), patience);
  expect((await journal.info()).lastSequence).toBe(20);
  expect(await journal.append([put("a", "21", 20)])).toEqual({ firstSequence: 21 });
  // The consumer of the killed server is gone, and says so by itself.
  await waitFor("the consumer to end", () => before.ends.length === 1, patience);
  const after = collect(journal, { fromSequence: 21 });
  await waitFor("the record", () => after.records.length === 1, patience);
  await after.stop();
});

test("journal: a consumer of a server that hangs ends for want of heartbeats", async () => {
  const journal = await connect(server.url);
  const seen = collect(journal);
  await waitFor("the end", () => seen.caughtUp() > 0, patience);
  server.pause();
  await waitFor("the consumer to end", () => seen.ends.length === 1, patience);
  expect(seen.ends.map(String)).toEqual(["Error: Heartbeats missed"]);
  server.resume();
});

test("journal: a consumer that was cut off says so, and the next one has it all", async () => {
  // Flow control holds the server back, so it does not cut a slow consumer off by itself; its
  // connection is cut here. Heartbeats are so rare that only the lost deliveries can tell.
  const [journal, writer] = [await connect(wire.url, 5_000), await connect(server.url)];
  const seen = collect(journal);
  await waitFor("the end", () => seen.caughtUp() > 0, patience);
  wire.stall();
  const big = "x".repeat(500_000);
  for (let at = 0; at < 30; at++) await writer.append([put(`k${at}`, big)]);
  wire.cut();
  wire.resume();
  await waitFor("the consumer to end", async () => {
    await writer.append([put("more", "")]);
    return seen.ends.length === 1;
  });
  expect(seen.records.length).toBeLessThan(30);
  const { lastSequence } = await writer.info();
  const rest = collect(journal, { fromSequence: seen.records.length + 1 });
  await waitFor("its end", () => rest.caughtUp() > 0, patience);
  expect(seen.records.length + rest.records.length).toBe(lastSequence);
  await rest.stop();
});

test("journal: a request that is too large is refused, not retried", async () => {
  const journal = await connect(server.url);
  const big = { ...put("a", ""), data: new Uint8Array(9 * 1024 * 1024) };
  await expect(journal.append([big])).rejects.toMatchObject({ code: "refused" });
});

test("journal: refuses data of a newer Wherry, a foreign stream, and an old server", async () => {
  const journal = await connect(server.url);
  const [bus] = buses;
  if (!bus) throw new Error("not connected");
  const ask = async (what: string, question: object): Promise<{ config: object }> =>
    JSON.parse(
      new TextDecoder().decode(
        (await bus.request(`$JS.API.STREAM.${what}`, JSON.stringify(question))).data,
      ),
    );
  const { config } = await ask(`INFO.${journal.stream.name}`, {});
  const metadata = { "wherry.format": "2" };
  await ask(`UPDATE.${journal.stream.name}`, { ...config, metadata });
  const options = { ...world, bus, serverVersion: bus.serverVersion };
  await expect(openJournal(options, wish)).rejects.toThrow(/format 2, written by a newer Wherry/);
  await ask("CREATE.KV_mine", { name: "KV_mine", subjects: ["$KV.mine.>"] });
  const mine = openJournal(options, { bucket: "mine", maxAgeMs: 0 });
  await expect(mine).rejects.toThrow(/not made by Wherry/);
  const old = openJournal({ ...options, serverVersion: "2.10.27" }, wish);
  await expect(old).rejects.toThrow(/nats-server 2\.10\.27 cannot be used/);
});
