import type { Bus } from "./bus.ts";
import type { Clock, Timer } from "./clock.ts";
import type { Log } from "./log.ts";
import type { Random } from "./random.ts";

/**
 * What an actor is: a name, a mailbox read one message at a time, a supervisor, and a context
 * that is its whole world. `runtime/supervisor.ts` runs definitions; nothing else does.
 *
 * What wins when several things happen at once: kill > stop > supervision > message.
 * - Kill is what becomes of everything when its process dies: no hook runs, nothing is told.
 *   It exists for the simulator, because outside of it the process is really gone.
 * - Stop is planned: the message in hand is finished, those behind it are dropped and counted,
 *   children stop, then `Behavior.stop`, then what `onEnd` was told, newest first.
 * - A crash ends one incarnation like a stop, but without `Behavior.stop`. What is in the mailbox
 *   waits for the next incarnation, which gets the message that crashed once more; when it
 *   crashes again the message is a poison message and goes to the dead letters.
 */
export interface ActorDefinition<M, A = void> {
  /** Kebab-case; the address of an instance is `<parent>/<name>` or what `spawn` was told. */
  readonly name: string;
  /**
   * Builds the state of one incarnation. Called again, with the same arguments, after a crash:
   * whatever must survive lives in the store. Messages wait until its promise is fulfilled.
   */
  start(ctx: Context<M>, args: A): Behavior<M> | Promise<Behavior<M>>;
}

export interface Behavior<M> {
  /** Handles one message; the next one waits for its promise. A throw crashes the actor. */
  receive(message: M): void | Promise<void>;
  /** Planned stop only: gives back what others wait for, such as leases. */
  stop?(): void | Promise<void>;
}

export interface World {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly bus: Bus;
}

/**
 * `clock` and `bus` are those of the process, held to the life of this incarnation: timers and
 * subscriptions end with it, sleeps do not wake after it, and a handler or timer that throws
 * crashes this actor and nobody else. `random` is the actor's own and `log` carries its path.
 */
export interface Context<M> extends World {
  /** The path, from the root down: `kubelet/pod-worker-7`. */
  readonly name: string;
  readonly self: Ref<M>;
  /** Aborts as soon as this incarnation is to stop, or has crashed. */
  readonly signal: AbortSignal;
  /** Delivers `message` to this mailbox after `delayMs`; dies with the incarnation. */
  after(delayMs: number, message: M): Timer;
  /** Runs when this incarnation ends, newest first, however it ends (a killed one does not). */
  onEnd(release: () => void | Promise<void>): void;
  /** Crashes this incarnation: for work in the background that nobody awaits. */
  fail(error: unknown): void;
  spawn<N, B>(definition: ActorDefinition<N, B>, args: B, options?: SpawnOptions): Ref<N>;
}

export interface SpawnOptions {
  /** Defaults to the definition's name; must be unique among the siblings. */
  name?: string;
  /** Default "restart": with backoff, escalating when the restart intensity is exceeded. */
  onCrash?: "restart" | "stop" | "escalate";
  /** Replaces parts of the world, for example the bus of another principal. */
  world?: Partial<World>;
}

export interface Ref<M> {
  readonly name: string;
  /** False when the actor has stopped for good; a message to it is then counted and dropped. */
  tell(message: M): boolean;
  /**
   * Stops children first, then the actor; resolves when all of it is gone. An actor that stops
   * itself must not wait for it: it would wait for the message that it is handling.
   */
  stop(): Promise<void>;
}
