/**
 * Reading one's own writes: a key is not reconciled again before the caches show everything that
 * its last pass wrote.
 *
 * Upstream's controllers keep "expectations", counts of creations and deletions not yet seen,
 * each by itself. Since resourceVersions of one resource are positions in one stream, the
 * question "has this cache seen my write" has an exact answer, and every controller gets it here.
 */

import type { Kind, KubeObject } from "../../manifests/index.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Api } from "./client.ts";
import type { Informer } from "./informer.ts";
import { hasReached, type Key, kindId } from "./object.ts";

interface Pending {
  since: number;
  /** By kind: the newest version written, and the objects deleted. */
  kinds: Map<string, { revision: string; deleted: Map<Key, string> }>;
}

/** As upstream's ExpectationsTimeout: after that, acting on old news beats not acting. */
const longestWaitMs = 5 * 60_000;
const remembered = 10_000;

export class OwnWrites {
  readonly #clock: Clock;
  readonly #informers: ReadonlyMap<string, Informer<KubeObject>>;
  readonly #pending = new Map<Key, Pending>();

  /** `informers` by `kindId`; writes to other kinds are not waited for. */
  constructor(clock: Clock, informers: ReadonlyMap<string, Informer<KubeObject>>) {
    this.#clock = clock;
    this.#informers = informers;
  }

  /** True when every cache shows what the last pass over `key` wrote. */
  seen(key: Key): boolean {
    const pending = this.#pending.get(key);
    if (!pending) return true;
    const tired = this.#clock.monotonic() - pending.since > longestWaitMs;
    if (!tired && ![...pending.kinds].every(([kind, written]) => this.#shows(kind, written))) {
      return false;
    }
    this.#pending.delete(key);
    return true;
  }

  /** The client of one pass over `key`: what it writes is remembered. */
  recording(key: Key, api: Api): Api {
    const record = <T extends KubeObject>(kind: Kind, written: T): T => {
      this.#written(key, kind, written);
      return written;
    };
    return {
      ...api,
      create: async (kind, object) => record(kind, await api.create(kind, object)),
      update: async (kind, object, options) =>
        record(kind, await api.update(kind, object, options)),
      updateStatus: async (kind, object) => record(kind, await api.updateStatus(kind, object)),
      patch: async (kind, target, patch, options) =>
        record(kind, await api.patch(kind, target, patch, options)),
      delete: async (kind, target, options) => {
        const answer = await api.delete(kind, target, options);
        this.#deleted(key, kind, target, options?.uid);
        return answer;
      },
    };
  }

  #shows(kind: string, { revision, deleted }: { revision: string; deleted: Map<Key, string> }) {
    const informer = this.#informers.get(kind);
    if (!informer) return true;
    if (revision !== "" && !hasReached(informer.revision, revision)) return false;
    for (const [key, uid] of deleted) {
      const cached = informer.lister.get(key);
      if (cached?.metadata.uid === uid && !cached.metadata.deletionTimestamp) return false;
    }
    return true;
  }

  #written(key: Key, kind: Kind, { metadata }: KubeObject): void {
    const written = this.#of(key, kind);
    const { resourceVersion } = metadata;
    if (!written || !resourceVersion) return;
    if (written.revision === "" || hasReached(resourceVersion, written.revision)) {
      written.revision = resourceVersion;
    }
  }

  #deleted(key: Key, kind: Kind, target: Key, uid: string | undefined): void {
    const of = uid ?? this.#informers.get(kindId(kind))?.lister.get(target)?.metadata.uid;
    if (of) this.#of(key, kind)?.deleted.set(target, of);
  }

  /** Keys of deleted objects are never asked about again. */
  #forgetOldest(): void {
    const [oldest] = this.#pending.keys();
    if (this.#pending.size >= remembered && oldest !== undefined) this.#pending.delete(oldest);
  }

  #of(key: Key, kind: Kind): { revision: string; deleted: Map<Key, string> } | undefined {
    const id = kindId(kind);
    if (!this.#informers.has(id)) return undefined;
    let pending = this.#pending.get(key);
    if (!pending) {
      pending = { since: this.#clock.monotonic(), kinds: new Map() };
      this.#forgetOldest();
      this.#pending.set(key, pending);
    }
    let written = pending.kinds.get(id);
    if (!written) {
      written = { revision: "", deleted: new Map() };
      pending.kinds.set(id, written);
    }
    return written;
  }
}
