/** What every engine must pass: the driver suite of `actors/kubelet/engine.ts`. */

import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import {
  type ContainerConfig,
  type ContainerState,
  type Engine,
  EngineError,
  type EngineEvent,
  type ExecSession,
  type LogStream,
  type SandboxConfig,
} from "../../actors/kubelet/engine.ts";
import { type SimBehavior, simAnnotation } from "../../actors/kubelet/engines/sim/container.ts";
import { waitFor } from "../harness/wait.ts";

/** The same behaviour as a real command and as a simulated one. */
interface Workload {
  command: string[];
  behavior: SimBehavior;
}

const shell = (script: string): string[] => ["sh", "-c", script];

const workloads = {
  sleeps: { command: shell("trap 'exit 0' TERM; sleep 600 & wait"), behavior: {} },
  ignoresTerm: {
    command: shell("trap '' TERM; while :; do sleep 1; done"),
    behavior: { stopAfterMs: 600_000 },
  },
  succeeds: { command: shell("exit 0"), behavior: { exitAfterMs: 10 } },
  fails: { command: shell("exit 3"), behavior: { exitAfterMs: 10, exitCode: 3 } },
  missingCommand: {
    command: ["/no/such/command"],
    behavior: { startError: "exec: /no/such/command: no such file or directory" },
  },
  runsOutOfMemory: {
    command: shell("x=a; while :; do x=$x$x; done"),
    behavior: { exitAfterMs: 10, oomKilled: true },
  },
  speaks: {
    command: shell("echo one; echo two; echo three; trap 'exit 0' TERM; sleep 600 & wait"),
    behavior: { output: ["one", "two", "three"] },
  },
} satisfies Record<string, Workload>;

export interface EngineUnderTest {
  engine: Engine;
  /** The image that the workloads' commands run in; the engine has it. */
  image: string;
  /** Where the engine was told to take pod addresses from. */
  podPrefix: string;
  /** Another driver on the same engine: what a restarted kubelet would have. */
  reopen(): Engine;
  /** True when commands really run. */
  real: boolean;
  close(): Promise<void>;
}

let nextPod = 0;

function sandboxConfig(work: Record<string, Workload> = {}): SandboxConfig {
  const name = `pod-${nextPod++}`;
  const annotations = Object.entries(work).map(([container, { behavior }]) => [
    simAnnotation(container),
    JSON.stringify(behavior),
  ]);
  return {
    uid: `uid-${name}`,
    namespace: "default",
    name,
    attempt: 0,
    hostname: name,
    dns: { servers: ["10.96.0.10"], searches: ["a.test", "b.test"], options: ["ndots:5"] },
    hostNetwork: false,
    labels: { app: "Über=1" },
    annotations: Object.fromEntries(annotations),
  };
}

function containerConfig(image: string, name: string, command: string[]): ContainerConfig {
  return {
    name,
    attempt: 0,
    image,
    command,
    env: [{ name: "GREETING", value: "hello world" }],
    mounts: [],
    resources: {},
    tty: false,
    stdin: false,
    stdinOnce: false,
    security: {
      readOnlyRootFilesystem: false,
      privileged: false,
      noNewPrivileges: false,
      addCapabilities: [],
      dropCapabilities: [],
    },
    labels: { tier: "front" },
    annotations: { "wherry.io/hash": "abc" },
  };
}

async function textOf(stream: LogStream | ExecSession["output"]): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += new TextDecoder().decode(chunk.data);
  return text;
}

