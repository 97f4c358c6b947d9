import { expect, test } from "vitest";
import { collect, describeJournal, put, text } from "../../../integration/journal-contract.ts";
import { createScene, leftovers, settle } from "../store/scene.ts";

describeJournal("twin", async () => {
  const { world, stream } = createScene();
  const client = stream.connect();
  return {
    connect: async () => client,
    settle: (promise) => settle(world, promise),
    until: async (what, condition) => {
      expect(await world.run({ until: condition, maxVirtualMs: 10_000 }), what).toBe(true);
    },
    async dispose() {
      expect(await leftovers(world)).toBe(0);
    },
  };
});

test("journal twin: a lost acknowledgement is of a record that was written", async () => {
  const { world, stream } = createScene();
  const journal = stream.connect();
  stream.faults.acknowledgementLost = 1;
  await expect(settle(world, journal.append([put("a", "1", 0)]))).rejects.toMatchObject({
    code: "unknown",
  });
  expect(stream.records().map(text)).toEqual(["1"]);
});

test("journal twin: a late commit lands after the time-out", async () => {
  const { world, stream } = createScene();
  const journal = stream.connect();
  stream.faults.lateCommit = 1;
  await expect(settle(world, journal.append([put("a", "1", 0)]))).rejects.toMatchObject({
    code: "unknown",
  });
  expect(stream.records()).toEqual([]);
  await world.run({ maxVirtualMs: 10_000 });
  expect(stream.records().map(text)).toEqual(["1"]);
});

test("journal twin: without a leader everything is answered with unknown, then works", async () => {
  const { world, stream } = createScene();
  const journal = stream.connect();
  stream.leaderless(4_000);
  await expect(settle(world, journal.append([put("a", "1", 0)]))).rejects.toMatchObject({
    code: "unknown",
  });
  await expect(settle(world, journal.info())).rejects.toMatchObject({ code: "unknown" });
  const refused = collect(journal);
  await world.run({ maxVirtualMs: 4_000 });
  expect(refused.ends).toHaveLength(1);
  expect(await settle(world, journal.append([put("a", "1", 0)]))).toEqual({ firstSequence: 1 });
});

test("journal twin: a deposed leader answers from the past and commits nothing", async () => {
  const { world, stream } = createScene();
  const [deposed, other] = [stream.connect(), stream.connect()];
  const seen = collect(deposed);
  await settle(world, other.append([put("a", "1", 0)]));
  await world.run({ until: () => seen.records.length === 1, maxVirtualMs: 1_000 });
  deposed.depose(20_000);
  await settle(world, other.append([put("a", "2", 1)]));
  expect((await settle(world, deposed.info())).lastSequence).toBe(1);
  expect(text(await settle(world, deposed.last("$KV.wherry.a")))).toBe("1");
  await expect(settle(world, deposed.append([put("b", "x")]))).rejects.toMatchObject({
    code: "unknown",
  });
  await expect(settle(world, deposed.append([put("a", "3", 2)]))).rejects.toMatchObject({
    code: "conflict",
  });
  expect(seen.records).toHaveLength(1);
  await world.run({ maxVirtualMs: 30_000 });
  expect(stream.records().map(text)).toEqual(["1", "2"]);
  expect(seen.records.map(text)).toEqual(["1", "2"]);
});

test("journal twin: a stalled consumer is silent, one cut off says so", async () => {
  const { world, stream } = createScene();
  const journal = stream.connect();
  const stalled = collect(journal);
  await world.run({ maxVirtualMs: 10 });
  stream.stallConsumers();
  const cut = collect(journal);
  await world.run({ maxVirtualMs: 10 });
  stream.faults.consumerCut = 1;
  await settle(world, journal.append([put("a", "1", 0)]));
  await world.run({ maxVirtualMs: 10_000 });
  expect(stalled).toMatchObject({ records: [], ends: [] });
  expect(cut.ends.map(String)).toEqual(["Error: Slow consumer"]);
});

test("journal twin: a batch may be refused whole although all expectations held", async () => {
  const { world, stream } = createScene();
  const journal = stream.connect();
  stream.faults.batchRefused = 1;
  await expect(
    settle(world, journal.append([put("a", "1", 0), put("b", "2", 0)])),
  ).rejects.toMatchObject({ code: "conflict" });
  expect(stream.records()).toEqual([]);
  await settle(world, journal.append([put("a", "1", 0)]));
});

test("journal twin: a restart loses answers and consumers, never records", async () => {
  const { world, stream } = createScene();
  const journal = stream.connect();
  await settle(world, journal.append([put("a", "1", 0)]));
  const consumers = Array.from({ length: 8 }, () => collect(journal));
  await world.run({ maxVirtualMs: 100 });
  const pending = journal.append([put("a", "2", 1)]);
  await world.run({ until: () => stream.records().length === 2, maxVirtualMs: 100 });
  stream.restart(200);
  await expect(settle(world, pending)).rejects.toMatchObject({ code: "unknown" });
  expect(stream.records().map(text)).toEqual(["1", "2"]);
  const ended = consumers.filter(({ ends }) => ends.length > 0);
  expect(ended.length).toBeGreaterThan(0);
  expect(ended.length).toBeLessThan(consumers.length);
});

test("journal twin: records vanish by age without a word", async () => {
  const { world, stream } = createScene({ facts: { maxAgeMs: 1_000 } });
  const journal = stream.connect();
  await settle(world, journal.append([put("a", "1", 0)]));
  await world.run({ maxVirtualMs: 600 });
  await settle(world, journal.append([put("b", "2", 0)]));
  await world.run({ maxVirtualMs: 600 });
  expect(stream.records().map(text)).toEqual(["2"]);
  expect(await settle(world, journal.info())).toMatchObject({ firstSequence: 2, lastSequence: 2 });
  expect(await settle(world, journal.append([put("a", "3", 0)]))).toEqual({ firstSequence: 3 });
});
