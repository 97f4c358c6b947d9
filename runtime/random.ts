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
}
