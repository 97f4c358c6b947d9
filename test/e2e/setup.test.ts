/** Starting and stopping: what is refused and how it is said, what survives, what is left behind. */
import { chmod, chown, readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readIdentity } from "../../deploy/identity.ts";
import { isSameProcess, type ProcessIdentity } from "../../deploy/processes.ts";
import { run } from "../../deploy/setup/exec.ts";
import { ensureTools } from "../../deploy/setup/index.ts";
import { prepareCluster, startCluster, type TestCluster } from "../harness/cluster.ts";
import { differences, type MachinePicture, pictureOfMachine } from "../harness/machine.ts";
import { waitFor } from "../harness/wait.ts";

async function childOf(cluster: TestCluster, name: string): Promise<ProcessIdentity> {
  return JSON.parse(await readFile(join(cluster.dataDir, `run/${name}.json`), "utf8"));
}

describe("refusals", () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await prepareCluster();
  });
  afterAll(() => cluster.purge());

  const up = (...args: string[]) => cluster.wherry("up", "--data", cluster.dataDir, ...args);

  test.each([
    [["--engine", "podman"], "--engine podman is not built yet"],
    [["--engine", "cri"], "--engine cri is not built yet"],
    [["--proxy", "userspace"], "--proxy userspace is not built yet"],
    [["--processes", "4"], "--processes 4 is not built yet"],
    [["--nodes", "0"], "--nodes 0"],
    [["--https-port", "70000"], "--https-port 70000 is not a port"],
    [["--pod-cidr", "10.0.0.0"], "--pod-cidr 10.0.0.0"],
    [["--colour"], "colour"],
  ])("up: %s is answered with exit code 2", async (args, said) => {
    const ran = await up(...args);
    expect(ran.stderr).toContain(said);
    expect(ran.code).toBe(2);
  });

  test("up: a port in use is refused by the name of who holds it", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const ran = await up("--https-port", `${port}`, "--nats-port", "0");
    await new Promise((resolve) => server.close(resolve));
    expect(ran.stderr).toContain(`port ${port} (--https-port) is in use by process ${process.pid}`);
    expect(ran.code).toBe(1);
  });

  test("up: a range that overlaps a host route is refused by name", async () => {
    const { ip } = await ensureTools({ needs: ["ip"], install: true, log: () => undefined });
    await run(ip, ["route", "add", "10.201.7.0/24", "dev", "lo"]);
    try {
      const ports = ["--https-port", "0", "--nats-port", "0"];
      const ran = await up("--pod-cidr", "10.201.0.0/16", ...ports);
      const expected = "--pod-cidr 10.201.0.0/16 overlaps the host route 10.201.7.0/24 dev lo";
      expect(ran.stderr).toContain(expected);
      expect(ran.code).toBe(1);
    } finally {
      await run(ip, ["route", "del", "10.201.7.0/24", "dev", "lo"]);
    }
  });

  // May read what root has, our program among it, and nothing more.
  const nobody = [
    ...["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
    ...["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"],
  ];

  test("up: without root it says what takes root, and what does not", async () => {
    const ran = await cluster.wherryBy(nobody, {}, "up");
    expect(ran.stderr).toBe(
      "wherry: pod networks and Service addresses take root: run as root, or only pretend: --engine sim\n",
    );
    expect(ran.code).toBe(1);
  });

  test.each(["up", "down"])("%s: a data folder of somebody else's is refused", async (command) => {
    const engine = command === "up" ? ["--engine", "sim"] : [];
    const ran = await cluster.wherryBy(nobody, {}, command, ...engine);
    expect(ran.stderr).toBe(
      `wherry: cannot write the data folder ${cluster.dataDir} (EACCES): run as its owner, or choose another with --data\n`,
    );
    expect(ran.code).toBe(1);
  });

  test("up: a Docker that refuses us is named", async () => {
    const socket = join(cluster.dataDir, "docker.sock");
    const server = createServer().listen(socket);
    await new Promise((resolve) => server.once("listening", resolve));
    await chown(socket, 65_534, 65_534);
    await chmod(socket, 0o600);
    // Root, without root's power over files.
    const powerless = ["setpriv", "--bounding-set=-dac_override"];
    const ran = await cluster.wherryBy(powerless, { DOCKER_HOST: `unix://${socket}` }, "up");
    await new Promise((resolve) => server.close(resolve));
    expect(ran.stderr).toContain(`the Docker at ${socket} refuses us`);
    expect(ran.code).toBe(1);
  });

  test("up --no-install: without the tools it says which, and how to get them", async () => {
    const nothing = join(cluster.dataDir, "nothing");
    const env = { PATH: nothing, WHERRY_CACHE: nothing, DOCKER_HOST: `unix://${nothing}` };
    const ran = await cluster.wherryBy([], env, "up", "--no-install");
    expect(ran.stderr).toMatch(
      /^wherry: missing, and not to be fetched:\n {2}nats-server: the message bus/,
    );
    expect(ran.stderr).toMatch(/\nFetch them once: npx wherry setup\n$/);
    expect(ran.code).toBe(1);
  });

  test("down: of a folder that does not exist, or never ran, is no error", async () => {
    expect((await cluster.wherry("down", "--data", `${cluster.dataDir}-no`)).code).toBe(0);
    expect((await cluster.wherry("down", "--data", cluster.dataDir)).code).toBe(0);
  });
});