export function describeEngine(
  name: string,
  start: () => Promise<EngineUnderTest>,
): { subject(): EngineUnderTest } {
  let subject: EngineUnderTest;
  let engine: Engine;

  beforeAll(async () => {
    subject = await start();
    engine = subject.engine;
  });
  afterEach(async () => {
    const sandboxes = await engine.listSandboxes();
    await Promise.all(sandboxes.map(({ id }) => engine.removeSandbox(id)));
  });
  afterAll(async () => {
    expect(await engine.listContainers()).toEqual([]);
    expect(await engine.listSandboxes()).toEqual([]);
    await subject.close();
  });

  /** Makes a pod of one container `app`, and starts it. */
  async function runPod(
    workload: Workload,
    change: (config: ContainerConfig) => void = () => {},
  ): Promise<{ sandbox: string; id: string }> {
    const sandbox = await engine.runSandbox(sandboxConfig({ app: workload }));
    const config = containerConfig(subject.image, "app", workload.command);
    change(config);
    const id = await engine.createContainer(sandbox, config);
    await engine.startContainer(id);
    return { sandbox, id };
  }

  function exited(id: string): Promise<ContainerState> {
    return waitFor(`the end of ${id}`, async () => {
      const state = await engine.containerState(id);
      return state?.status === "exited" ? state : undefined;
    });
  }

  test(`${name}: tells its version as Node.status.nodeInfo wants it`, async () => {
    expect((await engine.version()).runtimeVersion).toMatch(/^[a-z]+:\/\/\d+\.\d+/);
  });

  test(`${name}: runs a sandbox with an address, and gives labels and annotations back`, async () => {
    const config = sandboxConfig();
    config.annotations.note = "kept";
    const id = await engine.runSandbox(config);
    const state = (await engine.listSandboxes()).find((sandbox) => sandbox.id === id);
    expect(state).toMatchObject({ ...pick(config), running: true, labels: config.labels });
    expect(state?.annotations).toEqual(config.annotations);
    expect(state?.ip.startsWith(subject.podPrefix)).toBe(true);
  });

  test(`${name}: running the same sandbox twice makes one`, async () => {
    const config = sandboxConfig();
    const first = await engine.runSandbox(config);
    expect(await engine.runSandbox(config)).toBe(first);
    const all = await engine.listSandboxes();
    expect(all.filter((sandbox) => sandbox.uid === config.uid)).toHaveLength(1);
  });

  test(`${name}: stopping a sandbox stops all in it, and is no error when it is gone`, async () => {
    const { sandbox, id } = await runPod(workloads.sleeps);
    await engine.stopSandbox(sandbox);
    await engine.stopSandbox(sandbox);
    expect((await engine.containerState(id))?.status).toBe("exited");
    const state = (await engine.listSandboxes()).find((found) => found.id === sandbox);
    expect(state).toMatchObject({ running: false, ip: "" });
    await engine.removeSandbox(sandbox);
    await engine.removeSandbox(sandbox);
    await engine.stopSandbox(sandbox);
    expect(await engine.containerState(id)).toBeUndefined();
  });

  test(`${name}: a container runs, and tells all that a restarted kubelet must know`, async () => {
    const before = Date.now();
    const { sandbox, id } = await runPod(workloads.sleeps);
    const [found] = (await subject.reopen().listContainers()).filter((state) => state.id === id);
    expect(found).toMatchObject({ sandbox, name: "app", attempt: 0, status: "running" });
    expect(found?.labels).toEqual({ tier: "front" });
    expect(found?.annotations).toEqual({ "wherry.io/hash": "abc" });
    expect(found?.image).toBe(subject.image);
    expect(found?.imageID).not.toBe("");
    if (subject.real) expect(found?.startedAt).toBeGreaterThan(before - 2_000);
  });

  test(`${name}: exit codes and reasons are told`, async () => {
    const succeeded = await exited((await runPod(workloads.succeeds)).id);
    expect(succeeded).toMatchObject({ exitCode: 0, reason: "Completed" });
    const failed = await exited((await runPod(workloads.fails)).id);
    expect(failed).toMatchObject({ exitCode: 3, reason: "Error" });
    expect(failed.finishedAt).toBeGreaterThanOrEqual(failed.startedAt);
  });

  test(`${name}: a container beyond its memory limit is OOMKilled`, async () => {
    const limit = 32 * 1024 * 1024;
    const { id } = await runPod(workloads.runsOutOfMemory, (config) => {
      config.resources = { memoryLimitBytes: limit };
    });
    expect(await exited(id)).toMatchObject({ exitCode: 137, reason: "OOMKilled" });
  });

  test(`${name}: a missing command is a failed start with exit code 127`, async () => {
    const work = workloads.missingCommand;
    const sandbox = await engine.runSandbox(sandboxConfig({ app: work }));
    const config = containerConfig(subject.image, "app", work.command);
    const id = await engine.createContainer(sandbox, config);
    const failure = await engine.startContainer(id).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(EngineError);
    expect(failure).toMatchObject({ code: "start-failed", exitCode: 127 });
    const state = await engine.containerState(id);
    expect(state).toMatchObject({ status: "exited", exitCode: 127, reason: "ContainerCannotRun" });
    expect(state?.message).toContain("/no/such/command");
  });

  test(`${name}: a stop waits for the grace period, then kills`, async () => {
    const polite = await runPod(workloads.sleeps);
    await engine.stopContainer(polite.id, 30);
    expect(await engine.containerState(polite.id)).toMatchObject({ status: "exited" });
    const stubborn = await runPod(workloads.ignoresTerm);
    await engine.stopContainer(stubborn.id, 1);
    const killed = await engine.containerState(stubborn.id);
    expect(killed).toMatchObject({ status: "exited", exitCode: 137 });
    await engine.stopContainer(stubborn.id, 1);
  });

  test(`${name}: creating the same container again replaces one that never started`, async () => {
    const sandbox = await engine.runSandbox(sandboxConfig());
    const config = containerConfig(subject.image, "app", workloads.sleeps.command);
    await engine.createContainer(sandbox, config);
    const id = await engine.createContainer(sandbox, config);
    await engine.startContainer(id);
    expect(await engine.createContainer(sandbox, config)).toBe(id);
    const inSandbox = (await engine.listContainers()).filter((state) => state.sandbox === sandbox);
    expect(inSandbox).toHaveLength(1);
  });

  test(`${name}: what does not exist is not-found`, async () => {
    const config = containerConfig(subject.image, "app", workloads.sleeps.command);
    const noSandbox = engine.createContainer("no-such-sandbox", config);
    await expect(noSandbox).rejects.toMatchObject({ code: "not-found" });
    await expect(engine.startContainer("none")).rejects.toMatchObject({ code: "not-found" });
    expect(await engine.containerState("none")).toBeUndefined();
    expect(await engine.imageState("no/such:image")).toBeUndefined();
    await engine.stopContainer("none", 1);
    await engine.removeContainer("none");
  });

  test(`${name}: an impossible image name is told apart`, async () => {
    const pulled = engine.pullImage("UPPER CASE");
    await expect(pulled).rejects.toMatchObject({ code: "invalid-image" });
  });

  test(`${name}: logs come whole, by tail, and with time stamps`, async () => {
    const { id } = await runPod(workloads.speaks);
    const read = async (options: { tailLines?: number; timestamps?: boolean }): Promise<string> =>
      textOf(await engine.logs(id, { follow: false, timestamps: false, ...options }));
    await waitFor("three lines", async () => (await read({})) === "one\ntwo\nthree\n");
    expect(await read({ tailLines: 2 })).toBe("two\nthree\n");
    expect(await read({ tailLines: 0 })).toBe("");
    expect(await read({ tailLines: 1, timestamps: true })).toMatch(
      /^\d{4}-\d\d-\d\dT\S+Z three\n$/,
    );
  });

  test(`${name}: a followed log ends with its container, or when closed`, async () => {
    const { id } = await runPod(workloads.speaks);
    const untilExit = textOf(await engine.logs(id, { follow: true, timestamps: false }));
    const closed = await engine.logs(id, { follow: true, timestamps: false });
    const untilClosed = textOf(closed);
    closed.close();
    await untilClosed;
    await engine.stopContainer(id, 5);
    expect(await untilExit).toBe("one\ntwo\nthree\n");
  });

  test(`${name}: exec gives output and exit code`, async () => {
    const { id } = await runPod({
      ...workloads.sleeps,
      behavior: { exec: { "sh -c echo ran; exit 7": 7 } },
    });
    const command = shell("echo ran; exit 7");
    const session = await engine.exec(id, { command, stdin: false, tty: false });
    expect(await textOf(session.output)).toContain("ran");
    expect(await session.exitCode()).toBe(7);
  });

  test(`${name}: events tell of starts and ends`, async () => {
    const seen: EngineEvent[] = [];
    const stream = engine.events(
      (event) => seen.push(event),
      () => {},
    );
    // A stream may need a moment to be heard: repeat until something is.
    await waitFor("a first event", async () => {
      await engine.removeSandbox(await engine.runSandbox(sandboxConfig()));
      return seen.length > 0;
    });
    const { id } = await runPod(workloads.succeeds);
    const saw = (action: string) =>
      waitFor(action, () => seen.some((event) => event.id === id && event.action === action));
    await saw("start");
    await saw("die");
    expect(seen.find((event) => event.id === id)?.type).toBe("container");
    stream.close();
  });

  test(`${name}: stats of what runs`, async () => {
    const { id, sandbox } = await runPod(workloads.sleeps);
    const stats = await waitFor("stats", async () => (await engine.stats()).get(id));
    expect(stats.memoryBytes).toBeGreaterThan(0);
    await engine.removeSandbox(sandbox);
    expect((await engine.stats()).has(id)).toBe(false);
  });

  return { subject: () => subject };
}

function pick(config: SandboxConfig): Partial<SandboxConfig> {
  const { uid, namespace, name, attempt } = config;
  return { uid, namespace, name, attempt };
}

export { containerConfig, sandboxConfig, shell, textOf, workloads };
