/**
 * Stored bytes and what is read out of them. Most answers copy bytes. What is selected by is kept
 * for each object as columns; what must be parsed whole (tables, the old object of a write) goes
 * through one small cache. Parsed objects are shared: nobody changes one, everybody copies what
 * they change.
 */

import { LRUCache } from "lru-cache";
import {
  type Kind,
  type KubeObject,
  SPLICE_OFFSET,
  selectableValues,
} from "../../manifests/index.ts";
import { encodeMessage } from "../../manifests/protobuf/index.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Entry } from "../../runtime/store/store.ts";
import type { StoredForm } from "./crd/stored-form.ts";
import type { Resource } from "./registry/registry.ts";

type Stored = Pick<Entry, "key" | "value" | "sequence">;

/** All that selectors look at. */
export interface Columns {
  readonly labels: Readonly<Record<string, string>>;
  /** The stored kind's `selectableValues`. */
  readonly fields: readonly string[];
}

interface Message {
  readonly typeName: string;
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

const cachedObjects = 2_000;
const cachedMessageBytes = 64 * 1024 * 1024;
const noLabels = {};
const decoder = new TextDecoder();
const encoder = new TextEncoder();

export class Objects {
  readonly #clock: Clock;
  readonly #parsed = new LRUCache<string, KubeObject>({ max: cachedObjects });
  /**
   * By the bytes that they were read from, which an entry shares with the changes that brought and
   * replaced it: read once, when a selector first asks, and gone with the bytes.
   */
  readonly #columns = new WeakMap<Kind, WeakMap<Uint8Array, Columns>>();
  /** By the same bytes, but only the newest: whoever lists a kind lists it again. */
  readonly #messages = new LRUCache<Uint8Array, Message>({
    maxSize: cachedMessageBytes,
    sizeCalculation: ({ bytes }) => bytes.length + 1,
  });
  /** What had to be asked elsewhere to be read: see `prepare`. */
  readonly #converted = new WeakMap<StoredForm, WeakMap<Uint8Array, KubeObject>>();
  /** What is being asked: all watchers of a change wait for one answer. */
  readonly #asked = new WeakMap<StoredForm, WeakMap<Uint8Array, Promise<void>>>();
  #parses = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What ages are counted to in tables. */
  get nowMs(): number {
    return this.#clock.now();
  }

  /** How many objects have been parsed so far: what work on them costs above all. */
  get parses(): number {
    return this.#parses;
  }

  columns(resource: Resource, value: Uint8Array): Columns {
    const known = within(this.#columns, resource.stored);
    let columns = known.get(value);
    if (!columns) {
      const object = this.#read(resource, value, 0);
      const labels = object.metadata.labels ?? noLabels;
      columns = { labels, fields: selectableValues(resource.stored, object) };
      known.set(value, columns);
    }
    return columns;
  }

  /**
   * Resolves once these bytes can be read as the resource's kind; undefined when they can be already, which is so but
   * for custom kinds that are converted elsewhere.
   */
  prepare(resource: Resource, values: Iterable<Uint8Array>): Promise<unknown> | undefined {
    const form = resource.custom?.form;
    if (!form?.convert) return undefined;
    const known = within(this.#converted, form);
    const wanted = [...new Set(values)].filter((value) => !known.has(value));
    if (wanted.length === 0) return undefined;
    const asked = within(this.#asked, form);
    const news = wanted.filter((value) => !asked.has(value));
    if (news.length > 0) {
      const answer = this.#convert(form.convert, news, known).finally(() => {
        for (const value of news) asked.delete(value);
      });
      for (const value of news) asked.set(value, answer);
    }
    return Promise.all(wanted.map((value) => asked.get(value)));
  }

  async #convert(
    convert: NonNullable<StoredForm["convert"]>,
    values: readonly Uint8Array[],
    known: WeakMap<Uint8Array, KubeObject>,
  ): Promise<void> {
    const converted = await convert(values.map((value) => this.#parse(value)));
    values.forEach((value, at) => {
      const object = converted[at];
      if (object) known.set(value, object);
    });
  }

  /** `sequence` 0: without a resourceVersion. */
  #read(resource: Resource, value: Uint8Array, sequence: number): KubeObject {
    const form = resource.custom?.form;
    if (!form) return this.#parse(sequence ? withResourceVersion(value, sequence) : value);
    const stored = form.convert ? this.#converted.get(form)?.get(value) : this.#parse(value);
    if (!stored) throw new Error(`nobody has converted the object to what ${form.id} reads`);
    const resourceVersion = sequence ? String(sequence) : "";
    return form.read({ ...stored, metadata: { ...stored.metadata, resourceVersion } });
  }

  /** As stored, whatever version was asked for, with its resourceVersion. */
  parsed(resource: Resource, stored: Stored): KubeObject {
    const read = resource.custom?.form.id ?? resource.stored.group;
    const id = `${read} ${stored.key} ${stored.sequence}`;
    let object = this.#parsed.get(id);
    if (!object) {
      object = this.#read(resource, stored.value, stored.sequence);
      this.#parsed.set(id, object);
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
    const asStored = !resource.kind.conversion && !resource.custom;
    if (asStored) return withResourceVersion(stored.value, stored.sequence);
    return encoder.encode(JSON.stringify(this.shown(resource, stored)));
  }

  /** The protobuf message of `shown`, without its envelope. */
  message(resource: Resource, stored: Stored): Uint8Array {
    const { typeName } = resource.kind;
    const { value, sequence } = stored;
    const known = this.#messages.get(value);
    if (known?.typeName === typeName && known.sequence === sequence) return known.bytes;
    const bytes = encodeMessage(typeName, this.#fresh(resource, stored));
    this.#messages.set(value, { typeName, sequence, bytes });
    return bytes;
  }

  /** As `shown`, but nobody else's: a long list must not drive out what writes need. */
  #fresh(resource: Resource, { value, sequence }: Stored): KubeObject {
    const object = this.#parse(withResourceVersion(value, sequence));
    return resource.kind.conversion ? resource.kind.conversion.fromStored(object) : object;
  }

  #parse(bytes: Uint8Array): KubeObject {
    this.#parses++;
    return JSON.parse(decoder.decode(bytes)) as KubeObject;
  }
}

function within<K extends WeakKey, L extends WeakKey, V>(
  maps: WeakMap<K, WeakMap<L, V>>,
  key: K,
): WeakMap<L, V> {
  let map = maps.get(key);
  if (!map) {
    map = new WeakMap();
    maps.set(key, map);
  }
  return map;
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
