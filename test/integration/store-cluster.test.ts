/**
 * The store on a cluster of three real nats-servers, of which one is killed, stopped, paused, or
 * parted from the others: the faults of the twin (`runtime/sim/journal.ts`) that it takes a cluster
 * for, provoked on the real thing, and what the store makes of them.
 */

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { createLog } from "../../runtime/log.ts";
import { connectNats, type NatsBus } from "../../runtime/nats-bus.ts";
import { realClock, realRandom } from "../../runtime/real.ts";
import { openJournal } from "../../runtime/store/jetstream.ts";
import { askApi } from "../../runtime/store/jetstream-api.ts";
import { type Journal, JournalError } from "../../runtime/store/journal.ts";
import { createStore } from "../../runtime/store/objects.ts";
import { fenceRecord, isInternal, writeHeader } from "../../runtime/store/records.ts";
import type { Store } from "../../runtime/store/store.ts";
import { type NatsCluster, startNatsCluster } from "../harness/nats-cluster.ts";
import type { NatsServer } from "../harness/nats-server.ts";
import { waitFor } from "../harness/wait.ts";
import { collect, put, text } from "./journal-contract.ts";
import { podKey, write } from "./store-contract.ts";

const world = { clock: realClock, random: realRandom, log: createLog({ level: "silent" }) };
const patience = { everyMs: 5, timeoutMs: 30_000 };

/** A process with a connection to one of the servers: what an API actor has. */
interface Client {
  server: NatsServer;
  bus: NatsBus;
  journal: Journal;
  store: Store;
}

let cluster: NatsCluster;
/** One for each server. */
let clients: Client[];
let bucket: string;
let turn = 0;

beforeAll(async () => {
  cluster = await startNatsCluster();
});

afterAll(async () => {
  await cluster.dispose();
});

/** Each test has a stream of its own, whose leader may be any of the three. */
beforeEach(async () => {
  bucket = `wherry-${++turn}`;
  clients = await Promise.all(cluster.servers.map(connect));
  for (const { bus } of clients.slice(0, 1)) await cluster.whole(bus, `KV_${bucket}`);
  await waitFor("the stores", () => clients.every(({ store }) => store.ready), patience);
});

afterEach(async () => {
  for (const { store, bus } of clients) {
    await store.close();
    await bus.close();
  }
  cluster.rejoin();
  for (const server of cluster.servers) {
    server.resume();
    if (!server.running) await server.start();
  }
});

async function connect(server: NatsServer): Promise<Client> {
  const bus = await connectNats({
    ...world,
    servers: server.url,
    name: "cluster",
    inboxPrefix: "_INBOX.api",
    reconnectWaitMs: 20,
  });
  const options = { ...world, bus, serverVersion: bus.serverVersion, appendTimeoutMs: 1_000 };
  const wish = { bucket, maxAgeMs: 0, replicas: 3 };
  const journal = await waitFor("the stream", () => openJournal(options, wish), patience);
  const store = createStore({ ...world, journal, commitTimeoutMs: 30_000, readTimeoutMs: 30_000 });
  return { server, bus, journal, store };
}

/** The leader's client, and those of the two others. */
async function byLeader(): Promise<{ leader: Client; others: [Client, Client] }> {
  const [first] = clients;
  const server = first && (await cluster.leaderOf(first.bus, first.journal.stream.name));
  const leader = clients.find((client) => client.server === server);
  const [one, two] = clients.filter((client) => client !== leader);
  if (!leader || !one || !two) throw new Error("three clients are needed");
  return { leader, others: [one, two] };
}

function record({ stream }: Journal, key: string, value: string, expected?: number) {
  return { ...put("", value, expected), subject: stream.prefix + key };
}

async function commit({ store }: Client, name: string, value: string, expected: number) {
  const [committed] = await store.commit([write(name, value, expected)]);
  return committed?.sequence ?? 0;
}

function codeOf(error: unknown): string {
  if (error instanceof JournalError) return error.code;
  throw error;
}

function shown({ store }: Client, name: string): string | undefined {
  const entry = store.view.get(podKey(name));
  return entry && new TextDecoder().decode(entry.value);
}

interface Load {
  acknowledged: { name: string; value: string; sequence: number; atMs: number }[];
  failures: unknown[];
  /** Until every writer was answered so many times more. */
  goesOn(times: number): Promise<void>;
  stop(): Promise<void>;
}

