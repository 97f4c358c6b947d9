/**
 * Sends answers at the HTTPS door: in the encoding that was agreed on, no faster than they are taken,
 * and compressed when they are long and the client says that it can (k8s: apiserver/pkg/endpoints/
 * handlers/responsewriters).
 */

import { pipeline } from "node:stream/promises";
import { setImmediate as turn } from "node:timers/promises";
import { constants, createGzip } from "node:zlib";
import { stringifyYaml } from "../../../manifests/index.ts";
import { encodeProtobuf } from "../../../manifests/protobuf/index.ts";
import { jsonType, protobufType, yamlType } from "../decode.ts";
import type { ApiReply } from "../request.ts";
import type { Accepted } from "./accept.ts";
import type { Exchange } from "./exchange.ts";
import { indented } from "./pretty.ts";
import type { Page } from "./site.ts";

type Headers = Record<string, string | string[]>;

const encoder = new TextEncoder();
const noCache = { "cache-control": "no-cache, private" };
const chunkBytes = 64 * 1024;
const chunkParts = 100;
/** Shorter answers cost more to compress than to send. */
const compressedBytes = 128 * 1024;

export async function send(
  exchange: Exchange,
  reply: ApiReply,
  accepted: Accepted,
  stallMs: number,
): Promise<void> {
  const { warnings, retryAfterSeconds } = reply;
  const { parts, contentType } = encode(exchange, reply, accepted);
  const headers: Headers = { ...noCache, "content-type": contentType };
  if (warnings.length > 0) headers.warning = warnings.map(warningText);
  const again = retryAfterSeconds ?? (reply.code === 429 || reply.code === 503 ? 1 : 0);
  if (again) headers["retry-after"] = String(again);
  await sendParts(exchange, reply.code, headers, parts, stallMs);
}

/** What is not of the resources, in its own encoding. */
export async function sendPage(
  exchange: Exchange,
  { code, contentType, text, headers }: Extract<Page, { type: "text" }>,
  stallMs: number,
): Promise<void> {
  const body = typeof text === "string" ? encoder.encode(text) : text;
  const all = { ...noCache, "content-type": contentType, ...headers };
  await sendParts(exchange, code, all, [body], stallMs);
}

function encode(
  exchange: Exchange,
  { parts, encoding }: ApiReply,
  { type }: Accepted,
): { parts: Iterable<Uint8Array>; contentType: string } {
  if (encoding === "protobuf") return { parts, contentType: protobufType };
  if (type === "protobuf") {
    const bytes = encodeProtobuf(parsed(parts) as object);
    // Not everything has such a form; who asks for it reads JSON too.
    if (bytes) return { parts: [bytes], contentType: protobufType };
  }
  if (type === "yaml") {
    const text = stringifyYaml(parsed(parts));
    return { parts: [encoder.encode(text)], contentType: yamlType };
  }
  return { parts: isPretty(exchange) ? indented(parts) : parts, contentType: jsonType };
}

function parsed(parts: Iterable<Uint8Array>): unknown {
  return JSON.parse(Buffer.concat([...parts]).toString());
}

/** When asked, and for who reads it by eye. */
function isPretty({ target, headers }: Exchange): boolean {
  const at = target.indexOf("?");
  const asked = at < 0 ? null : new URLSearchParams(target.slice(at + 1)).get("pretty");
  if (asked) return /^(?:1|t|true)$/i.test(asked);
  return /^(?:curl|Wget|Mozilla\/5\.0)/.test(String(headers["user-agent"] ?? ""));
}

async function sendParts(
  exchange: Exchange,
  code: number,
  headers: Headers,
  parts: Iterable<Uint8Array>,
  stallMs: number,
): Promise<void> {
  // Nearly every answer is one short piece, for which all that follows would be a detour.
  const whole = onlyOf(parts);
  if (whole && whole.length <= compressedBytes) {
    exchange.head(code, { ...headers, ...sized(code, whole.length) });
    if (exchange.method !== "HEAD" && whole.length > 0) exchange.write(whole);
    exchange.end();
    return;
  }
  const body = paced(exchange, chunked(parts));
  const { start, bytes, isLong } = await startOf(body);
  const compressed = isLong && acceptsGzip(exchange);
  exchange.head(code, { ...headers, ...(isLong ? framing(compressed) : sized(code, bytes)) });
  if (exchange.method === "HEAD") {
    exchange.end();
    return;
  }
  async function* all() {
    yield* start;
    yield* body;
  }
  const taken = (chunks: AsyncIterable<Uint8Array>) => writeAll(exchange, chunks, stallMs);
  if (compressed) await pipeline(all, createGzip({ level: constants.Z_BEST_SPEED }), taken);
  else await taken(all());
  exchange.end();
}

/** No faster than they are taken. */
async function writeAll(
  exchange: Exchange,
  chunks: AsyncIterable<Uint8Array>,
  stallMs: number,
): Promise<void> {
  for await (const chunk of chunks) {
    if (exchange.closed) return;
    if (exchange.write(chunk)) continue;
    exchange.limitStall(stallMs);
    await exchange.drained();
  }
}

function onlyOf(parts: Iterable<Uint8Array>): Uint8Array | undefined {
  return Array.isArray(parts) && parts.length === 1 ? parts[0] : undefined;
}

function framing(compressed: boolean): Headers {
  return compressed ? { "content-encoding": "gzip", vary: "Accept-Encoding" } : {};
}

function sized(code: number, bytes: number): Headers {
  return code === notModified ? {} : { "content-length": String(bytes) };
}

const notModified = 304;

interface Start {
  readonly start: Uint8Array[];
  readonly bytes: number;
  readonly isLong: boolean;
}

/** Enough to know whether there is much. */
async function startOf(body: AsyncGenerator<Uint8Array>): Promise<Start> {
  const start: Uint8Array[] = [];
  let bytes = 0;
  while (bytes <= compressedBytes) {
    const { value, done } = await body.next();
    if (done) return { start, bytes, isLong: false };
    start.push(value);
    bytes += value.length;
  }
  return { start, bytes, isLong: true };
}

function acceptsGzip({ headers }: Exchange): boolean {
  const codings = String(headers["accept-encoding"] ?? "").split(",");
  return codings.some((coding) => coding.trim() === "gzip");
}

/** Others get their turn between chunks. Nothing more is made for a client that is gone. */
async function* paced(
  exchange: Exchange,
  chunks: Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let first = true;
  for (const chunk of chunks) {
    if (!first) await turn();
    if (exchange.closed) return;
    first = false;
    if (chunk.length > 0) yield chunk;
  }
}

/** Small parts travel together: a list is made of many, of which each may need parsing. */
function* chunked(parts: Iterable<Uint8Array>): Generator<Uint8Array> {
  let pending: Uint8Array[] = [];
  let bytes = 0;
  for (const part of parts) {
    pending.push(part);
    bytes += part.length;
    if (bytes < chunkBytes && pending.length < chunkParts) continue;
    yield Buffer.concat(pending);
    pending = [];
    bytes = 0;
  }
  if (pending.length > 0) yield Buffer.concat(pending);
}

/** RFC 7234, as k8s.io/apimachinery NewWarningHeader writes it. */
function warningText(text: string): string {
  const escaped = text.replace(/[\r\n\t]/g, " ").replace(/["\\]/g, "\\$&");
  return `299 - "${escaped}"`;
}
