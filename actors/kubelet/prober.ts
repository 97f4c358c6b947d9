/**
 * Probes of one container: startup first, then readiness and liveness, each on its own period.
 * Thresholds, first values and messages as k8s:pkg/kubelet/prober/{worker,prober}.go.
 */

import type { Container, Probe } from "../../manifests/index.ts";
import type { Clock, Timer } from "../../runtime/clock.ts";
import { errorMessage } from "../../runtime/errors.ts";
import type { Dialer } from "./dialer.ts";
import { type ContainerState, type Engine, EngineError } from "./engine.ts";

export type ProbeKind = "startup" | "readiness" | "liveness";

export interface ProbeResult {
  ready: boolean | undefined;
  started: boolean | undefined;
  /** Set for good once the container has to be killed. */
  unhealthy: ProbeKind | undefined;
}

export interface ProbeWorld {
  clock: Clock;
  engine: Engine;
  dialer: Dialer;
}

export interface ProbeTarget {
  container: Container;
  state: ContainerState;
  podIP: string;
  /** What was reported of this very container before the kubelet was started again. */
  known?: { ready: boolean; started: boolean };
}

export interface ProbeListener {
  /** A verdict changed: look at `result` again. */
  onChange(): void;
  /** One attempt failed, whether or not a threshold is reached. */
  onFailure(kind: ProbeKind, message: string): void;
}

interface Series {
  kind: ProbeKind;
  probe: Probe;
  verdict: boolean | undefined;
  streak: { success: boolean; length: number };
}

export class Prober {
  readonly result: ProbeResult;
  readonly #world: ProbeWorld;
  readonly #target: ProbeTarget;
  readonly #listener: ProbeListener;
  readonly #timers = new Set<Timer>();
  #stopped = false;

  constructor(world: ProbeWorld, target: ProbeTarget, listener: ProbeListener) {
    this.#world = world;
    this.#target = target;
    this.#listener = listener;
    const { startupProbe, readinessProbe } = target.container;
    const started = !startupProbe || (target.known?.started ?? false);
    const ready = readinessProbe ? (target.known?.ready ?? false) : undefined;
    this.result = { started, ready, unhealthy: undefined };
    if (startupProbe && !started) this.#begin("startup", startupProbe);
    else this.#beginOthers();
  }

  static isNeeded({ startupProbe, readinessProbe, livenessProbe }: Container): boolean {
    return Boolean(startupProbe ?? readinessProbe ?? livenessProbe);
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) timer.dispose();
    this.#timers.clear();
  }

  #beginOthers(): void {
    const { readinessProbe, livenessProbe } = this.#target.container;
    if (readinessProbe) this.#begin("readiness", readinessProbe);
    if (livenessProbe) this.#begin("liveness", livenessProbe);
  }

  #begin(kind: ProbeKind, probe: Probe): void {
    const series: Series = {
      kind,
      probe,
      verdict: kind === "liveness" ? true : undefined,
      streak: { success: false, length: 0 },
    };
    const delayMs = (probe.initialDelaySeconds ?? 0) * 1000;
    const ranMs = this.#world.clock.now() - this.#target.state.startedAt;
    this.#after(Math.max(0, delayMs - ranMs), series);
  }

  #after(delayMs: number, series: Series): void {
    if (this.#stopped) return;
    const timer = this.#world.clock.setTimer(delayMs, () => {
      this.#timers.delete(timer);
      void this.#attempt(series);
    });
    this.#timers.add(timer);
  }

  async #attempt(series: Series): Promise<void> {
    const startedAt = this.#world.clock.monotonic();
    const outcome = await probeOnce(this.#world, this.#target, series.probe);
    if (this.#stopped) return;
    const { failure } = outcome;
    if (failure !== undefined) this.#listener.onFailure(series.kind, failure);
    const goesOn = !outcome.known || this.#count(series, failure === undefined);
    const tookMs = this.#world.clock.monotonic() - startedAt;
    const periodMs = (series.probe.periodSeconds ?? 10) * 1000;
    if (goesOn) this.#after(Math.max(0, periodMs - tookMs), series);
  }

  /** False when this series has said its last word. */
  #count(series: Series, success: boolean): boolean {
    const { streak, probe, kind } = series;
    streak.length = streak.success === success ? streak.length + 1 : 1;
    streak.success = success;
    const threshold = success ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3);
    if (streak.length < threshold || series.verdict === success) return true;
    series.verdict = success;
    if (kind === "readiness") this.result.ready = success;
    else if (!success) this.result.unhealthy = kind;
    else if (kind === "startup") {
      this.result.started = true;
      this.#beginOthers();
    }
    this.#listener.onChange();
    return kind === "readiness" || (kind === "liveness" && success);
  }
}

