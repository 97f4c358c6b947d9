/**
 * Stored bytes and parsed objects. Most answers copy bytes; what must be parsed (selectors,
 * tables, the old object of a write) goes through one small cache. Parsed objects are shared:
 * nobody changes one, everybody copies what they change.
 */

import { LRUCache } from "lru-cache";
import { type KubeObject, SPLICE_OFFSET } from "../../manifests/index.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Change, Entry } from "../../runtime/store/store.ts";
import type { Resource } from "./registry/registry.ts";

type Stored = Pick<Entry, "key" | "value" | "sequence">;

const cachedObjects = 2_000;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

export class Objects {
  readonly #clock: Clock;
  readonly #parsed = new LRUCache<string, KubeObject>({ max: cachedObjects });
  /** Frames and parsed predecessors are shared by all watchers of a change, and live as long. */
  readonly #previous = new WeakMap<Change, KubeObject>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What ages are counted to in tables. */
  get nowMs(): number {
    return this.#clock.now();
  }

  /** As stored, whatever version was asked for, with its resourceVersion. */
  parsed(resource: Resource, stored: Stored): KubeObject {
    const id = `${resource.stored.group} ${stored.key} ${stored.sequence}`;
    let object = this.#parsed.get(id);
    if (!object) {
      object = parse(withResourceVersion(stored.value, stored.sequence));
      this.#parsed.set(id, object);
    }
    return object;
  }

  parsedPrevious(_resource: Resource, change: Change): KubeObject | undefined {
    if (!change.previous) return undefined;
    let object = this.#previous.get(change);
    if (!object) {
      object = parse(change.previous);
      this.#previous.set(change, object);
    }
    return object;
  }

  /** In the version that was asked for. */
  shown(resource: Resource, stored: Stored): KubeObject {
    const object = this.parsed(resource, stored);
    return resource.kind.conversion ? resource.kind.conversion.fromStored(object) : object;
  }

  /** The bytes of `shown`. */
  bytes(resource: Resource, stored: Stored): Uint8Array {
    if (!resource.kind.conversion) return withResourceVersion(stored.value, stored.sequence);
    return encoder.encode(JSON.stringify(this.shown(resource, stored)));
  }
}

function parse(bytes: Uint8Array): KubeObject {
  return JSON.parse(decoder.decode(bytes)) as KubeObject;
}

/** The stored bytes with their number in its place. */
function withResourceVersion(stored: Uint8Array, sequence: number): Uint8Array {
  const digits = String(sequence);
  const bytes = Buffer.allocUnsafe(stored.length + digits.length);
  bytes.set(stored.subarray(0, SPLICE_OFFSET), 0);
  bytes.write(digits, SPLICE_OFFSET, "latin1");
  bytes.set(stored.subarray(SPLICE_OFFSET), SPLICE_OFFSET + digits.length);
  return bytes;
}
