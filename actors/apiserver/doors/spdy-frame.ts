/**
 * The frames of SPDY/3.1, as far as streams over one connection need them. Pure; the blocks of
 * headers are compressed by one zlib stream for each direction, which `spdy.ts` keeps.
 * Format: draft-mbelshe-httpbis-spdy-00, section 2.
 */

export type SpdyFrame =
  | { type: "syn-stream"; stream: number; fin: boolean; block: Uint8Array }
  | { type: "syn-reply"; stream: number; block: Uint8Array }
  | { type: "headers"; stream: number; fin: boolean; block: Uint8Array }
  | { type: "data"; stream: number; fin: boolean; data: Uint8Array }
  | { type: "reset"; stream: number; status: number }
  | { type: "ping"; id: number }
  | { type: "goaway"; lastStream: number; status: number }
  /** SETTINGS, WINDOW_UPDATE: these clients keep no windows. */
  | { type: "ignored" };

/** A peer that breaks the protocol; the connection cannot go on. */
export class SpdyError extends Error {
  constructor(message: string) {
    super(`SPDY: ${message}`);
    this.name = "SpdyError";
  }
}

export const resetStatus = { protocolError: 1, refused: 3, cancel: 5 } as const;

const types = {
  "syn-stream": 1,
  "syn-reply": 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;
const version = 3;
const prefixBytes = 8;
const finFlag = 1;
/** Clients send no more than 64 KiB at once; larger frames would be held in memory whole. */
const mostBytes = 1024 * 1024;
const mostHeaders = 100;

/** Takes bytes as they come, and gives the frames that are complete. */
export class FrameReader {
  #parts: Uint8Array[] = [];
  #bytes = 0;

  /** Throws SpdyError; then nothing more can be read. */
  *take(chunk: Uint8Array): Generator<SpdyFrame> {
    this.#parts.push(chunk);
    this.#bytes += chunk.length;
    for (;;) {
      const prefix = this.#join(prefixBytes);
      if (!prefix) return;
      const length = prefix.readUInt32BE(4) & 0xffffff;
      if (length > mostBytes) throw new SpdyError(`a frame of ${length} bytes is too large`);
      const bytes = this.#join(prefixBytes + length);
      if (!bytes) return;
      this.#parts = [bytes.subarray(prefixBytes + length)];
      this.#bytes -= prefixBytes + length;
      yield decodeFrame(bytes.subarray(0, prefixBytes + length));
    }
  }

  /** All there is in one piece, once it is at least so much. */
  #join(bytes: number): Buffer | undefined {
    if (this.#bytes < bytes) return undefined;
    const joined = Buffer.concat(this.#parts);
    this.#parts = [joined];
    return joined;
  }
}

function decodeFrame(bytes: Buffer): SpdyFrame {
  const first = bytes.readUInt32BE(0);
  const fin = ((bytes[4] ?? 0) & finFlag) !== 0;
  const payload = bytes.subarray(prefixBytes);
  if (first < 0x80000000) return { type: "data", stream: first, fin, data: payload };
  const spoken = (first >>> 16) & 0x7fff;
  if (spoken !== version) throw new SpdyError(`version ${spoken} is not spoken here`);
  return decodeControl(first & 0xffff, fin, payload);
}

function decodeControl(type: number, fin: boolean, payload: Buffer): SpdyFrame {
  const word = (at: number): number => {
    if (payload.length < at + 4) throw new SpdyError(`a frame of type ${type} is too short`);
    return payload.readUInt32BE(at);
  };
  const stream = () => word(0) & 0x7fffffff;
  switch (type) {
    case types["syn-stream"]:
      // Its slave, priority and slot are of no interest, but must be there.
      if (payload.length < 10) throw new SpdyError("a SYN_STREAM is too short");
      return { type: "syn-stream", stream: stream(), fin, block: payload.subarray(10) };
    case types["syn-reply"]:
      return { type: "syn-reply", stream: stream(), block: payload.subarray(4) };
    case types.headers:
      return { type: "headers", stream: stream(), fin, block: payload.subarray(4) };
    case types.reset:
      return { type: "reset", stream: stream(), status: word(4) };
    case types.ping:
      return { type: "ping", id: word(0) };
    case types.goaway:
      return { type: "goaway", lastStream: stream(), status: word(4) };
    case types.settings:
    case types.windowUpdate:
      return { type: "ignored" };
    default:
      throw new SpdyError(`frames of type ${type} are unknown`);
  }
}

export function encodeFrame(frame: Exclude<SpdyFrame, { type: "ignored" }>): Uint8Array {
  switch (frame.type) {
    case "data": {
      const head = prefix(frame.stream, frame.fin, frame.data.length);
      return Buffer.concat([head, frame.data]);
    }
    case "syn-stream":
      return control(frame.type, frame.fin, words(frame.stream, 0), Buffer.alloc(2), frame.block);
    case "syn-reply":
      return control(frame.type, false, words(frame.stream), frame.block);
    case "headers":
      return control(frame.type, frame.fin, words(frame.stream), frame.block);
    case "reset":
      return control(frame.type, false, words(frame.stream, frame.status));
    case "ping":
      return control(frame.type, false, words(frame.id));
    case "goaway":
      return control(frame.type, false, words(frame.lastStream, frame.status));
  }
}

function control(type: keyof typeof types, fin: boolean, ...parts: Uint8Array[]): Uint8Array {
  const payload = Buffer.concat(parts);
  const first = (0x80000000 | (version << 16) | types[type]) >>> 0;
  return Buffer.concat([prefix(first, fin, payload.length), payload]);
}

function prefix(first: number, fin: boolean, length: number): Buffer {
  return words(first, (((fin ? finFlag : 0) << 24) | length) >>> 0);
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, at) => {
    bytes.writeUInt32BE(value, at * 4);
  });
  return bytes;
}

