/**
 * The event recorder: what a user sees under `kubectl describe` and `kubectl get events`.
 *
 * Best effort and never in the way: recording returns at once, one worker sends, what does not
 * fit the queue or the object's budget is dropped. Equal events become one with a count, as
 * client-go's `tools/record` has it: same object, type, reason and message within ten minutes;
 * and each object may cause a burst of 25, then one event every five minutes.
 */

import { isAlreadyExists, isNotFound } from "../../manifests/api-error.ts";
import { Event, type Kind, type KubeObject, type ObjectReference } from "../../manifests/index.ts";
import type { Clock } from "../../runtime/clock.ts";
import { errorMessage } from "../../runtime/errors.ts";
import type { Log } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import type { Api } from "./client.ts";
import { keyOf } from "./object.ts";
import { formatTime } from "./time.ts";
import { create, patch, type Write } from "./writes.ts";

export interface EventRecorder {
  /** Something went as it should. */
  normal(kind: Kind, about: KubeObject, reason: string, message: string, part?: EventPart): void;
  /** Something that a user may have to look at. */
  warning(kind: Kind, about: KubeObject, reason: string, message: string, part?: EventPart): void;
}

/** Which part of the object it is about: `spec.containers{nginx}`. */
export interface EventPart {
  fieldPath?: string;
}

/** What the client of everybody who records must be allowed. */
export const eventWrites: readonly Write[] = [create(Event), patch(Event)];

export interface RecorderOptions {
  /** As shown under "From". */
  component: string;
  host?: string;
  clock: Clock;
  random: Random;
  log: Log;
}

interface Observed {
  event: Event;
  countedAt: number;
}

interface Budget {
  tokens: number;
  filledAt: number;
}

const windowMs = 10 * 60_000;
const burst = 25;
const refillMs = 5 * 60_000;
/** Of recent events and of objects, each; the oldest go first. */
const remembered = 4_096;
const longestQueue = 1_000;

export function createRecorder(api: Api, options: RecorderOptions): EventRecorder {
  const { component, host, clock, random, log } = options;
  const recent = new Map<string, Observed>();
  const budgets = new Map<string, Budget>();
  const queue: Event[] = [];
  let sending = false;

  function record(
    type: "Normal" | "Warning",
    { kind, about, reason, message, part }: Occurrence,
  ): void {
    const involvedObject = referenceTo(kind, about, part);
    if (queue.length >= longestQueue || !spend(about.metadata.uid ?? keyOf(about))) return;
    queue.push({
      metadata: { name: "", namespace: about.metadata.namespace || "default" },
      involvedObject,
      type,
      reason,
      message,
      source: { component, host },
      reportingComponent: component,
      reportingInstance: host,
    });
    void drain();
  }

  function spend(key: string): boolean {
    const now = clock.monotonic();
    const budget = budgets.get(key) ?? { tokens: burst, filledAt: now };
    const refilled = Math.floor((now - budget.filledAt) / refillMs);
    budget.tokens = Math.min(burst, budget.tokens + refilled);
    budget.filledAt += refilled * refillMs;
    remember(budgets, key, budget);
    if (budget.tokens === 0) return false;
    budget.tokens--;
    return true;
  }

  async function drain(): Promise<void> {
    if (sending) return;
    sending = true;
    for (let event = queue.shift(); event; event = queue.shift()) {
      try {
        await send(event);
      } catch (error) {
        log.debug("Dropped event", { reason: event.reason, error: errorMessage(error) });
      }
    }
    sending = false;
  }

  async function send(event: Event): Promise<void> {
    const { resourceVersion: _, ...about } = event.involvedObject;
    const key = JSON.stringify([about, event.type, event.reason, event.message]);
    const before = recent.get(key);
    const sent = before && clock.monotonic() - before.countedAt < windowMs;
    const after = (sent && (await countUp(before.event))) || (await createEvent(event));
    remember(recent, key, { event: after, countedAt: clock.monotonic() });
  }

  /** Undefined when the event was forgotten in the meantime. */
  async function countUp(event: Event): Promise<Event | undefined> {
    const change = { count: (event.count ?? 1) + 1, lastTimestamp: formatTime(clock.now()) };
    try {
      return await api.patch(Event, keyOf(event), change, { type: "merge" });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async function createEvent(event: Event): Promise<Event> {
    const now = formatTime(clock.now());
    for (;;) {
      // As client-go names them: the object and the time in nanoseconds, which we have to invent.
      const nanoseconds = BigInt(clock.now()) * 1_000_000n + BigInt(random.int(1_000_000));
      const name = `${event.involvedObject.name}.${nanoseconds.toString(16)}`;
      const metadata = { ...event.metadata, name };
      try {
        const body = { ...event, metadata, count: 1, firstTimestamp: now, lastTimestamp: now };
        return await api.create(Event, body);
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
      }
    }
  }

  return {
    normal: (kind, about, reason, message, part) =>
      record("Normal", { kind, about, reason, message, part }),
    warning: (kind, about, reason, message, part) =>
      record("Warning", { kind, about, reason, message, part }),
  };
}

interface Occurrence {
  kind: Kind;
  about: KubeObject;
  reason: string;
  message: string;
  part: EventPart | undefined;
}

function referenceTo(
  kind: Kind,
  { metadata }: KubeObject,
  part: EventPart | undefined,
): ObjectReference {
  const { namespace, name, uid, resourceVersion } = metadata;
  const { apiVersion } = kind;
  return { apiVersion, kind: kind.kind, namespace, name, uid, resourceVersion, ...part };
}

function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= remembered) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}
