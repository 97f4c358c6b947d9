import { Duplex } from "node:stream";
import { constants, createDeflate, createInflate } from "node:zlib";
import { expect, test } from "vitest";
import { type SpdyStream, serveSpdy } from "../../../../actors/apiserver/doors/spdy.ts";
import {
  decodeHeaders,
  dictionary,
  encodeFrame,
  encodeHeaders,
  FrameReader,
  type SpdyFrame,
} from "../../../../actors/apiserver/doors/spdy-frame.ts";
import { realClock } from "../../../../runtime/real.ts";
import { waitFor } from "../../../harness/wait.ts";

const flush = constants.Z_SYNC_FLUSH;
const read = (bytes: Uint8Array): SpdyFrame[] => [...new FrameReader().take(bytes)];

test("spdy: the dictionary is the one that the protocol names", () => {
  // Its Adler-32, as every zlib stream of the protocol begins with it (78 bb e3c6a7c2).
  let [a, b] = [1, 0];
  for (const byte of dictionary) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  expect(((b << 16) | a) >>> 0).toBe(0xe3c6a7c2);
});

const frames: Exclude<SpdyFrame, { type: "ignored" }>[] = [
  { type: "syn-stream", stream: 1, fin: true, block: Buffer.from("block") },
  { type: "syn-reply", stream: 1, block: Buffer.from("block") },
  { type: "headers", stream: 3, fin: false, block: Buffer.from("") },
  { type: "data", stream: 0x7fffffff, fin: true, data: Buffer.from("bytes") },
  { type: "reset", stream: 5, status: 3 },
  { type: "ping", id: 7 },
  { type: "goaway", lastStream: 9, status: 0 },
];

test("spdy: frames are read as they were written, however they are cut", () => {
  const bytes = Buffer.concat(frames.map(encodeFrame));
  expect(read(bytes)).toEqual(frames);
  const reader = new FrameReader();
  expect([...bytes].flatMap((byte) => [...reader.take(Uint8Array.of(byte))])).toEqual(frames);
});

test("spdy: a frame looks as the protocol draws it", () => {
  const ping = Buffer.from(encodeFrame({ type: "ping", id: 1 })).toString("hex");
  expect(ping).toBe("800300060000000400000001");
  const data = encodeFrame({ type: "data", stream: 1, fin: true, data: Buffer.from("hi") });
  expect(Buffer.from(data).toString("hex")).toBe("00000001010000026869");
});

test.each([
  ["another version", "8002000600000004 00000001", "version 2"],
  ["an unknown type", "8003006300000000", "type 99"],
  ["a ping without its number", "8003000600000000", "too short"],
  ["a stream without its number", "8003000100000004 00000001", "too short"],
  ["a frame that is far too large", "0000000100ffffff", "too large"],
])("spdy: %s is refused", (_, hex, why) => {
  expect(() => read(Buffer.from(hex.replace(/ /g, ""), "hex"))).toThrow(why);
});

test("spdy: headers that reach beyond their block are refused", () => {
  const block = encodeHeaders({ streamType: "data", port: "80" });
  expect(decodeHeaders(block)).toEqual({ streamtype: "data", port: "80" });
  expect(() => decodeHeaders(block.subarray(0, -1))).toThrow("beyond");
  expect(() => decodeHeaders(Buffer.from("ffffffff", "hex"))).toThrow("too many");
});

/** Two ends of one pipe; what is written to the first is read from the second. */
function pipe(): [Duplex, Duplex] {
  const make = (other: () => Duplex): Duplex =>
    new Duplex({
      read: () => {},
      write: (chunk, _, done) => {
        other().push(chunk);
        done();
      },
      destroy: (error, done) => {
        if (!other().destroyed) other().destroy();
        done(error);
      },
    });
  const ends: [Duplex, Duplex] = [make(() => ends[1]), make(() => ends[0])];
  return ends;
}

