/**
 * Actors on the NATS service plane: `$SRV.PING|INFO|STATS`, so that `nats micro ls` lists them.
 *
 * Each actor at the root of a system is one service and its descendants are its endpoints. The
 * format is that of https://github.com/nats-io/nats-architecture-and-design, ADR-32. A question
 * to all services gets an answer for each root actor, so permissions must allow that many.
 */

import type { Bus, BusMessage, Subscription } from "./bus.ts";
import type { ActorStats, System } from "./supervisor.ts";
import { encodeToken } from "./token.ts";

export interface StatsOptions {
  /** Of the process, unique in the cluster; one token. */
  instance: string;
  /** Semantic version of Wherry. */
  version: string;
  metadata?: Readonly<Record<string, string>>;
}

/** $SRV.<PING|INFO|STATS>[.<service>[.<id>]] */
function servicePlaneSubjects(verb: string): string[] {
  return [`$SRV.${verb}`, `$SRV.${verb}.*`, `$SRV.${verb}.*.*`];
}

const nanosPerMs = 1_000_000;
/** A kubelet has a child for each Pod, and an answer has to fit into a message. */
const maxEndpoints = 250;

export function serveStats(bus: Bus, system: System, options: StatsOptions): Subscription {
  const answers: Record<string, (actor: ActorStats) => object> = {
    PING: () => ({}),
    INFO: (actor) => ({
      description: `Wherry actor ${actor.definition}`,
      endpoints: family(actor).map(describeEndpoint),
    }),
    STATS: (actor) => ({
      started: new Date(actor.since).toISOString(),
      endpoints: family(actor).map((member) => ({
        ...describeEndpoint(member),
        ...countEndpoint(member),
      })),
    }),
  };

  function answer(verb: string, message: BusMessage): void {
    const [, , service, id] = message.subject.split(".");
    for (const actor of system.stats()) {
      const identity = identify(actor, options);
      if (service !== undefined && service !== identity.name) continue;
      if (id !== undefined && id !== identity.id) continue;
      const type = `io.nats.micro.v1.${verb.toLowerCase()}_response`;
      message.respond(JSON.stringify({ type, ...identity, ...answers[verb]?.(actor) }));
    }
  }

  const subscriptions = Object.keys(answers).flatMap((verb) =>
    servicePlaneSubjects(verb).map((subject) =>
      bus.subscribe(subject, (message) => answer(verb, message)),
    ),
  );
  return {
    unsubscribe() {
      for (const subscription of subscriptions) subscription.unsubscribe();
    },
  };
}

function identify(actor: ActorStats, { instance, version, metadata = {} }: StatsOptions) {
  return {
    name: actor.definition,
    id: `${encodeToken(instance)}-${encodeToken(actor.path)}`,
    version,
    metadata: { ...metadata, path: actor.path, phase: actor.phase },
  };
}

/** The actor and its descendants, parents before children. */
function family(actor: ActorStats): ActorStats[] {
  const members = [actor];
  for (const member of members) {
    for (const child of member.children) if (members.length < maxEndpoints) members.push(child);
  }
  return members;
}

function describeEndpoint({ definition, path, phase }: ActorStats) {
  return { name: definition, subject: encodeToken(path), queue_group: "", metadata: { phase } };
}

function countEndpoint(member: ActorStats) {
  const { processed, crashes, processingMs, lastError } = member;
  return {
    num_requests: processed,
    num_errors: crashes,
    last_error: lastError ?? "",
    processing_time: Math.round(processingMs * nanosPerMs),
    average_processing_time: Math.round((processingMs * nanosPerMs) / Math.max(processed, 1)),
    data: {
      waiting: member.waiting,
      highWater: member.highWater,
      dropped: member.dropped,
      deadLetters: member.deadLetters,
      children: member.children.length,
    },
  };
}
