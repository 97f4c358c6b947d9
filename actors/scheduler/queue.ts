/**
 * The pods that wait for a node, in three places, after k8s:pkg/scheduler/backend/queue:
 *
 * - active: to be tried now, higher priority first, then the one that waits longest;
 * - backoff: tried without success a moment ago; 1 s after the first attempt, doubling up to 10 s;
 * - unschedulable: no node fits, and nothing has happened since that could change it.
 *
 * A cluster event moves the unschedulable pods that it could help to active (or to backoff, when
 * theirs is not over); after five minutes a pod is moved anyway. A pod that is being tried while a
 * helpful event arrives goes to backoff rather than unschedulable, else the event would be lost.
 *
 * Pure state with the time as an argument: the shard owns the timers.
 */

import equal from "fast-deep-equal/es6/index.js";
import TinyQueue from "tinyqueue";
import type { ClusterEvent } from "./framework.ts";
import type { PodInfo } from "./pod-info.ts";

export const initialBackoffMs = 1_000;
export const maxBackoffMs = 10_000;
export const unschedulableFlushMs = 300_000;

interface Entry {
  pod: PodInfo;
  place: "active" | "backoff" | "unschedulable" | "in-flight";
  attempts: number;
  /** When the backoff of the last attempt ends, wherever the pod is. */
  backoffUntil: number;
  /** The plugins that refused every node at the last attempt. */
  rejectedBy: ReadonlySet<string>;
  /** The last cluster event before the pod was popped. */
  poppedAfter: number;
  /** Its newest place in a heap; older ones are stale and skipped when they surface. */
  ticket: number;
}

/** A place in a heap. What it is ordered by must not change, so it is copied from the entry. */
interface Place {
  entry: Entry;
  ticket: number;
  priority: number;
  time: number;
}

/** Whether this event may help a pod that these plugins refused. */
export type Helps = (rejectedBy: ReadonlySet<string>, event: ClusterEvent) => boolean;

export class SchedulingQueue {
  readonly #helps: Helps;
  readonly #entries = new Map<string, Entry>();
  readonly #active = new TinyQueue<Place>([], byPriorityThenTime);
  readonly #waiting = new TinyQueue<Place>([], (a, b) => a.time - b.time || a.ticket - b.ticket);
  readonly #events: ClusterEvent[] = [];
  #forgottenEvents = 0;
  #inFlight = 0;
  #tickets = 0;

  constructor(helps: Helps) {
    this.#helps = helps;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** False when `pop` would give nothing. */
  get mayPop(): boolean {
    return this.#active.length > 0;
  }

  /** A pod without a node was seen. A change that scheduling does not look at changes nothing. */
  put(pod: PodInfo, now: number): void {
    const entry = this.#entries.get(pod.uid);
    if (entry === undefined) {
      const added: Entry = {
        pod,
        place: "active",
        attempts: 0,
        backoffUntil: 0,
        rejectedBy: new Set(),
        poppedAfter: 0,
        ticket: 0,
      };
      this.#entries.set(pod.uid, added);
      this.#activate(added, now);
      return;
    }
    const changed = !equal(entry.pod, pod);
    entry.pod = pod;
    if (changed && entry.place === "unschedulable") this.#wake(entry, now);
  }

  /** Bound, deleted or no longer ours. */
  remove(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    this.#leaveFlight(entry);
    this.#entries.delete(uid);
  }

  /** The next pod to try; it stays known, in flight, until `remove`, `park` or `backOff`. */
  pop(): PodInfo | undefined {
    for (;;) {
      const place = this.#active.pop();
      if (place === undefined) return undefined;
      const { entry } = place;
      if (!this.#isCurrent(place) || entry.place !== "active") continue;
      entry.place = "in-flight";
      entry.attempts++;
      entry.poppedAfter = this.#forgottenEvents + this.#events.length;
      this.#inFlight++;
      return entry.pod;
    }
  }

  /** No node fits: waits for an event that helps, unless one came while it was being tried. */
  park(uid: string, rejectedBy: ReadonlySet<string>, now: number): void {
    const entry = this.#entries.get(uid);
    if (entry?.place !== "in-flight") return;
    const since = this.#events.slice(entry.poppedAfter - this.#forgottenEvents);
    entry.rejectedBy = rejectedBy;
    entry.backoffUntil = now + backoffMs(entry.attempts);
    this.#leaveFlight(entry);
    if (since.some((event) => this.#helps(rejectedBy, event))) this.#backOff(entry);
    else this.#wait(entry, "unschedulable", now + unschedulableFlushMs);
  }

  /** The attempt failed for a reason that is no node's fault, such as a refused bind: try again soon. */
  backOff(uid: string, now: number): void {
    const entry = this.#entries.get(uid);
    if (entry?.place !== "in-flight") return;
    entry.rejectedBy = new Set();
    entry.backoffUntil = now + backoffMs(entry.attempts);
    this.#leaveFlight(entry);
    this.#backOff(entry);
  }

  happened(event: ClusterEvent, now: number): void {
    if (this.#inFlight > 0) this.#events.push(event);
    for (const entry of this.#entries.values())
      if (entry.place === "unschedulable" && this.#helps(entry.rejectedBy, event))
        this.#wake(entry, now);
  }

  /** Moves what has waited long enough; returns when to call again, if anything waits. */
  flush(now: number): number | undefined {
    for (;;) {
      const place = this.#waiting.peek();
      if (place === undefined) return undefined;
      if (this.#isCurrent(place)) {
        if (place.time > now) return place.time;
        this.#wake(place.entry, now);
      }
      this.#waiting.pop();
    }
  }

  counts(): { active: number; backoff: number; unschedulable: number; inFlight: number } {
    const counts = { active: 0, backoff: 0, unschedulable: 0, inFlight: 0 };
    for (const { place } of this.#entries.values())
      counts[place === "in-flight" ? "inFlight" : place]++;
    return counts;
  }

  #wake(entry: Entry, now: number): void {
    if (entry.backoffUntil > now) this.#backOff(entry);
    else this.#activate(entry, now);
  }

  #activate(entry: Entry, now: number): void {
    entry.place = "active";
    this.#active.push(this.#placeOf(entry, now));
  }

  #backOff(entry: Entry): void {
    this.#wait(entry, "backoff", entry.backoffUntil);
  }

  #wait(entry: Entry, place: "backoff" | "unschedulable", until: number): void {
    entry.place = place;
    this.#waiting.push(this.#placeOf(entry, until));
  }

  #placeOf(entry: Entry, time: number): Place {
    entry.ticket = ++this.#tickets;
    return { entry, ticket: entry.ticket, priority: entry.pod.priority, time };
  }

  #isCurrent({ entry, ticket }: Place): boolean {
    return entry.ticket === ticket && this.#entries.get(entry.pod.uid) === entry;
  }

  /** Events are kept only while somebody is in flight who could have missed them. */
  #leaveFlight(entry: Entry): void {
    if (entry.place !== "in-flight") return;
    this.#inFlight--;
    if (this.#inFlight > 0) return;
    this.#forgottenEvents += this.#events.length;
    this.#events.length = 0;
  }
}

function byPriorityThenTime(a: Place, b: Place): number {
  return b.priority - a.priority || a.time - b.time || a.ticket - b.ticket;
}

export function backoffMs(attempts: number): number {
  return Math.min(maxBackoffMs, initialBackoffMs * 2 ** (Math.min(attempts, 8) - 1));
}
