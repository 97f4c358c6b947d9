import { Resolver } from "node:dns/promises";
import { createConnection } from "node:net";
import { encode, streamDecode, streamEncode } from "dns-packet";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Answer, ttlSeconds } from "../../actors/dns/records.ts";
import { type DnsServer, startDnsServer } from "../../actors/dns/server.ts";
import { createLog } from "../../runtime/log.ts";

const many: Answer[] = Array.from({ length: 100 }, (_, host) => {
  return { type: "A", name: "many.test", ttl: ttlSeconds, data: `10.0.0.${host}` };
});

let server: DnsServer;
let resolver: Resolver;

beforeEach(async () => {
  server = await startDnsServer({
    address: "127.0.0.1",
    port: 0,
    domain: "test",
    log: createLog({ level: "silent" }),
    upstreams: [],
    resolve: ({ name }) => {
      if (name === "elsewhere") return { type: "elsewhere" };
      if (name === "none.test") return { type: "answers", answers: [], additional: [] };
      if (name !== "many.test" && name !== "one.test") return { type: "unknown" };
      const answers = name === "many.test" ? many : many.slice(0, 1);
      return { type: "answers", answers: answers.map((a) => ({ ...a, name })), additional: [] };
    },
  });
  resolver = new Resolver({ timeout: 5_000, tries: 1 });
  resolver.setServers([`127.0.0.1:${server.port}`]);
});

afterEach(() => server.close());

/** Sends raw bytes by TCP and decodes the first answer. */
function askByTcp(message: Buffer) {
  return new Promise<ReturnType<typeof streamDecode>>((resolve, reject) => {
    const socket = createConnection(server.port, "127.0.0.1");
    socket.on("error", reject).on("connect", () => socket.write(message));
    socket.on("data", (data) => {
      socket.destroy();
      resolve(streamDecode(data));
    });
  });
}

describe("dns server", () => {
  it("answers by UDP", async () => {
    expect(await resolver.resolve4("one.test")).toEqual(["10.0.0.0"]);
  });

  it("truncates what is too long for UDP, so that the client comes back by TCP", async () => {
    expect(await resolver.resolve4("many.test")).toHaveLength(100);
  });

  it("tells a name that does not exist from one without such a record", async () => {
    await expect(resolver.resolve4("nope.test")).rejects.toMatchObject({ code: "ENOTFOUND" });
    await expect(resolver.resolve4("none.test")).rejects.toMatchObject({ code: "ENODATA" });
  });

  it("says server failure when no resolver knows the rest of the world", async () => {
    await expect(resolver.resolve4("elsewhere")).rejects.toMatchObject({ code: "ESERVFAIL" });
  });

  it("answers nonsense with a format error and lives", async () => {
    const header = Buffer.from([0x12, 0x34, 0x01, 0x00, 0, 9, 0, 0, 0, 0, 0, 0]);
    const length = Buffer.from([0, header.length]);
    const answer = await askByTcp(Buffer.concat([length, header]));
    expect(answer).toMatchObject({ id: 0x1234, rcode: "FORMERR" });
    expect(await resolver.resolve4("one.test")).toEqual(["10.0.0.0"]);
  });

  it("takes one question at a time, whatever it is asked", async () => {
    const question = { type: "A" as const, name: "one.test" };
    const two = streamEncode({ type: "query", id: 7, questions: [question, question] });
    expect(await askByTcp(two)).toMatchObject({ id: 7, rcode: "NOTIMP" });
    expect(encode({ type: "query", id: 7, questions: [question] }).length).toBeLessThan(512);
  });
});
