/**
 * What happened in a simulation, as one number: two runs of a seed are the same run exactly when
 * their hashes agree. The newest lines are kept as text, to see where two runs part.
 */
export interface Trace {
  /** Of everything recorded so far, 16 hexadecimal digits. */
  readonly hash: string;
  readonly count: number;
  record(what: string, data?: Uint8Array): void;
  /** The newest lines, oldest first. */
  tail(): readonly string[];
}

export function createTrace(now: () => number, keptLines = 500): Trace {
  let low = 0x811c9dc5;
  let high = 0x9e3779b1;
  let count = 0;
  const lines: string[] = [];

  /** Two FNV-1a lanes with different primes: 64 bits without a BigInt for every byte. */
  function mix(value: number): void {
    low = Math.imul(low ^ value, 0x01000193);
    high = Math.imul(high ^ value ^ (low >>> 24), 0x5bd1e995);
  }

  return {
    get hash() {
      return [high, low].map((lane) => (lane >>> 0).toString(16).padStart(8, "0")).join("");
    },
    get count() {
      return count;
    },
    record(what, data) {
      const line = `${now().toFixed(3)} ${what}${data ? ` ${data.byteLength}B` : ""}`;
      for (let at = 0; at < line.length; at++) mix(line.charCodeAt(at));
      if (data) for (const byte of data) mix(byte);
      lines[count++ % keptLines] = line;
    },
    tail() {
      if (count <= keptLines) return [...lines];
      const oldest = count % keptLines;
      return [...lines.slice(oldest), ...lines.slice(0, oldest)];
    },
  };
}