/** Writers on each store, each of which counts up a key of its own as fast as it is answered. */
function startLoad(): Load {
  const acknowledged: Load["acknowledged"] = [];
  const failures: unknown[] = [];
  const names = clients.flatMap((_, client) => [0, 1, 2, 3].map((nth) => `c${client}-w${nth}`));
  let stopped = false;
  async function count(name: string, nth: number): Promise<void> {
    const client = clients[nth >> 2];
    for (let value = 1, sequence = 0; client && !stopped; value++) {
      sequence = await commit(client, name, `${value}`, sequence);
      acknowledged.push({ name, value: `${value}`, sequence, atMs: performance.now() });
    }
  }
  const writers = names.map((name, nth) =>
    count(name, nth).catch((error: unknown) => failures.push(error)),
  );
  return {
    acknowledged,
    failures,
    async goesOn(times) {
      const from = acknowledged.length;
      await waitFor(
        "every writer to go on",
        () => {
          if (failures.length > 0) return true;
          const since = acknowledged.slice(from);
          return names.every((name) => since.filter((one) => one.name === name).length >= times);
        },
        patience,
      );
    },
    async stop() {
      stopped = true;
      await Promise.all(writers);
    },
  };
}

function longestGapMs({ acknowledged }: Load): number {
  const gaps = acknowledged.map(({ atMs }, at) => atMs - (acknowledged[at - 1]?.atMs ?? atMs));
  return Math.max(...gaps);
}

/** Nothing acknowledged was lost, nothing was written twice, and everybody saw one order. */
async function verify(load: Load, told: readonly number[][]): Promise<void> {
  expect(load.failures).toEqual([]);
  await Promise.all(clients.map(({ store }) => store.consistent()));
  const { journal } = clients[0] as Client;
  const all = collect(journal);
  await waitFor("every record", () => all.caughtUp() > 0, patience);
  await all.stop();
  const keyOf = (subject: string): string => subject.slice(journal.stream.prefix.length);
  const written = all.records.filter(({ subject }) => !isInternal(keyOf(subject)));
  expect(new Set(written.map(({ headers }) => headers[writeHeader])).size).toBe(written.length);
  const kept = new Map(written.map((one) => [one.sequence, `${keyOf(one.subject)} ${text(one)}`]));
  for (const { name, value, sequence } of load.acknowledged) {
    expect(kept.get(sequence)).toBe(`${podKey(name)} ${value}`);
  }
  for (const name of new Set(load.acknowledged.map((one) => one.name))) {
    const values = written.filter(({ subject }) => keyOf(subject) === podKey(name)).map(text);
    expect(values).toEqual(values.map((_, at) => `${at + 1}`));
    for (const client of clients) expect(shown(client, name)).toBe(values.at(-1));
  }
  for (const sequences of told) expect(sequences).toEqual(written.map(({ sequence }) => sequence));
}

function watchAll(): number[][] {
  return clients.map(({ store }) => {
    const told: number[] = [];
    store.view.subscribe("core.pods.", 0, ({ sequence }) => told.push(sequence));
    return told;
  });
}

test("cluster: batches that rely on one record are refused although it stands, and the store copes", async () => {
  const { others } = await byLeader();
  const [{ journal, store }] = others;
  const guard = { key: podKey("epoch"), sequence: await commit(others[0], "epoch", "mine", 0) };
  const { prefix } = journal.stream;
  const batch = (nth: number) =>
    journal.append([
      fenceRecord(prefix, guard.key, guard.sequence),
      record(journal, podKey(`raw-${nth}`), "", 0),
    ]);
  const outcomes = await Promise.allSettled([0, 1, 2, 3].map(batch));
  const refused = outcomes.flatMap((one, nth) => (one.status === "rejected" ? [{ one, nth }] : []));
  expect(refused.length).toBeGreaterThan(0);
  for (const { one, nth } of refused) {
    expect(one.reason).toMatchObject({ code: "conflict" });
    // Its expectations held all the time.
    await batch(nth);
  }
  const names = Array.from({ length: 50 }, (_, nth) => `guarded-${nth}`);
  await Promise.all(names.map((name) => store.commit([write(name, "", 0)], { guard })));
  await others[1].store.consistent();
  for (const name of names) expect(shown(others[1], name)).toBe("");
});