export function encodeHeaders(headers: Readonly<Record<string, string>>): Uint8Array {
  const all = Object.entries(headers).flat();
  const texts = all.flatMap((text) => [words(Buffer.byteLength(text)), Buffer.from(text)]);
  return Buffer.concat([words(all.length / 2), ...texts]);
}

/** Names are lower case. Throws SpdyError. */
export function decodeHeaders(block: Uint8Array): Record<string, string> {
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.length);
  let at = 0;
  const word = (): number => {
    if (at + 4 > bytes.length) throw new SpdyError("a block of headers is too short");
    at += 4;
    return bytes.readUInt32BE(at - 4);
  };
  const text = (): string => {
    const length = word();
    if (at + length > bytes.length) throw new SpdyError("a header reaches beyond its block");
    at += length;
    return bytes.toString("utf8", at - length, at);
  };
  const count = word();
  if (count > mostHeaders) throw new SpdyError(`${count} headers are too many`);
  const pairs = Array.from({ length: count }, () => [text().toLowerCase(), text()] as const);
  return Object.fromEntries(pairs);
}

const dictionaryWords =
  "options head post put delete trace accept accept-charset accept-encoding accept-language " +
  "accept-ranges age allow authorization cache-control connection content-base " +
  "content-encoding content-language content-length content-location content-md5 " +
  "content-range content-type date etag expect expires from host if-match if-modified-since " +
  "if-none-match if-range if-unmodified-since last-modified location max-forwards pragma " +
  "proxy-authenticate proxy-authorization range referer retry-after server te trailer " +
  "transfer-encoding upgrade user-agent vary via warning www-authenticate method get status " +
  "200_OK version HTTP/1.1 url public set-cookie keep-alive origin";
const dictionaryTail =
  "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505" +
  "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 " +
  "Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 " +
  "Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, " +
  "Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml," +
  "application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate," +
  "sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

/** What both ends' zlib streams begin with: section 2.6.10.1, each word after its length. */
export const dictionary: Uint8Array = Buffer.concat([
  ...dictionaryWords
    .split(" ")
    .map((word) => word.replace("_", " "))
    .flatMap((word) => [words(word.length), Buffer.from(word)]),
  Buffer.from(dictionaryTail),
]);
