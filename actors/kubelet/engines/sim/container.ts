/** One simulated container: its states, and what it answers while it pretends to run. */

import type { Clock, Timer } from "../../../../runtime/clock.ts";
import {
  type ContainerConfig,
  type ContainerState,
  EngineError,
  type ExecOptions,
  type ExecSession,
  type LogChunk,
  type LogOptions,
  type LogStream,
} from "../../engine.ts";

export interface SimBehavior {
  /** Exits by itself, this long after its start. */
  exitAfterMs?: number;
  exitCode?: number;
  oomKilled?: boolean;
  /** The runtime refuses to start it, with this message. */
  startError?: string;
  /** What it has written to stdout, in lines. */
  output?: string[];
  /** SIGTERM is answered this late; default at once. */
  stopAfterMs?: number;
  /** Exit codes of exec'ed commands, by their text. */
  exec?: Record<string, number>;
}

export const simAnnotation = (container: string): string => `sim.wherry.io/${container}`;

export interface SimContainerArgs {
  id: string;
  sandbox: string;
  config: ContainerConfig;
  imageID: string;
  /** JSON of a SimBehavior. */
  behavior: string | undefined;
  clock: Clock;
  tell(action: "start" | "die"): void;
}

export class SimContainer {
  readonly #clock: Clock;
  readonly #behavior: SimBehavior;
  readonly #tell: SimContainerArgs["tell"];
  #state: ContainerState;
  #output: { time: number; line: string }[] = [];
  #exit: Timer | undefined;
  #ended: (() => void)[] = [];

  constructor({ id, sandbox, config, imageID, behavior, clock, tell }: SimContainerArgs) {
    this.#clock = clock;
    this.#behavior = parseBehavior(behavior);
    this.#tell = tell;
    const { name, attempt, image, labels, annotations } = config;
    this.#state = {
      id,
      sandbox,
      name,
      attempt,
      image,
      imageID,
      status: "created",
      createdAt: clock.now(),
      startedAt: 0,
      finishedAt: 0,
      exitCode: 0,
      reason: "",
      message: "",
      labels,
      annotations,
    };
  }

  get state(): ContainerState {
    return this.#state;
  }

  get isRunning(): boolean {
    return this.#state.status === "running";
  }

  start(): void {
    if (this.isRunning) return;
    const { startError, output = [], exitAfterMs, exitCode = 0, oomKilled } = this.#behavior;
    const now = this.#clock.now();
    if (startError !== undefined) {
      const failed = { exitCode: 127, reason: "ContainerCannotRun", message: startError };
      this.#state = { ...this.#state, ...failed, status: "exited", finishedAt: now };
      throw new EngineError("start-failed", startError, { exitCode: 127 });
    }
    this.#state = { ...this.#state, status: "running", startedAt: now };
    this.#output = output.map((line) => ({ time: now, line }));
    if (exitAfterMs !== undefined) {
      const code = oomKilled ? 137 : exitCode;
      const reason = oomKilled ? "OOMKilled" : code === 0 ? "Completed" : "Error";
      this.#exit = this.#clock.setTimer(exitAfterMs, () => this.exited(code, reason));
    }
    this.#tell("start");
  }

  async stop(graceSeconds: number): Promise<void> {
    if (!this.isRunning) return;
    const late = this.#behavior.stopAfterMs ?? 0;
    const graceMs = graceSeconds * 1000;
    // A second stop with less grace may end it before.
    const waitMs = Math.min(late, graceMs);
    if (waitMs > 0) await Promise.race([this.#clock.sleep(waitMs), this.#untilEnd().promise]);
    const obeyed = late <= graceMs && graceMs > 0;
    this.exited(obeyed ? 143 : 137, "Error");
  }

  /** Ends it, if it runs. */
  exited(exitCode: number, reason: string): void {
    if (!this.isRunning) return;
    this.#exit?.dispose();
    const finishedAt = this.#clock.now();
    this.#state = { ...this.#state, status: "exited", finishedAt, exitCode, reason };
    for (const ended of this.#ended.splice(0)) ended();
    this.#tell("die");
  }

  logs(options: LogOptions): LogStream {
    const since = options.sinceMs ?? 0;
    const recent = this.#output.filter(({ time }) => time >= since);
    const count = options.tailLines ?? recent.length;
    const lines = count > 0 ? recent.slice(-count) : [];
    const chunks = lines.map(({ time, line }): LogChunk => {
      const stamp = options.timestamps ? `${new Date(time).toISOString()} ` : "";
      return { stream: "stdout", data: new TextEncoder().encode(`${stamp}${line}\n`) };
    });
    const end = options.follow ? this.#untilEnd() : undefined;
    return {
      async *[Symbol.asyncIterator]() {
        yield* chunks;
        await end?.promise;
      },
      close: () => end?.resolve(),
    };
  }

  exec({ command }: ExecOptions): ExecSession {
    const text = command.join(" ");
    if (!this.isRunning) {
      throw new EngineError("failed", `Container ${this.#state.id} is not running`);
    }
    const data = new TextEncoder().encode(`${text}\n`);
    return session([{ stream: "stdout", data }], this.#behavior.exec?.[text] ?? 0);
  }

  attach(): ExecSession {
    const end = this.#untilEnd();
    return {
      ...session([], 0, end.promise),
      exitCode: async () => {
        await end.promise;
        return this.#state.exitCode;
      },
      close: () => end.resolve(),
    };
  }

  #untilEnd(): { promise: Promise<void>; resolve: () => void } {
    let resolve = (): void => {};
    const promise = new Promise<void>((done) => {
      resolve = done;
    });
    if (this.isRunning) this.#ended.push(resolve);
    else resolve();
    return { promise, resolve };
  }
}

function parseBehavior(json: string | undefined): SimBehavior {
  if (json === undefined) return {};
  try {
    return JSON.parse(json) as SimBehavior;
  } catch (error) {
    throw new EngineError("failed", `not a simulated behaviour: ${json}`, { cause: error });
  }
}

function session(output: LogChunk[], exitCode: number, end?: Promise<void>): ExecSession {
  return {
    output: (async function* () {
      yield* output;
      await end;
    })(),
    write: async () => {},
    endInput: () => {},
    resize: async () => {},
    exitCode: async () => exitCode,
    close: () => {},
  };
}
