/**
 * Runs actors: starts them, feeds them their messages one at a time, and restarts what crashes.
 *
 * The semantics are stated in `runtime/actor.ts`. Everything here goes through the `World` that
 * it is given, so that it runs in the simulator unchanged. A crash of this file's own code is a
 * bug of the runtime and takes the process down.
 */

import type { ActorDefinition, Behavior, Context, Ref, SpawnOptions, World } from "./actor.ts";
import type { Bus } from "./bus.ts";
import { assert, errorMessage } from "./errors.ts";
import type { Incarnation } from "./incarnation.ts";
import { createIncarnation } from "./incarnation.ts";
import type { Envelope } from "./mailbox.ts";
import { createMailbox } from "./mailbox.ts";
import { encodeToken } from "./token.ts";

export interface System {
  spawn<M, A>(definition: ActorDefinition<M, A>, args: A, options?: SpawnOptions): Ref<M>;
  /** Stops all actors, newest first. */
  stop(): Promise<void>;
  /** As the process dies: see `runtime/actor.ts`. */
  kill(): void;
  /** Of the actors at the root, each with its children. */
  stats(): ActorStats[];
}

export interface SystemOptions {
  /**
   * A root actor crashed too often, or was told to escalate. The process should end then. By
   * default the actor goes on restarting, every 30 s, and says so at level error.
   */
  onEscalate?: (actor: string, error: Error) => void;
}

export interface ActorStats {
  /** From the root down. */
  readonly path: string;
  readonly definition: string;
  readonly phase: ActorPhase;
  readonly processed: number;
  /** Messages told after the stop. */
  readonly dropped: number;
  readonly crashes: number;
  readonly deadLetters: number;
  readonly waiting: number;
  readonly highWater: number;
  readonly processingMs: number;
  /** When it was spawned. */
  readonly since: number;
  readonly lastError: string | undefined;
  readonly children: readonly ActorStats[];
}

export type ActorPhase = "starting" | "running" | "backing-off" | "stopping" | "stopped";

/** Restarts wait this long, doubling, until an incarnation has lived for `healthyMs`. */
export const restartPolicy = {
  firstBackoffMs: 100,
  maxBackoffMs: 30_000,
  healthyMs: 60_000,
  /** More crashes than this within `intensityMs` and the parent is asked: it crashes too. */
  intensity: 8,
  intensityMs: 60_000,
} as const;

/**
 * wherry.dead.<principal>.<actor>: who crashed twice over which message, for a person to look at.
 * The principal is the connection's own, as in its inbox: nobody reports in another's name.
 */
export function deadLetterSubject(bus: Bus, actor: string): string {
  const [, principal] = bus.inbox().split(".");
  return `wherry.dead.${principal}.${encodeToken(actor)}`;
}

/** An actor that never waits lets others run after so many messages. */
const messagesInOneGo = 1_000;

export function createSystem(world: World, options: SystemOptions = {}): System {
  const children = new Children();
  const root: Parent = {
    onGone: (cell) => children.remove(cell),
    escalate(cell, error) {
      if (!options.onEscalate) return false;
      options.onEscalate(cell.name, error);
      return true;
    },
  };
  return {
    spawn: (definition, args, spawnOptions) =>
      children.spawn({ definition, args, options: spawnOptions, world, parent: root, prefix: "" }),
    stop: () => children.stop(),
    kill: () => children.kill(),
    stats: () => children.stats(),
  };
}

interface Parent {
  onGone(cell: AnyCell): void;
  /** False when the parent will not take over: then the child goes on by itself. */
  escalate(cell: AnyCell, error: Error): boolean;
}

interface Birth<M, A> {
  definition: ActorDefinition<M, A>;
  args: A;
  options: SpawnOptions | undefined;
  world: World;
  parent: Parent;
  prefix: string;
}

/** What a set of siblings needs of each of them, whatever messages it takes. */
interface AnyCell {
  readonly name: string;
  stop(): Promise<void>;
  kill(): void;
  stats(): ActorStats;
}

/** The living children of one parent, by path, in order of birth. */
class Children {
  readonly #cells = new Map<string, AnyCell>();
  #closed = false;

