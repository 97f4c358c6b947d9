/**
 * Which pods a node has, and what they refer to: the node authorizer's graph. Kept incrementally
 * and cheaply: of a pod that changes only its node is found, in its bytes; it is parsed when its
 * node first asks for something that pods refer to.
 */

import type { Pod } from "../../../manifests/index.ts";
import { resourcePrefix } from "../../../runtime/store/key.ts";
import type { Store } from "../../../runtime/store/store.ts";
import { type Follower, follow } from "./follow.ts";
import { podReferences, type Reference } from "./pod-references.ts";

const field = Buffer.from('"nodeName":"');
const quote = '"'.charCodeAt(0);
const decoder = new TextDecoder();

export class NodePods implements Follower {
  readonly begin: () => boolean;
  /** By node, then by the pod's key: what it refers to, once that was asked. */
  readonly #held = new Map<string, Map<string, ReadonlySet<string> | undefined>>();
  readonly #nodes = new Map<string, readonly string[]>();
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
    this.begin = follow(store, [resourcePrefix("", "pods")], this);
  }

  refers(node: string, reference: Reference, namespace: string, name: string): boolean {
    const wanted = referenceId(reference, namespace, name);
    return this.#referencesOf(node).some((references) => references.has(wanted));
  }

  /** The names of one kind that the node's pods refer to, as `namespace/name`. */
  referred(node: string, reference: Reference): string[] {
    const prefix = `${reference} `;
    return this.#referencesOf(node).flatMap((references) =>
      [...references].filter((id) => id.startsWith(prefix)).map((id) => id.slice(prefix.length)),
    );
  }

  put({ key, value }: { key: string; value: Uint8Array }): void {
    this.remove(key);
    const nodes = nodesIn(value);
    if (nodes.length > 0) this.#nodes.set(key, nodes);
    for (const node of nodes) {
      const held = this.#held.get(node) ?? new Map<string, undefined>();
      this.#held.set(node, held.set(key, undefined));
    }
  }

  remove(key: string): void {
    for (const node of this.#nodes.get(key) ?? []) {
      const held = this.#held.get(node);
      held?.delete(key);
      if (held?.size === 0) this.#held.delete(node);
    }
    this.#nodes.delete(key);
  }

  #referencesOf(node: string): ReadonlySet<string>[] {
    this.begin();
    const held = this.#held.get(node) ?? new Map<string, ReadonlySet<string> | undefined>();
    return [...held].map(([key, known]) => {
      if (known) return known;
      const entry = this.#store.view.get(key);
      const references = entry ? referencesIn(entry.value, node) : new Set<string>();
      held.set(key, references);
      return references;
    });
  }
}

function referencesIn(value: Uint8Array, node: string): ReadonlySet<string> {
  const pod = JSON.parse(decoder.decode(value)) as Pod;
  const { namespace = "", name = "" } = pod.metadata;
  // The bytes only hinted at it: a label may be called nodeName too.
  if (pod.spec.nodeName !== node) return new Set();
  const own = referenceId("pod", namespace, name);
  const all = podReferences(pod).map(([kind, to]) => referenceId(kind, namespace, to));
  return new Set([own, ...all]);
}

function referenceId(reference: Reference, namespace: string, name: string): string {
  return `${reference} ${namespace}/${name}`;
}

/**
 * Everything that the text calls `nodeName`. Inside a string its quotes would be escaped, so that
 * the pod's own node is always among what is found.
 */
function nodesIn(value: Uint8Array): string[] {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const found = new Set<string>();
  for (let at = bytes.indexOf(field); at >= 0; at = bytes.indexOf(field, at)) {
    at += field.length;
    const end = bytes.indexOf(quote, at);
    if (end > at) found.add(bytes.toString("utf8", at, end));
  }
  return [...found];
}