test("cluster: a leader that hung and was deposed shows no reader the past", async () => {
  const { leader, others } = await byLeader();
  const first = await commit(others[0], "a", "old", 0);
  await leader.store.reached(first, 5_000);
  leader.server.pause();
  await commit(others[0], "a", "new", first);
  // In the socket of the paused server, to be answered before it can have heard of the others.
  const read = async (): Promise<string | undefined> => {
    await leader.store.consistent();
    return shown(leader, "a");
  };
  const reads = Array.from({ length: 20 }, read);
  leader.server.resume();
  for (const value of await Promise.all(reads)) expect(value).toBe("new");
  for (let times = 0; times < 20; times++) expect(await read()).toBe("new");
});

test("cluster: a leader that is cut off answers from the past, and the store does not", async () => {
  const { leader, others } = await byLeader();
  const { journal, store } = leader;
  const first = await commit(others[0], "a", "old", 0);
  await store.reached(first, 5_000);
  cluster.isolate(leader.server);
  const second = await commit(others[0], "a", "new", first);
  // What the twin's deposed leader does.
  expect((await journal.info()).lastSequence).toBeLessThan(second);
  // For some 8 s after the election; on a slow machine it may have stepped down by now.
  const last = journal.last(journal.stream.prefix + podKey("a"));
  expect(["old", "unknown"]).toContain(await last.then(text, codeOf));
  const now = record(journal, podKey("a"), "refused", second);
  const refusal = journal.append([now]).then(() => "landed", codeOf);
  expect(["conflict", "unknown"]).toContain(await refusal);
  const past = record(journal, "_probe", "lost");
  await expect(journal.append([past])).rejects.toMatchObject({ code: "unknown" });
  // What the store makes of it.
  const reading = store.consistent().then(() => shown(leader, "a"));
  const writing = commit(leader, "a", "newer", second);
  await leader.bus.flush();
  cluster.rejoin();
  expect(["new", "newer"]).toContain(await reading);
  const third = await writing;
  await others[0].store.consistent();
  expect(shown(others[0], "a")).toBe("newer");
  expect(others[0].store.view.get(podKey("a"))?.sequence).toBe(third);
});

test("cluster: a leader that is stopped hands over at once", async () => {
  const { leader } = await byLeader();
  const told = watchAll();
  const load = startLoad();
  await load.goesOn(10);
  await leader.server.stop();
  await load.goesOn(10);
  await load.stop();
  await verify(load, told);
  // Without a hand-over an election takes four seconds and more.
  expect(longestGapMs(load)).toBeLessThan(4_000);
});

test("cluster: a killed leader stops writes for seconds, and nothing is lost or written twice", async () => {
  const { leader, others } = await byLeader();
  const told = watchAll();
  const load = startLoad();
  await load.goesOn(10);
  const refusals: unknown[] = [];
  await leader.server.kill();
  await waitFor("another leader", () => {
    const { journal } = others[0];
    return journal.append([record(journal, "_probe", "")]).catch((error: unknown) => {
      refusals.push(error);
      throw error;
    });
  });
  expect(refusals.length).toBeGreaterThan(0);
  for (const refusal of refusals) expect(refusal).toMatchObject({ code: "unknown" });
  await load.goesOn(10);
  await load.stop();
  await verify(load, told);
  expect(longestGapMs(load)).toBeGreaterThan(1_000);
});

test("cluster: a view goes on when the server that its consumer lives on is killed", async () => {
  const { server, host, client } = await consumerElsewhere();
  const writer = clients.find((one) => one.server !== host && one.server !== server) as Client;
  const first = await commit(writer, "a", "before", 0);
  await client.store.reached(first, 5_000);
  await host.kill();
  const second = await commit(writer, "a", "after", first);
  await client.store.reached(second, 15_000);
  expect(shown(client, "a")).toBe("after");
  await waitFor("a healthy view", () => client.store.ready, patience);
});

/** A client more, whose consumer is not on the server that it is connected to. */
async function consumerElsewhere(): Promise<{
  server: NatsServer;
  host: NatsServer;
  client: Client;
}> {
  const [{ bus, journal }] = clients as [Client];
  const { name } = journal.stream;
  const consumers = async (): Promise<string[]> =>
    (await askApi<{ consumers: string[] | null }>(bus, `CONSUMER.NAMES.${name}`)).consumers ?? [];
  for (let tries = 0; tries < 20; tries++) {
    const server = cluster.servers[tries % 3] as NatsServer;
    const before = await consumers();
    const client = await connect(server);
    clients.push(client);
    await waitFor("its view", () => client.store.ready, patience);
    const own = (await consumers()).find((one) => !before.includes(one)) ?? "";
    const host = await cluster.hostOf(bus, name, own);
    if (host !== server) return { server, host, client };
  }
  throw new Error("Every consumer lives where its client is");
}