  spawn<M, A>(birth: Birth<M, A>): Ref<M> {
    const path = `${birth.prefix}${birth.options?.name ?? birth.definition.name}`;
    assert(!this.#closed, `No actor ${path} can be spawned: its parent has ended`);
    assert(!this.#cells.has(path), `There is an actor called ${path} already`);
    const cell = new Cell(path, birth);
    this.#cells.set(path, cell);
    return cell;
  }

  remove(cell: AnyCell): void {
    if (this.#cells.get(cell.name) === cell) this.#cells.delete(cell.name);
  }

  /** Newest first and one after the other: the younger may stand on the older. */
  async stop(): Promise<void> {
    this.#closed = true;
    for (const cell of [...this.#cells.values()].reverse()) await cell.stop();
  }

  kill(): void {
    this.#closed = true;
    for (const cell of this.#cells.values()) cell.kill();
  }

  stats(): ActorStats[] {
    return [...this.#cells.values()].map((cell) => cell.stats());
  }
}

/** One actor through all its incarnations. */
class Cell<M, A> implements Ref<M>, AnyCell {
  readonly name: string;
  readonly #definition: ActorDefinition<M, A>;
  readonly #args: A;
  readonly #onCrash: NonNullable<SpawnOptions["onCrash"]>;
  readonly #parent: Parent;
  readonly #world: World;
  /** As the process has it: what children are born into. */
  readonly #given: World;
  readonly #since: number;
  readonly #mailbox = createMailbox<M>();
  readonly #gone: Promise<void>;
  /** Ends the wait for the next incarnation. */
  readonly #stopping = new AbortController();
  #phase: ActorPhase = "starting";
  #killed = false;
  #life: Incarnation | undefined;
  #children = new Children();
  #incarnations = 0;
  #backoffMs: number = restartPolicy.firstBackoffMs;
  #recentCrashes: number[] = [];
  #counts = { processed: 0, dropped: 0, crashes: 0, deadLetters: 0, processingMs: 0 };
  #lastError: string | undefined;

  constructor(path: string, { definition, args, options, world, parent }: Birth<M, A>) {
    const given = { ...world, ...options?.world };
    this.name = path;
    this.#given = given;
    this.#definition = definition;
    this.#args = args;
    this.#onCrash = options?.onCrash ?? "restart";
    this.#parent = parent;
    this.#world = { ...given, log: given.log.child({ actor: path }) };
    this.#since = given.clock.now();
    this.#gone = this.#run();
  }

  tell(message: M): boolean {
    if (this.#stopping.signal.aborted || this.#phase === "stopped") {
      this.#counts.dropped++;
      return false;
    }
    this.#mailbox.push(message);
    return true;
  }

  stop(): Promise<void> {
    if (!this.#stopping.signal.aborted) {
      this.#stopping.abort();
      this.#life?.requestStop();
    }
    return this.#gone;
  }

  kill(): void {
    this.#killed = true;
    this.#phase = "stopped";
    this.#children.kill();
    this.#life?.kill();
  }

  stats(): ActorStats {
    return {
      path: this.name,
      definition: this.#definition.name,
      phase: this.#phase,
      ...this.#counts,
      waiting: this.#mailbox.size,
      highWater: this.#mailbox.highWater,
      since: this.#since,
      lastError: this.#lastError,
      children: this.#children.stats(),
    };
  }

  async #run(): Promise<void> {
    // Whoever spawned the actor gets its reference before the actor does anything with it.
    await Promise.resolve();
    while (!this.#stopping.signal.aborted && !this.#killed) {
      const failure = await this.#live();
      if (!failure || !(await this.#mayLiveAgain(failure))) break;
    }
    // A killed actor tells nobody: this promise is never kept.
    if (this.#killed) await new Promise<never>(() => {});
    this.#phase = "stopped";
    this.#counts.dropped += this.#mailbox.clear();
    this.#parent.onGone(this);
  }

  /** One incarnation from its start to its end; returns what it crashed of. */
  async #live(): Promise<Error | undefined> {
    const world = { ...this.#world, random: this.#world.random.fork(this.#nextLifeName()) };
    const life = createIncarnation(world, () => this.#mailbox.wake());
    this.#life = life;
    this.#children = new Children();
    this.#phase = "starting";
    const bornAt = world.clock.monotonic();
    const behavior = await this.#start(life, world);
    if (behavior) await this.#receiveAll(life, behavior);
    if (this.#killed) return undefined;
    if (this.#stopping.signal.aborted) this.#phase = "stopping";
    await this.#children.stop();
    if (behavior && !life.failure) await this.#stopHook(life, behavior);
    await life.release();
    if (world.clock.monotonic() - bornAt >= restartPolicy.healthyMs) {
      this.#backoffMs = restartPolicy.firstBackoffMs;
    }
    return life.failure;
  }

  #nextLifeName(): string {
    return `${this.name}#${++this.#incarnations}`;
  }

  async #start(life: Incarnation, world: World): Promise<Behavior<M> | undefined> {
    try {
      const started = this.#definition.start(this.#context(life, world), this.#args);
      const behavior = started instanceof Promise ? await life.settle(started) : started;
      this.#phase = "running";
      return behavior;
    } catch (error) {
      life.fail(error);
      return undefined;
    }
  }

  #context(life: Incarnation, world: World): Context<M> {
    const { name } = this;
    const children = this.#children;
    const parent: Parent = {
      onGone: (cell) => children.remove(cell),
      escalate(cell, error) {
        life.fail(new Error(`Its child ${cell.name} failed: ${error.message}`, { cause: error }));
        return true;
      },
    };
    return {
      name,
      self: this,
      clock: life.clock,
      random: world.random,
      log: world.log,
      bus: life.bus,
      signal: life.signal,
      after: (delayMs, message) => life.clock.setTimer(delayMs, () => void this.tell(message)),
      onEnd: (release) => life.onEnd(release),
      fail: (error) => life.fail(error),
      spawn: (definition, args, options) =>
        children.spawn({
          definition,
          args,
          options,
          world: { ...this.#given, random: world.random },
          parent,
          prefix: `${name}/`,
        }),
    };
  }

  async #receiveAll(life: Incarnation, behavior: Behavior<M>): Promise<void> {
    let inOneGo = 0;
    while (!life.over && !this.#killed) {
      const envelope = this.#mailbox.take();
      if (!envelope) {
        await this.#mailbox.wait();
        inOneGo = 0;
        continue;
      }
      await this.#receive(life, behavior, envelope);
      if (++inOneGo % messagesInOneGo === 0) await this.#world.clock.sleep(1);
    }
  }

  async #receive(life: Incarnation, behavior: Behavior<M>, envelope: Envelope<M>): Promise<void> {
    const { clock } = this.#world;
    const begun = clock.monotonic();
    try {
      const done = behavior.receive(envelope.message);
      if (done instanceof Promise) await life.settle(done);
      this.#counts.processed++;
    } catch (error) {
      // Interrupted by a stop, or by a crash elsewhere in the actor, it is not to blame.
      if (life.over) {
        if (life.failure) this.#mailbox.unshift(envelope);
        return;
      }
      this.#blame(envelope, error);
      life.fail(error);
    } finally {
      this.#counts.processingMs += clock.monotonic() - begun;
    }
  }

  /** Once may be the world's fault; twice in a row over the same message is the message's. */
  #blame(envelope: Envelope<M>, error: unknown): void {
    const crashes = envelope.crashes + 1;
    if (crashes < 2) {
      this.#mailbox.unshift({ message: envelope.message, crashes });
      return;
    }
    this.#counts.deadLetters++;
    const letter = { actor: this.name, error: errorMessage(error), message: envelope.message };
    this.#world.log.error("Gave up on a message", { error });
    const { bus } = this.#world;
    bus.publish(deadLetterSubject(bus, this.name), describeLetter(letter));
  }

  async #stopHook(life: Incarnation, behavior: Behavior<M>): Promise<void> {
    try {
      const done = behavior.stop?.();
      if (done) await life.settle(done);
    } catch (error) {
      this.#world.log.error("Failed to stop cleanly", { error });
    }
  }

  /** After a crash: waits for its turn and says whether there is another life. */
  async #mayLiveAgain(failure: Error): Promise<boolean> {
    const { clock, log } = this.#world;
    this.#counts.crashes++;
    this.#lastError = failure.message;
    if (this.#stopping.signal.aborted) return false;
    if (this.#onCrash === "stop") {
      log.error("Crashed and stays stopped", { error: failure });
      return false;
    }
    if (this.#exceedsIntensity() || this.#onCrash === "escalate") {
      log.error("Crashed and escalates", { error: failure });
      if (this.#parent.escalate(this, failure)) return false;
      this.#backoffMs = restartPolicy.maxBackoffMs;
    }
    const delayMs = this.#backoffMs;
    this.#backoffMs = Math.min(2 * delayMs, restartPolicy.maxBackoffMs);
    log.error("Crashed and restarts", { error: failure, delayMs });
    this.#phase = "backing-off";
    await clock.sleep(delayMs, this.#stopping.signal).catch(() => {});
    return true;
  }

  #exceedsIntensity(): boolean {
    const now = this.#world.clock.monotonic();
    const { intensity, intensityMs } = restartPolicy;
    this.#recentCrashes = this.#recentCrashes.filter((at) => now - at < intensityMs);
    this.#recentCrashes.push(now);
    return this.#recentCrashes.length > intensity;
  }
}

function describeLetter(letter: { actor: string; error: string; message: unknown }): string {
  try {
    return JSON.stringify(letter);
  } catch {
    // What cannot be written down, such as a message with a handle in it, is named at least.
    return JSON.stringify({ ...letter, message: String(letter.message) });
  }
}