/** `failure`: what went wrong. Not `known`: the probe itself could not be made, which counts for nothing. */
interface Outcome {
  known: boolean;
  failure?: string;
}

async function probeOnce(world: ProbeWorld, target: ProbeTarget, probe: Probe): Promise<Outcome> {
  try {
    return { known: true, failure: await makeProbe(world, target, probe) };
  } catch (error) {
    // An engine that is away says nothing about the container; to kill it for that would be wrong.
    if (error instanceof EngineError) return { known: false };
    return { known: true, failure: errorMessage(error) };
  }
}

/** Undefined when the probe succeeds; throws when there is no answer. */
async function makeProbe(
  world: ProbeWorld,
  target: ProbeTarget,
  probe: Probe,
): Promise<string | undefined> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
  if (probe.exec) return probeExec(world, target, probe.exec.command ?? [], timeoutMs);
  if (probe.httpGet) return probeHttp(world, target, probe.httpGet, timeoutMs);
  if (probe.tcpSocket) {
    const { host, port } = probe.tcpSocket;
    const number = portNumber(target.container, port);
    const dialed = await world.dialer.connect(host || target.podIP, number, timeoutMs);
    dialed.close();
  }
  return undefined;
}

async function probeHttp(
  { dialer }: ProbeWorld,
  target: ProbeTarget,
  get: NonNullable<Probe["httpGet"]>,
  timeoutMs: number,
): Promise<string | undefined> {
  const path = get.path || "/";
  const answer = await dialer.httpGet(
    {
      scheme: get.scheme === "HTTPS" ? "https" : "http",
      host: get.host || target.podIP,
      port: portNumber(target.container, get.port),
      path: path.startsWith("/") ? path : `/${path}`,
      headers: (get.httpHeaders ?? []).map(({ name, value }) => [name, value]),
    },
    timeoutMs,
  );
  const isSuccess = answer.status >= 200 && answer.status < 400;
  return isSuccess ? undefined : `HTTP probe failed with statuscode: ${answer.status}`;
}

async function probeExec(
  { engine, clock }: ProbeWorld,
  { state }: ProbeTarget,
  command: string[],
  timeoutMs: number,
): Promise<string | undefined> {
  const session = await engine.exec(state.id, { command, stdin: false, tty: false });
  const timedOut = `command timed out after ${timeoutMs / 1000}s`;
  let text = "";
  let timer: Timer | undefined;
  const run = async (): Promise<string | undefined> => {
    const decoder = new TextDecoder();
    for await (const { data } of session.output) {
      if (text.length < 10_240) text += decoder.decode(data, { stream: true });
    }
    const exitCode = await session.exitCode();
    return exitCode === 0 ? undefined : text.trim() || `command exited with code ${exitCode}`;
  };
  const deadline = new Promise<string>((resolve) => {
    timer = clock.setTimer(timeoutMs, () => resolve(timedOut));
  });
  try {
    return await Promise.race([run(), deadline]);
  } finally {
    timer?.dispose();
    session.close();
  }
}

function portNumber(container: Container, port: number | string): number {
  const named = container.ports?.find(({ name }) => name === port)?.containerPort;
  const number = named ?? Number(port);
  if (!(number > 0 && number < 65_536)) throw new Error(`invalid port number: ${port}`);
  return number;
}
