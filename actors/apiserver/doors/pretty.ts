/** JSON with line breaks, as Go's json.Indent makes it: from parts, each as it comes. */

const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a];
const openers = new Set([0x7b, 0x5b]);
const closers = new Set([0x7d, 0x5d]);
const space = 0x20;
const newline = 0x0a;

/** The parts are one compact JSON text, cut anywhere. */
export function* indented(parts: Iterable<Uint8Array>): Generator<Uint8Array> {
  const indenter = new Indenter();
  for (const part of parts) yield indenter.indent(part);
  yield Uint8Array.of(newline);
}

class Indenter {
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** A bracket whose line break waits to see whether anything is within. */
  #opened = false;

  indent(part: Uint8Array): Uint8Array {
    const out: number[] = [];
    for (const byte of part) this.#take(byte, out);
    return Uint8Array.from(out);
  }

  #take(byte: number, out: number[]): void {
    if (this.#inString) {
      out.push(byte);
      if (this.#escaped) this.#escaped = false;
      else if (byte === backslash) this.#escaped = true;
      else if (byte === quote) this.#inString = false;
      return;
    }
    if (closers.has(byte)) {
      this.#depth--;
      if (!this.#opened) this.#breakLine(out);
      this.#opened = false;
      out.push(byte);
      return;
    }
    if (this.#opened) this.#breakLine(out);
    this.#opened = openers.has(byte);
    if (this.#opened) this.#depth++;
    if (byte === quote) this.#inString = true;
    out.push(byte);
    if (byte === comma) this.#breakLine(out);
    else if (byte === colon) out.push(space);
  }

  #breakLine(out: number[]): void {
    out.push(newline);
    for (let level = 0; level < this.#depth; level++) out.push(space, space);
  }
}
