/**
 * The simulated NATS server and the wires to it, with the ways in which they were seen to fail.
 *
 * Each connection has a wire up and a wire down, and the server handles one frame at a time, as
 * the real one does for each connection: a subscription counts from when it reaches the server,
 * and what one publisher sends reaches a subscriber in order. Faults are methods; every one of
 * them happens to a real nats-server too (`test/integration/bus.test.ts`).
 */

import type { Headers } from "../bus.ts";
import { assert, assertNever } from "../errors.ts";
import { subjectMatches } from "../subject.ts";
import { createInterest } from "./interest.ts";
import type { Latency, Pipe } from "./pipe.ts";
import { createPipe } from "./pipe.ts";
import type { SimWorld } from "./world.ts";

export interface SimNetwork {
  readonly world: SimWorld;
  /** Chances in [0, 1] that may be changed at any time; all 0 at first. */
  readonly faults: { duplicateRequest: number };
  readonly wires: readonly Wire[];
  readonly subscriptions: number;
  attach(options: WireOptions): Wire;
  /** Breaks a connection, which comes back no sooner than after `forMs`. */
  cut(name: string, options?: { forMs?: number }): void;
  /** Delivers nothing to a connection until `resume`; the server keeps it up to its limit. */
  stall(name: string): void;
  resume(name: string): void;
  /**
   * Nothing passes in either direction, and nobody is told. Healed in time everything arrives
   * late; after `staleMs` both ends give the connection up, and what was under way is lost.
   */
  partition(name: string, options: { forMs: number }): void;
  stopServer(): void;
  startServer(): void;
}

export interface NetworkOptions {
  latency?: Latency;
  staleMs?: number;
  /** The server cuts off a connection that lets more than this pile up. */
  maxPendingBytes?: number;
}

export interface WireOptions {
  name: string;
  permissions?: Permissions;
  onFrame: (frame: DownFrame) => void;
  /** The connection is gone; `attach` gave a wire that may be opened again. */
  onLost: () => void;
}

/** As the server's configuration has them; what is absent is allowed. */
export interface Permissions {
  publish?: Allowance;
  subscribe?: Allowance;
  /** Lets a connection answer a request that it received, though it may not publish there. */
  allowResponses?: { max: number; expiresMs: number };
}

export interface Allowance {
  allow?: readonly string[];
  deny?: readonly string[];
}

export interface Wire {
  readonly name: string;
  readonly up: boolean;
  /** False when the server cannot be reached now. */
  open(): boolean;
  /** Lost in silence when the connection is down. */
  send(frame: UpFrame): void;
  /** Ends the connection for good; with `abrupt` also what is still under way. */
  detach(options?: { abrupt?: boolean }): void;
}

export interface Published {
  subject: string;
  reply: string | undefined;
  headers: Headers;
  data: Uint8Array;
}

export type UpFrame =
  | { type: "subscribe"; sid: number; subject: string; queue: string | undefined }
  | { type: "unsubscribe"; sid: number }
  | { type: "publish"; message: Published }
  | { type: "ping" }
  | { type: "bye" };

export type DownFrame =
  | { type: "message"; sid: number; message: Published }
  | { type: "pong" }
  | { type: "refused"; operation: "publish"; subject: string }
  | { type: "refused"; operation: "subscribe"; sid: number; subject: string };

interface Connection {
  readonly options: WireOptions;
  readonly subscriptions: Map<number, Interested>;
  /** Reply subjects that it may answer once more, until when. */
  readonly answerable: Map<string, { left: number; until: number }>;
  readonly toServer: Pipe<UpFrame>;
  readonly toClient: Pipe<DownFrame>;
  up: boolean;
  blockedUntil: number;
}

interface Interested {
  readonly connection: Connection;
  readonly sid: number;
  readonly subject: string;
  readonly queue: string | undefined;
}

