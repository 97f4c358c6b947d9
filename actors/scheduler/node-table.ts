/**
 * The nodes of the cluster in columns: one row a node, one Float64Array a resource.
 *
 * A filter reads one number a node from one contiguous column instead of chasing thousands of
 * objects, and a ledger that adds and takes away pods all day makes no garbage. Rows of nodes that
 * left are used again. Pods may be counted on a node before the node itself is seen (informers
 * keep no order between kinds): such a row has no `node` and is not offered to filters.
 */

import type { NodeInfo } from "./node-info.ts";
import type { HostPort, PodInfo } from "./pod-info.ts";

/** Requests assumed of a pod that states none, so that scores spread such pods too. */
export const unstatedRequests = { cpu: 100, memory: 200 * 1024 * 1024 } as const;

interface Column {
  allocatable: Float64Array;
  requested: Float64Array;
}

export class NodeTable {
  readonly #rows = new Map<string, number>();
  readonly #names: string[] = [];
  readonly #nodes: (NodeInfo | undefined)[] = [];
  readonly #ports: (HostPort[] | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #columns = new Map<string, Column>();
  #pods = new Float64Array(0);
  /** Requests of cpu and memory with `unstatedRequests` filled in: for scores only. */
  #scoredCpu = new Float64Array(0);
  #scoredMemory = new Float64Array(0);
  #size = 0;

  /** How many nodes are present. */
  get size(): number {
    return this.#size;
  }

  /** Rows that exist, present or not: loop below this and ask `node(row)`. */
  get rows(): number {
    return this.#names.length;
  }

  rowOf(name: string): number | undefined {
    return this.#rows.get(name);
  }

  /** Undefined for a row that is free, or has pods but no node yet. */
  node(row: number): NodeInfo | undefined {
    return this.#nodes[row];
  }

  podCount(row: number): number {
    return this.#pods[row] ?? 0;
  }

  allocatable(row: number, resource: string): number {
    return this.#columns.get(resource)?.allocatable[row] ?? 0;
  }

  requested(row: number, resource: string): number {
    return this.#columns.get(resource)?.requested[row] ?? 0;
  }

  /** Requests with those left unstated filled in, as the scores count them. */
  scored(row: number, resource: "cpu" | "memory"): number {
    return (resource === "cpu" ? this.#scoredCpu : this.#scoredMemory)[row] ?? 0;
  }

  hostPorts(row: number): readonly HostPort[] {
    return this.#ports[row] ?? [];
  }

  setNode(node: NodeInfo): void {
    const row = this.#ensureRow(node.name);
    if (this.#nodes[row] === undefined) this.#size++;
    this.#nodes[row] = node;
    for (const [resource, column] of this.#columns)
      column.allocatable[row] = node.allocatable.get(resource) ?? 0;
    for (const [resource, quantity] of node.allocatable)
      this.#ensureColumn(resource).allocatable[row] = quantity;
  }

  removeNode(name: string): void {
    const row = this.#rows.get(name);
    if (row === undefined || this.#nodes[row] === undefined) return;
    this.#nodes[row] = undefined;
    this.#size--;
    for (const column of this.#columns.values()) column.allocatable[row] = 0;
    this.#releaseIfEmpty(row);
  }

  addPod(pod: PodInfo, nodeName: string): void {
    const row = this.#ensureRow(nodeName);
    this.#count(row, pod, 1);
    if (pod.hostPorts.length > 0)
      this.#ports[row] = [...(this.#ports[row] ?? []), ...pod.hostPorts];
  }

  removePod(pod: PodInfo, nodeName: string): void {
    const row = this.#rows.get(nodeName);
    if (row === undefined) return;
    this.#count(row, pod, -1);
    if (pod.hostPorts.length > 0) {
      const left = [...(this.#ports[row] ?? [])];
      for (const port of pod.hostPorts) {
        const at = left.findIndex((held) => samePort(held, port));
        if (at >= 0) left.splice(at, 1);
      }
      this.#ports[row] = left.length > 0 ? left : undefined;
    }
    this.#releaseIfEmpty(row);
  }

  #count(row: number, pod: PodInfo, sign: 1 | -1): void {
    this.#pods[row] = (this.#pods[row] ?? 0) + sign;
    const cpu = pod.requests.get("cpu") || unstatedRequests.cpu;
    const memory = pod.requests.get("memory") || unstatedRequests.memory;
    this.#scoredCpu[row] = (this.#scoredCpu[row] ?? 0) + sign * cpu;
    this.#scoredMemory[row] = (this.#scoredMemory[row] ?? 0) + sign * memory;
    for (const [resource, quantity] of pod.requests) {
      const { requested } = this.#ensureColumn(resource);
      requested[row] = (requested[row] ?? 0) + sign * quantity;
    }
  }

  #ensureRow(name: string): number {
    const known = this.#rows.get(name);
    if (known !== undefined) return known;
    const row = this.#free.pop() ?? this.#names.length;
    this.#names[row] = name;
    this.#rows.set(name, row);
    if (row >= this.#pods.length) this.#grow(Math.max(16, row * 2));
    return row;
  }

  #ensureColumn(resource: string): Column {
    let column = this.#columns.get(resource);
    if (column === undefined) {
      const length = this.#pods.length;
      column = { allocatable: new Float64Array(length), requested: new Float64Array(length) };
      this.#columns.set(resource, column);
    }
    return column;
  }

  #grow(length: number): void {
    this.#pods = grown(this.#pods, length);
    this.#scoredCpu = grown(this.#scoredCpu, length);
    this.#scoredMemory = grown(this.#scoredMemory, length);
    for (const column of this.#columns.values()) {
      column.allocatable = grown(column.allocatable, length);
      column.requested = grown(column.requested, length);
    }
  }

  /** Only a row without node and pods may go to another node: its counts are all zero then. */
  #releaseIfEmpty(row: number): void {
    const name = this.#names[row];
    if (name === undefined || this.#nodes[row] !== undefined || this.podCount(row) > 0) return;
    if (this.#rows.get(name) !== row) return;
    this.#rows.delete(name);
    this.#free.push(row);
  }
}

function grown(column: Float64Array, length: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(length);
  larger.set(column);
  return larger;
}

function samePort(a: HostPort, b: HostPort): boolean {
  return a.port === b.port && a.protocol === b.protocol && a.ip === b.ip;
}
