/** Randomness as actors see it: real entropy outside, one seed inside a simulation. */

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform integer in [0, bound). */
  int(bound: number): number;
  /** RFC 4122 version 4. */
  uuid(): string;
  /** `length` characters of `bcdfghjklmnpqrstvwxz2456789`, the alphabet that generateName uses. */
  suffix(length: number): string;
  /**
   * An independent source, decided by this one's seed and `name` alone and not by how much was
   * drawn before. So one actor more does not shift what the others draw.
   */
  fork(name: string): Random;
}

const suffixAlphabet = "bcdfghjklmnpqrstvwxz2456789";

/** The derived draws, the same for every source of 32 random bits. */
export function randomFrom(bits32: () => number, fork: (name: string) => Random): Random {
  /** 53 bits, as many as a double holds. */
  const next = (): number => ((bits32() >>> 5) * 0x4000000 + (bits32() >>> 6)) / 2 ** 53;
  const int = (bound: number): number => Math.floor(next() * bound);
  return {
    next,
    int,
    fork,
    uuid() {
      const bytes = Array.from({ length: 16 }, () => bits32() & 0xff);
      bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
      bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
      const hex = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
      const cuts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)];
      return [...cuts, hex.slice(20)].join("-");
    },
    suffix(length) {
      let text = "";
      for (let at = 0; at < length; at++) text += suffixAlphabet[int(suffixAlphabet.length)];
      return text;
    },
  };
}