export function createNetwork(world: SimWorld, options: NetworkOptions = {}): SimNetwork {
  const { latency = { minMs: 0.05, maxMs: 2 } } = options;
  const { staleMs = 15_000, maxPendingBytes = 64 * 1024 * 1024 } = options;
  const random = world.random.fork("network");
  const faults = { duplicateRequest: 0 };
  const connections = new Map<Wire, Connection>();
  const interest = createInterest<Interested>();
  let serverUp = true;

  function attach(wireOptions: WireOptions): Wire {
    const wires = random.fork(`${wireOptions.name}-${connections.size}`);
    const connection: Connection = {
      options: wireOptions,
      subscriptions: new Map(),
      answerable: new Map(),
      up: false,
      blockedUntil: 0,
      toServer: createPipe<UpFrame>({
        world,
        random: wires.fork("up"),
        latency,
        deliver: (frame) => handle(connection, frame),
        internal: true,
      }),
      toClient: createPipe<DownFrame>({
        world,
        random: wires.fork("down"),
        latency,
        deliver: wireOptions.onFrame,
        internal: false,
      }),
    };
    const wire: Wire = {
      name: wireOptions.name,
      get up() {
        return connection.up;
      },
      open() {
        if (!serverUp || world.clock.monotonic() < connection.blockedUntil) return false;
        connection.up = true;
        return true;
      },
      send(frame) {
        if (connection.up) connection.toServer.send(frame, sizeOf(frame));
      },
      detach({ abrupt = false } = {}) {
        connections.delete(wire);
        if (abrupt) forget(connection);
        else wire.send({ type: "bye" });
      },
    };
    connections.set(wire, connection);
    return wire;
  }

  /** What the server does when a connection is gone, for whatever reason. */
  function forget(connection: Connection): void {
    connection.up = false;
    connection.toServer.clear();
    connection.toClient.clear();
    connection.answerable.clear();
    for (const subscription of connection.subscriptions.values()) {
      interest.remove(subscription.subject, subscription);
    }
    connection.subscriptions.clear();
  }

  function lose(connection: Connection, blockedForMs: number): void {
    const until = world.clock.monotonic() + blockedForMs;
    connection.blockedUntil = Math.max(connection.blockedUntil, until);
    if (!connection.up) return;
    forget(connection);
    world.trace.record(`lost ${connection.options.name}`);
    connection.options.onLost();
  }

  function handle(connection: Connection, frame: UpFrame): void {
    switch (frame.type) {
      case "subscribe":
        subscribe(connection, frame);
        break;
      case "unsubscribe":
        unsubscribe(connection, frame.sid);
        break;
      case "publish":
        publish(connection, frame.message);
        break;
      case "ping":
        down(connection, { type: "pong" });
        break;
      case "bye":
        forget(connection);
        break;
      default:
        assertNever(frame);
    }
  }

  function publish(connection: Connection, message: Published): void {
    const { subject, reply } = message;
    if (!mayPublish(connection, subject)) {
      down(connection, { type: "refused", operation: "publish", subject });
      return;
    }
    route(connection, message);
    if (reply && random.next() < faults.duplicateRequest) route(connection, message);
  }

  function subscribe(
    connection: Connection,
    { sid, subject, queue }: { sid: number; subject: string; queue: string | undefined },
  ): void {
    if (!allows(connection.options.permissions?.subscribe, subject)) {
      down(connection, { type: "refused", operation: "subscribe", sid, subject });
      return;
    }
    const subscription = { connection, sid, subject, queue };
    connection.subscriptions.set(sid, subscription);
    interest.add(subject, subscription);
  }

  function unsubscribe(connection: Connection, sid: number): void {
    const subscription = connection.subscriptions.get(sid);
    if (subscription) interest.remove(subscription.subject, subscription);
    connection.subscriptions.delete(sid);
  }

  function route(from: Connection, message: Published): void {
    const groups = new Map<string, Interested[]>();
    const receivers: Interested[] = [];
    for (const subscription of interest.match(message.subject)) {
      if (subscription.queue === undefined) receivers.push(subscription);
      else {
        const group = groups.get(subscription.queue);
        if (group) group.push(subscription);
        else groups.set(subscription.queue, [subscription]);
      }
    }
    for (const group of groups.values()) {
      const chosen = group[random.int(group.length)];
      if (chosen) receivers.push(chosen);
    }
    for (const receiver of receivers) deliver(receiver, message);
    if (receivers.length === 0 && message.reply) refuseForWantOfResponders(from, message.reply);
  }

  function deliver({ connection, sid }: Interested, message: Published): void {
    const { permissions } = connection.options;
    if (permissions?.allowResponses && message.reply) {
      const { max, expiresMs } = permissions.allowResponses;
      const until = world.clock.monotonic() + expiresMs;
      connection.answerable.set(message.reply, { left: max, until });
    }
    down(connection, { type: "message", sid, message });
  }

  /** The server answers in the place of nobody, and only to the one who asked. */
  function refuseForWantOfResponders(from: Connection, reply: string): void {
    const asked = [...from.subscriptions.values()];
    const inbox = asked.find(({ subject }) => subjectMatches(subject, reply));
    if (!inbox) return;
    const headers = { Status: "503" };
    const message = { subject: reply, reply: undefined, headers, data: new Uint8Array() };
    down(from, { type: "message", sid: inbox.sid, message });
  }

  function mayPublish(connection: Connection, subject: string): boolean {
    if (allows(connection.options.permissions?.publish, subject)) return true;
    const answer = connection.answerable.get(subject);
    if (!answer || answer.left === 0 || world.clock.monotonic() > answer.until) return false;
    if (--answer.left === 0) connection.answerable.delete(subject);
    return true;
  }

  function down(connection: Connection, frame: DownFrame): void {
    if (!connection.up) return;
    connection.toClient.send(frame, sizeOf(frame));
    // The server does not wait for a slow consumer: it cuts it off, and what was kept is lost.
    if (connection.toClient.pendingBytes > maxPendingBytes) {
      world.schedule(0, () => lose(connection, 0));
    }
  }

  function named(name: string): Connection[] {
    const found = [...connections].filter(([wire]) => wire.name === name);
    assert(found.length > 0, `No connection is called ${name}`);
    return found.map(([, connection]) => connection);
  }

  return {
    world,
    faults,
    get wires() {
      return [...connections.keys()];
    },
    get subscriptions() {
      return interest.size;
    },
    attach,
    cut(name, { forMs = 0 } = {}) {
      for (const connection of named(name)) lose(connection, forMs);
    },
    stall(name) {
      for (const connection of named(name)) connection.toClient.stall();
    },
    resume(name) {
      // Its process may have died in the meantime.
      for (const [wire, connection] of connections) {
        if (wire.name === name) connection.toClient.resume();
      }
    },
    partition(name, { forMs }) {
      for (const connection of named(name)) {
        const heals = world.clock.monotonic() + forMs;
        connection.blockedUntil = Math.max(connection.blockedUntil, heals);
        connection.toServer.stall();
        connection.toClient.stall();
        world.schedule(Math.min(forMs, staleMs), () => {
          if (forMs > staleMs) lose(connection, 0);
          connection.toServer.resume();
          connection.toClient.resume();
        });
      }
    },
    stopServer() {
      serverUp = false;
      for (const connection of [...connections.values()]) lose(connection, 0);
    },
    startServer() {
      serverUp = true;
    },
  };
}

function allows(allowance: Allowance | undefined, subject: string): boolean {
  const covers = (pattern: string): boolean => subjectMatches(pattern, subject);
  if (allowance?.deny?.some(covers)) return false;
  return allowance?.allow === undefined || allowance.allow.some(covers);
}

function sizeOf(frame: UpFrame | DownFrame): number {
  return frame.type === "publish" || frame.type === "message" ? 64 + frame.message.data.length : 16;
}
