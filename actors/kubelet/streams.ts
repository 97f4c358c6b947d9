/**
 * Answers what API actors ask of a node: logs, exec, attach, port-forward. A request is answered
 * at once, opened or refused; the bytes then flow on a stream of their own, with back-pressure
 * from the client's terminal down to the container. Refusals as k8s:pkg/kubelet/kubelet_pods.go.
 */

import type { Pod } from "../../manifests/index.ts";
import type { Bus, BusMessage, Subscription } from "../../runtime/bus.ts";
import type { Clock } from "../../runtime/clock.ts";
import { errorMessage } from "../../runtime/errors.ts";
import type { Log } from "../../runtime/log.ts";
import { type ByteStream, openStream } from "../../runtime/stream.ts";
import { parseTime } from "../kit/time.ts";
import { nodeSubject, streamSubject } from "../subjects.ts";
import type { Dialer } from "./dialer.ts";
import type { ContainerState, Engine, ExecSession, LogStream } from "./engine.ts";
import {
  type ContainerTarget,
  channels,
  type NodeRequests,
  type NodeVerb,
  type OpenAttach,
  type OpenExec,
  type OpenLog,
  type OpenPortForward,
  type StreamReply,
} from "./messages.ts";
import { liveSandbox, type PodRuntime } from "./runtime-state.ts";
import { containerOf } from "./status.ts";

export interface StreamsWorld {
  bus: Bus;
  clock: Clock;
  log: Log;
  nodeName: string;
  nodeIP: string;
  engine: Engine;
  dialer: Dialer;
  pod(namespace: string, name: string): Pod | undefined;
  /** Asks the engine anew when what is known is not enough. */
  runtime(uid: string): Promise<PodRuntime | undefined>;
}

const dialTimeoutMs = 10_000;

class Refusal extends Error {
  readonly reply: StreamReply;
  constructor(code: number, reason: string, message: string) {
    super(message);
    this.reply = { type: "refused", code, reason, message };
  }
}

type Opener<R> = (
  world: StreamsWorld,
  request: R,
) => Promise<(stream: ByteStream) => Promise<void>>;

const openers: { [V in NodeVerb]: Opener<NodeRequests[V]> } = {
  logs: openLogs,
  exec: openExec,
  attach: openAttach,
  portforward: openPortForward,
};

export function serveStreams(world: StreamsWorld): Subscription {
  const subscriptions = [
    serve(world, "logs", openers.logs),
    serve(world, "exec", openers.exec),
    serve(world, "attach", openers.attach),
    serve(world, "portforward", openers.portforward),
  ];
  return {
    unsubscribe() {
      for (const subscription of subscriptions) subscription.unsubscribe();
    },
  };
}

function serve<V extends NodeVerb>(
  world: StreamsWorld,
  verb: V,
  opener: Opener<NodeRequests[V]>,
): Subscription {
  return world.bus.subscribe(nodeSubject(world.nodeName, verb), (message) => {
    const text = new TextDecoder().decode(message.data);
    void open(world, opener, text, message);
  });
}

async function open<R extends { stream: string }>(
  world: StreamsWorld,
  opener: Opener<R>,
  text: string,
  message: BusMessage,
): Promise<void> {
  const reply = (answer: StreamReply): void => message.respond(JSON.stringify(answer));
  try {
    // API actors alone may publish here, and say what `messages.ts` says.
    const request = JSON.parse(text) as R;
    const run = await opener(world, request);
    reply({ type: "opened" });
    const { bus, clock, nodeName } = world;
    const stream = openStream(bus, clock, {
      send: streamSubject(nodeName, request.stream, "up"),
      receive: streamSubject(nodeName, request.stream, "down"),
    });
    await run(stream).then(
      () => stream.close(),
      (error: unknown) => stream.close(error),
    );
  } catch (error) {
    if (error instanceof Refusal) return reply(error.reply);
    const why = errorMessage(error);
    world.log.debug("Stream failed", { error: why });
    reply({ type: "refused", code: 500, reason: "InternalError", message: why });
  }
}

async function openLogs(
  world: StreamsWorld,
  request: OpenLog,
): Promise<(stream: ByteStream) => Promise<void>> {
  const state = await findContainer(world, request, request.previous ? "previous" : "newest");
  const { sinceSeconds, sinceTime, follow, timestamps, tailLines } = request;
  const now = world.clock.now();
  const sinceMs = sinceSeconds ? now - sinceSeconds * 1000 : parseTime(sinceTime);
  const log = await world.engine.logs(state.id, { follow, timestamps, tailLines, sinceMs });
  return (stream) => sendLog(log, stream, request.limitBytes);
}

async function sendLog(log: LogStream, stream: ByteStream, limit = Infinity): Promise<void> {
  void stream.closed.then(() => log.close());
  let left = limit;
  for await (const { data } of log) {
    const part = data.subarray(0, Math.min(left, data.length));
    left -= part.length;
    await stream.write(channels.stdout, part);
    if (left <= 0) break;
  }
  log.close();
  stream.end(channels.stdout);
}

async function openExec(
  world: StreamsWorld,
  request: OpenExec,
): Promise<(stream: ByteStream) => Promise<void>> {
  const state = await findContainer(world, request, "running");
  const { command, stdin, tty } = request;
  const session = await world.engine.exec(state.id, { command, stdin, tty });
  return async (stream) => {
    const code = await pump(session, stream, request);
    await sendStatus(stream, exitStatus(code));
  };
}

