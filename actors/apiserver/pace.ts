/** Long walks over objects: every few milliseconds it is others' turn. */

import type { Objects } from "./objects.ts";

export interface PaceContext {
  readonly objects: Objects;
  /** Lets other work of this process go first. */
  turn(): Promise<void>;
}

/** To parse an object takes some 40 µs, to look at one less than half a microsecond. */
const parsesPerTurn = 50;
const looksPerTurn = 2_000;

export class Pace {
  readonly #context: PaceContext;
  #looks = 0;
  #parses: number;

  constructor(context: PaceContext) {
    this.#context = context;
    this.#parses = context.objects.parses;
  }

  /** Asked for each object; when true, `await turn()`. */
  due(): boolean {
    const { parses } = this.#context.objects;
    if (++this.#looks < looksPerTurn && parses - this.#parses < parsesPerTurn) return false;
    this.#looks = 0;
    this.#parses = parses;
    return true;
  }
}
