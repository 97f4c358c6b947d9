/** The newcomer's story: three nginx pods behind a Service, with stock kubectl and real Docker. */
import { get } from "node:http";
import { resolve } from "node:path";
import Docker from "dockerode";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dockerdPaths } from "../../deploy/dockerd.ts";
import { type Json, startCluster, type TestCluster } from "../harness/cluster.ts";
import { waitFor } from "../harness/wait.ts";

const manifest = resolve(import.meta.dirname, "../../manifests/examples/nginx.yaml");

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await startCluster();
});

afterAll(() => cluster?.purge());

/** The body of one answer, over a connection of its own. */
function fetchText(address: string): Promise<string> {
  return new Promise((done, reject) => {
    const request = get({ host: address, agent: false, timeout: 5_000 }, (reply) => {
      let body = "";
      reply.on("data", (data) => {
        body += data;
      });
      reply.on("end", () => done(body));
    });
    request.on("error", reject).on("timeout", () => request.destroy(new Error("timed out")));
  });
}

const pods = async (): Promise<Json[]> =>
  (await cluster.json("get", "pods", "-l", "app=nginx")).items;

const isReady = (pod: Json): boolean =>
  !pod.metadata.deletionTimestamp &&
  pod.status.conditions?.some((it: Json) => it.type === "Ready" && it.status === "True");

/** Resolves with the names of the pods once exactly `count` are there, all of them ready. */
const readyPods = (count: number, timeoutMs = 60_000): Promise<string[]> =>
  waitFor(
    `${count} ready nginx pods`,
    async () => {
      const all = await pods();
      if (all.length !== count || !all.every(isReady)) {
        throw new Error(JSON.stringify(all.map(({ metadata, status }) => [metadata.name, status])));
      }
      return all.map((pod) => pod.metadata.name as string).sort();
    },
    { timeoutMs, everyMs: 200 },
  );

const clusterIp = async (): Promise<string> =>
  (await cluster.json("get", "service", "nginx")).spec.clusterIP;

/** The pods named by the pages that some requests to the Service got. */
async function answeringPods(requests: number): Promise<string[]> {
  const address = await clusterIp();
  const names = new Set<string>();
  for (let i = 0; i < requests; i++) {
    const page = await fetchText(address);
    names.add(/nginx-[a-z0-9]+-[a-z0-9]+/.exec(page)?.[0] ?? page);
  }
  return [...names].sort();
}

describe("three nginx pods and a Service", () => {
  it("run after one apply", async () => {
    expect(await cluster.kubectl("apply", "-f", manifest)).toMatch(
      /deployment.apps\/nginx created\nservice\/nginx created|service\/nginx created\ndeployment.apps\/nginx created/,
    );
    await readyPods(3);
    const shown = await cluster.kubectl("get", "deploy,rs,pods,svc,endpointslices", "-o", "wide");
    expect(shown).toMatch(/deployment.apps\/nginx\s+3\/3\s+3\s+3/);
    expect(await cluster.kubectl("apply", "-f", manifest)).toMatch(
      /deployment.apps\/nginx unchanged/,
    );
  });

  it("answer at the Service's address, all three", async () => {
    const names = await readyPods(3);
    await waitFor("all three to answer", async () => {
      return JSON.stringify(await answeringPods(60)) === JSON.stringify(names);
    });
  });

  it("come back when Docker kills a container", async () => {
    const [name] = await readyPods(3);
    const restartsOf = async () =>
      (await cluster.json("get", "pod", name ?? "")).status.containerStatuses[0].restartCount;
    expect(await restartsOf()).toBe(0);
    const pod = await cluster.json("get", "pod", name ?? "");
    const id = pod.status.containerStatuses[0].containerID.replace("docker://", "");
    const docker = new Docker({ socketPath: dockerdPaths(cluster.dataDir).socket });
    await docker.getContainer(id).kill();
    await waitFor("the restart", async () => (await restartsOf()) === 1);
    await readyPods(3);
  });

  it("are replaced when they are deleted", async () => {
    const [name = "", ...others] = await readyPods(3);
    await cluster.kubectl("delete", "pod", name);
    const after = await readyPods(3);
    expect(after).not.toContain(name);
    expect(after).toEqual(expect.arrayContaining(others));
  });

  it("scale out and in", async () => {
    await cluster.kubectl("scale", "deployment/nginx", "--replicas=5");
    await readyPods(5);
    await cluster.kubectl("scale", "deployment/nginx", "--replicas=3");
    await readyPods(3);
  });

  it("roll to a new image while the Service goes on answering, and back", async () => {
    const address = await clusterIp();
    const rolled = cluster.kubectl("set", "image", "deployment/nginx", "nginx=nginx:1.23");
    await rolled;
    let done = false;
    const status = cluster
      .kubectl("rollout", "status", "deployment/nginx", "--timeout=80s")
      .finally(() => {
        done = true;
      });
    let answered = 0;
    while (!done) {
      expect(await fetchText(address)).toContain("nginx-");
      answered++;
    }
    expect(await status).toContain("successfully rolled out");
    expect(answered).toBeGreaterThan(0);
    const image = async () => (await pods()).map((pod) => pod.spec.containers[0].image);
    await readyPods(3);
    expect(await image()).toEqual(["nginx:1.23", "nginx:1.23", "nginx:1.23"]);

    await cluster.kubectl("rollout", "undo", "deployment/nginx");
    await cluster.kubectl("rollout", "status", "deployment/nginx", "--timeout=80s");
    await readyPods(3);
    expect(await image()).toEqual(["nginx:1.22", "nginx:1.22", "nginx:1.22"]);
    expect(await cluster.kubectl("rollout", "history", "deployment/nginx")).toMatch(/^3\s/m);
  });

  it("show their logs, and run a command", async () => {
    const [name = ""] = await readyPods(3);
    await fetchText((await cluster.json("get", "pod", name)).status.podIP);
    expect(await cluster.kubectl("logs", name)).toContain("GET / HTTP/1.1");
    expect(await cluster.kubectl("exec", name, "--", "sh", "-c", "echo $((6*7))")).toBe("42\n");
    const failed = await cluster.tryKubectl("exec", name, "--", "sh", "-c", "exit 3");
    expect(failed.stderr).toContain("command terminated with exit code 3");
  });

  it("are described with their events", async () => {
    const [name = ""] = await readyPods(3);
    const text = await cluster.kubectl("describe", "pod", name);
    for (const reason of ["Scheduled", "Pulled", "Created", "Started"])
      expect(text).toContain(reason);
  });

  it("are gone after delete, with everything they owned", async () => {
    await cluster.kubectl("delete", "-f", manifest);
    await waitFor("nothing left", async () => {
      const { items } = await cluster.json(
        "get",
        "deploy,rs,pods,endpointslices",
        "-l",
        "app=nginx",
      );
      return items.length === 0;
    });
    await waitFor("no containers", async () => {
      const docker = new Docker({ socketPath: dockerdPaths(cluster.dataDir).socket });
      return (await docker.listContainers({ all: true })).length === 0;
    });
  });
});