async function openAttach(
  world: StreamsWorld,
  request: OpenAttach,
): Promise<(stream: ByteStream) => Promise<void>> {
  const state = await findContainer(world, request, "running");
  const { stdin, tty } = request;
  const session = await world.engine.attach(state.id, { stdin, tty });
  return async (stream) => {
    await pump(session, stream, request);
    // Whoever attached learns of the end; how the container ended is in the Pod's status.
    await sendStatus(stream, exitStatus(0));
  };
}

/** Copies both ways until the output ends; gives the exit code. */
async function pump(
  session: ExecSession,
  stream: ByteStream,
  wants: Pick<OpenExec, "stdin" | "stdout" | "stderr" | "tty">,
): Promise<number> {
  void stream.closed.then(() => session.close());
  if (wants.stdin) {
    stream.onData(
      channels.stdin,
      // What comes after the command has ended has nobody to read it.
      (data) => session.write(data).catch(() => undefined),
      () => session.endInput(),
    );
  }
  if (wants.tty) stream.onData(channels.resize, (data) => resize(session, data));
  for await (const { stream: name, data } of session.output) {
    const channel = channels[wants.tty ? "stdout" : name];
    if (wants[wants.tty ? "stdout" : name]) await stream.write(channel, data);
  }
  return session.exitCode();
}

async function resize(session: ExecSession, data: Uint8Array): Promise<void> {
  const { Width: width, Height: height } = JSON.parse(new TextDecoder().decode(data)) as {
    Width: number;
    Height: number;
  };
  // A command that has just ended, or not quite begun, has no terminal; the next size comes.
  await session.resize(width, height).catch(() => undefined);
}

function exitStatus(code: number): object {
  const base = { kind: "Status", apiVersion: "v1", metadata: {} };
  if (code === 0) return { ...base, status: "Success" };
  return {
    ...base,
    status: "Failure",
    message: `command terminated with non-zero exit code: exit status ${code}`,
    reason: "NonZeroExitCode",
    details: { causes: [{ reason: "ExitCode", message: String(code) }] },
  };
}

async function sendStatus(stream: ByteStream, status: object): Promise<void> {
  stream.end(channels.stdout);
  stream.end(channels.stderr);
  await stream.write(channels.status, JSON.stringify(status));
  stream.end(channels.status);
}

/**
 * Differs from Kubernetes: the connection goes to the pod's address, so that a server which
 * listens on the pod's loopback only is not reached.
 */
async function openPortForward(
  world: StreamsWorld,
  request: OpenPortForward,
): Promise<(stream: ByteStream) => Promise<void>> {
  const pod = findPod(world, request);
  const runtime = await world.runtime(request.uid);
  const sandbox = runtime && liveSandbox(runtime);
  const ip = pod.spec.hostNetwork ? world.nodeIP : sandbox?.ip;
  if (!sandbox || !ip) {
    throw new Refusal(400, "BadRequest", `pod "${request.pod}" is not running`);
  }
  const connection = await world.dialer.connect(ip, request.port, dialTimeoutMs);
  return async (stream) => {
    void stream.closed.then(() => connection.close());
    const down = new Promise<void>((resolve) => {
      stream.onData(
        0,
        (data) => connection.write(data),
        () => {
          connection.end();
          resolve();
        },
      );
    });
    for await (const data of connection.output) await stream.write(0, data);
    stream.end(0);
    await Promise.race([down, stream.closed]);
  };
}

function findPod(
  world: StreamsWorld,
  { namespace, pod: name, uid }: { namespace: string; pod: string; uid: string },
): Pod {
  const pod = world.pod(namespace, name);
  if (pod && pod.metadata.uid === uid) return pod;
  throw new Refusal(404, "NotFound", `pods "${name}" not found`);
}

/** `running`: it must run. `newest`: the last that was started. `previous`: the one before it. */
async function findContainer(
  world: StreamsWorld,
  request: ContainerTarget,
  which: "running" | "newest" | "previous",
): Promise<ContainerState> {
  const { container: name, uid } = request;
  const pod = findPod(world, request);
  if (!containerOf(pod, name)) {
    const message = `container ${name} is not valid for pod ${request.pod}`;
    throw new Refusal(400, "BadRequest", message);
  }
  const runtime = await world.runtime(uid);
  const started = (runtime?.containers ?? []).filter((state) => {
    return state.name === name && state.status !== "created";
  });
  const found = which === "previous" ? started[1] : started[0];
  if (found && (which !== "running" || found.status === "running")) return found;
  throw refuse(pod, name, which, found !== undefined);
}

function refuse(pod: Pod, name: string, which: string, hasEnded: boolean): Refusal {
  const where = `container "${name}" in pod "${pod.metadata.name}"`;
  if (which === "previous") {
    return new Refusal(400, "BadRequest", `previous terminated ${where} not found`);
  }
  if (hasEnded) {
    return new Refusal(400, "BadRequest", `cannot exec into a container that has ended: ${where}`);
  }
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
  const status = [...initContainerStatuses, ...containerStatuses].find((it) => it.name === name);
  const waiting = status?.state?.waiting?.reason ?? "ContainerCreating";
  const reason = waitingWords[waiting] ?? waiting;
  return new Refusal(400, "BadRequest", `${where} is waiting to start: ${reason}`);
}

const waitingWords: Record<string, string> = {
  ErrImagePull: "image can't be pulled",
  ImagePullBackOff: "trying and failing to pull image",
};
