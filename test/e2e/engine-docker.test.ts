import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createDockerEngine } from "../../actors/kubelet/engines/docker/index.ts";
import { pauseImage } from "../../deploy/images/index.ts";
import { run } from "../../deploy/setup/exec.ts";
import { ensureTools } from "../../deploy/setup/index.ts";
import { startTestDocker, type TestDocker } from "../harness/docker.ts";
import { waitFor } from "../harness/wait.ts";
import {
  containerConfig,
  describeEngine,
  sandboxConfig,
  shell,
  textOf,
  workloads,
} from "./engine-suite.ts";

let docker: TestDocker;
let stateDir: string;
const podCIDR = "10.213.7.0/24";
const image = "busybox:1.35";

function open(node = "node-1", cidr = podCIDR) {
  const { socketPath } = docker;
  const options = { socketPath, cluster: "suite", node, podCIDR: cidr, pauseImage, stateDir };
  return createDockerEngine(options);
}

describeEngine("docker engine", async () => {
  docker = await startTestDocker();
  stateDir = await mkdtemp(join(tmpdir(), "wherry-engine-"));
  return {
    engine: open(),
    image,
    podPrefix: "10.213.7.",
    reopen: () => open(),
    real: true,
    close: async () => {
      await docker.stop();
      await rm(stateDir, { recursive: true });
    },
  };
});

async function execText(id: string, script: string): Promise<{ text: string; code: number }> {
  const options = { command: shell(script), stdin: false, tty: false };
  const session = await open().exec(id, options);
  return { text: await textOf(session.output), code: await session.exitCode() };
}

test("docker engine: containers of a pod share localhost, hostname and resolv.conf", async () => {
  const engine = open();
  const config = sandboxConfig();
  const sandbox = await engine.runSandbox(config);
  const server = containerConfig(image, "server", shell("echo hello > /tmp/i; httpd -f -h /tmp"));
  await engine.startContainer(await engine.createContainer(sandbox, server));
  const client = containerConfig(image, "client", workloads.sleeps.command);
  const id = await engine.createContainer(sandbox, client);
  await engine.startContainer(id);
  await waitFor("the server", async () => {
    return (await execText(id, "wget -qO- http://127.0.0.1/i")).text === "hello\n";
  });
  expect((await execText(id, "cat /etc/resolv.conf")).text).toBe(
    "nameserver 10.96.0.10\nsearch a.test b.test\noptions ndots:5\n",
  );
  expect((await execText(id, "hostname")).text).toBe(`${config.hostname}\n`);
  expect((await execText(id, "echo $GREETING")).text).toBe("hello world\n");
  // The port is taken, as it would be on one machine.
  const second = await execText(id, "httpd -f -p 80 -h /tmp");
  expect(second.code).not.toBe(0);
  expect(second.text).toContain("Address already in use");
});

test("docker engine: mounts and limits reach the container", async () => {
  const engine = open();
  const sandbox = await engine.runSandbox(sandboxConfig());
  const config = containerConfig(image, "app", workloads.sleeps.command);
  config.mounts = [{ hostPath: stateDir, containerPath: "/data", readOnly: true }];
  config.resources = { cpuShares: 512, cpuQuota: 50_000, memoryLimitBytes: 64 * 1024 * 1024 };
  config.resources.oomScoreAdj = -997;
  const id = await engine.createContainer(sandbox, config);
  await engine.startContainer(id);
  const touched = await execText(id, "touch /data/x");
  expect(touched.text).toContain("Read-only file system");
  const user = containerConfig(image, "user", workloads.sleeps.command);
  user.security.user = "65534:65533";
  const asNobody = await engine.createContainer(sandbox, user);
  await engine.startContainer(asNobody);
  expect((await execText(asNobody, "id -u; id -g")).text).toBe("65534\n65533\n");
  const { HostConfig } = await docker.docker.getContainer(id).inspect();
  expect(HostConfig).toMatchObject({ CpuShares: 512, CpuQuota: 50_000, Memory: 67_108_864 });
});

test("docker engine: a privileged container runs with what this machine permits", async () => {
  const engine = open();
  const sandbox = await engine.runSandbox(sandboxConfig());
  const config = containerConfig(image, "app", workloads.sleeps.command);
  config.security.privileged = true;
  const id = await engine.createContainer(sandbox, config);
  await engine.startContainer(id);
  const { text, code } = await execText(
    id,
    "mkdir /tmp/m && mount -t tmpfs none /tmp/m && echo ok",
  );
  expect({ text, code }).toEqual({ text: "ok\n", code: 0 });
});

