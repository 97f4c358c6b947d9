import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Bus } from "../../../runtime/bus.ts";
import type { SimBus } from "../../../runtime/sim/bus.ts";
import { createSimBus } from "../../../runtime/sim/bus.ts";
import type { SimNetwork } from "../../../runtime/sim/network.ts";
import { createNetwork } from "../../../runtime/sim/network.ts";
import type { SimWorld } from "../../../runtime/sim/world.ts";
import { createWorld } from "../../../runtime/sim/world.ts";
import type { ByteStream, StreamOptions } from "../../../runtime/stream.ts";
import { openStream, StreamError } from "../../../runtime/stream.ts";
import type { Frame } from "../../../runtime/stream-frame.ts";
import { encodeFrame } from "../../../runtime/stream-frame.ts";

let world: SimWorld;
let network: SimNetwork;
let apiBus: SimBus;
let nodeBus: SimBus;

beforeEach(() => {
  world = createWorld({ seed: 1 });
  network = createNetwork(world);
  apiBus = createSimBus(network, { name: "api" });
  nodeBus = createSimBus(network, { name: "node" });
});

/** A stream that has ended leaves nothing behind. */
afterEach(async () => {
  await world.run({ maxVirtualMs: 60_000 });
  expect(network.subscriptions).toBe(0);
  expect(world.pending).toBe(0);
});

const run = (maxVirtualMs = 1_000) => world.run({ maxVirtualMs });

function open(side: "api" | "node", options: Partial<StreamOptions> = {}, bus?: Bus): ByteStream {
  const [send, receive] = side === "api" ? ["down", "up"] : ["up", "down"];
  const own = bus ?? (side === "api" ? apiBus : nodeBus);
  return openStream(own, world.clock, { send, receive, ...options });
}

async function openPair(options: Partial<StreamOptions> = {}): Promise<[ByteStream, ByteStream]> {
  const pair: [ByteStream, ByteStream] = [open("api", options), open("node", options)];
  await run(100);
  await Promise.all(pair.map((stream) => stream.opened));
  return pair;
}

/** Collects what comes on a channel; the text of it, and whether it ended. */
function collect(stream: ByteStream, channel: number) {
  const seen = { text: "", bytes: 0, ended: false, error: undefined as unknown };
  void (async () => {
    for await (const chunk of stream.read(channel)) {
      seen.text += new TextDecoder().decode(chunk);
      seen.bytes += chunk.length;
    }
    seen.ended = true;
  })().catch((error: unknown) => {
    seen.error = error;
  });
  return seen;
}

function outcome(promise: Promise<unknown>) {
  const seen: { value?: unknown } = {};
  void promise.then(
    () => {
      seen.value = "done";
    },
    (error: unknown) => {
      seen.value = error instanceof StreamError ? error.code : error;
    },
  );
  return seen;
}