describe("one cluster's life on a machine", () => {
  let before: MachinePicture;
  let cluster: TestCluster;
  beforeAll(async () => {
    before = await pictureOfMachine();
    cluster = await startCluster();
  });
  afterAll(() => cluster.purge());

  test("up: a second one on the same data is refused by the name of the first", async () => {
    const ran = await cluster.wherry("up", "--data", cluster.dataDir);
    expect(ran.stderr).toContain(`is in use by process ${cluster.pid} (`);
    expect(ran.code).toBe(1);
  });

  test("up: credentials and kubeconfig are their owner's alone", async () => {
    const { stdout } = await run("find", [
      cluster.dataDir,
      "(",
      "-name",
      "*.nk",
      "-o",
      "-name",
      "*.key",
      "-o",
      "-name",
      "kubeconfig",
      ")",
      "-printf",
      "%m\n",
    ]);
    expect(new Set(stdout.trim().split("\n"))).toEqual(new Set(["600"]));
  });

  test("nats-server: killed with -9 it comes back on its port, and the API with it", async () => {
    const killed = await childOf(cluster, "nats-server");
    await cluster.kubectl("create", "configmap", "kept");
    process.kill(killed.pid, "SIGKILL");
    await waitFor("another nats-server", async () => {
      const now = await childOf(cluster, "nats-server");
      return now.pid !== killed.pid && (await isSameProcess(now));
    });
    await waitFor("the API to answer", async () => {
      return (await cluster.tryKubectl("get", "configmap", "kept")).code === 0;
    });
  });

  test("up: killed with -9 and started again it adopts its children", async () => {
    const [nats, dockerd] = [
      await childOf(cluster, "nats-server"),
      await childOf(cluster, "dockerd"),
    ];
    const identity = await readIdentity(cluster.dataDir);
    await cluster.end("SIGKILL");
    await cluster.up();
    expect(await childOf(cluster, "nats-server")).toMatchObject({ pid: nats.pid });
    expect(await childOf(cluster, "dockerd")).toMatchObject({ pid: dockerd.pid });
    expect(await readIdentity(cluster.dataDir)).toMatchObject({ id: identity?.id });
    await cluster.kubectl("get", "configmap", "kept");
  });

  test("up: SIGTERM ends everything and leaves nothing but the data", async () => {
    expect(await cluster.end("SIGTERM")).toBe(0);
    await waitFor("the machine to be as it was", async () => {
      const left = differences(before, await pictureOfMachine());
      if (left.length > 0) throw new Error(left.join("\n"));
      return true;
    });
  });

  test("up: started once more, all objects are there", async () => {
    await cluster.up();
    await cluster.kubectl("get", "configmap", "kept");
  });

  test("down --purge: of a running cluster, leaves the machine as it was before", async () => {
    const ran = await cluster.wherry("down", "--purge", "--data", cluster.dataDir);
    expect(ran.stderr).toBe("");
    expect(ran.code).toBe(0);
    await waitFor("the machine to be as it was", async () => {
      const left = differences(before, await pictureOfMachine());
      if (left.length > 0) throw new Error(left.join("\n"));
      return true;
    });
    await expect(readFile(join(cluster.dataDir, "cluster.json"))).rejects.toThrow("ENOENT");
  });
});