test("docker engine: exec takes input, and a terminal has a size", async () => {
  const engine = open();
  const sandbox = await engine.runSandbox(sandboxConfig());
  const config = containerConfig(image, "app", workloads.sleeps.command);
  const id = await engine.createContainer(sandbox, config);
  await engine.startContainer(id);
  const cat = await engine.exec(id, { command: ["cat"], stdin: true, tty: false });
  await cat.write(new TextEncoder().encode("typed"));
  cat.endInput();
  expect(await textOf(cat.output)).toBe("typed");
  expect(await cat.exitCode()).toBe(0);
  const command = shell("while [ \"$(stty size)\" != '30 100' ]; do sleep 0.05; done; echo sized");
  const terminal = await engine.exec(id, { command, stdin: true, tty: true });
  await waitFor("the resize", () => terminal.resize(100, 30).then(() => true));
  expect(await textOf(terminal.output)).toContain("sized\r\n");
  const missing = await engine.exec(id, { command: ["/none"], stdin: false, tty: false });
  expect(await textOf(missing.output)).toContain("/none");
  expect(await missing.exitCode()).toBe(126);
});

test("docker engine: attach joins a container's own input and output", async () => {
  const engine = open();
  const sandbox = await engine.runSandbox(sandboxConfig());
  const config = containerConfig(image, "app", shell("read line; echo got $line; exit 5"));
  config.stdin = true;
  config.stdinOnce = true;
  const id = await engine.createContainer(sandbox, config);
  await engine.startContainer(id);
  const session = await engine.attach(id, { stdin: true, tty: false });
  await session.write(new TextEncoder().encode("this\n"));
  expect(await textOf(session.output)).toBe("got this\n");
  expect(await session.exitCode()).toBe(5);
});

test("docker engine: sees nothing of another node or of strangers on the same Docker", async () => {
  const other = open("node-2", "10.213.8.0/24");
  const sandbox = await other.runSandbox(sandboxConfig());
  const mine = await open().listSandboxes();
  expect(mine.some(({ id }) => id === sandbox)).toBe(false);
  expect((await other.listSandboxes()).map(({ id }) => id)).toEqual([sandbox]);
  expect((await other.listSandboxes())[0]?.ip.startsWith("10.213.8.")).toBe(true);
  await other.removeSandbox(sandbox);
});

test("docker engine: a bridge removed behind Docker's back is made again", async () => {
  const { ip } = await ensureTools({ needs: ["ip"], install: true, log: () => undefined });
  const node3 = open("node-3", "10.213.9.0/24");
  await node3.removeSandbox(await node3.runSandbox(sandboxConfig()));
  await run(ip, ["link", "delete", node3.network.bridge]);
  const second = await node3.runSandbox(sandboxConfig());
  expect((await node3.listSandboxes())[0]).toMatchObject({ id: second, running: true });
  // Now with a pod in it, which has lost its network and must say so.
  await run(ip, ["link", "delete", node3.network.bridge]);
  const third = await node3.runSandbox(sandboxConfig());
  const running = Object.fromEntries(
    (await node3.listSandboxes()).map((it) => [it.id, it.running]),
  );
  expect(running).toEqual({ [second]: false, [third]: true });
  for (const id of [second, third]) await node3.removeSandbox(id);
});

test("docker engine: a removed sandbox leaves no file", async () => {
  const engine = open();
  const config = sandboxConfig();
  const id = await engine.runSandbox(config);
  const file = join(stateDir, "sandboxes", `${config.uid}_0`, "resolv.conf");
  expect(await readFile(file, "utf8")).toContain("10.96.0.10");
  await engine.removeSandbox(id);
  await expect(readFile(file)).rejects.toMatchObject({ code: "ENOENT" });
});

test("docker engine: a sandbox removed behind its back leaves no file for long", async () => {
  const config = sandboxConfig();
  const id = await open().runSandbox(config);
  await docker.docker.getContainer(id).remove({ force: true });
  const file = join(stateDir, "sandboxes", `${config.uid}_0`, "resolv.conf");
  expect(await readFile(file, "utf8")).toContain("10.96.0.10");
  await open().listSandboxes();
  await expect(readFile(file)).rejects.toMatchObject({ code: "ENOENT" });
});

test("docker engine: an absent Docker is unavailable, and its event stream ends", async () => {
  const socketPath = join(stateDir, "nobody.sock");
  const absent = createDockerEngine({
    socketPath,
    cluster: "suite",
    node: "x",
    podCIDR,
    pauseImage,
    stateDir,
  });
  await expect(absent.version()).rejects.toMatchObject({ code: "unavailable" });
  await expect(absent.listContainers()).rejects.toMatchObject({ code: "unavailable" });
  const ended = await new Promise<Error | undefined>((resolve) => {
    absent.events(() => {}, resolve);
  });
  expect(ended).toMatchObject({ code: "unavailable" });
});
