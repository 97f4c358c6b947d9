/**
 * Whether every watcher saw all: one watch without end for each resource, opened like any other
 * and moved from API actor to API actor by the faults, held against what was committed.
 */

import type { Api } from "../../actors/kit/client.ts";
import type { Kind, KubeObject } from "../../manifests/index.ts";
import { InvariantError, type Truth } from "./truth.ts";

interface Seen {
  name: string;
  sequence: number;
  deleted: boolean;
}

export class Witness {
  readonly kind: Kind;
  /** A list at the end of a lost history, or the first one: what happened before is not asked. */
  #since = 0;
  #newest = 0;
  #seen: Seen[] = [];
  #broken: string | undefined;

  constructor(kind: Kind) {
    this.kind = kind;
  }

  /** Watches until `signal` aborts; lists again when a watch can no longer be resumed. */
  async follow(api: Api, sleep: (ms: number) => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const { metadata } = await api.list(this.kind);
        // From 0 a watch begins with whatever there is, in no order: wait for something to be there.
        if (metadata.resourceVersion === "0") throw new Error("nothing was committed yet");
        this.#since = Number(metadata.resourceVersion);
        this.#newest = this.#since;
        this.#seen = [];
        await new Promise((ended) =>
          api.watch(this.kind, metadata, {
            onEvent: (type, object) => this.#see(object, type === "DELETED"),
            onEnd: ended,
          }),
        );
      } catch {
        // Nobody answered for longer than the client is patient, or there is nothing to watch yet.
      }
      await sleep(500);
    }
  }

  /** How far behind it is, for the end of a simulation to wait for. */
  behind(truth: Truth): boolean {
    const last = this.#expected(truth).at(-1);
    return last !== undefined && last.sequence > this.#newest;
  }

  /** Throws when what it saw is not exactly what was committed while it watched. */
  verify(truth: Truth): void {
    if (this.#broken) throw new InvariantError(this.#broken);
    const expected = this.#expected(truth);
    for (let at = 0; at < Math.max(expected.length, this.#seen.length); at++) {
      const [right, seen] = [describe(expected[at]), describe(this.#seen[at])];
      if (right === seen) continue;
      throw new InvariantError(`A watcher of ${this.kind.resource} saw ${seen} and not ${right}`);
    }
  }

  #expected(truth: Truth): Seen[] {
    const { group, resource } = this.kind;
    return truth.changes
      .filter(({ key, sequence }) => {
        return key.group === group && key.resource === resource && sequence > this.#since;
      })
      .map(({ key, sequence, deleted }) => ({ name: key.name, sequence, deleted }));
  }

  #see({ metadata }: KubeObject, deleted: boolean): void {
    const sequence = Number(metadata.resourceVersion);
    const { name = "" } = metadata;
    if (sequence <= this.#newest)
      this.#broken = `A watcher of ${this.kind.resource} went from ${this.#newest} to ${sequence}`;
    this.#newest = sequence;
    this.#seen.push({ name, sequence, deleted });
  }
}

function describe(change: Seen | undefined): string {
  if (change === undefined) return "nothing";
  return `${change.name} ${change.deleted ? "deleted" : "put"} at ${change.sequence}`;
}
