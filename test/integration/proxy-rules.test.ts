/**
 * The rules against the real kernel, in a network namespace of the test's own.
 *
 * IP plan: pods 10.244.1.2 … 10.244.1.6 are addresses of `lo`; Services are 10.96.0.0/16, routed
 * to `lo` as the service CIDR is routed to the pod bridge on a node.
 */
import { type ChildProcess, spawn } from "node:child_process";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { nftRules, type Rules } from "../../actors/proxy/nft.ts";
import { renderAll, renderChange } from "../../actors/proxy/render.ts";
import { type Frontend, type Frontends, frontendKey } from "../../actors/proxy/tracker.ts";
import { ensureTools } from "../../deploy/setup/index.ts";
import { createNetworkNamespace, type NetworkNamespace } from "../harness/netns.ts";

const config = { table: "wherry-test", serviceCidr: "10.96.0.0/16", podCidr: "10.244.0.0/16" };
const pods = [2, 3, 4, 5, 6].map((host) => `10.244.1.${host}`);

let netns: NetworkNamespace;
let rules: Rules;
let nft: string;
let servers: ChildProcess;

/** Answers every HTTP request with the address that was dialled, every datagram likewise. */
const serverSource = `
  const http = require("node:http"), dgram = require("node:dgram");
  for (const address of process.argv.slice(1)) {
    http.createServer((_, reply) => reply.end(address)).listen(8080, address);
    const socket = dgram.createSocket("udp4");
    socket.on("message", (_, from) => socket.send(address, from.port, from.address));
    socket.bind(8080, address);
  }
  process.stdout.write("listening");
`;

const dialHttp = `
  const http = require("node:http"), [address, times] = process.argv.slice(1);
  const get = () => new Promise((resolve, reject) => {
    const request = http.get({ host: address, agent: false, timeout: 5000 }, (reply) => {
      let body = "";
      reply.on("data", (data) => (body += data)).on("end", () => resolve(body));
    });
    request.on("error", reject).on("timeout", () => request.destroy(new Error("TIMEOUT")));
  });
  (async () => {
    const answers = [];
    for (let i = 0; i < Number(times); i++) answers.push(await get());
    process.stdout.write(JSON.stringify(answers));
  })();
`;

const dialUdp = `
  const socket = require("node:dgram").createSocket("udp4");
  socket.on("message", (data) => { process.stdout.write(data); socket.close(); });
  socket.connect(Number(process.argv[2]), process.argv[1], () => socket.send("?"));
`;

beforeAll(async () => {
  nft = (await ensureTools({ needs: ["nft"], install: true, log: () => {} })).nft;
  netns = await createNetworkNamespace();
  for (const pod of pods) await netns.ip("address", "add", `${pod}/32`, "dev", "lo");
  await netns.ip("route", "add", "10.96.0.0/16", "dev", "lo", "src", "10.244.1.2");
  const [enter, ...args] = netns.enter;
  rules = nftRules([enter, ...args, nft]);
  servers = spawn(enter, [...args, process.execPath, "-e", serverSource, ...pods]);
  await new Promise((resolve) => servers.stdout?.once("data", resolve));
});

afterAll(async () => {
  servers?.kill();
  await netns?.[Symbol.asyncDispose]();
});

beforeEach(() => rules.apply(renderAll(config, new Map())));

function table(...frontends: Frontend[]): Frontends {
  return new Map(frontends.map((frontend) => [frontendKey(frontend), frontend]));
}

function frontend(endpoints: string[], options: Partial<Frontend> = {}): Frontend {
  return {
    address: "10.96.0.20",
    protocol: "tcp",
    port: 80,
    sticky: false,
    endpoints: endpoints.map((address) => ({ address, port: 8080 })),
    ...options,
  };
}

/** The answers to some requests, each over a connection of its own; rejects naming the failure. */
async function answers(times: number, address = "10.96.0.20"): Promise<string[]> {
  return JSON.parse(
    await netns.run(process.execPath, "-e", dialHttp, address, String(times)),
  ) as string[];
}

async function reached(times: number): Promise<string[]> {
  return [...new Set(await answers(times))].sort();
}

describe("proxy rules", () => {
  it("spread connections over all endpoints", async () => {
    const three = pods.slice(0, 3);
    await rules.apply(renderAll(config, table(frontend(three))));
    expect(await reached(60)).toEqual(three);
  });

  it("follow endpoints as they come and go", async () => {
    const one = table(frontend(pods.slice(0, 1)));
    const two = table(frontend(pods.slice(1, 3)));
    await rules.apply(renderAll(config, one));
    await rules.apply(renderChange(config, one, two));
    expect(await reached(30)).toEqual(pods.slice(1, 3));
  });

  it("keep one client on one endpoint when the Service is sticky", async () => {
    await rules.apply(renderAll(config, table(frontend(pods, { sticky: true }))));
    expect(await reached(20)).toHaveLength(1);
  });

  it("carry UDP", async () => {
    const dns = frontend(pods.slice(3, 4), { protocol: "udp", port: 53 });
    await rules.apply(renderAll(config, table(dns)));
    const answer = await netns.run(process.execPath, "-e", dialUdp, "10.96.0.20", "53");
    expect(answer).toBe(pods[3]);
  });

  it("refuse a Service without endpoints, and an address that is no Service, at once", async () => {
    await rules.apply(renderAll(config, table(frontend([]))));
    await expect(answers(1, "10.96.0.20")).rejects.toThrow("ECONNREFUSED");
    await expect(answers(1, "10.96.9.9")).rejects.toThrow("ECONNREFUSED");
  });

  it("tell that the table is gone", async () => {
    expect(await rules.present(config.table)).toBe(true);
    await netns.run(nft, "flush", "ruleset");
    expect(await rules.present(config.table)).toBe(false);
  });

  it("refuse a bad script by name and change nothing", async () => {
    await rules.apply(renderAll(config, table(frontend(pods.slice(0, 1)))));
    const bad = `delete chain ip ${config.table} prerouting\nadd nonsense`;
    await expect(rules.apply(bad)).rejects.toThrow(/nft -f - exited with 1: .*syntax error/);
    expect(await reached(3)).toEqual(pods.slice(0, 1));
  });

  it("are the same after any changes as when loaded afresh", async () => {
    const anyFrontend = fc.record({
      address: fc.constantFrom("10.96.0.20", "10.96.0.21"),
      protocol: fc.constantFrom("tcp" as const, "udp" as const),
      port: fc.constantFrom(53, 80),
      sticky: fc.boolean(),
      endpoints: fc.subarray(pods.map((address) => ({ address, port: 8080 }))),
    });
    const anyTable = fc.array(anyFrontend, { maxLength: 5 }).map((list) => table(...list));
    const listed = async () => {
      const lines = (await netns.run(nft, "list", "ruleset")).split(/[\n,]/);
      return lines.map((line) => line.replace(/elements = \{|\}/g, "").trim()).sort();
    };
    await fc.assert(
      fc.asyncProperty(fc.array(anyTable, { minLength: 2, maxLength: 4 }), async (tables) => {
        let before: Frontends = new Map();
        await rules.apply(renderAll(config, before));
        for (const after of tables) {
          await rules.apply(renderChange(config, before, after));
          before = after;
        }
        const changed = await listed();
        await rules.apply(renderAll(config, before));
        expect(changed).toEqual(await listed());
      }),
      { numRuns: 15 },
    );
  });
});
