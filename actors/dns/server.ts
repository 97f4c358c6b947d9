/** The DNS server's sockets, UDP and TCP on one port, and the way to the machine's resolvers. */
import { createSocket, type Socket } from "node:dgram";
import { readFile } from "node:fs/promises";
import { createServer, type Server, type Socket as TcpSocket } from "node:net";
import { AUTHORITATIVE_ANSWER, decode, encode, type Packet, TRUNCATED_RESPONSE } from "dns-packet";
import type { Log } from "../../runtime/log.ts";
import { type Answer, type Resolution, ttlSeconds } from "./records.ts";

export interface DnsServerOptions {
  address: string;
  /** 0 takes a free one. */
  port: number;
  domain: string;
  resolve(question: { name: string; type: string }): Resolution;
  log: Log;
  /** Addresses of the resolvers that are asked about all other names. */
  upstreams: readonly string[];
}

export interface DnsServer {
  readonly port: number;
  close(): Promise<void>;
}

/** The DNS header's low four bits; RFC 1035 section 4.1.1. */
const rcode = { success: 0, formatError: 1, serverFailure: 2, nameError: 3, notImplemented: 4 };
const recursionDesired = 0x0100;
const recursionAvailable = 0x0080;

const upstreamTimeoutMs = 2_000;
const tcpIdleTimeoutMs = 10_000;

export async function startDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const open = new Set<TcpSocket>();
  const tcp = createServer((socket) => {
    open.add(socket.on("close", () => open.delete(socket)));
    serveTcp(socket, options);
  });
  await new Promise<void>((resolve, reject) => {
    tcp.once("error", reject).listen(options.port, options.address, resolve);
  });
  const bound = tcp.address();
  const port = typeof bound === "object" && bound ? bound.port : options.port;
  const udp = createSocket("udp4");
  udp.on("message", (query, from) => {
    void respond(query, options, "udp").then((answer) => {
      if (answer) udp.send(answer, from.port, from.address, () => {});
    });
  });
  try {
    await new Promise<void>((resolve, reject) => {
      udp.once("error", reject).bind(port, options.address, resolve);
    });
  } catch (error) {
    tcp.close();
    throw error;
  }
  udp.on("error", (error) => options.log.warn("DNS socket failed", { error: error.message }));
  return { port, close: () => closeAll(tcp, udp, open) };
}

async function closeAll(tcp: Server, udp: Socket, open: Iterable<TcpSocket>): Promise<void> {
  for (const socket of open) socket.destroy();
  await Promise.all([
    new Promise<void>((resolve) => udp.close(() => resolve())),
    new Promise<void>((resolve) => tcp.close(() => resolve())),
  ]);
}

/** RFC 1035 section 4.2.2: each message has its length, two bytes, before it. */
function serveTcp(socket: TcpSocket, options: DnsServerOptions): void {
  let buffered = Buffer.alloc(0);
  socket.setTimeout(tcpIdleTimeoutMs, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk) => {
    buffered = Buffer.concat([buffered, chunk]);
    while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
      const end = 2 + buffered.readUInt16BE(0);
      const query = buffered.subarray(2, end);
      buffered = buffered.subarray(end);
      void respond(query, options, "tcp").then((answer) => {
        if (!answer || socket.destroyed) return;
        const length = Buffer.alloc(2);
        length.writeUInt16BE(answer.length);
        socket.write(Buffer.concat([length, answer]));
      });
    }
  });
}

/** The answer's bytes; undefined for what is not even a question. */
async function respond(
  query: Buffer,
  options: DnsServerOptions,
  transport: "udp" | "tcp",
): Promise<Buffer | undefined> {
  if (query.length < 12 || (query.readUInt16BE(2) & 0x8000) !== 0) return undefined;
  const id = query.readUInt16BE(0);
  let packet: Packet;
  try {
    packet = decode(query);
  } catch {
    return encode({ type: "response", id, flags: rcode.formatError });
  }
  const question = packet.questions?.[0];
  const standard = (query.readUInt16BE(2) & 0x7800) === 0;
  if (!standard || packet.questions?.length !== 1 || !question) {
    return encode({ type: "response", id, flags: rcode.notImplemented });
  }
  const resolution = options.resolve({ name: question.name, type: question.type });
  if (resolution.type === "elsewhere") return await forward(query, options);
  return encodeWithin(
    render(packet, resolution, options.domain),
    transport === "udp" ? limit(packet) : 0,
  );
}

function render(query: Packet, resolution: Resolution, domain: string): Packet {
  const known = resolution.type === "answers";
  const answers = known ? resolution.answers : [];
  const code = known ? rcode.success : rcode.nameError;
  const recursion = (query.flags ?? 0) & recursionDesired;
  return {
    type: "response",
    id: query.id,
    flags: AUTHORITATIVE_ANSWER | recursionAvailable | recursion | code,
    questions: query.questions,
    answers: answers.map(toRecord),
    additionals: known ? resolution.additional.map(toRecord) : [],
    authorities: answers.length > 0 ? [] : [startOfAuthority(domain)],
  };
}

function toRecord(answer: Answer) {
  return { ...answer, class: "IN" as const };
}

function startOfAuthority(domain: string) {
  return {
    type: "SOA" as const,
    name: domain,
    ttl: ttlSeconds,
    data: {
      mname: `ns.dns.${domain}`,
      rname: `hostmaster.${domain}`,
      serial: 1,
      refresh: 7_200,
      retry: 1_800,
      expire: 86_400,
      minimum: ttlSeconds,
    },
  };
}

/** Bytes that the client takes by UDP: 512, or what its EDNS record says. */
function limit(query: Packet): number {
  const edns = query.additionals?.find((record) => record.type === "OPT");
  return edns && "udpPayloadSize" in edns ? Math.max(512, edns.udpPayloadSize) : 512;
}

/** Too long for UDP: an empty, truncated answer makes the client ask again by TCP. */
function encodeWithin(packet: Packet, limitBytes: number): Buffer {
  const whole = encode(packet);
  if (limitBytes === 0 || whole.length <= limitBytes) return whole;
  const flags = (packet.flags ?? 0) | TRUNCATED_RESPONSE;
  return encode({ ...packet, flags, answers: [], additionals: [], authorities: [] });
}

/** Asks the machine's resolvers in turn; a name that none of them answers is a server failure. */
async function forward(query: Buffer, { upstreams }: DnsServerOptions): Promise<Buffer> {
  for (const upstream of upstreams) {
    const answer = await askUpstream(query, upstream);
    if (answer) return answer;
  }
  const { id, questions } = decode(query);
  const flags = recursionAvailable | rcode.serverFailure;
  return encode({ type: "response", id, flags, questions });
}

function askUpstream(query: Buffer, upstream: string): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(upstream.includes(":") ? "udp6" : "udp4");
    const timer = setTimeout(() => finish(undefined), upstreamTimeoutMs);
    function finish(answer: Buffer | undefined) {
      clearTimeout(timer);
      socket.removeAllListeners().close();
      resolve(answer);
    }
    socket.once("message", finish).once("error", () => finish(undefined));
    // Connected, so that an answer from anywhere else is not taken for one.
    socket.connect(53, upstream, () => socket.send(query));
  });
}

/** The nameservers of `/etc/resolv.conf`, without our own address. */
export async function machineResolvers(own: string, path = "/etc/resolv.conf"): Promise<string[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  const servers = [...text.matchAll(/^nameserver\s+(\S+)/gm)].map((match) => match[1] ?? "");
  return servers.filter((server) => server !== own);
}
