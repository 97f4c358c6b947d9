/**
 * Protobuf's wire format: varints, fixed widths, and length-delimited bytes.
 *
 * What is written grows from its end to its beginning, as Go's generated code writes it: the length
 * of a message stands before it, and is known once it has been written.
 */

export class ProtobufError extends Error {
  override name = "ProtobufError";
}

export const varintType = 0;
export const doubleType = 1;
export const lengthType = 2;
export type WireType = 0 | 1 | 2;

/** Deeper than any object; what goes deeper is after our stack. */
const maxDepth = 1_000;

// A byte order mark is a character like any other inside a message.
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

export class Reader {
  readonly #data: Uint8Array;
  readonly #depth: number;
  #at = 0;

  constructor(data: Uint8Array, depth = 0) {
    if (depth > maxDepth) throw new ProtobufError("proto: message nested too deeply");
    this.#data = data;
    this.#depth = depth;
  }

  get done(): boolean {
    return this.#at >= this.#data.length;
  }

  tag(): { number: number; wireType: number } {
    const tag = this.varint();
    return { number: Math.floor(tag / 8), wireType: tag % 8 };
  }

  /** As a signed 64-bit number, which int32 is written as too. */
  varint(): number {
    const first = this.#data[this.#at];
    if (first !== undefined && first < 0x80) {
      this.#at++;
      return first;
    }
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#data[this.#at++];
      if (byte === undefined) throw truncated();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(BigInt.asIntN(64, value));
    }
    throw new ProtobufError("proto: integer overflow");
  }

  bytes(): Uint8Array {
    const length = this.varint();
    return this.#take(length);
  }

  /** A message within this one. */
  message(): Reader {
    return new Reader(this.bytes(), this.#depth + 1);
  }

  text(): string {
    return utf8.decode(this.bytes());
  }

  double(): number {
    const bytes = this.#take(8);
    return new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0, true);
  }

  skip(wireType: number): void {
    if (wireType === varintType) this.varint();
    else if (wireType === doubleType) this.#take(8);
    else if (wireType === lengthType) this.bytes();
    else if (wireType === 5) this.#take(4);
    else throw new ProtobufError(`proto: illegal wireType ${wireType}`);
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length;
    if (length < 0 || end > this.#data.length) throw truncated();
    const bytes = this.#data.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }
}

function truncated(): ProtobufError {
  return new ProtobufError("unexpected EOF");
}

/** Texts up to here are cheaper to copy by letter than to hand over. */
const shortText = 32;

export class Writer {
  #buffer: Buffer;
  /** Where what has been written begins. */
  #at: number;

  constructor(capacity = 16 * 1024) {
    this.#buffer = Buffer.allocUnsafe(capacity);
    this.#at = capacity;
  }

  /** Bytes written so far: to be kept where a message ends, for `length`. */
  get size(): number {
    return this.#buffer.length - this.#at;
  }

  /** A copy; the writer begins anew. */
  take(): Uint8Array {
    const bytes = Buffer.from(this.#buffer.subarray(this.#at));
    this.#at = this.#buffer.length;
    return bytes;
  }

  clear(): void {
    this.#at = this.#buffer.length;
  }

  tag(number: number, wireType: WireType): void {
    this.varint(number * 8 + wireType);
  }

  /** The length of all that was written since `size` was `end`. */
  length(end: number): void {
    this.varint(this.size - end);
  }

  varint(value: number): void {
    if (value < 0 || value > 0x7fffffff) {
      this.#longVarint(value);
      return;
    }
    this.#reserve(5);
    let at = this.#at - varintSize(value);
    this.#at = at;
    let left = value;
    while (left >= 0x80) {
      this.#buffer[at++] = (left & 0x7f) | 0x80;
      left >>>= 7;
    }
    this.#buffer[at] = left;
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#at -= bytes.length;
    this.#buffer.set(bytes, this.#at);
  }

  /** With its length. */
  text(text: string): void {
    const end = this.size;
    if (text.length > shortText || !this.#ascii(text)) this.#utf8(text);
    this.length(end);
  }

  double(value: number): void {
    this.#reserve(8);
    this.#at -= 8;
    this.#buffer.writeDoubleLE(value, this.#at);
  }

  /** False, with nothing written, when there are other letters in it. */
  #ascii(text: string): boolean {
    const { length } = text;
    this.#reserve(length);
    const start = this.#at - length;
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index);
      if (code >= 0x80) return false;
      this.#buffer[start + index] = code;
    }
    this.#at = start;
    return true;
  }

  #utf8(text: string): void {
    const bytes = Buffer.byteLength(text);
    this.#reserve(bytes);
    this.#at -= bytes;
    this.#buffer.write(text, this.#at, "utf8");
  }

  /** Negative numbers are written as 64 bits, whatever their type. */
  #longVarint(value: number): void {
    let left = BigInt.asUintN(64, BigInt(value));
    const bytes: number[] = [];
    while (left >= 0x80n) {
      bytes.push(Number(left & 0x7fn) | 0x80);
      left >>= 7n;
    }
    bytes.push(Number(left));
    this.raw(Uint8Array.from(bytes));
  }

  #reserve(bytes: number): void {
    if (this.#at >= bytes) return;
    const { size } = this;
    const buffer = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, size + bytes));
    this.#buffer.copy(buffer, buffer.length - size, this.#at);
    this.#at = buffer.length - size;
    this.#buffer = buffer;
  }
}

function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  return value < 0x10000000 ? 4 : 5;
}
