/**
 * Lets a few starts at a time through to Docker: runc is bound by the machine, so that more only
 * make each of them slower. Containers go before sandboxes: the pods that were begun get ready
 * before new ones begin, where first come, first served would make all of them wait for the last.
 */

/** More was measured to gain nothing. */
const atOnce = 4;

export class StartGate {
  readonly #waiting = { container: [] as (() => void)[], sandbox: [] as (() => void)[] };
  #running = 0;

  async run<T>(kind: "container" | "sandbox", start: () => Promise<T>): Promise<T> {
    if (this.#running >= atOnce) {
      await new Promise<void>((resolve) => this.#waiting[kind].push(resolve));
    } else this.#running++;
    try {
      return await start();
    } finally {
      const next = this.#waiting.container.shift() ?? this.#waiting.sandbox.shift();
      // The place goes on to the next one, so that nobody slips in between.
      if (next) next();
      else this.#running--;
    }
  }
}