function connect() {
  const [ours, theirs] = pipe();
  const opened: SpdyStream[] = [];
  const heard: SpdyFrame[] = [];
  const connection = serveSpdy(ours, realClock, (stream) => {
    if (stream.headers.refuse) throw new Error("refused");
    opened.push(stream);
  });
  const reader = new FrameReader();
  theirs.on("data", (chunk: Buffer) => heard.push(...reader.take(chunk)));
  theirs.on("error", () => {});
  const deflate = createDeflate({ dictionary, flush });
  const compress = (headers: Record<string, string>): Promise<Uint8Array> =>
    new Promise((resolve) => {
      const parts: Buffer[] = [];
      deflate.on("readable", () => {
        for (let part = deflate.read(); part; part = deflate.read()) parts.push(part);
      });
      deflate.write(encodeHeaders(headers), () => {
        for (let part = deflate.read(); part; part = deflate.read()) parts.push(part);
        deflate.removeAllListeners("readable");
        resolve(Buffer.concat(parts));
      });
    });
  const send = (frame: Exclude<SpdyFrame, { type: "ignored" }>) => theirs.write(encodeFrame(frame));
  async function open(stream: number, headers: Record<string, string>): Promise<void> {
    send({ type: "syn-stream", stream, fin: false, block: await compress(headers) });
  }
  return { theirs, opened, heard, connection, send, open };
}

test("spdy: streams open, carry bytes both ways and end each way by itself", async () => {
  const { opened, heard, send, open, theirs, connection } = connect();
  await open(1, { streamType: "data", port: "80" });
  await open(3, { streamType: "error", port: "80" });
  await waitFor("two streams", () => opened.length === 2);
  expect(opened.map(({ headers }) => headers.streamtype)).toEqual(["data", "error"]);
  await waitFor("two replies", () => heard.length === 2);
  const inflate = createInflate({ dictionary, flush, finishFlush: flush });
  const blocks: Buffer[] = [];
  inflate.on("data", (part: Buffer) => blocks.push(part));
  for (const frame of heard) if (frame.type === "syn-reply") inflate.write(frame.block);
  await waitFor("their headers", () => Buffer.concat(blocks).length === 8);
  const got: string[] = [];
  const [first] = opened;
  if (!first) throw new Error("no stream");
  first.onData = (data) => void got.push(Buffer.from(data).toString());
  first.onEnd = () => got.push("end");
  send({ type: "data", stream: 1, fin: true, data: Buffer.from("down") });
  await waitFor("what was sent", () => got.length === 2);
  await first.write("up");
  first.end();
  await waitFor("what was answered", () => heard.length === 4);
  expect(got).toEqual(["down", "end"]);
  expect(heard.slice(2)).toEqual([
    { type: "data", stream: 1, fin: false, data: Buffer.from("up") },
    { type: "data", stream: 1, fin: true, data: Buffer.from("") },
  ]);
  theirs.destroy();
  await connection.closed;
});

test("spdy: a ping is answered, and a stream that is not wanted refused", async () => {
  const { heard, send, open, theirs, connection } = connect();
  send({ type: "ping", id: 1 });
  await open(1, { refuse: "yes" });
  await waitFor("both answers", () => heard.length === 2);
  expect(heard).toEqual([
    { type: "ping", id: 1 },
    { type: "reset", stream: 1, status: 3 },
  ]);
  theirs.destroy();
  await connection.closed;
});

test.each([
  ["a block that is no zlib", Buffer.from("nonsense")],
  ["a block of another dictionary", Buffer.from("78bb00000001", "hex")],
])("spdy: %s ends the connection", async (_, block) => {
  const { send, connection } = connect();
  send({ type: "syn-stream", stream: 1, fin: false, block });
  await connection.closed;
});

test("spdy: a client that vanishes while its bytes wait ends its streams", async () => {
  const { opened, send, open, theirs, connection } = connect();
  await open(1, {});
  await waitFor("the stream", () => opened.length === 1);
  const [stream] = opened;
  if (!stream) throw new Error("no stream");
  let wasReset = false;
  let taken = 0;
  const release = new Promise<void>((resolve) => {
    stream.onReset = () => {
      wasReset = true;
      resolve();
    };
  });
  stream.onData = () => {
    taken++;
    return release;
  };
  send({ type: "data", stream: 1, fin: false, data: Buffer.alloc(10) });
  send({ type: "data", stream: 1, fin: false, data: Buffer.alloc(10) });
  await waitFor("the first bytes", () => taken === 1);
  theirs.destroy();
  await connection.closed;
  expect([wasReset, taken]).toEqual([true, 1]);
});
