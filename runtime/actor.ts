import type { Bus } from "./bus.ts";
import type { Clock, Timer } from "./clock.ts";
import type { Log } from "./log.ts";
import type { Random } from "./random.ts";

/**
 * What an actor is: a name, a mailbox read one message at a time, a supervisor, and a context
 * that is its whole world. `runtime/supervisor.ts` runs definitions; nothing else does.
 */
export interface ActorDefinition<M, A = void> {
  /** Kebab-case; the address of an instance is `<parent>/<name>` or what `spawn` was told. */
  readonly name: string;
  /**
   * Builds the state of one incarnation. Called again, with the same arguments, after a crash:
   * whatever must survive lives in the store.
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

export interface Context<M> extends World {
  readonly name: string;
  readonly self: Ref<M>;
  /** Aborts when this incarnation stops or crashes. */
  readonly signal: AbortSignal;
  /** Delivers `message` to this mailbox after `delayMs`; dies with the incarnation. */
  after(delayMs: number, message: M): Timer;
  /** Runs when this incarnation ends, newest first, however it ends. */
  onEnd(release: () => void | Promise<void>): void;
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
  /** Stops children first, then the actor; resolves when all of it is gone. */
  stop(): Promise<void>;
}
