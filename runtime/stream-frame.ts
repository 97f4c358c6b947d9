/**
 * What two ends of a stream (`runtime/stream.ts`) say to each other, one frame a NATS message:
 *
 *     byte 0      type
 *     bytes 1-2   channel, big-endian; 0 where the frame is about the whole stream
 *     bytes 3-6   number of the frame in its direction; hello has none, a heartbeat repeats the last
 *     bytes 7-    by type: data; credit in bytes (4 bytes); hello: heard (1), window (4); close: JSON
 */

import { errorMessage } from "./errors.ts";

export type Frame =
  /** `heard`: we have heard yours. `windowBytes`: how much we take on a channel before credit. */
  | { type: "hello"; heard: boolean; windowBytes: number }
  | { type: "data"; channel: number; data: Uint8Array }
  | { type: "credit"; channel: number; bytes: number }
  | { type: "end"; channel: number }
  | { type: "close"; error: WireError | undefined }
  | { type: "heartbeat" };

/** How an error travels, to be rebuilt on arrival. */
export interface WireError {
  name: string;
  code?: string;
  message: string;
}

const types = ["hello", "data", "credit", "end", "close", "heartbeat"] as const;
const headerBytes = 7;

export function encodeFrame(frame: Frame, number: number): Uint8Array {
  const body = encodeBody(frame);
  const bytes = new Uint8Array(headerBytes + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, types.indexOf(frame.type));
  view.setUint16(1, "channel" in frame ? frame.channel : 0);
  view.setUint32(3, number);
  bytes.set(body, headerBytes);
  return bytes;
}

function encodeBody(frame: Frame): Uint8Array {
  switch (frame.type) {
    case "data":
      return frame.data;
    case "credit":
      return uint32(frame.bytes);
    case "hello":
      return Uint8Array.of(frame.heard ? 1 : 0, ...uint32(frame.windowBytes));
    case "close":
      return new TextEncoder().encode(frame.error ? JSON.stringify(frame.error) : "");
    default:
      return new Uint8Array();
  }
}

/** Undefined when it is no frame of ours. */
export function decodeFrame(bytes: Uint8Array): { frame: Frame; number: number } | undefined {
  if (bytes.length < headerBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const type = types[view.getUint8(0)];
  const frame = type && decodeBody(type, view.getUint16(1), bytes.subarray(headerBytes));
  return frame && { frame, number: view.getUint32(3) };
}

function decodeBody(
  type: (typeof types)[number],
  channel: number,
  body: Uint8Array,
): Frame | undefined {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  switch (type) {
    case "hello":
      if (body.length < 5) return undefined;
      return { type, heard: view.getUint8(0) === 1, windowBytes: view.getUint32(1) };
    case "data":
      return { type, channel, data: body };
    case "credit":
      return body.length < 4 ? undefined : { type, channel, bytes: view.getUint32(0) };
    case "end":
      return { type, channel };
    case "close":
      return { type, error: decodeError(body) };
    case "heartbeat":
      return { type };
  }
}

function decodeError(body: Uint8Array): WireError | undefined {
  if (body.length === 0) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(body)) as WireError;
  } catch (error) {
    return { name: "Error", message: `The peer closed: ${errorMessage(error)}` };
  }
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}
