/**
 * What is really committed: reads the simulated streams from the server's side, behind everybody's
 * back, after every event of a simulation, and checks what must never be otherwise.
 */

import type { KubeObject, Node, Pod } from "../../manifests/index.ts";
import { podRequests, resourceAmounts } from "../../manifests/kinds/pod-requests.ts";
import type { SimStream } from "../../runtime/sim/journal.ts";
import type { JournalRecord } from "../../runtime/store/journal.ts";
import { type ObjectKey, parseObjectKey, resourcePrefix } from "../../runtime/store/key.ts";
import { isDeletion } from "../../runtime/store/records.ts";

export class InvariantError extends Error {
  override name = "InvariantError";
}

/** One committed change, as a watcher must be told of it. */
export interface TruthChange {
  key: ObjectKey;
  sequence: number;
  deleted: boolean;
}

export class Truth {
  readonly #stream: SimStream;
  readonly #prefix: string;
  readonly #objects = new Map<string, KubeObject>();
  readonly #deletedUids = new Set<string>();
  readonly #pods = new Map<string, { node: string; requests: ReadonlyMap<string, number> }>();
  readonly #nodeOf = new Map<string, string>();
  readonly changes: TruthChange[] = [];
  sequence = 0;

  constructor(stream: SimStream, prefix: string) {
    this.#stream = stream;
    this.#prefix = prefix;
  }

  /** Takes in what was committed since; throws an InvariantError at the commit that broke one. */
  check(): void {
    if (this.#stream.lastSequence === this.sequence) return;
    for (const record of this.#stream.records(this.sequence + 1)) {
      this.sequence = record.sequence;
      const key = record.subject.slice(this.#prefix.length);
      const named = parseObjectKey(key);
      if (named) this.#take(key, named, record);
    }
    this.sequence = this.#stream.lastSequence;
  }

  list<T extends KubeObject>({ group, resource }: { group: string; resource: string }): T[] {
    const prefix = resourcePrefix(group, resource);
    const found: KubeObject[] = [];
    for (const [key, object] of this.#objects) if (key.startsWith(prefix)) found.push(object);
    return found as T[];
  }

  #take(key: string, named: ObjectKey, record: JournalRecord): void {
    const deleted = isDeletion(record);
    const object = JSON.parse(new TextDecoder().decode(record.data)) as KubeObject;
    // Claims of addresses and ports are records of their own beside the objects.
    if (!object.metadata) return;
    this.changes.push({ key: named, sequence: record.sequence, deleted });
    const uid = object.metadata.uid ?? "";
    if (!deleted && this.#deletedUids.has(uid))
      throw new InvariantError(`${key} (${uid}) was deleted and came back at ${record.sequence}`);
    const before = this.#objects.get(key);
    if (before && !deleted && before.metadata.uid !== uid)
      throw new InvariantError(`${key} changed its uid at ${record.sequence}`);
    if (deleted) {
      this.#deletedUids.add(uid);
      this.#objects.delete(key);
    } else {
      object.metadata.resourceVersion = String(record.sequence);
      this.#objects.set(key, object);
    }
    if (named.resource === "pods" && named.group === "") this.#takePod(key, object as Pod, deleted);
  }

  #takePod(key: string, pod: Pod, deleted: boolean): void {
    const uid = pod.metadata.uid ?? "";
    const node = pod.spec.nodeName ?? "";
    const before = this.#nodeOf.get(uid);
    if (before && before !== node)
      throw new InvariantError(`Pod ${key} went from node ${before} to ${node || "none"}`);
    const ended = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
    if (deleted || ended || !node) this.#pods.delete(uid);
    else this.#pods.set(uid, { node, requests: podRequests(pod) });
    if (deleted) this.#nodeOf.delete(uid);
    else if (node) this.#nodeOf.set(uid, node);
    if (node && !before && !deleted) this.#checkCapacity(node);
  }

  #checkCapacity(name: string): void {
    const node = this.#objects.get(`core.nodes._.${name}`) as Node | undefined;
    if (!node) throw new InvariantError(`A pod is on node ${name}, which does not exist`);
    const there = [...this.#pods.values()].filter((pod) => pod.node === name);
    const allocatable = resourceAmounts(node.status?.allocatable);
    for (const [resource, most] of allocatable) {
      const used =
        resource === "pods"
          ? there.length
          : there.reduce((sum, { requests }) => sum + (requests.get(resource) ?? 0), 0);
      if (used > most)
        throw new InvariantError(`Node ${name} has ${used} of ${most} ${resource} in use`);
    }
  }
}