describe("stream", () => {
  test("stream: opens whichever end is first, and carries what was written before", async () => {
    for (const first of ["api", "node"] as const) {
      const early = open(first);
      const writing = outcome(early.write(1, "early"));
      await run(3_000);
      expect(writing.value).toBeUndefined();
      const late = open(first === "api" ? "node" : "api");
      const seen = collect(late, 1);
      await run(1_000);
      expect([writing.value, seen.text]).toEqual(["done", "early"]);
      early.close();
      await run();
      expect(await late.closed).toBeUndefined();
    }
  });

  test("stream: gives up when nobody says hello", async () => {
    const alone = open("api");
    const opening = outcome(alone.opened);
    await run(11_000);
    expect(opening.value).toBe("vanished");
    expect(await alone.closed).toMatchObject({ code: "vanished" });
  });

  test("stream: channels are half-closed one by one, in both directions", async () => {
    const [api, node] = await openPair();
    const seen = { one: collect(node, 1), two: collect(node, 2), back: collect(api, 1) };
    void api.write(1, "a");
    void api.write(2, "b");
    api.end(1);
    await run();
    expect(seen.one).toMatchObject({ text: "a", ended: true });
    expect(seen.two).toMatchObject({ text: "b", ended: false });
    void node.write(1, "still open this way");
    node.end(1);
    await run();
    expect(seen.back).toMatchObject({ text: "still open this way", ended: true });
    expect(() => api.write(1, "x")).toThrow("was ended");
    api.close();
    await run();
    expect(seen.two.ended).toBe(true);
  });

  test("stream: a slow reader holds its writer back, and no other channel", async () => {
    const [api, node] = await openPair({ windowBytes: 1_000 });
    const big = outcome(api.write(1, new Uint8Array(5_000)));
    const small = outcome(api.write(2, "quick"));
    const quick = collect(node, 2);
    await run();
    expect([big.value, small.value, quick.text]).toEqual([undefined, "done", "quick"]);
    const slow = collect(node, 1);
    await run();
    expect([big.value, slow.bytes]).toEqual(["done", 5_000]);
    node.close();
    await run();
  });

  test("stream: onData gives credit only when its handler is done", async () => {
    const [api, node] = await openPair({ windowBytes: 1_000 });
    let arrived = 0;
    let ended = false;
    node.onData(
      3,
      async (data) => {
        arrived += data.length;
        await world.clock.sleep(100);
      },
      () => {
        ended = true;
      },
    );
    for (let n = 0; n < 10; n++) void api.write(3, new Uint8Array(500));
    api.end(3);
    await run(150);
    expect(arrived).toBeLessThanOrEqual(1_000);
    await run(5_000);
    expect([arrived, ended]).toEqual([5_000, true]);
    node.close();
    await run();
  });

  test("stream: an error is rebuilt at the peer, after what was sent before it", async () => {
    const [api, node] = await openPair();
    const seen = collect(api, 1);
    void node.write(1, "last line");
    const refused = Object.assign(new Error("exit 137"), { name: "EngineError", code: "killed" });
    node.close(refused);
    await run();
    expect(seen.text).toBe("last line");
    expect(seen.error).toMatchObject({ name: "EngineError", code: "killed", message: "exit 137" });
    expect(await api.closed).toBe(seen.error);
    expect(await node.closed).toBe(refused);
  });

  test("stream: a handler that throws fails it at both ends", async () => {
    const [api, node] = await openPair();
    node.onData(1, () => {
      throw new Error("disk full");
    });
    void api.write(1, "x");
    await run();
    expect(await api.closed).toMatchObject({ message: "disk full" });
    expect(await node.closed).toMatchObject({ message: "disk full" });
  });

  test("stream: after the end writes are rejected, also those that waited for credit", async () => {
    const [api, node] = await openPair({ windowBytes: 10 });
    const waiting = outcome(api.write(1, "longer than the window"));
    node.close();
    await run();
    expect(waiting.value).toBe("closed");
    expect(outcome(api.write(1, "x")).value).toBeUndefined();
    await expect(api.write(1, "x")).rejects.toMatchObject({ code: "closed" });
    await expect(api.read(1)[Symbol.asyncIterator]().next()).resolves.toMatchObject({ done: true });
  });

  test("stream: the loss of the own connection fails it here, silence there", async () => {
    const [api, node] = await openPair();
    network.cut("node", { forMs: 60_000 });
    expect(await node.closed).toMatchObject({ code: "disconnected" });
    await run(12_000);
    const waiting = outcome(api.closed);
    expect(waiting.value).toBeUndefined();
    await run(10_000);
    expect(await api.closed).toMatchObject({ code: "vanished" });
  });

  test("stream: heartbeats keep an idle one open", async () => {
    const [api, node] = await openPair();
    await run(600_000);
    const seen = collect(node, 1);
    void api.write(1, "still there");
    await run();
    expect(seen.text).toBe("still there");
    api.close();
    await run();
  });

  test("stream: a lost frame is noticed, the last one by the next heartbeat", async () => {
    for (const [lost, writes] of [
      [1, 3],
      [3, 3],
    ] as const) {
      let dataFrames = 0;
      const leaky: Bus = {
        ...apiBus,
        publish(subject, data, options) {
          const isData = data instanceof Uint8Array && data[0] === 1;
          if (!isData || ++dataFrames !== lost) apiBus.publish(subject, data, options);
        },
      };
      const api = open("api", {}, leaky);
      const node = open("node");
      const seen = collect(node, 1);
      await run();
      for (let n = 1; n <= writes; n++) void api.write(1, `${n}`);
      await run(6_000);
      expect(await node.closed).toMatchObject({ code: "broken" });
      expect(await api.closed).toMatchObject({ code: "broken" });
      expect(seen.text).toBe(lost === 1 ? "" : "12");
    }
  });

  test("stream: a peer that sends more than it may, or no frames at all, is refused", async () => {
    const [api, node] = await openPair();
    nodeBus.publish("up", "hi");
    await run();
    expect(await api.closed).toMatchObject({ code: "broken" });
    expect(await node.closed).toMatchObject({ code: "broken" });
    const modest = open("api", { windowBytes: 100 });
    const greedy: Frame[] = [
      { type: "hello", heard: false, windowBytes: 100 },
      { type: "data", channel: 1, data: new Uint8Array(100) },
      { type: "data", channel: 1, data: new Uint8Array(1) },
    ];
    await run(10);
    for (const [number, frame] of greedy.entries()) {
      nodeBus.publish("up", encodeFrame(frame, number));
    }
    await run();
    expect(await modest.closed).toMatchObject({ code: "broken" });
  });

  test("stream: any writes of any sizes arrive whole, in order, in any weather", async () => {
    const write = fc.record({
      channel: fc.integer({ min: 0, max: 2 }),
      bytes: fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 100_000 })),
      stallMs: fc.oneof(
        { weight: 3, arbitrary: fc.constant(0) },
        fc.integer({ min: 1, max: 3_000 }),
      ),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(write, { maxLength: 25 }),
        fc.integer({ min: 500, max: 100_000 }),
        async (writes, windowBytes) => {
          const [api, node] = await openPair({ windowBytes });
          const sent = ["", "", ""];
          const seen = [collect(node, 0), collect(node, 1), collect(node, 2)];
          for (const [n, { channel, bytes, stallMs }] of writes.entries()) {
            const text = `${n};`.repeat(Math.ceil(bytes / 3));
            sent[channel] += text;
            void api.write(channel, text);
            if (stallMs > 0) {
              network.stall("node");
              await run(stallMs);
              network.resume("node");
            }
          }
          for (const channel of [0, 1, 2]) api.end(channel);
          await world.run({ until: () => seen.every((one) => one.ended), maxVirtualMs: 1e7 });
          expect(seen.map((one) => one.text === sent[seen.indexOf(one)])).toEqual([
            true,
            true,
            true,
          ]);
          node.close();
          await run();
        },
      ),
      { numRuns: 25 },
    );
  });
});
