/**
 * A simulated operating-system process: what dies together when it is killed.
 *
 * Its `main` gets a host with a clock, randomness, connections and actor systems of its own.
 * `kill` drops all of it at once: no stop hook runs, timers do not fire, connections break, and
 * promises that wait for either are never kept. Code that is between two awaits of nothing but
 * itself still runs to the next one, as it can only talk to things that are dead; whatever else
 * a process reaches out to (the twin of JetStream, an engine) must look at `alive` or `onKill`.
 */

import type { Bus } from "../bus.ts";
import type { Clock, Timer } from "../clock.ts";
import { sleepOn } from "../clock.ts";
import { assert } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Random } from "../random.ts";
import type { System, SystemOptions } from "../supervisor.ts";
import { createSystem } from "../supervisor.ts";
import { encodeToken } from "../token.ts";
import type { SimBus } from "./bus.ts";
import { createSimBus } from "./bus.ts";
import type { Permissions, SimNetwork } from "./network.ts";

export interface SimProcess {
  readonly name: string;
  readonly running: boolean;
  /** How often it was started. */
  readonly starts: number;
  start(): void;
  /** As kill -9. */
  kill(): void;
  /** As SIGTERM: stops its systems, newest first, closes its connections, then ends. */
  stop(): Promise<void>;
}

/** The machine as one run of a process sees it. */
export interface SimHost {
  readonly name: string;
  readonly alive: boolean;
  /** Its wall clock may be wrong by `skewMs`; its monotonic clock begins with it. */
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly network: SimNetwork;
  connect(options: SimConnectOptions): SimBus;
  system(bus: Bus, options?: SystemOptions): System;
  /** Runs when this run of the process ends, by whatever cause. */
  onKill(drop: () => void): void;
}

export interface SimConnectOptions {
  principal: string;
  permissions?: Permissions;
  /** What faults and traces call it; default the name of the process. */
  name?: string;
}

export interface SimProcessOptions {
  network: SimNetwork;
  name: string;
  /** The process has failed when it throws or rejects; then it is killed. */
  main: (host: SimHost) => void | Promise<void>;
  skewMs?: number;
}

interface Run {
  readonly host: SimHost;
  end(): void;
  stop(): Promise<void>;
}

export function createSimProcess(options: SimProcessOptions): SimProcess {
  const { network, name, main } = options;
  const { world } = network;
  let starts = 0;
  let run: Run | undefined;

  function end(ended: Run): void {
    ended.end();
    if (run === ended) run = undefined;
  }

  return {
    name,
    get running() {
      return run !== undefined;
    },
    get starts() {
      return starts;
    },
    start() {
      assert(!run, `Process ${name} runs already`);
      world.trace.record(`start ${name}`);
      const started = startRun(options, ++starts);
      run = started;
      void (async () => main(started.host))().catch((error: unknown) => {
        if (!started.host.alive) return;
        world.log.error("Process failed", { process: name, error });
        end(started);
      });
    },
    kill() {
      if (!run) return;
      world.trace.record(`kill ${name}`);
      end(run);
    },
    async stop() {
      const stopping = run;
      if (!stopping) return;
      await stopping.stop();
      end(stopping);
    },
  };
}

function startRun({ network, name, skewMs = 0 }: SimProcessOptions, start: number): Run {
  const { world } = network;
  const random = world.random.fork(`process-${name}#${start}`);
  const log = world.log.child({ process: name });
  const { clock, drop: dropTimers } = createProcessClock(network, skewMs);
  const buses: SimBus[] = [];
  const systems: System[] = [];
  const drops: (() => void)[] = [];
  let alive = true;

  const host: SimHost = {
    name,
    get alive() {
      return alive;
    },
    clock,
    random,
    log,
    network,
    connect({ principal, permissions, name: connection = name }) {
      assert(alive, `Process ${name} is dead`);
      const bus = createSimBus(network, {
        name: connection,
        inboxPrefix: `_INBOX.${encodeToken(principal)}`,
        permissions,
        clock,
        random: random.fork(`bus-${principal}-${buses.length}`),
        log,
      });
      buses.push(bus);
      return bus;
    },
    system(bus, systemOptions) {
      assert(alive, `Process ${name} is dead`);
      const system = createSystem({ clock, random, log, bus }, systemOptions);
      systems.push(system);
      return system;
    },
    onKill: (drop) => void drops.push(drop),
  };

  return {
    host,
    end() {
      alive = false;
      for (const system of systems) system.kill();
      for (const bus of buses) bus.kill();
      dropTimers();
      for (const drop of drops.splice(0).reverse()) drop();
    },
    async stop() {
      for (const system of [...systems].reverse()) await system.stop();
      await Promise.all(buses.map((bus) => bus.close()));
    },
  };
}

/** A clock whose timers can all be dropped at once, for ever. */
function createProcessClock(
  { world }: SimNetwork,
  skewMs: number,
): { clock: Clock; drop: () => void } {
  const bornAt = world.clock.monotonic();
  const timers = new Set<Timer>();
  let dropped = false;
  const clock: Clock = {
    now: () => world.clock.now() + skewMs,
    monotonic: () => world.clock.monotonic() - bornAt,
    setTimer(delayMs, fire) {
      if (dropped) return { dispose: () => {} };
      const timer = world.clock.setTimer(delayMs, () => {
        timers.delete(timer);
        fire();
      });
      timers.add(timer);
      return {
        dispose() {
          timers.delete(timer);
          timer.dispose();
        },
      };
    },
    sleep: (delayMs, signal) => sleepOn(clock, delayMs, signal),
  };
  return {
    clock,
    drop() {
      dropped = true;
      for (const timer of timers) timer.dispose();
      timers.clear();
    },
  };
}
