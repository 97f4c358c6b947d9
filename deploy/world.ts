/** The real world of one role: its own connection to NATS, with its own credentials. */

import { inboxPrefix } from "../actors/subjects.ts";
import type { World } from "../runtime/actor.ts";
import type { Log } from "../runtime/log.ts";
import { connectNats, type NatsBus } from "../runtime/nats-bus.ts";
import { realClock, realRandom } from "../runtime/real.ts";
import type { Role } from "./nats/roles.ts";
import type { NatsServer } from "./nats/server.ts";

export interface RoleWorld extends World {
  readonly bus: NatsBus;
  readonly principal: string;
}

/** Where NATS is, and who we are there. */
export type NatsPlace = Pick<NatsServer, "url" | "credentials">;

/** Connections of this process, one a role, closed all at once at the end. */
export class Connections {
  readonly #nats: NatsPlace;
  readonly #log: Log;
  readonly #open = new Map<Role, Promise<RoleWorld>>();
  /** Signing takes its time, and both sides wait only so long: one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(nats: NatsPlace, log: Log) {
    this.#nats = nats;
    this.#log = log;
  }

  worldOf(role: Role): Promise<RoleWorld> {
    const known = this.#open.get(role);
    if (known) return known;
    const opening = this.#turn.then(() => this.#connect(role));
    this.#turn = opening.catch(() => undefined);
    this.#open.set(role, opening);
    return opening;
  }

  async close(): Promise<void> {
    const worlds = await Promise.allSettled(this.#open.values());
    this.#open.clear();
    for (const world of worlds) if (world.status === "fulfilled") await world.value.bus.close();
  }

  async #connect(role: Role): Promise<RoleWorld> {
    const { principal, seed } = this.#nats.credentials(role);
    const log = this.#log.child({ role });
    const bus = await connectNats({
      servers: this.#nats.url,
      name: principal,
      inboxPrefix: inboxPrefix(principal),
      authentication: { nkeySeed: seed },
      log,
    });
    return { clock: realClock, random: realRandom, log, bus, principal };
  }
}
